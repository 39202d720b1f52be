"""`git rebase` itself, in a worktree of its own: slow, and the reference for the engine in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from gitorch.git.commit_settings import CommitSettings
from gitorch.git.repository import Commit, Repository
from gitorch.git.worktrees import linked_worktrees
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.model.naming import Oid
from gitorch.replay.commit_bytes import rewrite_commit
from gitorch.replay.engine import EngineReplayer
from gitorch.replay.memory import MemoryReplayer
from gitorch.replay.values import CommitRange, Conflicted, Replayed, parse_stage


class RebaseReplayer(EngineReplayer):
    """A `Replayer` that replays with `git rebase`, which stores its commits in the repository at once."""

    def __init__(self, repository: Repository, path: Path) -> None:
        self._memory = MemoryReplayer(repository)
        super().__init__(self._memory)
        self._path = path
        self._worktree: Worktree | None = None

    def replay(self, commits: CommitRange, onto: Oid) -> Replayed | Conflicted:
        """Replay commits onto a commit with `git rebase`."""
        self._memory.keep(onto)
        picks = [pick.oid for pick in self._memory.picks(commits, onto)]
        upstream = self._upstream(commits)
        is_stack = self._memory.is_stack(commits, onto) or upstream != commits.base
        worktree = self._find_worktree(onto)
        answer = worktree.git(
            self.repository,
            *("rebase", "--quiet", "--no-autostash"),
            *(("--onto", onto, upstream) if is_stack else (onto,)),
            commits.tip,
            env=self.repository.identity(),
            ok=(0, 1),
        )
        if answer.code:
            conflict = self._abort(worktree)
            return conflict if conflict.paths else self._named(commits, onto, conflict)
        tip = Oid(worktree.git(self.repository, "rev-parse", "HEAD").text)
        new = self.repository.git("rev-list", "--reverse", f"{onto}..{tip}").text.split()
        commits_before, commits_after = self.repository.commits(picks), self.repository.commits(map(Oid, new))
        pairs = tuple(_match(commits_before, commits_after, self.repository.commit_settings))
        paired = {old for old, _ in pairs}
        return Replayed(tip, pairs, tuple(oid for oid in picks if oid not in paired))

    def _named(self, commits: CommitRange, onto: Oid, conflict: Conflicted) -> Conflicted:
        """Return a conflict without stages, such as that of a split folder, with the paths that git's merge names."""
        replayed = self._memory.replay(commits, onto)
        return replayed if isinstance(replayed, Conflicted) else msgspec.structs.replace(conflict, paths=(".",))

    def _upstream(self, commits: CommitRange) -> Oid:
        """Return the excluded commit nearest to the tip: git rebase takes only one."""
        ancestors = [tip for tip in commits.excluded if self.repository.is_ancestor(tip, commits.tip)]
        return min([commits.base, *ancestors], key=lambda oid: len(self._list_commits(commits.tip, oid)))

    def _list_commits(self, tip: Oid, without: Oid) -> list[str]:
        return self.repository.git("rev-list", "--no-merges", tip, f"^{without}").text.split()

    def _find_worktree(self, commit: Oid) -> Worktree:
        if self._worktree is None:
            existing = linked_worktrees.find(self.repository, self._path)
            self._worktree = existing or linked_worktrees.add(
                self.repository, self._path, commit, "gitorch rebases here"
            )
        return self._worktree

    def _abort(self, worktree: Worktree) -> Conflicted:
        """Return the conflict that stopped a rebase, and end the rebase."""
        entries = worktree.git(self.repository, "ls-files", "--unmerged", "-z").fields()
        stopped = Oid(worktree.git(self.repository, "rev-parse", "REBASE_HEAD").text)
        worktree.git(self.repository, "rebase", "--quit")
        worktree.git(self.repository, "reset", "--quiet", "--hard")
        worktree.git(self.repository, "clean", "--quiet", "-d", "--force", "-x")
        stages = tuple(map(parse_stage, entries))
        return Conflicted(stopped, tuple(dict.fromkeys(stage.path for stage in stages)), stages)


def _match(old: Iterable[Commit], new: Iterable[Commit], settings: CommitSettings) -> Iterator[tuple[Oid, Oid]]:
    """Pair old commits with those made from them, by author and message; some old ones may have no pair."""
    pending = [(commit, _identity(commit, settings)) for commit in old]
    for commit in new:
        identity = _identity(commit, settings)
        index = next(index for index, (_, other) in enumerate(pending) if other == identity)
        yield pending[index][0].oid, commit.oid
        del pending[: index + 1]


def _identity(commit: Commit, settings: CommitSettings) -> tuple[bytes, bytes]:
    """Return author and message; git drops headers that it does not know."""
    headers, _, message = rewrite_commit(commit.raw, "", "", "", settings).partition(b"\n\n")
    return next(line for line in headers.split(b"\n") if line.startswith(b"author ")), message
