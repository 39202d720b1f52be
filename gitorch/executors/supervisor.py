"""The parent process of one execution: enforces its time limits, and records its output and its end.

Uses only the standard library, and outlives the orchestrator. Started as `python -I -S supervisor.py FOLDER LOCK_FD`
with the environment of the program. It holds the inherited lock on `FOLDER/lock` while it lives: whoever gets that
lock knows that it is gone.

Its standard input has the program and a key; no other process gets that key. It writes `run.json` when it starts and
`exit.json`, atomically, as its last act, and seals both with the key.
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

try:
    from _blake2 import blake2b  # `hashlib` would load OpenSSL, 4 MB in every supervisor
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` would delay the start of every agent and every check
    from typing import Any

TERM_SECONDS = 5.0  # between SIGTERM and SIGKILL
LEFTOVER_SECONDS = 1.0  # the same, for processes that the program left behind
IDLE_POLL_SECONDS = 30.0  # the longest time between two checks for signs of life
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class Supervisor:
    """One program under supervision."""

    def __init__(self, folder: str, spec: dict[str, Any], key: bytes) -> None:
        self.folder = folder
        self.spec = spec
        self.key = key
        self.started = time.time()
        self.clock = time.monotonic()
        self.stop_requests = 0
        self.wake, alarm = os.pipe()
        os.set_blocking(alarm, False)
        os.set_blocking(self.wake, False)
        signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._request_stop)
        signal.signal(signal.SIGUSR1, self._request_kill)
        # not SIG_IGN, which the program would inherit: it must react to SIGINT
        signal.signal(signal.SIGHUP, lambda *_: None)
        signal.signal(signal.SIGINT, lambda *_: None)

    def _request_stop(self, *_: object) -> None:
        self.stop_requests += 1

    def _request_kill(self, *_: object) -> None:
        self.stop_requests += 2

    def run(self) -> None:
        """Run the program to its end and record it."""
        write(self.folder, "run.json", {**identity(), "started": self.started}, self.key)
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
        leftover = self._kill_leftovers(program)
        self.record(cause, code=program.returncode, leftover=leftover)

    def _start(self) -> subprocess.Popen[bytes]:
        with (
            open(self.spec["stdin"], "rb") as stdin,
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
        """Wait for the program's end, a request to stop, or a time limit; return which."""
        wall, idle = self.spec["timeout"], self.spec["idle"]
        signs = None
        quiet_since = time.monotonic()
        while program.poll() is None:
            now = time.monotonic()
            if self.stop_requests:
                return "stopped"
            if wall and now - self.clock >= wall:
                return "timeout"
            if idle and now - quiet_since >= min(idle / 4, IDLE_POLL_SECONDS):
                latest = self._signs_of_life()
                if latest != signs:
                    signs, quiet_since = latest, now
                elif now - quiet_since >= idle:
                    return "idle"
            self._sleep(self._next_check(now, wall, idle))
        return "exited"

    def _next_check(self, now: float, wall: float, idle: float) -> float | None:
        ends = [self.clock + wall - now] if wall else []
        ends += [min(idle / 4, IDLE_POLL_SECONDS)] if idle else []
        return max(0.01, min(ends)) if ends else None

    def _signs_of_life(self) -> tuple[int, ...]:
        """Return numbers that change while the program is active: the size of its output, its processor time."""
        sizes = [os.stat(os.path.join(self.folder, name)).st_size for name in ("stdout", "stderr")]
        # in tenths of a second: a process that only wakes up for a moment is still idle
        return (*sizes, round(10 * (children_seconds() + sum(processor_seconds(pid) for pid in descendants()))))

    def _sleep(self, seconds: float | None) -> None:
        """Wait for a signal, at most so many seconds."""
        ready, _, _ = select.select([self.wake], [], [], seconds)
        if ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self.wake, 4096)

    def _stop(self, program: subprocess.Popen[bytes]) -> None:
        """End the program: SIGINT, SIGTERM, SIGKILL. A second request skips to SIGKILL."""
        for number, seconds in ((signal.SIGINT, self.spec["grace"]), (signal.SIGTERM, TERM_SECONDS)):
            if self.stop_requests > 1 or program.poll() is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                program.send_signal(number)
            self._wait_for_program(program, seconds)
        if program.poll() is None:
            program.kill()
            program.wait()

    def _wait_for_program(self, program: subprocess.Popen[bytes], seconds: float) -> None:
        """Wait until the program has ended, the time is over, or a kill was requested."""
        end = time.monotonic() + seconds
        # the total counts: the second request may have arrived before this call
        while program.poll() is None and (remaining := end - time.monotonic()) > 0 and self.stop_requests < 2:
            self._sleep(remaining)

    def _kill_leftovers(self, program: subprocess.Popen[bytes]) -> int:
        """Kill the processes that the program left running; return how many there were."""
        # orphans become children of this process: without children, all processes need not be listed
        leftovers = descendants() if reap() else []
        for pid in leftovers:
            signal_quietly(pid, signal.SIGTERM)
        end = time.monotonic() + LEFTOVER_SECONDS
        while reap() and (remaining := end - time.monotonic()) > 0:
            self._sleep(remaining)
        # waitpid decides: a listing can miss a process whose parent ends meanwhile
        while reap():
            for pid in descendants():
                signal_quietly(pid, signal.SIGKILL)
            self._sleep(0.05)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(program.pid, signal.SIGKILL)
        return len(leftovers)

    def record(self, cause: str, *, code: int | None = None, leftover: int = 0, message: str = "") -> None:
        """Write `exit.json`: how the execution ended."""
        with contextlib.suppress(OSError), open(os.path.join(self.folder, "stop"), encoding="utf-8") as file:
            message = message or file.read()
        result: dict[str, Any] = {
            "cause": cause,
            "started": self.started,
            "seconds": round(time.monotonic() - self.clock, 3),
            "cpu_seconds": round(children_seconds(), 3),
            "leftover": leftover,
            "message": message,
        }
        if code is not None:
            result |= {"exit_code": code} if code >= 0 else {"signal": -code}
        write(self.folder, "exit.json", result, self.key)


def identity() -> dict[str, Any]:
    """Return what identifies this process: pid, start time in clock ticks, boot id."""
    fields: dict[str, Any] = {"pid": os.getpid()}
    with contextlib.suppress(OSError), open("/proc/self/stat", "rb") as file:
        fields["ticks"] = int(file.read().rpartition(b")")[2].split()[19])
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        fields["boot"] = file.read().strip()
    return fields


def children_seconds() -> float:
    """Return the processor time of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def processor_seconds(pid: int) -> float:
    """Return the processor time of a live process and its ended children; 0 without `/proc`."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def descendants() -> list[int]:
    """Return all live descendants. This process is a subreaper, so those that detached themselves are among them."""
    children: dict[int, list[int]] = {}
    for pid, parent in processes():
        children.setdefault(parent, []).append(pid)
    result: list[int] = []
    pending = children.get(os.getpid(), [])
    while pending:
        result += pending
        pending = [pid for parent in pending for pid in children.get(parent, [])]
    return result


def processes() -> list[tuple[int, int]]:
    """Return all processes that have not ended, with their parents."""
    if not os.path.isdir("/proc/self"):
        listing = subprocess.run(["/bin/ps", "-axo", "pid=,ppid=,stat="], capture_output=True, text=True, check=False)
        rows = [line.split() for line in listing.stdout.splitlines()]
        return [(int(row[0]), int(row[1])) for row in rows if not row[2].startswith("Z")]
    pairs = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
                if state != b"Z":
                    pairs.append((int(name), int(parent)))
    return pairs


def signal_quietly(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def reap() -> bool:
    """Reap exited children; return whether others are alive."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    return False


def become_subreaper() -> None:
    """Make orphans below this process its children, so that none escapes (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Make the kernel kill the program when its supervisor dies (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def write(folder: str, name: str, content: dict[str, Any], key: bytes | None = None) -> None:
    """Replace a file atomically and durably, and seal it with a key. The same as in `storage`, without its imports."""
    path = os.path.join(folder, name)
    with open(path + ".new", "wb") as file:
        text = json.dumps(content).encode()
        file.write(text if key is None else sealed(text, key))
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def sealed(text: bytes, key: bytes) -> bytes:
    """Return a JSON object with its seal, as `storage.seals` makes it."""
    return text[:-1] + b', "seal": "' + blake2b(text, key=key, digest_size=16).hexdigest().encode() + b'"}'


def read_order() -> dict[str, Any]:
    """Read the program and the key from standard input, and close it."""
    with open(0, "rb", closefd=False) as file:
        order: dict[str, Any] = json.load(file)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return order


def main(folder: str, lock: int) -> None:
    """Supervise the execution in a folder, unless it was supervised before."""
    os.set_inheritable(lock, False)
    order = read_order()
    if os.path.exists(os.path.join(folder, "run.json")) or os.path.exists(os.path.join(folder, "exit.json")):
        return
    if sys.platform == "linux":
        become_subreaper()
    Supervisor(folder, order["spec"], bytes.fromhex(order["key"])).run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
