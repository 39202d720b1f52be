"""What gitorch itself takes while many agents work at once: processor time and memory of its own processes.

    python -m tests.bench.crowd --agents 20 --seconds 60

The agents are shells that print a line every second. Measured is the middle of the run, when all of them work: the
orchestrator, the supervisor of each agent, and `watch` on a terminal beside it. Memory is what a process shares with no
other.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pty
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from tests.bench.night import sealed
from tests.bench.table import Row
from tests.support.cli import Cli, does, saved
from tests.support.git import standard

MOST_PROCESSOR = 0.05
"""Of one core, for all agents together."""
MOST_MEGABYTES = 15.0
"""For each agent."""
_START_SECONDS = 180.0


class Own(msgspec.Struct, frozen=True):
    """Processes of gitorch: the orchestrator, and the supervisors of running agents."""

    orchestrator: psutil.Process
    supervisors: list[psutil.Process]

    @property
    def seconds(self) -> float:
        """The processor time that they have used."""
        return self.run_seconds + sum(map(_used, self.supervisors))

    @property
    def run_seconds(self) -> float:
        """The processor time that the orchestrator has used."""
        return _used(self.orchestrator)


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sealed(Path(folder))
        rows = _measure(Path(folder), options.agents, options.seconds)
    for row in rows:
        print(row.line)


def _measure(folder: Path, agents: int, seconds: int) -> list[Row]:
    cli = Cli(standard(folder / "repository"))
    cli.environment["GITORCH_SANDBOX_MODE"] = "off"
    stop = folder / "stop"
    loop = f"while ! test -e {stop}; do echo working; sleep 1; done"
    cli.queue(*(does(f"Work {number}", loop, saved(f"{number}.txt", "x")) for number in range(agents)))
    command = [sys.executable, "-m", "gitorch", "run", "--max-agents", str(agents)]
    run = subprocess.Popen(command, cwd=cli.folder, env=cli.environment, stdout=subprocess.DEVNULL)
    try:
        own = _all_working(psutil.Process(run.pid), cli.folder, agents)
        with _watching(cli) as watch:
            before, run_before, watch_before, start = own.seconds, own.run_seconds, _used(watch), time.monotonic()
            time.sleep(seconds)
            elapsed = time.monotonic() - start
            processor, in_run = (own.seconds - before) / elapsed, (own.run_seconds - run_before) / elapsed
            in_watch = (_used(watch) - watch_before) / elapsed
        megabytes = [process.memory_full_info().uss / 1e6 for process in own.supervisors]
        orchestrator = own.orchestrator.memory_full_info().uss / 1e6
    finally:
        stop.touch()
        run.wait()
    each = max(megabytes)
    shared = (orchestrator + sum(megabytes)) / agents
    return [
        Row(f"processor time, {agents} agents", f"{processor:.1%} of a core", "< 5%", "", processor < MOST_PROCESSOR),
        Row("of that, the orchestrator", f"{in_run:.1%} of a core", "", "", True),
        Row("processor time, watch", f"{in_watch:.1%} of a core", "< 5%", "", in_watch < MOST_PROCESSOR),
        Row("memory, a supervisor (largest)", f"{each:.1f} MB", "< 15 MB", "", each < MOST_MEGABYTES),
        Row("memory, with its share of the run", f"{shared:.1f} MB", "< 15 MB", "", shared < MOST_MEGABYTES),
    ]


@contextmanager
def _watching(cli: Cli) -> Iterator[psutil.Process]:
    """Lend the process of `watch` on a terminal of 120 by 40, once it has drawn for some seconds."""
    master, slave = pty.openpty()
    environment = {**cli.environment, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    command = [sys.executable, "-m", "gitorch", "watch"]
    watch = subprocess.Popen(command, cwd=cli.folder, env=environment, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    reader = threading.Thread(target=_drain, args=(master,), daemon=True)
    reader.start()
    try:
        time.sleep(5)
        yield psutil.Process(watch.pid)
    finally:
        watch.send_signal(signal.SIGINT)
        watch.wait()
        reader.join()
        os.close(master)


def _drain(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # the other end is closed
        while os.read(descriptor, 65_536):
            pass


def _all_working(orchestrator: psutil.Process, folder: Path, agents: int) -> Own:
    """Wait until all agents work, and the run has nothing else to do."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        supervisors = [process for process in psutil.process_iter() if _is_supervisor(process, folder)]
        if len(supervisors) == agents:
            time.sleep(10)  # what starts an attempt is not what accompanies it
            return Own(orchestrator, supervisors)
        time.sleep(0.5)
    raise TimeoutError(f"{agents} agents did not start within {_START_SECONDS:g} seconds")


def _is_supervisor(process: psutil.Process, folder: Path) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return any(word.endswith("executors/supervisor.py") for word in words) and str(folder) in " ".join(words)


if __name__ == "__main__":
    main()
