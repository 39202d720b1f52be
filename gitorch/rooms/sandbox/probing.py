"""Whether boxes work on this machine: found out by making one, never by looking for the program."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import msgspec

from gitorch import typed
from gitorch.executors.probe import probe
from gitorch.model.outcome import ProbeResult
from gitorch.rooms.sandbox import host_programs, seccomp
from gitorch.rooms.sandbox.bubblewrap import Box, arguments
from gitorch.storage import atomic

PROBE_SECONDS = 10.0
_DECIDES = (
    "/proc/sys/kernel/random/boot_id",
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    "/proc/sys/kernel/unprivileged_userns_clone",
    "/proc/sys/user/max_user_namespaces",
)
"""Files whose contents decide whether boxes work; an answer is remembered only while they stay as they are."""


class BoxSupport(msgspec.Struct, frozen=True, kw_only=True):
    """Whether boxes work here. `problem` says why not, empty when they do; `own_user`, `program`: as in `Box`."""

    problem: str = ""
    fix: str = ""
    own_user: bool = True
    program: str = "bwrap"


class _Remembered(msgspec.Struct, frozen=True):
    """An answer, and the state of the machine that it is for. `landlock`: as `landlock_problem`, where it was asked."""

    machine: list[str]
    support: BoxSupport
    landlock: str = ""


Run = Callable[[Sequence[str]], ProbeResult]


def support(run: Run | None = None) -> BoxSupport:
    """Return whether a box can be made here, by making one that runs `true`."""
    return _probed() if run is None else _support(run)


def probed() -> tuple[BoxSupport, str]:
    """Return whether a box can be made here; where it cannot, also the `landlock_problem`."""
    result = support()
    return result, landlock_problem() if result.problem else ""


@cache
def landlock_problem() -> str:
    """Return why Landlock does not confine programs here, found out by running `true` under it; empty if it does."""
    return _landlock_problem(lambda argv: probe(argv, {"PATH": "/usr/bin:/bin"}, PROBE_SECONDS))


def _landlock_problem(run: Run) -> str:
    if sys.platform != "linux":
        return "Landlock exists only on Linux"
    machine = os.uname().machine
    if machine not in seccomp.machines():
        return f"there is no list of system calls for {machine}"
    system, _ = host_programs.system(shares_network=False)
    rules = {
        "read": [os.path.realpath(source) for source, _ in system],
        "write": [],
        "list": [],
        "devices": [],
        "ports": [],
        "filter": seccomp.program(machine, without_namespaces=True).hex(),
    }
    # by its path: to import it, and with it ctypes, takes 5 ms
    program = Path(__file__).with_name("confine.py")
    result = run(
        (host_programs.interpreter(), "-I", "-S", str(program), json.dumps(rules), str(os.getpid()), "--", "true")
    )
    lines = result.stderr.strip().splitlines() or ["it could not be started"]
    return "" if result.exit_code == 0 else lines[-1]


def remembered(file: Path) -> tuple[BoxSupport, str]:
    """Return what an earlier probe said of this machine as it is now; probe where there was none.

    The second part is `landlock_problem`, where boxes do not work.

    The file is the user's cache. Others may have written it, so this is for display: what runs agents probes.
    """
    machine = _machine()
    with contextlib.suppress(OSError, msgspec.DecodeError, msgspec.ValidationError):
        answer = typed.from_json(file.read_bytes(), _Remembered)
        if answer.machine == machine:
            return answer.support, answer.landlock
    result, landlock = probed()
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.replace(file, msgspec.json.encode(_Remembered(machine, result, landlock)), concurrent=True)
    return result, landlock


def _machine() -> list[str]:
    facts = [str(os.geteuid()), os.uname().release]
    for path in _DECIDES:
        try:
            facts.append(Path(path).read_text("ascii").strip())
        except OSError:
            facts.append("")
    program = shutil.which("bwrap")
    if program is None:
        return facts
    status = Path(program).stat()
    return [*facts, program, str(status.st_mtime_ns), str(status.st_size)]


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
    read, links = host_programs.system(shares_network=False)
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
