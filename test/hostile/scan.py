"""testssl.sh and sslscan at all four doors: nothing at LOW or worse. See scripts/hostile --scan."""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from harness import certificates
from hostile.conftest import new_folder
from hostile.stage import DOORS, HomewardStage

SERIOUS = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
# What is true of every throw-away certificate, and not of TLS: its chain, its age, that nobody can revoke it; and that names under
# which the machine is not known have no CAA.
OF_CERTIFICATES = re.compile(r"^cert_|^DNS_CAArecord|^overall_grade|^grade_cap")
WEAK = re.compile(r"(?m)^.*(SSLv[23]|TLSv1\.[01])\s+enabled.*$|^.*\x1b\[31m.*$|^(Accepted|Preferred).*(CBC|RC4|3DES|NULL|EXP|ADH|AECDH).*$|^.*(?<!not )vulnerable to heartbleed.*$")


def arguments(door, port):
    protocol, kind, _ = DOORS[door]
    return protocol, kind == "starttls", f"127.0.0.1:{port}"


def testssl(door, port, folder, ca):
    protocol, starttls, place = arguments(door, port)
    out = os.path.join(folder, f"testssl-{door}.json")
    subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "batch", "--add-ca", ca, "--jsonfile", out,
                    *(["--starttls", protocol] if starttls else []), place], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=900, check=False)
    with open(out, encoding="utf-8") as file:
        rows = json.load(file)
    found = [f"{row['severity']} {row['id']}: {row['finding']}" for row in rows
             if row["severity"] in SERIOUS and not OF_CERTIFICATES.search(row["id"])]
    return len(rows), found


def sslscan(door, port, ca):
    protocol, starttls, place = arguments(door, port)
    said = subprocess.run(["sslscan", "--no-colour", *([f"--starttls-{protocol}"] if starttls else []), place], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False).stdout.decode()
    accepted = re.findall(r"(?m)^(?:Accepted|Preferred) .*$", said)
    return len(accepted), [match.group(0).strip() for match in WEAK.finditer(said)] + ([] if accepted else ["no cipher was accepted: " + said[-300:]])


def main():
    folder = new_folder()
    stage = HomewardStage(folder, certificates.Authority(os.path.join(folder, "ca")), settings={"limits": {"login_timeout_s": 60}}).start()
    doors, findings = ("imaps", "pop3s", "imap", "pop3"), 0
    try:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            deep = {door: pool.submit(testssl, door, stage.doors[door], folder, stage.authority.ca) for door in doors}
            quick = {door: pool.submit(sslscan, door, stage.doors[door], stage.authority.ca) for door in doors}
        for door in doors:
            for name, each in (("testssl.sh", deep[door]), ("sslscan", quick[door])):
                count, found = each.result()
                findings += len(found)
                print(f"{name} at {door}: {count} lines, {len(found)} at LOW or worse", *found, sep="\n  ", flush=True)
        stage.check(10)
    finally:
        stage.close()
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
