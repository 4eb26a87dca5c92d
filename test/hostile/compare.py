"""The client-side cases against Homeward and others, and a table of how many each passes. See scripts/hostile."""
import argparse
import concurrent.futures
import os
import queue
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from harness import certificates, processes
from hostile import cases, client_cases, peers, segments, stage
from hostile.conftest import new_folder

TITLES = {"starttls": "STARTTLS and STLS", "imap": "IMAP: input and credentials", "pop3": "POP3: input and credentials", "tls ports": "noise at TLS ports",
          "segments": "dialogues, cut anywhere"}
# For the answer, or the end. One of them sleeps for 3 s before each word about an error, and some cases make twenty.
PATIENCE_S = 90
DIALOGUE_S = 300  # for all cuts of one


def client_side(case):
    return case.title, lambda front: cases.Player(front, case).play()


def dialogue(door, name, turns):
    return f"{name}, cut anywhere ({door})", lambda front: segments.same_however_cut(front, door, turns, every=3)


def tables():
    """{table: [(title, what plays it)]}; those that take longest first."""
    found = {"segments": [dialogue(door, name, turns) for doors in (client_cases.IMAP, client_cases.POP3) for door in doors
                          for name, turns in segments.DIALOGUES[door[:4]].items()]}
    return found | {name: [client_side(case) for case in table] for name, table in client_cases.ALL.items()}


def one(front, play):
    """Why it did not pass, or None: the case itself, and the front end's health after it."""
    why = None
    try:
        front.run(play(front), DIALOGUE_S)
    except Exception as error:  # a hostile case may end in any of them
        why = f"{type(error).__name__}: {error}"
    try:
        front.check(3)
    except (stage.Unwell, processes.Failure) as unwell:
        why = why or str(unwell)
        front.take_baseline()  # or all that follow would fail for it
    return why


def all_of(fronts, rows):
    """(table, title, why or None) of each row (table, title, what plays it), in their order; a row at a time on each front end."""
    idle = queue.SimpleQueue()
    for front in fronts:
        front.patience = PATIENCE_S
        idle.put(front)

    def play(row):
        front = idle.get()
        try:
            return row[0], row[1], one(front, row[2])
        finally:
            idle.put(front)

    with concurrent.futures.ThreadPoolExecutor(len(fronts)) as pool:
        yield from pool.map(play, rows)


def against(name, folder, authority, options):
    """Its version and {table: (passed, of)}."""
    rows = [(table, *row) for table, rows in tables().items() if not options.only or table in options.only.split(",") for row in rows]
    results, fronts = {}, []
    try:
        for number in range(options.at_once):
            fronts.append(peers.ALL[name](processes.new_folder(os.path.join(folder, f"{name}{number}")), authority).start())
        for table, title, why in all_of(fronts, rows):
            passed, of = results.get(table, (0, 0))
            results[table] = passed + (why is None), of + 1
            if why and options.failures:
                print(f"{name}: {title}: {why[:400]}", flush=True)
        return fronts[0].version(), results
    finally:
        for front in fronts:
            front.close()


def show(results):
    columns = list(results)
    print("| cases passed | " + " | ".join(f"{name} {results[name][0]}" for name in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    sums = {name: [0, 0] for name in columns}
    for table in (table for table in TITLES if table in results[columns[0]][1]):
        cells = []
        for name in columns:
            passed, of = results[name][1][table]
            sums[name][0] += passed
            sums[name][1] += of
            cells.append(f"{passed} of {of}")
        print(f"| {TITLES[table]} | " + " | ".join(cells) + " |")
    print("| **all** | " + " | ".join(f"**{passed} of {of}**" for passed, of in sums.values()) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", default=",".join(peers.ALL), help="homeward,nginx,dovecot,perdition: some of them")
    parser.add_argument("--only", default="", help="some tables: " + ", ".join(TITLES))
    parser.add_argument("--failures", action="store_true", help="say of each case that did not pass why")
    parser.add_argument("--at-once", type=int, default=8, metavar="N", help="instances of each, a case at a time on each (default: 8)")
    options = parser.parse_args()
    folder = new_folder()
    try:
        authority = certificates.Authority(os.path.join(folder, "ca"))
        results = {name: against(name, folder, authority, options) for name in options.against.split(",")}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(results)
    return 0 if "homeward" not in results or all(passed == of for passed, of in results["homeward"][1].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
