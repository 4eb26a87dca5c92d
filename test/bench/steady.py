"""10,000 logins a minute for a long time, half of them resumed, through two fronts: what their memory does."""
import time

from bench import measure, programs
from bench.growth import Series

SESSIONS, PAUSE_MS = 45, 1050  # of each of four kinds, between two logins of each: a little over 10,000 a minute
SAMPLE_S, WARM_MINUTES = 10, 5
USERS = 1000


def print_all(bench, minutes):
    proxy = Series(bench).homeward(USERS, workers=2)
    loads = [programs.Load(bench.folder, "login", proxy.port[protocol], pop3=protocol == "pop3", users=USERS, resume=resume,
                           sessions=SESSIONS, pause_ms=PAUSE_MS)
             for protocol in proxy.port for resume in (True, False)]
    try:
        samples = watch(proxy, minutes)
        results = [load.stop(90) for load in loads]
    finally:
        for load in loads:
            load.kill()
        proxy.stop()
    tell(samples, results, minutes)
    for result in results:
        bench.note(proxy, "logins", result)


def watch(proxy, minutes):
    """[(seconds, KiB)] of all its processes."""
    began, samples = time.monotonic(), []
    while time.monotonic() - began < 60 * minutes:
        time.sleep(SAMPLE_S)
        samples.append((time.monotonic() - began, measure.total(measure.own_kib, proxy.pids())))
        if len(samples) % 60 == 0:
            print(f"{samples[-1][0] / 60:.0f} minutes: {samples[-1][1]} KiB", flush=True)
    return samples


def tell(samples, results, minutes):
    ok = sum(result["ok"] for result in results)
    warm = [sample for sample in samples if sample[0] >= 60 * min(WARM_MINUTES, minutes / 4)]
    print(f"{ok} logins in {minutes} minutes, {ok / minutes:.0f} a minute, {sum(result['failed'] for result in results)} failed")
    print(f"memory of all processes: {warm[0][1]} KiB after the warm-up, {warm[-1][1]} KiB at the end, {measure.slope(warm):+.0f} KiB/h")
