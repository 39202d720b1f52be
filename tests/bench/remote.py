"""Measure what a worker adds to each task, against the same tasks at home.

    python -m tests.bench.remote [--tasks 12] [--files 5000]

Agents end at once, one runs at a time, and there are no checks: what is left is the work around an agent. Printed are
also the medians of the two parts that a worker has in it: from the submission to the start of the agent, and from its
end until its branch has the commits. Processor time says more than these on a busy machine: that of the worker has its
programs and its git in it, with what answers a push at home.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.support.cli import OBEDIENT, Cli, does, saved
from tests.support.git import CONFIG, git
from tests.support.temporal import serving


def repository(folder: Path, files: int) -> Path:
    """Make a repository with so many files."""
    folder.mkdir()
    git("init", "--quiet", "--initial-branch=main", cwd=folder)
    for number in range(files):
        path = folder / f"d{number % 100}" / f"f{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{number}\n" * 20)
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--message=start", cwd=folder)
    return folder


def seconds_each(cli: Cli, name: str, tasks: int) -> float:
    """Run tasks one after the other, and return the seconds that each took."""
    times = cli.folder.parent / "times"
    times.mkdir(exist_ok=True)
    cli.queue(
        *(
            does(
                f"{name} {number}",
                f"date +%s.%N > {times}/{name}-{number}.start",
                saved(f"{name}-{number}.txt", "x"),
                f"date +%s.%N > {times}/{name}-{number}.end",
            )
            for number in range(tasks)
        )
    )
    before = time.monotonic()
    cli.run("-m", "1")
    return (time.monotonic() - before) / tasks


def parts(cli: Cli, name: str, tasks: int) -> tuple[float, float]:
    """Return the median seconds from submission to start, and from end to import, of tasks on a worker."""
    git_dir, times = cli.folder / ".git", cli.folder.parent / "times"
    starts, imports = [], []
    for number in range(tasks):
        task = f"{name}-{number}"
        (ordered,) = (git_dir / f"gitorch/remote/attempts/{task}/1").glob("agent-*/ordered")
        starts.append(float((times / f"{task}.start").read_text()) - ordered.stat().st_mtime)
        imported = (git_dir / f"refs/heads/orch/{task}").stat().st_mtime
        imports.append(imported - float((times / f"{task}.end").read_text()))
    return statistics.median(starts), statistics.median(imports)


def processor_seconds(pid: int) -> float:
    """Return what a process and the children that it waited for have used."""
    return sum(psutil.Process(pid).cpu_times()[:4])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=12)
    parser.add_argument("--files", type=int, default=5000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        (top / "gitconfig").write_text(CONFIG)
        os.environ |= {"HOME": name, "XDG_CONFIG_HOME": f"{name}/config", "GIT_CONFIG_GLOBAL": f"{name}/gitconfig"}
        os.environ["GITORCH_SANDBOX_MODE"] = "off"
        home = repository(top / "repo", options.files)
        with serving(top / "temporal") as server:
            command = [sys.executable, "-m", "gitorch", "worker", "--address", server.address, "--slots", "4"]
            worker = subprocess.Popen([*command, "--folder", str(top / "worker")], cwd=home, stderr=subprocess.PIPE)
            assert worker.stderr is not None
            assert b"ready" in worker.stderr.readline()
            cli = Cli(home)
            cli.loads_temporal = True
            local = seconds_each(cli, "local", options.tasks)
            cli.configure(OBEDIENT + f'[remote]\naddress = "{server.address}"\n')
            cold = seconds_each(cli, "cold", 1)
            before = [processor_seconds(pid) for pid in (worker.pid, server.pid)]
            warm = seconds_each(cli, "warm", options.tasks)
            used = [processor_seconds(pid) for pid in (worker.pid, server.pid)]
            print(f"at home {local:.2f} s, first on a worker {cold:.2f} s, then {warm:.2f} s for each task")
            start, imported = parts(cli, "warm", options.tasks)
            print(
                f"submission to start {start:.2f} s, end to import {imported:.2f} s, together {start + imported:.2f} s"
            )
            each = [(after - first) / options.tasks for first, after in zip(before, used, strict=True)]
            print(f"processor time for each task: worker {each[0]:.2f} s, server {each[1]:.2f} s")
            print(f"load {os.getloadavg()[0]:.1f}")
            print(f"worker {psutil.Process(worker.pid).memory_info().rss / 1e6:.0f} MB")
            worker.terminate()
            worker.wait()


if __name__ == "__main__":
    main()
