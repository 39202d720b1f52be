"""Whether boxes work on this machine: found out by making one, never by looking for the program."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import cache

import msgspec

from gitorch.executors.probe import probe
from gitorch.model.outcome import ProbeResult
from gitorch.rooms.sandbox import host, seccomp
from gitorch.rooms.sandbox.box import Box, arguments

PROBE_SECONDS = 10.0


class BoxSupport(msgspec.Struct, frozen=True, kw_only=True):
    """Whether boxes work here. `problem` says why not, empty when they do; `own_user`, `program`: as in `Box`."""

    problem: str = ""
    fix: str = ""
    own_user: bool = True
    program: str = "bwrap"


Run = Callable[[Sequence[str]], ProbeResult]


def support(run: Run | None = None) -> BoxSupport:
    """Return whether a box can be made here, by making one that runs `true`."""
    return _probed() if run is None else _support(run)


@cache
def _probed() -> BoxSupport:
    return _support(lambda argv: probe(argv, {"PATH": "/usr/bin:/bin"}, PROBE_SECONDS))


def _support(run: Run) -> BoxSupport:
    if sys.platform != "linux":
        return BoxSupport(problem="bubblewrap exists only on Linux")
    if os.uname().machine not in seccomp.machines():
        return BoxSupport(problem=f"there is no list of system calls for {os.uname().machine}")
    # by its path: profiles of AppArmor are for /usr/bin/bwrap
    program = shutil.which("bwrap") or "bwrap"
    results = [run(_trial(program, own_user=True))]
    if results[0].exit_code == 0:
        return BoxSupport(program=program)
    if os.geteuid() == 0:
        results.append(run(_trial(program, own_user=False)))
        if results[1].exit_code == 0:
            return BoxSupport(program=program, own_user=False)
    return BoxSupport(problem=_problem(results[0]), fix=_fix(results[0]))


def _trial(program: str, *, own_user: bool) -> tuple[str, ...]:
    read, links = host.system(shares_network=False)
    box = Box(read=read, links=links, write=(), folder="/", own_user=own_user, program=program)
    return (*arguments(box), "--", "true")


def _problem(result: ProbeResult) -> str:
    words = result.stderr.strip().splitlines()
    return f"bwrap cannot make one: {words[-1]}" if words else "bwrap cannot make one"


def _fix(result: ProbeResult) -> str:
    if result.exit_code is None and not shutil.which("bwrap"):
        return "apt-get install bubblewrap"
    if "uid map" in result.stderr or "RTM_NEWADDR" in result.stderr:
        return "allow user namespaces for /usr/bin/bwrap: see docs/security.md"
    return ""
