"""A clean Debian to put the package into. Needs root, debootstrap and a mirror; PACKAGE_ROOT names a root that debootstrap has made
already."""
import os
import shutil
import subprocess
import tempfile

import pytest

from harness import processes
from package import sh

LIBRARIES = "libuv1,libc-ares2,libconfig9,libjansson4,libmicrohttpd12,libmnl0,libseccomp2,libssl3,ca-certificates,systemd"


@pytest.fixture(scope="session")
def work():
    if not processes.AM_ROOT or not shutil.which("debootstrap"):
        pytest.skip("needs root and debootstrap")
    path = tempfile.mkdtemp(prefix="homeward-package-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def root(work):
    path = os.environ.get("PACKAGE_ROOT") or os.path.join(work, "root")
    if not os.path.exists(os.path.join(path, "usr")):
        sh("debootstrap", "--variant=minbase", f"--include={LIBRARIES}", "bookworm", path)
    os.makedirs(os.path.join(path, "proc"), exist_ok=True)
    sh("mount", "-t", "proc", "proc", os.path.join(path, "proc"))
    subprocess.run(["chroot", path, "dpkg", "-P", "homeward"], check=False, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    shutil.rmtree(os.path.join(path, "etc/homeward"), ignore_errors=True)
    yield path
    sh("umount", os.path.join(path, "proc"))
