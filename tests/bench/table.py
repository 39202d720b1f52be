"""Rows of a table of results, and the processor time that they are made from."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec


class Row(msgspec.Struct, frozen=True):
    """One line of the table: what was measured, the figure, and what it must be."""

    what: str
    figure: str
    must: str
    aim: str
    met: bool

    @property
    def line(self) -> str:
        return f"| {self.what} | {self.figure} | {self.must} | {self.aim} | {'met' if self.met else '**missed**'} |"


HEAD = ("| on the same generated branches | measured | must | aim | |", "|---|---|---|---|---|")


def cpu() -> float:
    """Return the processor seconds of this process and of its children that have ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def in_turns(works: Sequence[Callable[[], float]], rounds: int) -> list[float]:
    """Return the median of what each of these returns, measured in turns."""
    samples: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for values, work in zip(samples, works, strict=True):
            values.append(work())
    return [statistics.median(values) for values in samples]


def page(lines: Sequence[str]) -> str:
    """Return the page of results."""
    version = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    machine = f"{os.cpu_count()} cores, {version}, Python {sys.version.split()[0]}"
    return (
        "# The merge engine, measured\n\n"
        "Made by `python -m tests.bench.merge --write docs/merge-benchmarks.md` on "
        f"{datetime.now(UTC):%Y-%m-%d} ({machine}).\n"
        "Processor time of the process and its children, medians, both sides of a ratio in turns; compare ratios, not "
        "seconds.\n\n" + "\n".join(lines) + "\n"
    )
