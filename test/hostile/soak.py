"""The soak: half an hour of mixed load and faults, and whether anything grew, was lost or was answered wrongly. See scripts/soak."""
import argparse
import asyncio
import os
import random
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench import measure, programs
from harness import certificates, homeward, processes
from hostile import cases, client_cases
from hostile.conftest import new_folder
from hostile.stage import HomewardStage

SAMPLE_S = 10
SLOPE_KIB_H = 1024
DIRECTORY = "@bench.test north\n@shaky.test shaky\n"


class Soak:
    def __init__(self, minutes):
        self.seconds, self.begun = minutes * 60, time.monotonic()
        self.warm_s = min(300, self.seconds / 4)
        self.folder = new_folder()
        authority = certificates.Authority(os.path.join(self.folder, "ca"))
        self.stores = {name: programs.Store(name, os.path.join(self.folder, name), certificate=authority.leaf("store")).start()
                       for name in ("north", "shaky")}
        self.stage = HomewardStage(
            os.path.join(self.folder, "stage"), authority, [homeward.site(store) for store in self.stores.values()], DIRECTORY,
            {"log": {"level": "info"}, "run": {"workers": 2, "runtime_dir": "run"}, "limits": {
                "login_timeout_s": 3, "site_login_timeout_s": 3, "greeting_timeout_ms": 3000, "check_interval_s": 10}}).start()
        self.front = self.stage.front
        self.roles, self.samples, self.wrong, self.faults = [], [], [], {}
        self.random = random.Random(self.seconds)
        self.cases = [case for table in client_cases.ALL.values() for case in table]

    def since(self):
        return time.monotonic() - self.begun

    # ---- load ----

    def load(self, mode, door, domain="bench", **options):
        more = {"pop3": True} if door.startswith("pop3") else {}
        return programs.Load(self.folder, mode, self.stage.doors[door], user=f"{mode}{door}%d@{domain}.test", users=1000, **more, **options)

    def start_loads(self):
        """steady: nothing of them may fail. shaky: their store dies now and then; only wrong bytes count."""
        self.steady = []
        for door in ("imaps", "pop3s"):
            self.steady += [self.load("login", door, sessions=2, pause_ms=80, resume=True), self.load("login", door, sessions=1, pause_ms=200),
                            self.load("noop", door, sessions=100, pause_ms=2000, rounds=60, return_ms=500),
                            self.load("download", door, sessions=3, message_kib=2048, rate_kib=512, pause_ms=500, rounds=5, return_ms=200)]
        self.steady += [self.load("idle", "imaps", sessions=300), self.load("upload", "imaps", sessions=3, message_kib=1024, pause_ms=500,
                                                                           rounds=5, return_ms=200)]
        self.shaky = [self.load("login", "imaps", "shaky", sessions=2, pause_ms=200),
                      self.load("download", "pop3s", "shaky", sessions=4, message_kib=4096, rate_kib=1024, pause_ms=200, return_ms=500)]

    # ---- faults ----

    def hostile_client(self):
        case = self.random.choice(self.cases)
        try:
            self.stage.run(cases.Player(self.stage, case).play())
        except Exception as error:  # whatever it is, it is a finding
            self.wrong.append(f"{case.title}: {error!r}")

    def kill_helper(self):
        role = self.random.choice(["auth", "backends"])
        os.kill(self.front.roles()[role][0], signal.SIGKILL)

    def broken_map(self):
        self.front.put(self.front.map, "@bench.test nowhere\n")
        time.sleep(4)
        self.front.write_map()

    def kill_store(self):
        store = self.stores["shaky"]
        store.kill()
        time.sleep(2)
        store.start()

    EVERY_S = {"hostile_client": 0.5, "kill_helper": 120, "broken_map": 210, "kill_store": 75}

    def fault_due(self, due):
        for name, when in due.items():
            if self.since() >= when:
                getattr(self, name)()
                self.faults[name] = self.faults.get(name, 0) + 1
                due[name] = self.since() + self.EVERY_S[name]

    # ---- the run ----

    def sample(self):
        pids = list(self.front.process.members())
        self.roles.append({role: measure.total(measure.own_kib, some) for role, some in self.front.roles().items()})
        self.samples.append((self.since(), measure.total(measure.own_kib, pids), measure.total(measure.descriptors, pids)))

    def run(self):
        self.start_loads()
        due = dict.fromkeys(self.EVERY_S, self.warm_s / 4)
        next_sample = SAMPLE_S
        while self.since() < self.seconds:
            self.fault_due(due)
            if self.since() >= next_sample:
                next_sample += SAMPLE_S
                self.sample()
                for load in self.steady:
                    if not load.process.is_alive():
                        raise processes.Failure(f"a load ended: {processes.read(load.output)[-500:]}")
            self.stage.run(asyncio.sleep(0.1))
        return self.report()

    def slope(self, column):
        """KiB or descriptors an hour, over all samples after the warm-up."""
        return measure.slope([(sample[0], sample[column]) for sample in self.samples if sample[0] >= self.warm_s])

    def report(self):
        failed = 0
        for load in self.steady:
            result = load.stop(90)
            failed += result["failed"]
            print(f"  {os.path.basename(load.output)}: {result['ok']} done, {result['failed']} failed {result['reasons'] or ''}")
        for load in self.shaky:
            result = load.stop(90)
            wrong = [why for why in result["reasons"] if "other bytes" in why or "another length" in why or "nobody asked" in why]
            failed += len(wrong)
            print(f"  {os.path.basename(load.output)}, whose store dies: {result['ok']} done, {result['failed']} ended early, wrong: {wrong}")
        time.sleep(4)
        memory, files = self.slope(1), self.slope(2)
        after_warm = [sample for sample in self.samples if sample[0] >= self.warm_s]
        print(f"  faults: {self.faults}")
        print(f"  memory of all processes: {after_warm[0][1]} KiB after the warm-up, {after_warm[-1][1]} KiB at the end, {memory:+.0f} KiB/h")
        print("  memory over time, KiB: " + ", ".join(str(after_warm[at * (len(after_warm) - 1) // 8][1]) for at in range(9)))
        warm, last = self.roles[len(self.roles) - len(after_warm)], self.roles[-1]
        print("  of these, KiB: " + ", ".join(f"{role} {warm[role]} and {last[role]}" for role in warm))
        print(f"  descriptors: {after_warm[0][2]} and {after_warm[-1][2]}, {files:+.1f}/h; gauges after the load: "
              f"{sum(self.stage.gauges().values())}")
        for finding in self.wrong:
            print(f"  wrong: {finding}")
        good = not self.wrong and failed == 0 and memory < SLOPE_KIB_H and sum(self.stage.gauges().values()) == 0
        print(f"soak of {self.seconds / 60:.0f} minutes: {'passed' if good else 'FAILED'}")
        return good

    def close(self):
        for load in getattr(self, "steady", []) + getattr(self, "shaky", []):
            load.kill()
        try:
            self.stage.close()
        finally:
            for store in self.stores.values():
                store.stop()
            shutil.rmtree(self.folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description="Mixed load and faults for a while; what grew, what was lost, what was wrong.")
    parser.add_argument("--minutes", type=float, default=30)
    soak = Soak(parser.parse_args().minutes)
    try:
        return 0 if soak.run() else 1
    finally:
        soak.close()


if __name__ == "__main__":
    sys.exit(main())
