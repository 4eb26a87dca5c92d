"""What /proc says: memory, CPU and descriptors of processes. Figures that this user may not see are None."""
import os

SETTLE_S = 12  # what a burst has left goes back to the system within ten seconds


def _read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", encoding="ascii", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def _kib(text, name):
    for line in (text or "").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return None


def rss_kib(pid):
    return _kib(_read(pid, "status"), "VmRSS")


def pss_kib(pid):
    """Memory of its own plus its share of what it shares with others."""
    return _kib(_read(pid, "smaps_rollup"), "Pss")


def own_kib(pid):
    """Memory that belongs to it alone, whoever else runs the same program: heap, stacks, written data."""
    return _kib(_read(pid, "smaps_rollup"), "Anonymous")


def total(figure, pids):
    """The sum; None when one of them cannot be seen."""
    found = [figure(pid) for pid in pids]
    return None if None in found else sum(found)


def slope(points):
    """By how much an hour the values of [(seconds, value)] grow, by least squares."""
    hours, values = [point[0] / 3600 for point in points], [point[1] for point in points]
    mean_x, mean_y = sum(hours) / len(points), sum(values) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(hours, values)) / sum((x - mean_x) ** 2 for x in hours)


def descriptors(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except (FileNotFoundError, PermissionError):
        return None


def cpu_s(pid):
    """User and system time so far, of all its threads and of its children that have ended and were waited for."""
    stat = _read(pid, "stat")
    if stat is None:
        return 0.0
    fields = stat.rpartition(")")[2].split()
    ended = sum(int(field) for field in fields[13:15]) / os.sysconf("SC_CLK_TCK")
    exact = 0
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, PermissionError):
        tasks = []
    for task in tasks:
        schedule = _read(f"{pid}/task/{task}", "schedstat")  # nanoseconds; stat has hundredths of a second
        if schedule is None:
            return sum(int(field) for field in fields[11:13]) / os.sysconf("SC_CLK_TCK") + ended
        exact += int(schedule.split()[0])
    return exact / 1e9 + ended
