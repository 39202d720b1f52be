"""Cached check results: the same commands do not check a tree twice in the same environment."""

from __future__ import annotations

import hashlib
import platform
import re
import time
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

import msgspec

from gitorch import typed
from gitorch.executors.protocol import Executor, Submitted
from gitorch.model.naming import Oid
from gitorch.model.task import CheckResult
from gitorch.rooms.context import RunContext, WorkerChecks
from gitorch.rooms.environment_variables import check_environment
from gitorch.rooms.prepare import files_to_copy
from gitorch.rooms.protocol import RoomError
from gitorch.storage import atomic, foreign_changes, locks, losses, seals, sizes

MAX_AGE_SECONDS = 7 * 86_400.0
"""Older results do not count, because tools change in ways that cannot be detected here."""

UNPREPARED_FOLDER = "unprepared"
"""In the state folder: the reasons why trees could not be prepared, one file each."""

_KEY_SECONDS = 60.0
"""The first result of all may be a moment older than the key that seals it."""

_MAX_LINES = 4_000
_LINES_AFTER_CUT = 2_000
_OUTPUT_SECONDS = 86_400.0

_SHELL_FAILURES = 126
"""From this exit code on, a shell reports a command that was not found or was killed: not the fault of the tree."""

_VOLATILE = re.compile(r"COLUMNS|TMPDIR|XDG_(?:SESSION|SEAT|VTNR|RUNTIME).*")
"""Variables that differ between two terminals of one user."""


class TreeResults(msgspec.Struct, frozen=True):
    """The check results of a tree, and how many times the checks ran."""

    results: tuple[CheckResult, ...]
    times: int = 1

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)

    def combined(self, later: TreeResults) -> TreeResults:
        """Return both results as one: a check that passed one of the two times passes, and is flaky."""
        before = {result.name: result for result in self.results}
        both = [_either(before.get(result.name), result) for result in later.results]
        return TreeResults(tuple(both), self.times + later.times)


def _either(first: CheckResult | None, second: CheckResult) -> CheckResult:
    if first is None:  # the tree could not be prepared the first time
        return msgspec.structs.replace(second, flaky=second.passed)
    if first.passed == second.passed:
        return second
    return msgspec.structs.replace(first if first.passed else second, flaky=True)


class CachedResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the file: the result of a command on a tree in an environment; `when` is in Unix seconds."""

    tree: Oid
    command: str
    environment: str
    exit_code: int
    seconds: float
    output: str
    when: float
    times: int = 1
    flaky: bool = False


class CheckCache:
    """`verdicts.jsonl`: every command appends to it, and it is cut to its newer half when it is too long."""

    def __init__(self, folder: Path, executor: Executor) -> None:
        self.folder = folder
        self.executor = executor
        self.path = folder / "verdicts.jsonl"

    def find(self, tree: Oid, checks: Mapping[str, str], environment: str) -> TreeResults | None:
        """Return the results of these checks on a tree; None unless all of them are cached."""
        with locks.file_lock(self.folder / "verdicts.lock"):
            self._set_foreign_aside()
        since = time.time() - MAX_AGE_SECONDS
        cached = {
            line.command: line
            for line in self._lines()
            if line.tree == tree and line.environment == environment and line.when > since
        }
        if not all(command in cached for command in checks.values()):
            return None
        results = [_result(name, cached[command]) for name, command in checks.items()]
        return TreeResults(tuple(results), min(cached[command].times for command in checks.values()))

    def remember(self, tree: Oid, checked: TreeResults, environment: str) -> None:
        """Save the results of a tree durably, unless a check could not finish."""
        codes = [result.exit_code for result in checked.results]
        if any(code is None or code >= _SHELL_FAILURES for code in codes):
            return
        lines = [
            CachedResult(
                tree=tree,
                command=result.command,
                environment=environment,
                exit_code=result.exit_code or 0,
                seconds=result.seconds,
                output=result.output,
                when=time.time(),
                times=checked.times,
                flaky=result.flaky,
            )
            for result in checked.results
        ]
        with locks.file_lock(self.folder / "verdicts.lock"):
            self._set_foreign_aside()
            self._append(lines)

    def _append(self, lines: Iterable[CachedResult]) -> None:
        atomic.append(self.path, map(self._sealed, lines))
        lines_in_file = list(self._lines())
        if len(lines_in_file) > _MAX_LINES:
            self._shorten(lines_in_file[-_LINES_AFTER_CUT:])
        sizes.note(self.folder, self.path)

    def _shorten(self, lines: list[CachedResult]) -> None:
        sizes.forget(self.folder, self.path.name)
        atomic.replace(self.path, b"".join(self._sealed(line) + b"\n" for line in lines))
        self._forget_outputs({line.output for line in lines})

    def _forget_outputs(self, needed: Container[str]) -> None:
        """Forget old executions of earlier commands, unless one of their outputs is needed."""
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

    def _lines(self) -> Iterator[CachedResult]:
        """Read the lines that gitorch wrote: others, and one that a crash cut short, do not count."""
        for line in atomic.read_or_empty(self.path).splitlines():
            if (content := seals.unseal(line, self._key)) is not None:
                yield typed.from_json(content, CachedResult)

    def _sealed(self, line: CachedResult) -> bytes:
        return seals.seal(msgspec.json.encode(line), self._key)

    @cached_property
    def _key(self) -> bytes:
        return seals.derived_key("verdict")

    def _set_foreign_aside(self) -> None:
        """Move results that this version did not write to other files, and tell the user. Call with the lock held."""
        lines = atomic.read_or_empty(self.path).splitlines(keepends=True)
        foreign = [line for line in lines if _is_result(line) and seals.unseal(line.rstrip(b"\n"), self._key) is None]
        if not foreign:
            return
        earlier = [line for line in foreign if _is_unsealed(line)]
        forged = [line for line in foreign if line not in earlier]
        if earlier:
            aside = self._append_aside("earlier", earlier)
            what = f"{self.path.name} had results of an earlier version, which do not count: {aside}"
            losses.record(self.folder, what)
        if forged:
            aside = self._append_aside("forged", forged)
            what = f"{len(forged)} results in {self.path.name} were forged, and do not count: {aside}"
            foreign_changes.record(self.folder, [what])
        sizes.forget(self.folder, self.path.name)
        atomic.replace(self.path, b"".join(line for line in lines if line not in foreign))
        sizes.note(self.folder, self.path)

    def _append_aside(self, kind: str, lines: Iterable[bytes]) -> str:
        aside = self.path.with_name(f"verdicts.{kind}.jsonl")
        atomic.append(aside, (line.rstrip(b"\n") for line in lines))
        return aside.name


def _is_result(line: bytes) -> bool:
    """Return whether a line is the result of a check, whoever wrote it: not one that a crash cut short."""
    try:
        typed.from_json(line, CachedResult)
    except msgspec.DecodeError:
        return False
    return True


def _is_unsealed(line: bytes) -> bool:
    """Return whether a result is from before there were seals: it has none, and is older than the key."""
    when = typed.from_json(line, CachedResult).when
    return not seals.is_sealed(line) and when + _KEY_SECONDS < seals.first_time()


def _result(name: str, line: CachedResult) -> CheckResult:
    return CheckResult(
        name=name,
        command=line.command,
        tree=line.tree,
        exit_code=line.exit_code,
        seconds=line.seconds,
        output=line.output,
        flaky=line.flaky,
    )


def environment_digest(context: RunContext, checks: Mapping[str, str]) -> str:
    """Return a digest of what checks depend on besides the tree, as far as it can be detected.

    That is the machine, the environment variables, the sandbox, how a worktree is prepared, the files copied into it,
    and all commands together: a check may need what an earlier one has built. Of workers, only their label counts.
    """
    inputs = {
        **(_workers(context.worker_checks) if context.worker_checks else _this_machine(context)),
        "sandbox": msgspec.to_builtins(context.config.sandbox),
        "prepare": msgspec.to_builtins(context.config.prepare),
        "copied": _copied(context),
        "checks": list(checks.values()),
    }
    return hashlib.sha256(msgspec.json.encode(inputs)).hexdigest()


def _this_machine(context: RunContext) -> dict[str, object]:
    env = check_environment(context.environment)
    return {
        "machine": [platform.system(), platform.machine()],
        "environment": {name: value for name, value in sorted(env.items()) if not _VOLATILE.fullmatch(name)},
    }


def _workers(place: WorkerChecks) -> dict[str, object]:
    return {"machine": ["workers", place.label]}


def _copied(context: RunContext) -> list[tuple[str, int, int]] | str:
    """Return the files that are copied into each worktree, with their sizes and modification times."""
    try:
        sources = files_to_copy(context.repository, context.config, context.copies)
    except RoomError as failure:
        return failure.reason
    return [_fingerprint(path) for _, source in sources for path in sorted([source, *source.rglob("*")])]


def _fingerprint(path: Path) -> tuple[str, int, int]:
    status = path.lstat()
    return str(path), status.st_size, status.st_mtime_ns
