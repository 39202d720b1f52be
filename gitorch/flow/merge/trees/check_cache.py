"""What checks said of trees, kept over commands: a tree is not tested twice by the same commands in the same place."""

from __future__ import annotations

import hashlib
import platform
import re
import time
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from gitorch.executors.base import Executor, Submitted
from gitorch.model.naming import Oid
from gitorch.model.task import CheckResult
from gitorch.rooms.base import RoomError
from gitorch.rooms.context import RunContext
from gitorch.rooms.environment import check_environment
from gitorch.rooms.prepare import files_to_copy
from gitorch.storage import atomic, locks

FRESH_SECONDS = 7 * 86_400.0
"""Tools change without any sign that could be seen here: an older verdict does not count."""

UNPREPARED_FOLDER = "unprepared"
"""In the state folder: why trees could not be prepared, one file each."""

_MOST = 4_000
_KEPT = 2_000
_OUTPUT_SECONDS = 86_400.0

_SHELL_FAILURES = 126
"""From this exit code on a shell tells that a command was not found, or was killed: that is not the tree's fault."""

_VOLATILE = re.compile(r"COLUMNS|TMPDIR|XDG_(?:SESSION|SEAT|VTNR|RUNTIME).*")
"""What differs between two terminals of one user."""


class Judged(msgspec.Struct, frozen=True):
    """What the checks said of a tree, and how often they were asked."""

    results: tuple[CheckResult, ...]
    times: int = 1

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)

    def combined(self, later: Judged) -> Judged:
        """Return both as one: what passed one of the two times passes, and is flaky."""
        before = {result.name: result for result in self.results}
        both = [_either(before.get(result.name), result) for result in later.results]
        return Judged(tuple(both), self.times + later.times)


def _either(first: CheckResult | None, second: CheckResult) -> CheckResult:
    if first is None:  # the first time, the tree could not even be prepared
        return msgspec.structs.replace(second, flaky=second.passed)
    if first.passed == second.passed:
        return second
    return msgspec.structs.replace(first if first.passed else second, flaky=True)


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the file: what one command said of one tree in one environment, and when (unix seconds)."""

    tree: Oid
    command: str
    environment: str
    exit_code: int
    seconds: float
    output: str
    when: float
    times: int = 1
    flaky: bool = False


class Verdicts:
    """`verdicts.jsonl`: appended to by all commands, cut to its newer half when it has grown too long."""

    def __init__(self, folder: Path, executor: Executor) -> None:
        self.folder = folder
        self.executor = executor
        self.path = folder / "verdicts.jsonl"

    def find(self, tree: Oid, checks: Mapping[str, str], environment: str) -> Judged | None:
        """Return what these checks said of a tree; None unless each of them is known."""
        since = time.time() - FRESH_SECONDS
        found = {
            one.command: one
            for one in self._lines()
            if one.tree == tree and one.environment == environment and one.when > since
        }
        if not all(command in found for command in checks.values()):
            return None
        results = [_result(name, found[command]) for name, command in checks.items()]
        return Judged(tuple(results), min(found[command].times for command in checks.values()))

    def remember(self, tree: Oid, judged: Judged, environment: str) -> None:
        """Keep what was said of a tree, durably; not where a check could not be run to its end."""
        codes = [result.exit_code for result in judged.results]
        if any(code is None or code >= _SHELL_FAILURES for code in codes):
            return
        lines = [
            Verdict(
                tree=tree,
                command=result.command,
                environment=environment,
                exit_code=result.exit_code or 0,
                seconds=result.seconds,
                output=result.output,
                when=time.time(),
                times=judged.times,
                flaky=result.flaky,
            )
            for result in judged.results
        ]
        with locks.turn(self.folder / "verdicts.lock"):
            self._append(lines)

    def _append(self, lines: Iterable[Verdict]) -> None:
        atomic.append(self.path, map(msgspec.json.encode, lines))
        known = list(self._lines())
        if len(known) > _MOST:
            self._shorten(known[-_KEPT:])

    def _shorten(self, kept: list[Verdict]) -> None:
        atomic.replace(self.path, b"".join(msgspec.json.encode(line) + b"\n" for line in kept))
        self._forget_outputs({line.output for line in kept})

    def _forget_outputs(self, needed: Container[str]) -> None:
        """Forget the executions of earlier commands, where they are old and none of their outputs is needed."""
        oldest = time.time() - _OUTPUT_SECONDS
        commands: dict[str, list[Submitted]] = {}
        for submitted in self.executor.executions("merges"):
            commands.setdefault("/".join(submitted.key.split("/")[:2]), []).append(submitted)
        for group in commands.values():
            outputs = (self.executor.output_location(submitted.id, "stdout") for submitted in group)
            if max(submitted.time for submitted in group) < oldest and not any(output in needed for output in outputs):
                for submitted in group:
                    self.executor.ack(submitted.id)
        for path in (self.folder / UNPREPARED_FOLDER).glob("*.txt"):
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)

    def _lines(self) -> Iterator[Verdict]:
        """Read all lines; one that a crash cut short says nothing."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        for line in lines:
            try:
                yield msgspec.json.decode(line, type=Verdict)
            except msgspec.DecodeError:
                continue


def _result(name: str, one: Verdict) -> CheckResult:
    return CheckResult(
        name=name,
        command=one.command,
        tree=one.tree,
        exit_code=one.exit_code,
        seconds=one.seconds,
        output=one.output,
        flaky=one.flaky,
    )


def environment_digest(context: RunContext, checks: Mapping[str, str]) -> str:
    """Return what stands for all that checks depend on beside the tree, as far as it can be seen.

    The machine, what they get of the user's environment, how a worktree is prepared and what is copied into it, and
    all the commands together: a check may need what the one before it has built.
    """
    env = check_environment(context.environment)
    seen = {
        "machine": [platform.system(), platform.machine()],
        "environment": {name: value for name, value in sorted(env.items()) if not _VOLATILE.fullmatch(name)},
        "prepare": msgspec.to_builtins(context.config.prepare),
        "copied": _copied(context),
        "checks": list(checks.values()),
    }
    return hashlib.sha256(msgspec.json.encode(seen)).hexdigest()


def _copied(context: RunContext) -> list[tuple[str, int, int]] | str:
    """Return the files that are copied into each worktree, with their sizes and times."""
    try:
        sources = files_to_copy(context.repository, context.config)
    except RoomError as failure:
        return failure.reason
    return [_fingerprint(path) for _, source in sources for path in sorted([source, *source.rglob("*")])]


def _fingerprint(path: Path) -> tuple[str, int, int]:
    found = path.lstat()
    return str(path), found.st_size, found.st_mtime_ns
