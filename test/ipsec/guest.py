"""Inside the User Mode Linux guest: the network, the mail stores, Homeward, then every case of cases.py. Results go to
OUT/results.json as they come, captures to OUT/CASE.pcap, logs beside them."""
import json
import os
import shutil
import sys
import time
import traceback

sys.dont_write_bytecode = True
RUN = sys.argv[1]
OUT = os.path.join(RUN, "out")
sys.path[:0] = [os.path.join(RUN, "test"), os.path.join(RUN, "test", "ipsec")]
os.environ["HOMEWARD"] = os.path.join(RUN, "homeward")
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"

import cases  # noqa: E402
import house  # noqa: E402
import wire  # noqa: E402


def uptime():
    with open("/proc/uptime", encoding="ascii") as file:
        return float(file.read().split()[0])


class Results:
    def __init__(self):
        self.all = {}

    def add(self, name, error, seconds, **more):
        self.all[name] = {"error": error, "seconds": round(seconds, 2), **more}
        with open(os.path.join(OUT, "results.json"), "w", encoding="utf-8") as file:
            json.dump(self.all, file, indent=1)


def play(case, world, results):
    start = uptime()
    error = None
    recording = wire.Recording(("front", "store"), "wire")
    world.wire = recording
    world.mark = world.front.mark()
    try:
        case(world)
    except Exception:
        error = traceback.format_exc()
    finally:
        world.close_clients()
    recording.stop()
    recording.save(os.path.join(OUT, case.__name__ + ".pcap"))
    found = [name for name, secret in house.SECRETS.items() if recording.holds(secret.encode())]
    if error is None and recording.lost:
        error = f"the recorder lost {recording.lost} packets"
    results.add(case.__name__, error, uptime() - start, packets=len(recording.packets), found=found,
                clear=[str(each) for end in (house.FRONT4, house.FRONT6) for each in recording.clear_from(end) if not each.is_nobodys])


def main():
    results = Results()
    start = uptime()
    world = None
    try:
        world = house.World("/run/house")
        results.add("boot", None, uptime() - start, uptime=start)
        wanted = set(sys.argv[2:])
        for case in cases.ALL:
            if not wanted or case.__name__ in wanted:
                play(case, world, results)
        start = uptime()
        world.stop()
        results.add("end", None, uptime() - start, uptime=uptime())
    except Exception:
        results.add("boot" if world is None else "end", traceback.format_exc(), uptime() - start)
    for log in house.LOGS:
        if os.path.exists(log):
            shutil.copy(log, os.path.join(OUT, log.strip("/").replace("/", "-")))


main()
time.sleep(0.05)
