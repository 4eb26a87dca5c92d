"""The stub store and the load generator as Python objects; `make bench` builds them."""
import json
import os
import signal
import time

from harness import ports, processes

FOLDER = os.environ.get("BENCH") or os.path.join(processes.ROOT, "build", "bench")


def program(name):
    path = os.path.join(FOLDER, name)
    if not os.path.exists(path):
        raise processes.Failure(f"{path} does not exist; make bench builds it")
    return path


class Store:
    """Both protocols on one port each; security "tls" or "none" (clear text). Has what harness.homeward.site() asks for."""

    def __init__(self, name, folder, certificate=None, password="secret", delay_ms=0, port_of=None):
        self.name, self.security = name, "tls" if certificate else "none"
        self.folder = processes.new_folder(folder)
        self.log = os.path.join(folder, "logins")
        self.port_of = port_of or dict(zip(("imap", "pop3"), ports.take(2)))
        kind = "tls" if certificate else "clear"
        self.argv = [program("store"), "--log", self.log, "--password", password, "--delay-ms", str(delay_ms)]
        if certificate:
            self.argv += ["--chain", certificate[0], "--key", certificate[1]]
        for protocol, port in self.port_of.items():
            self.argv += ["--listen", f"{protocol}:{kind}:{port}"]
        self.process = None

    def start(self):
        output = os.path.join(self.folder, "output")
        before = len(processes.read(output))  # of its last life
        self.process = processes.Process(self.argv, output, privileged=True)
        processes.wait_until("the stub store listens", 10, lambda: not self.process.is_alive() or "ready" in processes.read(output)[before:])
        if not self.process.is_alive():
            raise processes.Failure(f"the stub store ended: {processes.read(output)}")
        return self

    def logins(self):
        """(protocol, user) of each login so far."""
        return [tuple(words[2:4]) for words in self.events() if words[1] == "login"]

    def events(self):
        """Logins and ends of sessions in the words of --log; times of all stores are of one clock, time.monotonic() in us."""
        return [line.split() for line in processes.read(self.log).split("\n")[:-1]]

    def stop(self):
        if self.process is not None:
            self.process.stop()
            self.process = None

    def kill(self):
        """kill -9; it can be started again, on the same ports."""
        self.process.kill()
        self.process = None


class DelayLine:
    """Stands before ports of this machine and makes them as far away as a round trip of that many milliseconds."""

    lines = 0

    def __init__(self, folder, rtt_ms, port_of):
        DelayLine.lines += 1
        self.output = os.path.join(folder, f"delay-{DelayLine.lines}")
        self.port_of = dict(zip(port_of, ports.take(len(port_of) + 1)))
        self.argv = [program("delay"), "--rtt-ms", str(rtt_ms)]
        for protocol, port in port_of.items():
            self.argv += ["--line", f"{self.port_of[protocol]}:{port}"]
        self.process = None

    def start(self):
        self.process = processes.Process(self.argv, self.output)
        processes.wait_until("the delay line listens", 10,
                             lambda: not self.process.is_alive() or "ready" in processes.read(self.output))
        if not self.process.is_alive():
            raise processes.Failure(f"the delay line ended: {processes.read(self.output)}")
        return self

    def stop(self):
        self.process.kill()


class Load:
    """One run of the load generator, started at once. Options are those of its command line: Load(folder, "noop", port,
    sessions=50, pause_ms=1000, resume=True)."""

    runs = 0

    def __init__(self, folder, mode, port, **options):
        Load.runs += 1
        self.output = os.path.join(folder, f"load-{Load.runs}-{mode}")
        argv = [program("load"), mode, "--to", f"127.0.0.1:{port}"]
        for name, value in options.items():
            if value is not False:
                argv.append("--" + name.replace("_", "-"))
                argv += [] if value is True else [str(value)]
        self.begun_s = time.monotonic()
        self.process = processes.Process(argv, self.output, privileged=True)

    def events(self, name):
        return [event for event in self.lines() if event.get("event") == name]

    def lines(self):
        found = []
        for line in processes.read(self.output).split("\n")[:-1]:
            try:
                found.append(json.loads(line))
            except ValueError:
                found.append({"event": "noise", "text": line})
        return found

    def wait_for(self, event, seconds=60):
        def there():
            if not self.process.is_alive() and not self.events(event):
                raise processes.Failure(f"the load generator ended before its {event}: {processes.read(self.output)[-2000:]}")
            return self.events(event)
        return processes.wait_until(f"the load generator says {event} (in {self.output})", seconds, there)[0]

    def failures(self):
        """What went wrong so far, as (microseconds on the monotonic clock, why)."""
        return [(event["at_us"], event["why"]) for event in self.events("failed")]

    def result(self, seconds=60):
        """Wait for its own end."""
        status = self.process.wait(seconds)
        results = self.events("result")
        if not results:
            raise processes.Failure(f"the load generator ended with {status} and no result: {processes.read(self.output)[-2000:]}")
        return results[0]

    def stop(self, seconds=60):
        """Tell it to finish what it does; its result."""
        self.process.signal(signal.SIGTERM)
        return self.result(seconds)

    def kill(self):
        self.process.kill()
