"""scripts/install-deps: silent when nothing is missing, one clear sentence and the way out when it cannot help."""
import os
import shutil
import subprocess

import pytest

from harness import processes

SCRIPT = os.path.join(processes.ROOT, "scripts", "install-deps")


@pytest.fixture
def machine(folder):
    """machine(command=script, ...): a PATH of its own, with these stand-ins beside bash and env."""
    def run(*arguments, **stand_ins):
        for name in ("bash", "env", "sh"):
            if not os.path.exists(os.path.join(folder, name)):
                os.symlink(shutil.which(name), os.path.join(folder, name))
        for name, text in stand_ins.items():
            path = os.path.join(folder, name.replace("_", "-"))
            with open(path, "w", encoding="ascii") as file:
                file.write(f"#!/bin/sh\n{text}\n")
            os.chmod(path, 0o755)
        return subprocess.run([SCRIPT, *arguments], env={"PATH": folder}, capture_output=True, text=True, check=False)
    return run


ABSENT = 'case "$3" in mpop|curl) exit 1;; esac; echo installed'


def test_a_complete_machine_needs_neither_network_nor_root(machine):
    done = machine(dpkg_query="echo installed", apt_get="echo asked; exit 1", id="echo 1000")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_root_and_sudo_it_names_what_is_missing(machine):
    done = machine("demo", dpkg_query=ABSENT, apt_get="echo asked; exit 1", id="echo 1000")
    assert done.returncode == 1 and "asked" not in done.stdout
    assert "missing: curl mpop" in done.stderr and "install sudo" in done.stderr


def test_what_one_part_needs_is_not_asked_of_another(machine):
    assert machine("build", dpkg_query=ABSENT, apt_get="exit 1", id="echo 1000").returncode == 0


def test_with_sudo_it_asks_apt_get(machine):
    asked = machine("demo", dpkg_query=ABSENT, apt_get="exit 0", id="echo 1000",
                    sudo='for each; do printf "%s " "$each"; done; echo; exit 0', rm="exit 0")
    assert asked.returncode == 0, asked.stderr
    assert "install --no-install-recommends curl mpop" in asked.stderr


def test_what_it_installs_does_not_start_at_the_next_boot(machine, folder):
    """Services that were enabled before stay as they are."""
    list_units = (f'case "$*" in *list*) printf "ours.service enabled enabled\\n"; test ! -e {folder}/done || printf '
                  '"theirs.service enabled enabled\\n" ;; *) echo "$*" ;; esac')
    as_root = f'case "$*" in *simulate*) ;; *install*) : >{folder}/done ;; esac; echo "$*"'
    done = machine("demo", dpkg_query=ABSENT, apt_get="exit 0", id="echo 1000", sudo=as_root, systemctl=list_units)
    assert done.returncode == 0, done.stderr
    assert "disable theirs.service" in done.stderr and "disable ours.service" not in done.stderr


def test_another_system_is_told_what_to_install(machine):
    done = machine("build", id="echo 1000")
    assert done.returncode == 1
    assert "not a Debian system" in done.stderr and "libuv1-dev" in done.stderr


def test_an_unknown_part_is_refused(machine):
    done = machine("everything")
    assert done.returncode == 2 and "expected build, demo or test" in done.stderr
