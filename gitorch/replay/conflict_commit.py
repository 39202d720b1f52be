"""A conflict as a commit for an agent to solve: on top of what it conflicts with, with both versions in the files."""

from __future__ import annotations

import hashlib

import msgspec

from gitorch.git.repository import Repository
from gitorch.git.worktrees import linked_worktrees
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.git.writing import unreferenced
from gitorch.model.naming import Oid, attempt_ref, branch_ref, conflict_ref, rescue_ref
from gitorch.model.refs import RefUpdate
from gitorch.replay.protocol import Replayer
from gitorch.replay.values import CommitRange, Conflicted, Replayed

_MARKERS = (b"<<<<<<< ", b">>>>>>> ")


class ConflictCommit(msgspec.Struct, frozen=True):
    """A conflict as a commit: work continues on its parent `base`, and its files have git's conflict markers.

    `conflict_id` identifies the conflict, also on top of other commits.
    """

    commit: Oid
    base: Oid
    paths: tuple[str, ...]
    conflict_id: str


def prepare(
    replayer: Replayer, task: str, commits: CommitRange, onto: Oid, failed_id: str = ""
) -> ConflictCommit | Replayed | None:
    """Replay commits onto a commit as far as possible, and commit the rest as one change with conflict markers.

    Returns the replay if nothing conflicts, and None if the history has no commit to continue on, or if the conflict is
    the one with the id `failed_id`.
    """
    repository = replayer.repository
    conflict = replayer.replay(commits, onto)
    if isinstance(conflict, Replayed):
        return conflict
    conflict_id = _conflict_id(commits.tip, conflict)
    if conflict_id == failed_id:
        return None
    (commit,) = repository.commits([conflict.commit])
    if not commit.parents:
        return None
    last_good = commit.parents[0]
    before = replayer.replay(CommitRange(commits.base, last_good, commits.excluded), onto)
    if isinstance(before, Conflicted):
        return None
    squashed = unreferenced.commit_tree(
        repository,
        repository.tree(commits.tip),
        [last_good],
        "The commits from the conflict on\n",
        repository.identity(),
    )
    remainder = replayer.replay(CommitRange(last_good, squashed), before.tip)
    tree = replayer.tree(remainder.tip) if isinstance(remainder, Replayed) else remainder.tree
    if tree is None:
        return None
    replayer.keep(before.tip)
    replayer.keep_tree(tree)
    paths = remainder.paths if isinstance(remainder, Conflicted) else ()
    oid = unreferenced.commit_tree(repository, tree, [before.tip], f"Conflict of {task}\n", repository.identity())
    ref = conflict_ref(task)
    repository.update_refs([RefUpdate(ref, oid, repository.read_ref(ref))], f"commit the conflict of {task}")
    return ConflictCommit(oid, before.tip, paths, conflict_id)


def _conflict_id(tip: Oid, conflict: Conflicted) -> str:
    """Return what identifies a conflict: the work, and both sides of the files in conflict."""
    sides = sorted(f"{stage.number} {stage.mode} {stage.blob} {stage.path}" for stage in conflict.stages)
    text = "\0".join((tip, conflict.commit, *sorted(conflict.paths), *sides))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def checkout_conflict(repository: Repository, worktree: Worktree, conflict: Oid) -> bool:
    """Write a conflict's files into a worktree whose HEAD is the conflict's parent; otherwise change nothing."""
    head = worktree.git(repository, "rev-parse", "--verify", "HEAD").text
    if head != repository.commits([conflict])[0].parents[0]:
        return False
    worktree.git(repository, "restore", f"--source={conflict}", "--worktree", "--", ":/")
    return True


def restore(repository: Repository, worktree: Worktree | None, task: str, attempt: int, branch: str, tip: Oid) -> None:
    """Reset a task's branch and worktree to the `tip` from before an attempt to solve a conflict.

    The attempt's work is kept: its commits under the attempt's own ref, files in a rescue point. It can be repeated
    after an interruption.
    """
    ref, attempt_branch = branch_ref(branch), attempt_ref(task, attempt)
    current = repository.read_ref(ref)
    if current not in (None, tip) and repository.read_ref(attempt_branch) is None:
        repository.update_refs([RefUpdate(attempt_branch, current, None)], f"keep attempt {attempt} of {task}")
    if current is None or (worktree is None and current != tip):
        repository.update_refs([RefUpdate(ref, tip, current)], f"give up solving the conflict of {task}")
    if worktree is not None:
        linked_worktrees.remove_stale_locks(repository, worktree, ref)
        linked_worktrees.rescue(repository, worktree, rescue_ref(task), f"uncommitted files of {task}")
        linked_worktrees.restore(repository, worktree, branch=branch, commit=tip)


def marked_lines(repository: Repository, conflict: Oid, max_lines: int = 200) -> dict[str, str]:
    """Return what is between conflict markers, by file: at most so many lines of each."""
    excerpts = {}
    for path, content in _marked_files(repository, conflict).items():
        lines: list[str] = []
        is_marked = False
        for line in content.decode("utf-8", "replace").split("\n"):
            is_marked = is_marked or line.startswith("<<<<<<< ")
            lines += [line] if is_marked else []
            is_marked = is_marked and not line.startswith(">>>>>>> ")
        excerpts[path] = "\n".join(lines[:max_lines])
    return excerpts


def unsolved_files(repository: Repository, conflict: Oid, tip: Oid) -> list[str]:
    """Return the files of a conflict in which a commit still has one of its markers."""
    return [
        path
        for path, content in _marked_files(repository, conflict).items()
        if _markers(content) & _markers(repository.file(tip, path) or b"")
    ]


def _marked_files(repository: Repository, conflict: Oid) -> dict[str, bytes]:
    listing = repository.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", f"{conflict}^", conflict)
    files = {path: repository.file(conflict, path) or b"" for path in listing.fields()}
    return {path: content for path, content in files.items() if _markers(content)}


def _markers(content: bytes) -> set[bytes]:
    return {line.rstrip(b"\r") for line in content.split(b"\n") if line.startswith(_MARKERS)}
