"""Allocations and system calls that fail (faults.py): a part of what scripts/faults does with all of them."""
import errno

import pytest

from . import conftest, faults, matrix

SOME = ("LOGIN, quoted", "AUTHENTICATE", "USER and PASS", "errors", "commands")
CALLS = [("front", "accept4", errno.EMFILE), ("front", "accept4", errno.ENOBUFS), ("front", "recvmsg", errno.ENOBUFS), ("front", "recvmsg", errno.ENOMEM),
         ("front", "sendmsg", errno.ENOBUFS), ("front", "read", faults.SHORT), ("front", "read", errno.EINTR), ("front", "write", faults.SHORT),
         ("front", "write", errno.EINTR), ("front", "write", errno.ENOBUFS), ("backends", "socket", errno.EMFILE), ("backends", "socket", errno.ENOMEM),
         ("backends", "connect", errno.ENOBUFS), ("backends", "recvmsg", errno.ENOMEM), ("auth", "recvmsg", errno.ENOBUFS), ("auth", "sendmsg", errno.EINTR)]

if matrix.SANITIZED:
    pytest.skip("a sanitizer's own allocator stands where the shim would", allow_module_level=True)


@pytest.fixture(scope="module")
def rig(authority):
    made = faults.Rig(conftest.new_folder(), authority)
    yield made
    made.close()


def sessions(*doors):
    return [each for each in faults.scripts() if each[0] in SOME and each[1] in doors]


@pytest.mark.parametrize("role", ["front", "auth", "backends"])
def test_each_allocation_of_our_own_code_may_fail(rig, role):
    counts = rig.allocations(sessions("imaps", "pop3-clear"), roles=(role,))
    assert not rig.problems, "\n".join(rig.problems)
    assert counts[role] >= 5


@pytest.mark.parametrize("role, call, error", CALLS, ids=[f"{role}-{call}-{errno.errorcode.get(error, 'short')}" for role, call, error in CALLS])
def test_a_system_call_fails_once_or_often(rig, role, call, error):
    rig.problems.clear()
    for at in (1, -2):
        rig.call_fails(role, call, error, at, [each for each in sessions("imaps", "pop3s") if each[0] in ("LOGIN, quoted", "USER and PASS")])
    assert not rig.problems, "\n".join(rig.problems)
