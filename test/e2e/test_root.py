"""Started by root, Homeward gives its privileges away and serves as an ordinary user would."""
import os
import shutil

import pytest

from harness import clients, homeward, ports, processes


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


UNIT_HAS = ("net_bind_service", "dac_read_search")  # AmbientCapabilities= of dist/homeward.service


@pytest.mark.skipif(not processes.AM_ROOT, reason="needs root")
def test_as_the_unit_runs_it_keys_are_roots_ports_are_low_and_clients_meet_nobody_with_a_capability(front, authority, stores, folder):
    unit = processes.read(os.path.join(processes.ROOT, "dist", "homeward.service"))
    assert "AmbientCapabilities=" + " ".join("CAP_" + name.upper() for name in UNIT_HAS) + "\n" in unit
    chain, key = authority.leaf("mail")
    secret = os.path.join(folder, "secret.pem")
    shutil.copy(key, secret)
    os.chown(secret, 0, 0)
    os.chmod(secret, 0o600)
    port = ports.low()
    instance = front({"imap": {"listen": [{"address": "127.0.0.1", "port": port, "tls": "implicit"}]},
                      "tls": {"certificates": [{"chain": chain, "key": secret}], "ca_file": authority.ca},
                      "sites": [homeward.site(stores["north"])]}, "* north\n", start=False)
    instance.write()
    as_the_unit = ["setpriv", f"--reuid={processes.ACCOUNT.pw_uid}", f"--regid={processes.ACCOUNT.pw_gid}", "--clear-groups",
                   "--no-new-privs"] + [f"--{kind}=" + ",".join(("-all",) + tuple("+" + name for name in UNIT_HAS))
                                        for kind in ("bounding-set", "inh-caps", "ambient-caps")]
    instance.process = processes.Process(as_the_unit + [instance.binary, "-c", instance.file], instance.log, privileged=True,
                                         cwd=instance.folder)
    processes.wait_until("it is ready", 10, lambda: instance.has_ended() or instance.events("ready"))
    assert not instance.has_ended(), instance.said()
    doors = homeward.Doors(authority.ca, dict.fromkeys(homeward.Doors.names, port))
    assert len(clients.mails_in(clients.python_imaplib_tls(doors, ("anna@demo.test", "secret"), folder))) == 3
    for role, pids in instance.roles().items():
        for pid in pids:
            status = processes.read(f"/proc/{pid}/status")
            capable = int(status.split("CapPrm:")[1].split()[0], 16)
            assert capable == (1 << 10 | 1 << 2 if role == "main" else 0), (role, hex(capable))
    instance.reload()
    assert len(clients.mails_in(clients.python_imaplib_tls(doors, ("anna@demo.test", "secret"), folder))) == 3
