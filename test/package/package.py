"""A Debian package of what git has."""
import glob
import os
import subprocess

from harness import processes


def sh(*words, **more):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                          check=False, **more)
    assert done.returncode == 0, f"{' '.join(words)}:\n{done.stdout[-3000:]}"
    return done.stdout


def build(work, version):
    """A package of what git has, under another version."""
    folder = os.path.join(work, version, "homeward")
    if os.path.exists(folder):
        return glob.glob(os.path.join(work, version, "homeward_*.deb"))[0]
    os.makedirs(folder)
    sh("sh", "-c", f"cd {processes.ROOT} && git archive HEAD | tar -x -C {folder}")
    path = os.path.join(folder, "debian", "changelog")
    text = processes.read(path)
    with open(path, "w") as file:
        file.write(text.replace("(0.1)", f"({version})", 1))
    sh("dpkg-buildpackage", "-b", "-us", "-uc", "-j2", cwd=folder)
    return glob.glob(os.path.join(work, version, "homeward_*.deb"))[0]
