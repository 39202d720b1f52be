"""Supervise one program: enforce its limits, and record its output and its end. Uses only the standard library.

A supervisor outlives the orchestrator. It writes `run.json` when it starts and `exit.json`, atomically, as its last
act, and seals both with its key. It is a subreaper: when its program has ended or was killed, it kills every process
below, however deep or detached (`process_tree`). The program writes to pipes: what it prints is redacted and stored up
to a limit (`capped_output`), so that neither memory nor disk grow with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time

from gitorch.executors import control_group
from gitorch.executors.capped_output import CappedOutput
from gitorch.executors.child import Child
from gitorch.executors.output_redaction import OutputRedactor
from gitorch.executors.process_tree import (
    children_seconds,
    descendants,
    processor_seconds,
    reap,
    signal_quietly,
    start_ticks,
)
from gitorch.executors.resource_watch import ResourceWatch, kill_all
from gitorch.executors.write_times import TimesFile

try:
    from _blake2 import blake2b  # `hashlib` would load OpenSSL, 4 MB in every supervisor
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` would delay the start of every agent and every check
    from typing import Any

    from gitorch.model.credentials.scan import Scanner

TERM_SECONDS = 5.0  # between SIGTERM and SIGKILL
SETTLING_SECONDS = 0.5  # for processes that are about to end after the program
LEFTOVER_SECONDS = 1.0  # the same, for processes that the program left behind
IDLE_POLL_SECONDS = 30.0  # the longest time between two checks for signs of life
STOPPED_SECONDS = 1.0  # what a wait takes longer than it should, by more than a busy machine makes it
DRAIN_BYTES = 1 << 24  # read after the end of all processes: no pipe holds more
BLOCK = 16_384
STREAMS = ("stdout", "stderr")


class Supervisor:
    """One program under supervision."""

    def __init__(
        self, folder: str, spec: dict[str, Any], key: bytes, scanner: Scanner, leash: int | None = None
    ) -> None:
        self.folder = folder
        self.spec = spec
        self.key = key
        self.scanner = scanner
        self.outputs: dict[int, CappedOutput] = {}
        self.received = 0
        self.started = time.time()
        self.clock = time.monotonic()
        self.has_begun = False
        self.stop_requests = 0
        self.leash = [] if leash is None else [leash]
        self.resources = ResourceWatch(spec)
        self.exceeded = ""
        self.group: control_group.ControlGroup | None = None
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
        self.has_begun = True
        if os.path.exists(os.path.join(self.folder, "stop")):
            self.record("stopped")
            return
        try:
            program = self._start()
        except OSError as error:
            self.record("failed-to-start", message=str(error))
            return
        cause = self._watch(program)
        if cause == "limit":
            kill_all()
            program.wait()
        elif cause != "exited":
            self._stop(program)
        leftover = self._kill_leftovers(program)
        self._finish_outputs()
        if self._is_out_of_memory():
            cause = "limit"
        if self.group:
            self.group.remove()
        self.record(cause, code=program.returncode, leftover=leftover, message=self.exceeded)

    def _start(self) -> Child:
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        limits = (self.spec["max_output"] * 3 // 4, self.spec["max_output"] // 4)
        outputs = [
            CappedOutput(folder, name, limit, OutputRedactor(self.scanner), times)
            for name, limit, times in zip(STREAMS, limits, (TimesFile(folder), None), strict=True)
        ]
        readers, writers = zip(os.pipe(), os.pipe(), strict=True)
        self.group = control_group.of(self.spec["groups"], self.spec["memory"], self.spec["processes"])
        enter = self.group.enter if self.group else None
        with open(self.spec["stdin"], "rb") as stdin:
            try:
                child = Child(self.spec["argv"], self.spec["cwd"], (stdin.fileno(), *writers), enter)
            finally:
                for writer in writers:
                    os.close(writer)
        for reader, output in zip(readers, outputs, strict=True):
            os.set_blocking(reader, False)
            self.outputs[reader] = output
        if self.group and not self.group.holds(child.pid):
            sys.stderr.write("the program is not in its control group: only a watchdog limits it\n")
        return child

    def _read(self, pipe: int) -> int:
        """Store what a pipe holds, at most a block; return its size."""
        try:
            data = os.read(pipe, BLOCK)
        except BlockingIOError:
            return 0
        if data:
            self.outputs[pipe].take(data)
            self.received += len(data)
        else:
            self._close_output(pipe)
        return len(data)

    def _close_output(self, pipe: int) -> None:
        os.close(pipe)
        self.outputs.pop(pipe).finish()

    def _finish_outputs(self) -> None:
        """Store what the pipes still hold; a process that cannot be killed may keep them open."""
        for pipe in list(self.outputs):
            remaining = DRAIN_BYTES
            while remaining > 0 and (size := self._read(pipe)):
                remaining -= size
            if pipe in self.outputs:
                self._close_output(pipe)

    def _watch(self, program: Child) -> str:
        """Wait for the program's end, a request to stop, or a limit; return which."""
        wall, idle = self.spec["timeout"], self.spec["idle"]
        signs = None
        now = began = quiet_since = time.monotonic()
        while program.poll() is None:
            if self.stop_requests:
                return "stopped"
            if wall and now - began >= wall:
                return "timeout"
            self.exceeded = self.resources.exceeded()
            if self.exceeded or self._is_out_of_memory():
                return "limit"
            if idle and now - quiet_since >= min(idle / 4, IDLE_POLL_SECONDS):
                latest = self._signs_of_life()
                if latest != signs:
                    signs, quiet_since = latest, now
                elif now - quiet_since >= idle:
                    return "idle"
            pause = self._next_check(now - began, wall, idle)
            self._sleep(pause)
            # the next turn begins here: no moment is outside of a turn
            earlier, now = now, time.monotonic()
            turn = now - earlier
            if pause is not None and turn > pause + STOPPED_SECONDS:
                # the machine slept, or everything was stopped: nobody knows for how much of the turn
                began, quiet_since = began + turn, quiet_since + turn
        return "exited"

    def _is_out_of_memory(self) -> bool:
        """Return whether the kernel ended a process for the memory that the program uses, and say so."""
        if not self.exceeded and self.group and self.group.killed():
            self.exceeded = self.resources.memory_words()
        return bool(self.exceeded)

    def _next_check(self, passed: float, wall: float, idle: float) -> float | None:
        ends = [wall - passed] if wall else []
        ends += [min(idle / 4, IDLE_POLL_SECONDS)] if idle else []
        ends += [self.resources.pause] if self.resources.is_limited else []
        return max(0.01, min(ends)) if ends else None

    def _signs_of_life(self) -> tuple[int, ...]:
        """Return numbers that change while the program is active: the size of its output, its processor time."""
        # in tenths of a second: a process that only wakes up for a moment is still idle
        return (self.received, round(10 * (children_seconds() + sum(processor_seconds(pid) for pid in descendants()))))

    def _sleep(self, seconds: float | None) -> None:
        """Wait for a signal or for output, at most so many seconds; store the output."""
        sources = [self.wake, *self.leash, *self.outputs]
        ready, _, _ = select.select(sources, [], [], 0)
        if not ready:
            for output in self.outputs.values():
                output.settle()
            ready, _, _ = select.select(sources, [], [], seconds)
        for descriptor in ready:
            if descriptor in self.leash:  # nothing is ever written to it: this is its end
                self.leash.clear()
                self._request_kill()
            elif descriptor == self.wake:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake, 4096)
            else:
                self._read(descriptor)

    def _stop(self, program: Child) -> None:
        """End the program: SIGINT, SIGTERM, SIGKILL. A second request skips to SIGKILL."""
        for number, seconds in ((signal.SIGINT, self.spec["grace"]), (signal.SIGTERM, TERM_SECONDS)):
            if self.stop_requests > 1 or program.poll() is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                program.send_signal(number)
            self._wait_for_program(program, seconds)
        if program.poll() is None:
            program.send_signal(signal.SIGKILL)
            program.wait()

    def _wait_for_program(self, program: Child, seconds: float) -> None:
        """Wait until the program has ended, the time is over, or a kill was requested."""
        end = time.monotonic() + seconds
        # the total counts: the second request may have arrived before this call
        while program.poll() is None and (remaining := end - time.monotonic()) > 0 and self.stop_requests < 2:
            self._sleep(remaining)

    def _kill_leftovers(self, program: Child) -> int:
        """Kill the processes that the program left running; return how many there were."""
        # what is about to end by itself, as `git maintenance` after a commit, is not left running
        end = time.monotonic() + (0.0 if self.stop_requests else SETTLING_SECONDS)
        while reap() and (remaining := end - time.monotonic()) > 0:
            self._sleep(remaining)
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
        if sys.platform != "linux":  # there, orphans are children of this process, and the group's id may be another's
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
    if ticks := start_ticks("self"):
        fields["ticks"] = ticks
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        fields["boot"] = file.read().strip()
    return fields


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
