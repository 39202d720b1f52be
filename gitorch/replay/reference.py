"""`git rebase` itself, in a worktree that is kept for it: slow, and what the other engines are measured by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from gitorch.git import worktrees
from gitorch.git.repository import Commit, Repository
from gitorch.git.worktrees import Worktree
from gitorch.model.naming import Oid
from gitorch.replay.commit_bytes import rewritten
from gitorch.replay.replayer import Replayer
from gitorch.replay.values import Conflicted, Own, Replayed, Stage


class Rebaser(Replayer):
    """A replayer that has `git rebase` do its replays. What it makes is stored in the repository at once."""

    def __init__(self, repository: Repository, path: Path) -> None:
        super().__init__(repository)
        self._path = path
        self._at: Worktree | None = None

    def replay(self, own: Own, onto: Oid) -> Replayed | Conflicted:
        """Replay own commits onto a commit with `git rebase`, as `Replayer.replay` does."""
        picks = [pick.oid for pick in self.picks(own, onto)]
        below = self._below(own)
        stack = self._history.is_stack(own, self._real(onto)) or below != own.base
        upstream = ("--onto", onto, below) if stack else (onto,)
        worktree = self._worktree(onto)
        done = worktree.git(
            self.repository,
            *("rebase", "--quiet", "--no-autostash", *upstream, own.tip),
            env=self.repository.identity(),
            ok=(0, 1),
        )
        if done.code:
            return self._conflict(worktree)
        tip = Oid(worktree.git(self.repository, "rev-parse", "HEAD").text)
        made = self.repository.git("rev-list", "--reverse", f"{onto}..{tip}").text.split()
        pairs = tuple(_matched(self.repository.commits(picks), self.repository.commits(map(Oid, made))))
        left = {old for old, _ in pairs}
        return Replayed(tip, pairs, tuple(oid for oid in picks if oid not in left))

    def _below(self, own: Own) -> Oid:
        """Return the commit nearest to the tip that is somebody else's: git rebase knows only one."""
        known = [other for other in own.others if self.repository.is_ancestor(other, own.tip)]
        return min([own.base, *known], key=lambda one: len(self._own(own.tip, one)))

    def _own(self, tip: Oid, without: Oid) -> list[str]:
        return self.repository.git("rev-list", "--no-merges", tip, f"^{without}").text.split()

    def _worktree(self, commit: Oid) -> Worktree:
        if self._at is None:
            found = worktrees.find(self.repository, self._path)
            self._at = found or worktrees.add(self.repository, self._path, commit, "gitorch rebases here")
        return self._at

    def _conflict(self, worktree: Worktree) -> Conflicted:
        entries = worktree.git(self.repository, "ls-files", "--unmerged", "-z").fields()
        stopped = Oid(worktree.git(self.repository, "rev-parse", "REBASE_HEAD").text)
        worktree.git(self.repository, "rebase", "--quit")
        worktree.git(self.repository, "reset", "--quiet", "--hard")
        worktree.git(self.repository, "clean", "--quiet", "-d", "--force", "-x")
        stages = tuple(_stage(entry) for entry in entries)
        return Conflicted(stopped, tuple(dict.fromkeys(stage.path for stage in stages)), stages)


def _stage(entry: str) -> Stage:
    words, _, path = entry.partition("\t")
    mode, blob, number = words.split(" ")
    return Stage(path, int(number), mode, Oid(blob))


def _matched(old: Iterable[Commit], new: Iterable[Commit]) -> Iterator[tuple[Oid, Oid]]:
    """Pair commits with those that were made of them, by author and message: some of the old ones may have none."""
    waiting = list(old)
    for one in new:
        at = next(at for at, other in enumerate(waiting) if _words(other) == _words(one))
        yield waiting[at].oid, one.oid
        del waiting[: at + 1]


def _words(commit: Commit) -> bytes:
    return rewritten(commit.raw, "", "", "")
