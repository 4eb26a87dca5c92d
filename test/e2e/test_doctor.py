"""homeward doctor: what is well, what somebody should look at, what is bad."""
import json
import os
import time

from harness import homeward, processes


def doctor(instance, *words):
    status, said = processes.run([instance.binary, "doctor", *words, "-c", instance.file])
    print(said)
    return status, said


def test_it_looks_at_everything(front, authority, stores):
    instance = front({**homeward.Doors(authority.ca).groups(), "sites": [homeward.site(stores["north"])]}, "* north\n",
                     start=False)
    instance.write()
    status, said = doctor(instance)
    assert status == 0 and "0 BAD" in said
    for what in ("configuration", "protocols", "certificate", "map", "links", "descriptors", "backlog", "clock"):
        assert f" {what} " in said
    found = [json.loads(line) for line in doctor(instance, "--json")[1].splitlines()]
    assert {each["state"] for each in found} <= {"ok", "look"}
    old = time.time() - 40 * 86400
    os.utime(instance.map, (old, old))
    assert "does the job that writes it still run?" in doctor(instance)[1]


def test_what_is_bad_makes_it_fail(front, authority, stores):
    site = homeward.site(stores["north"])
    site["backends"] = [{"host": "no-such-host.invalid"}]
    instance = front({**homeward.Doors(authority.ca).groups(), "sites": [site]}, "* north\n", start=False)
    instance.write()
    status, said = doctor(instance)
    assert status == 1 and "BAD  name" in said and "no-such-host.invalid of north" in said
    with open(instance.file, "a") as file:
        file.write("nonsense = 1;\n")
    status, said = doctor(instance)
    assert status == 1 and "BAD  configuration" in said and "nonsense" in said
