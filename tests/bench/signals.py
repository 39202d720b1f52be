"""How many of the signals that labelled branches deserve are given, and how many that they do not deserve.

    python -m tests.bench.signals [--table]

A false alarm is a signal of weight 2 or 3 whose kind a branch does not deserve. Exits with 1 below 95 % recall, or
with more than one false alarm in twenty branches. `--table` prints the figures of each kind.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import msgspec

from gitorch.flow.review import RiskSignal
from tests.support.labelled_branches import LabelledBranch, make, signals_of

RECALL = 0.95
ALARMS = 0.05


class Measured(msgspec.Struct, frozen=True):
    """The labelled branches with their signals."""

    results: tuple[tuple[LabelledBranch, tuple[RiskSignal, ...]], ...]

    @property
    def missing(self) -> list[tuple[str, str]]:
        """Each branch and a kind that it deserves and did not get."""
        return [
            (branch.name, kind)
            for branch, signals in self.results
            for kind in sorted(branch.kinds - {signal.kind for signal in signals})
        ]

    @property
    def alarms(self) -> list[tuple[str, RiskSignal]]:
        """Each branch and a signal of weight 2 or 3 that it does not deserve."""
        return [
            (branch.name, signal)
            for branch, signals in self.results
            for signal in signals
            if signal.weight > 1 and signal.kind not in branch.kinds
        ]

    @property
    def recall(self) -> float:
        """The part of the deserved signals that was given."""
        deserved = sum(len(branch.kinds) for branch, _ in self.results)
        return 1 - len(self.missing) / deserved

    def is_good(self) -> bool:
        """Return whether the figures are within their bounds."""
        return self.recall >= RECALL and len({name for name, _ in self.alarms}) <= ALARMS * len(self.results)


def measure(folder: Path) -> Measured:
    """Make the labelled branches in a folder, and find their signals."""
    repository, base, made = make(folder)
    return Measured(tuple((branch, tuple(signals_of(repository, base, tip))) for branch, tip in made))


def table(measured: Measured) -> str:
    """Return the figures of each kind as Markdown."""
    deserved = Counter(kind for branch, _ in measured.results for kind in branch.kinds)
    missing = Counter(kind for _, kind in measured.missing)
    alarms = Counter(signal.kind for _, signal in measured.alarms)
    rows = [
        f"| {kind} | {deserved[kind]} | {deserved[kind] - missing[kind]} | {alarms[kind]} |"
        for kind in sorted({*deserved, *alarms})
    ]
    return "\n".join(["| kind | deserved | given | false alarms |", "|---|---|---|---|", *rows])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        measured = measure(Path(name) / "repository")
    ordinary = sum(not branch.kinds for branch, _ in measured.results)
    for branch_name, kind in measured.missing:
        print(f"missing: {branch_name}: {kind}", file=sys.stderr)
    for branch_name, signal in measured.alarms:
        print(f"false alarm: {branch_name}: {signal.kind}: {signal.text} {signal.place}", file=sys.stderr)
    deserved = sum(len(branch.kinds) for branch, _ in measured.results)
    print(
        f"{len(measured.results)} branches ({ordinary} ordinary): {deserved - len(measured.missing)} of {deserved} "
        f"signals given (recall {measured.recall:.1%}), {len(measured.alarms)} false alarms"
    )
    if options.table:
        print(table(measured))
    sys.exit(0 if measured.is_good() else 1)


if __name__ == "__main__":
    main()
