"""Run commands of gitorch as processes of their own, for programs that serve them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitorch.executors.probe import probe
from gitorch.model.outcome import ProbeResult

SECONDS = 3600.0
"""A plan is drafted by a model, which takes minutes."""


def run(argv: Sequence[str], environment: Mapping[str, str]) -> ProbeResult:
    """Run a command to its end, without input, and return its exit code and its output."""
    return probe(argv, environment, SECONDS)
