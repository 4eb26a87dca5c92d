"""Started by root, Homeward gives its privileges away and serves as an ordinary user would."""
import pytest

from harness import clients, homeward, processes


@pytest.mark.skipif(not processes.AM_ROOT, reason="needs root")
def test_as_root_it_serves_under_another_account(front, authority, stores, folder):
    doors = homeward.Doors(authority.ca)
    instance = front({**doors.groups(), "sites": [homeward.site(stores["north"])],
                      "run": {"workers": 1, "user": processes.ACCOUNT.pw_name, "runtime_dir": folder + "/run"}},
                     "* north\n", privileged=True)
    assert len(clients.mails_in(clients.python_imaplib_tls(doors, ("anna@demo.test", "secret"), folder))) == 3
    for role, pids in instance.roles().items():
        for pid in pids:
            status = processes.read(f"/proc/{pid}/status")
            uids = status.split("Uid:")[1].splitlines()[0].split()
            if role != "main":
                assert set(uids) == {str(processes.ACCOUNT.pw_uid)}, (role, uids)
                assert "NoNewPrivs:\t1" in status, role
    assert {"front", "auth", "backends"} <= set(instance.roles())
