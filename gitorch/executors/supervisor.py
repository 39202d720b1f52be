"""The small process that is an execution's parent: it keeps the clocks, the log and the exit record.

It needs the standard library alone and outlives the orchestrator. Started as
`python -I -S supervisor.py FOLDER LOCK_FD` with the environment that the program shall have. It holds the
lock on `FOLDER/lock` (inherited) for as long as it lives: whoever gets that lock knows that it is gone.

Reads `spec.json`; writes `run.json` when it starts and `exit.json`, atomically, as its last act.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # every module more is a wait more, for every agent and every check
    from typing import Any

FIRM_SECONDS = 5.0  # after SIGTERM
TAIL_SECONDS = 1.0  # after SIGTERM to what an agent left behind
LOOK_SECONDS = 30.0  # how often an idle clock looks, at the most
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class Supervisor:
    """One program under supervision."""

    def __init__(self, folder: str, spec: dict[str, Any]) -> None:
        self.folder = folder
        self.spec = spec
        self.started = time.time()
        self.clock = time.monotonic()
        self.asked_to_stop = 0
        self.wake, alarm = os.pipe()
        os.set_blocking(alarm, False)
        os.set_blocking(self.wake, False)
        signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGUSR1, self._insist)
        # not SIG_IGN, which the program would inherit: it shall end on SIGINT
        signal.signal(signal.SIGHUP, lambda *_: None)
        signal.signal(signal.SIGINT, lambda *_: None)

    def _ask(self, *_: object) -> None:
        self.asked_to_stop += 1

    def _insist(self, *_: object) -> None:
        self.asked_to_stop += 2

    def run(self) -> None:
        """Run the program to its end and record it."""
        write(self.folder, "run.json", {**identity(), "started": self.started})
        if os.path.exists(os.path.join(self.folder, "stop")):
            self.record("stopped")
            return
        try:
            program = self._start()
        except OSError as error:
            self.record("failed-to-start", message=str(error))
            return
        cause = self._watch(program)
        if cause != "exited":
            self._stop(program)
        leftover = self._sweep(program)
        self.record(cause, code=program.returncode, leftover=leftover)

    def _start(self) -> subprocess.Popen[bytes]:
        with (
            open(self.spec["stdin"] or os.devnull, "rb") as stdin,
            open(os.path.join(self.folder, "stdout"), "ab") as stdout,
            open(os.path.join(self.folder, "stderr"), "ab") as stderr,
        ):
            return subprocess.Popen(
                self.spec["argv"],
                cwd=self.spec["cwd"],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=die_with_parent if sys.platform == "linux" else None,
            )

    def _watch(self, program: subprocess.Popen[bytes]) -> str:
        """Wait for the program's end, a request to stop, or a clock; say which."""
        wall, idle = self.spec["timeout"], self.spec["idle"]
        sign = None
        quiet_since = time.monotonic()
        while program.poll() is None:
            now = time.monotonic()
            if self.asked_to_stop:
                return "stopped"
            if wall and now - self.clock >= wall:
                return "timeout"
            if idle and now - quiet_since >= min(idle / 4, LOOK_SECONDS):
                latest = self._signs_of_life()
                if latest != sign:
                    sign, quiet_since = latest, now
                elif now - quiet_since >= idle:
                    return "idle"
            self._sleep(self._patience(now, wall, idle))
        return "exited"

    def _patience(self, now: float, wall: float, idle: float) -> float | None:
        ends = [self.clock + wall - now] if wall else []
        ends += [min(idle / 4, LOOK_SECONDS)] if idle else []
        return max(0.01, min(ends)) if ends else None

    def _signs_of_life(self) -> tuple[int, ...]:
        """Return numbers that change while the program does anything: its output's size, its processor time."""
        sizes = [os.stat(os.path.join(self.folder, name)).st_size for name in ("stdout", "stderr")]
        # tenths of a second: an idle process that wakes up for a moment is still idle
        return (*sizes, round(10 * (children_seconds() + sum(processor_seconds(pid) for pid in descendants()))))

    def _sleep(self, seconds: float | None) -> None:
        """Wait until a signal arrives or the time is over."""
        ready, _, _ = select.select([self.wake], [], [], seconds)
        if ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self.wake, 4096)

    def _stop(self, program: subprocess.Popen[bytes]) -> None:
        """End the program: ask politely, then firmly, then not at all. A second request skips the asking."""
        for sign, seconds in ((signal.SIGINT, self.spec["polite"]), (signal.SIGTERM, FIRM_SECONDS)):
            if self.asked_to_stop > 1 or program.poll() is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                program.send_signal(sign)
            self._let_end(program, seconds)
        if program.poll() is None:
            program.kill()
            program.wait()

    def _let_end(self, program: subprocess.Popen[bytes], seconds: float) -> None:
        """Wait until the program has ended, the time is over, or nobody wants to wait any longer."""
        end = time.monotonic() + seconds
        # not "asked since": a second request may have come before this began
        while program.poll() is None and (left := end - time.monotonic()) > 0 and self.asked_to_stop < 2:
            self._sleep(left)

    def _sweep(self, program: subprocess.Popen[bytes]) -> int:
        """End what the program left running, and return how many processes that were."""
        # orphans become children here: without a child there is nothing to look for among all processes
        left = descendants() if reap() else []
        for pid in left:
            signal_quietly(pid, signal.SIGTERM)
        end = time.monotonic() + TAIL_SECONDS
        while reap() and (remaining := end - time.monotonic()) > 0:
            self._sleep(remaining)
        # asked of the kernel: in a listing of all processes, one may be missing that is handed on meanwhile
        while reap():
            for pid in descendants():
                signal_quietly(pid, signal.SIGKILL)
            self._sleep(0.05)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(program.pid, signal.SIGKILL)
        return len(left)

    def record(self, cause: str, *, code: int | None = None, leftover: int = 0, message: str = "") -> None:
        """Write `exit.json`: the execution has ended, and how."""
        with contextlib.suppress(OSError), open(os.path.join(self.folder, "stop"), encoding="utf-8") as file:
            message = message or file.read()
        ended: dict[str, Any] = {
            "cause": cause,
            "started": self.started,
            "seconds": round(time.monotonic() - self.clock, 3),
            "cpu_seconds": round(children_seconds(), 3),
            "leftover": leftover,
            "message": message,
        }
        if code is not None:
            ended |= {"exit_code": code} if code >= 0 else {"signal": -code}
        write(self.folder, "exit.json", ended)


def identity() -> dict[str, Any]:
    """Return what tells this process from any other: pid, start time in clock ticks, boot."""
    found: dict[str, Any] = {"pid": os.getpid()}
    with contextlib.suppress(OSError), open("/proc/self/stat", "rb") as file:
        found["ticks"] = int(file.read().rpartition(b")")[2].split()[19])
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        found["boot"] = file.read().strip()
    return found


def children_seconds() -> float:
    """Return the processor time of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def processor_seconds(pid: int) -> float:
    """Return the processor time of a live process and its ended children; 0 where the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def descendants() -> list[int]:
    """Return all live processes below this one. As a subreaper it inherits those that detached themselves."""
    children: dict[int, list[int]] = {}
    for pid, parent in processes():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    fresh = children.get(os.getpid(), [])
    while fresh:
        found += fresh
        fresh = [pid for parent in fresh for pid in children.get(parent, [])]
    return found


def processes() -> list[tuple[int, int]]:
    """Return all processes that have not ended, with their parents."""
    if not os.path.isdir("/proc/self"):
        listing = subprocess.run(["/bin/ps", "-axo", "pid=,ppid=,stat="], capture_output=True, text=True, check=False)
        rows = [line.split() for line in listing.stdout.splitlines()]
        return [(int(row[0]), int(row[1])) for row in rows if not row[2].startswith("Z")]
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
                if state != b"Z":
                    found.append((int(name), int(parent)))
    return found


def signal_quietly(pid: int, sign: signal.Signals) -> None:
    """Send a signal to a process that may be gone by now."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, sign)


def reap() -> bool:
    """Take leave of every child that has ended; return whether others live."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    return False


def become_subreaper() -> None:
    """Have orphans below this process become its children, so that none gets away (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Have the kernel end the program when its supervisor is killed (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def write(folder: str, name: str, content: dict[str, Any]) -> None:
    """Replace a file whole, durably: beside it, fsync, rename, fsync the folder."""
    path = os.path.join(folder, name)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def main(folder: str, lock: int) -> None:
    """Supervise the execution in a folder, unless it has been supervised before."""
    os.set_inheritable(lock, False)
    if os.path.exists(os.path.join(folder, "run.json")) or os.path.exists(os.path.join(folder, "exit.json")):
        return
    if sys.platform == "linux":
        become_subreaper()
    with open(os.path.join(folder, "spec.json"), encoding="utf-8") as file:
        spec = json.load(file)
    Supervisor(folder, spec).run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
