"""What an installation brings: files, the unit, the fail2ban filter, the importer of popmaps."""
import os
import re
import subprocess

from harness import homeward, processes

ROOT = processes.ROOT
LOGFMT = ("time=2026-11-23T07:36:50.058Z level=info role=\"front 1\" event=login_failed sid=58c9571797ee965e proto=imap "
          "peer={peer} tls=TLSv1.3 mechanism=LOGIN user=anna@example.com site=north backend=10.0.0.1:993 result={result} "
          "why=refused auth_ms=1 dial_ms=2 handin_ms=3")


def exposure(folder, *drop_ins):
    """What systemd-analyze security says of the unit with these."""
    path = os.path.join(folder, "homeward.service")
    with open(path, "w") as file:
        file.writelines(processes.read(os.path.join(ROOT, "dist", name)) + "\n" for name in ("homeward.service",) + drop_ins)
    status, said = processes.run(["systemd-analyze", "security", "--offline=true", "--no-pager", path])
    assert status == 0, said
    return float(re.search(r"exposure level for homeward.service: ([\d.]+)", said).group(1))


def test_the_unit_exposes_little(folder):
    figures = {more: exposure(folder, *more) for more in ((), ("no-privileges.conf",), ("with-ipsec.conf",))}
    print("systemd-analyze security:", figures)
    assert figures[()] < 2 and figures[("no-privileges.conf",)] < 1.5
    assert figures[("with-ipsec.conf",)] < 2


def filtered(folder, lines, *options):
    log = os.path.join(folder, "log")
    with open(log, "w") as file:
        file.write("\n".join(lines) + "\n")
    done = subprocess.run(["fail2ban-regex", "--print-all-matched", *options, log,
                           os.path.join(ROOT, "dist", "fail2ban", "homeward.conf")], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, text=True)
    found = re.search(r"(\d+) lines, (\d+) ignored, (\d+) matched", done.stdout)
    assert found, done.stdout
    return int(found.group(3)), done.stdout


def test_the_fail2ban_filter_counts_refusals_and_nothing_else(folder):
    good = [LOGFMT.format(peer=peer, result="refused") for peer in ("192.0.2.7:1234", "[2001:db8::7]:1234")]
    json = ('{"time":"2026-11-23T07:36:50.058Z","level":"info","role":"front 1","event":"login_failed","sid":"58c9571797ee965e",'
            '"proto":"pop3","peer":"192.0.2.9:99","tls":"TLSv1.3","mechanism":"USER","result":"refused","why":"unknown"}')
    bad = [LOGFMT.format(peer="192.0.2.8:1", result="unavailable"),
           LOGFMT.format(peer="192.0.2.8:1", result="ok").replace("login_failed", "login"),
           # its owner may be who tries to sign in to an account that others guess at
           LOGFMT.format(peer="192.0.2.8:1", result="refused why=throttled penalty_ms=24000"),
           json.replace("192.0.2.9", "192.0.2.8").replace('"why":"unknown"', '"why":"throttled"'),
           # a client that calls itself what the filter looks for is not banned for it, and bans nobody else
           LOGFMT.format(peer="192.0.2.8:1", result="unavailable") +
           ' login="event=login_failed sid=58c9571797ee965e proto=imap peer=198.51.100.1:1 x"']
    matched, said = filtered(folder, good + [json] + bad)
    print(said[-1500:])
    assert matched == 3
    for address in ("192.0.2.7", "2001:db8::7", "192.0.2.9"):
        assert address in said


def test_the_filter_reads_what_homeward_writes(front, authority, stores, trust, folder):
    import imaplib
    doors = homeward.Doors(authority.ca)
    for number, form in enumerate(("logfmt", "json")):
        instance = front({**doors.groups(), "sites": [homeward.site(stores["north"])], "log": {"format": form}},
                         "anna@demo.test north\n", name=f"f2b{number}", start=False)
        instance.launch()
        processes.wait_until("it is ready", 10, lambda: "ready" in instance.said())
        client = imaplib.IMAP4_SSL("localhost", doors.port["imaps"], ssl_context=trust, timeout=10)
        for user, password in (("nobody@demo.test", "x"), ("anna@demo.test", "wrong"), ("anna@demo.test", "secret")):
            try:
                client.login(user, password)
            except imaplib.IMAP4.error:
                pass
        client.logout()
        instance.stop()
        matched, said = filtered(folder, instance.said().splitlines())
        assert matched == 2, said[-2000:]


def test_a_popmap_is_brought_over(folder, front):
    popmap = os.path.join(folder, "popmap")
    with open(popmap, "w") as file:
        file.write("# users of 2009\nanna: imap1.north.test\nbert: imap2.north.test:143   # moved\n"
                   "carl@demo.test: carl_old@10.1.2.3\n")
    done = subprocess.run([os.path.join(ROOT, "scripts", "popmap"), "--domain", "demo.test", popmap], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=True)
    print(done.stdout, done.stderr)
    sites = [{"name": name, "backends": [{"host": host}], "security": "tls"} for name, host in
             re.findall(r'name = "([^"]+)".*?host = "([^"]+)"', done.stderr)]
    assert [site["name"] for site in sites] == ["imap1", "imap2", "10-1-2-3"]
    instance = front({"imap": homeward.Doors(None).groups()["imap"], "sites": sites}, done.stdout, start=False)
    instance.write()
    for user, site, name in (("anna@demo.test", "imap1", "anna"), ("bert@demo.test", "imap2", "bert"),
                             ("carl@demo.test", "10-1-2-3", "carl_old")):
        status, said = processes.run([instance.binary, "explain", user, "-c", instance.file])
        assert status == 0 and f"site          {site}\n" in said and f"store's name  {name}\n" in said
