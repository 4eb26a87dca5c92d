"""homewardctl serve: /metrics, /healthz, /readyz and the page, as Prometheus, a load balancer and a browser see them."""
import http.client
import imaplib
import os
import re
import shutil
import socket
import subprocess
import time

import pytest

from harness import clients, homeward, ports, processes

ROOT = processes.ROOT


@pytest.fixture
def served(front, authority, stores):
    doors = homeward.Doors(authority.ca)
    instance = front({**doors.groups(), "sites": [homeward.site(stores["north"]), homeward.site(stores["south"])]},
                     "anna@demo.test north\nbert@demo.test south\n")
    port = ports.take()
    argv = [instance.ctl_binary, "-s", instance.control, "serve", f"127.0.0.1:{port}"]
    server = subprocess.Popen(argv, stderr=subprocess.DEVNULL, **processes.as_account())
    processes.wait_until("HTTP is served", 5, lambda: get(port, "/healthz")[0])
    yield instance, doors, port
    server.terminate()
    assert server.wait(5) == 0


def get(port, path, method="GET", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers
    except ConnectionRefusedError:
        return 0, "", {}
    finally:
        connection.close()


def value(port, name):
    found = re.search(rf"^{re.escape(name)} ([\d.]+)$", get(port, "/metrics")[1], re.M)
    return float(found.group(1)) if found else None


def sign_in(doors, trust, user="anna@demo.test", password="secret"):
    client = imaplib.IMAP4_SSL(clients.HOST, doors.port["imaps"], ssl_context=trust, timeout=10)
    client.login(user, password)
    return client


def test_metrics_count_and_name_nobody(served, trust):
    instance, doors, port = served
    client = sign_in(doors, trust)
    for _ in range(2):
        with pytest.raises(imaplib.IMAP4.error):
            sign_in(doors, trust, password="wrong")
    text = get(port, "/metrics")[1]
    print(text)
    assert value(port, 'homeward_logins_total{proto="imap",result="ok"}') == 1
    assert value(port, 'homeward_logins_total{proto="imap",result="refused"}') == 2
    assert value(port, 'homeward_sessions{proto="imap"}') == 1
    assert value(port, "homeward_login_duration_seconds_count") == 1
    assert value(port, "homeward_ready") == 1
    assert "anna" not in text and "127.0.0.1\"" in text and "peer" not in text
    client.logout()
    done = subprocess.run(["promtool", "check", "metrics"], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    assert done.returncode == 0 and done.stdout.strip() == "", done.stdout


def test_counters_go_on_over_reloads_and_crashes(served, trust):
    instance, doors, port = served
    sign_in(doors, trust).logout()
    assert value(port, 'homeward_logins_total{proto="imap",result="ok"}') == 1
    instance.settings["limits"] = {"errors": 9}
    instance.reload()
    sign_in(doors, trust).logout()
    assert value(port, 'homeward_logins_total{proto="imap",result="ok"}') == 2
    for pid in instance.roles()["front"]:
        os.kill(pid, 9)
    processes.wait_until("a front is back", 5, lambda: "front" in instance.roles() and value(
        port, 'homeward_logins_total{proto="imap",result="ok"}') == 2)


def test_the_alert_rules_are_nine_and_good():
    status, said = processes.run(["promtool", "check", "rules", os.path.join(ROOT, "share", "alerts.yml")])
    assert status == 0 and "9 rules found" in said, said
    status, said = processes.run(["promtool", "test", "rules", os.path.join(ROOT, "test", "e2e", "alerts_test.yml")])
    assert status == 0, said


def test_ready_says_503_while_draining_and_when_no_site_is_up(served, trust):
    instance, doors, port = served
    assert get(port, "/healthz")[:2] == (200, "alive\n") and get(port, "/readyz")[:2] == (200, "ready\n")
    for site in ("north", "south"):
        instance.ctl("site", site, "maint")
    assert get(port, "/readyz")[:2] == (503, "not ready: no site can be reached\n")
    instance.ctl("site", "north", "ready")
    assert get(port, "/readyz")[0] == 200
    instance.settings["run"] = {"drain_timeout_s": 2}
    instance.reload()
    client = sign_in(doors, trust)
    instance.ctl("drain")
    assert get(port, "/readyz")[:2] == (503, "not ready: it is not serving\n")
    assert get(port, "/healthz")[0] == 200
    client.shutdown()
    processes.wait_until("it has ended", 10, instance.has_ended)
    assert get(port, "/healthz")[0] == 503 and get(port, "/readyz")[0] == 503 and value(port, "homeward_up") == 0


def test_http_is_bounded_and_strict(served):
    _, _, port = served
    assert get(port, "/nothing")[0] == 404
    assert get(port, "/metrics", "POST", "x" * 1000)[0] == 405
    assert get(port, "/" + "x" * 60000)[0] in (0, 400, 414, 431)
    for garbage in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"\0" * 4096, b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port), 2) as sock:
            sock.sendall(garbage)
            sock.settimeout(1)
            try:
                sock.recv(100)
            except OSError:
                pass
    assert get(port, "/healthz")[0] == 200


def test_only_loopback_or_a_unix_socket(served, folder):
    instance, _, _ = served
    for at in ("0.0.0.0:9143", "192.0.2.1:80", "nonsense", "[::]:80"):
        assert instance.ctl("serve", at, status=1)
    path = os.path.join(folder, "http")
    server = subprocess.Popen([instance.ctl_binary, "-s", instance.control, "serve", path], **processes.as_account())
    processes.wait_until("the socket is there", 5, lambda: os.path.exists(path))
    status, said = processes.run(["curl", "-s", "--unix-socket", path, "http://localhost/readyz"])
    assert said == "ready\n"
    server.terminate()
    assert server.wait(5) == 0


def test_the_page_has_status_and_sites_and_escapes(served):
    instance, _, port = served
    status, html, headers = get(port, "/")
    assert status == 200 and "default-src 'none'" in headers["Content-Security-Policy"]
    for words in ("Ready.", "<h2>Sites</h2>", "north", "south", "days left", "width=device-width"):
        assert words in html


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium: scripts/install-deps browser")
def test_a_browser_draws_the_page_at_the_width_of_a_phone_and_of_a_desk(served):
    """SCREENSHOTS=folder keeps what it drew."""
    instance, _, port = served
    for name, size in (("phone", "390,1400"), ("desk", "1200,900")):
        shot = os.path.join(instance.folder, f"{name}.png")
        processes.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={instance.folder}/chromium",
                       f"--window-size={size}", f"--screenshot={shot}", f"http://127.0.0.1:{port}/"], env={
                           **os.environ, "HOME": instance.folder})
        assert os.path.getsize(shot) > 5000
        if os.environ.get("SCREENSHOTS"):
            shutil.copy(shot, os.environ["SCREENSHOTS"])
