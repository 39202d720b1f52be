"""The checks of a night, run in this process: what `grep` would say of a tree, without a worktree and a shell."""

from __future__ import annotations

import subprocess
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gitorch.flow.merge.resolution.judge import UNKNOWN, Verdict
from gitorch.flow.merge.tree_judge import union_checks
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.model.task import CheckResult, Task, commit_range
from tests.support.clashing import WORDS, Night, Rule

_ID_BYTES = 20


class TreeReader:
    """Reads the words of trees by one git process; it reads each file once."""

    def __init__(self, folder: Path) -> None:
        self._words: dict[bytes, frozenset[str]] = {}
        self._process = subprocess.Popen(
            ["git", "cat-file", "--batch"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        weakref.finalize(self, self._process.communicate)

    def words(self, commit: Oid) -> frozenset[str]:
        """Return the words of a commit's tree: of its files and of their names."""
        return self._of_tree(f"{commit}^{{tree}}".encode())

    def _of_tree(self, name: bytes) -> frozenset[str]:
        found, rest = set[str](), self._read(name)
        while rest:
            entry, _, rest = rest.partition(b"\0")
            mode, _, path = entry.partition(b" ")
            child, rest = rest[:_ID_BYTES].hex().encode(), rest[_ID_BYTES:]
            if mode in (b"100644", b"100755"):
                found.update(WORDS.findall(path.decode()), self._of_file(child))
            elif mode == b"40000":
                found.update(WORDS.findall(path.decode()), self._of_tree(child))
        return frozenset(found)

    def _of_file(self, name: bytes) -> frozenset[str]:
        if name not in self._words:
            self._words[name] = frozenset(WORDS.findall(self._read(name).decode()))
        return self._words[name]

    def _read(self, name: bytes) -> bytes:
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        asked.write(name + b"\n")
        asked.flush()
        size = int(answers.readline().split()[2])
        return answers.read(size + 1)[:-1]


class WordChecks:
    """A `TreeCheck` and a `Judge` that run no command; `judged` are the trees that they looked at, in order."""

    def __init__(self, repository: Repository, night: Night) -> None:
        self.repository = repository
        self.checks = {"all": night.check.command()}
        rules = [night.check, *(rule for work in night.works for rule in work.checks)]
        self._rules: Mapping[str, Rule] = {rule.command(): rule for rule in rules}
        self._words: dict[Oid, frozenset[str]] = {}
        self._reader = TreeReader(repository.common_dir)
        self.judged: list[Oid] = []

    def check(
        self,
        commit: Oid,
        *,
        retry: bool = False,
        on_check: Callable[[str], None] = lambda _: None,
    ) -> tuple[CheckResult, ...]:
        """Judge a commit by the checks of the repository."""
        return self._results(commit, self.checks)

    def alone(self, task: Task, *, may_run: bool) -> Verdict:
        """Judge a task's own branch."""
        return self._verdict(commit_range(task)[1], {**self.checks, **task.spec.checks}, may_run=may_run)

    def together(self, commit: Oid, tasks: Sequence[Task], *, may_run: bool) -> Verdict:
        """Judge a commit that holds these tasks."""
        return self._verdict(commit, union_checks(self.checks, tasks), may_run=may_run)

    def stop(self) -> None:
        """Nothing runs in the background."""

    def _verdict(self, commit: Oid, checks: Mapping[str, str], *, may_run: bool) -> Verdict:
        if not may_run:
            return UNKNOWN
        results = self._results(commit, checks)
        failed = next((result.name for result in results if not result.passed), "")
        return Verdict(reason=f"check {failed} fails" if failed else "", check=failed, results=results, started=True)

    def words(self, commit: Oid) -> frozenset[str]:
        """Return the words of a commit's tree."""
        tree = self.repository.tree(commit)
        if tree not in self._words:
            self._words[tree] = self._reader.words(commit)
        return self._words[tree]

    def _results(self, commit: Oid, checks: Mapping[str, str]) -> tuple[CheckResult, ...]:
        tree, words = self.repository.tree(commit), self.words(commit)
        self.judged.append(tree)
        return tuple(
            CheckResult(name=name, command=command, tree=tree, exit_code=0 if self._rules[command].holds(words) else 1)
            for name, command in checks.items()
        )
