"""On any kernel, as an ordinary user: what fails closed, who may touch a policy, what -t refuses."""
import json
import os
import shutil
import subprocess

import pytest

from harness import homeward, processes

HERE = os.path.dirname(os.path.abspath(__file__))
CAP_NET_ADMIN = 1 << 12
# Capabilities as systemd's AmbientCapabilities gives them: to an ordinary user, and valid in its own namespaces only.
OWN = ["unshare", "--user", "--map-current-user", "--keep-caps", "--net", "--"]


def may_unshare():
    return processes.run([*OWN, "ip", "link", "add", "name", "near", "type", "veth", "peer", "name", "far"])[0] == 0


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    if not may_unshare():
        pytest.skip("this machine lets no ordinary user have namespaces of its own")
    folder = processes.new_folder(str(tmp_path_factory.mktemp("here")))
    os.chmod(os.path.dirname(folder), 0o755)
    os.chmod(os.path.dirname(os.path.dirname(folder)), 0o755)
    for part in ("harness", "ipsec"):
        shutil.copytree(os.path.join(processes.ROOT, "test", part), os.path.join(folder, "test", part))
    binary = os.path.join(folder, "binary")
    shutil.copy(homeward.BINARY, binary)
    done = subprocess.run([*OWN, "/usr/bin/python3", os.path.join(folder, "test", "ipsec", "here.py"), folder, binary],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, text=True,
                          **processes.as_account())
    if done.returncode != 0:
        pytest.fail(done.stderr + processes.read(os.path.join(folder, "homeward", "homeward.log")), pytrace=False)
    return json.loads(done.stdout)


def test_nothing_leaves_without_an_association(seen):
    assert seen["packets"] == [] and seen["lost"] == 0
    for name in ("four", "six"):
        assert "[UNAVAILABLE]" in seen["answers"][name]
        assert 4.5 < seen["seconds"][name] < 8, "it waits for an association, and not for ever"
    for line in seen["lines"]:
        assert "ipsec=no_sa" in line, line
    for count in ("ipsec_waits=1", "ipsec_no_sa=1", "link=ipsec", "reqid=7"):
        assert count in seen["status"], seen["status"]


def test_backends_alone_keeps_the_capability(seen):
    for role, sets in seen["capabilities"].items():
        if role == "main":
            continue
        want = CAP_NET_ADMIN if role == "backends" else 0
        assert (sets["CapEff"], sets["CapPrm"], sets["CapInh"], sets["CapAmb"]) == (want, want, 0, 0), role


def test_a_front_can_neither_set_nor_clear_a_policy(seen):
    assert seen["set"] == "EPERM"
    assert seen["clear"] == "EPERM"


# ---- homeward -t and the start, as anybody ----

def instance(folder, hosts, **ipsec):
    site = {"name": "old", "backends": [{"host": host} for host in hosts], "security": "ipsec", "ipsec": ipsec}
    door = {"address": "127.0.0.1", "port": 21143, "tls": "none"}
    settings = {"imap": {"listen": [door], "clear_login": True}, "sites": [site]}
    return homeward.Homeward(os.path.join(folder, "homeward"), settings, "* old\n")


@pytest.mark.parametrize("hosts, ipsec, says", [
    (["::ffff:10.1.2.3"], {"reqid": 7}, "expected the IPv4 address as it is, not mapped into IPv6"),
    (["10.1.2.3", "fd00::1"], {"reqid": 7}, "expected back ends of one address family"),
    (["mail.old.example"], {"reqid": 7}, "expected an IP address"),
    (["127.0.0.1"], {"reqid": 7}, "expected the address of another machine"),
    (["10.1.2.3"], {}, "expected ipsec = { reqid = ...; } with it"),
    (["10.1.2.3"], {"reqid": 4294967296}, "expected a whole number from 0 to 4294967295"),
    (["10.1.2.3"], {"reqid": 7, "algorithms": ["null"]}, "expected \"aes-gcm\""),
    (["10.1.2.3"], {"reqid": 7, "mode": "use"}, "expected \"transport\" or \"tunnel\""),
])
def test_refused_by_the_check(folder, hosts, ipsec, says):
    status, said = instance(folder, hosts, **ipsec).check()
    assert status == 1 and says in said, said


def test_three_des_is_shown_as_weak(folder):
    status, said = instance(folder, ["10.1.2.3"], reqid=7, algorithms=["3des-sha1"]).check()
    assert status == 0 and 'WEAK: site "old" may be reached with "3des-sha1"' in said, said


def test_a_missing_capability(folder):
    """A warning of the check, and one clear line and no service at the start."""
    front = instance(folder, ["10.1.2.3"], reqid=7)
    status, said = front.check()
    assert status == 0 and "needs CAP_NET_ADMIN; this process does not have it" in said, said
    with pytest.raises(processes.Failure, match="needs CAP_NET_ADMIN"):
        front.start()
    assert "event=ready" not in front.said()
    assert front.said().count("homeward: backends: a site has") == 1, front.said()
