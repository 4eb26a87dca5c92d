"""What the demo and the tests share: processes, ports, certificates, mail stores, Homeward itself, scripted peers.

Python's standard library only. Whatever is started here is ended by the process id that the start gave."""
