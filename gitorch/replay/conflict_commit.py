"""A conflict laid out for somebody to solve: a branch on top of what it conflicts with, both versions in the files."""

from __future__ import annotations

import hashlib

import msgspec

from gitorch.git import worktrees
from gitorch.git.repository import Repository
from gitorch.git.worktrees import Worktree
from gitorch.model.naming import Oid, attempt_ref, branch_ref, rescue_ref, standoff_ref
from gitorch.model.refs import RefUpdate
from gitorch.replay import Conflicted, Own, Replayed, Replayer

_MARKS = (b"<<<<<<< ", b">>>>>>> ")


class Standoff(msgspec.Struct, frozen=True):
    """A conflict as a commit: its parent is where work goes on, its files hold git's conflict markers.

    `about` is what the conflict is known again by, also on top of other commits.
    """

    commit: Oid
    start: Oid
    paths: tuple[str, ...]
    about: str


def prepare(replayer: Replayer, task: str, own: Own, onto: Oid, tried: str = "") -> Standoff | Replayed | None:
    """Put own commits onto a commit as far as they go, and what is left of them as one change with markers.

    Returns what a replay gives where nothing conflicts, and None for a history that cannot be laid out so, and for the
    conflict that was `tried` already.
    """
    repository = replayer.repository
    found = replayer.replay(own, onto)
    if isinstance(found, Replayed):
        return found
    about = _about(own.tip, found)
    if about == tried:
        return None
    (commit,) = repository.commits([found.commit])
    if not commit.parents:
        return None
    base = commit.parents[0]
    before = replayer.replay(Own(own.base, base, own.others), onto)
    if isinstance(before, Conflicted):
        return None
    rest = _commit(repository, repository.tree(own.tip), base, "What is left to be put on top\n")
    left = replayer.replay(Own(base, rest), before.tip)
    tree = replayer.tree(left.tip) if isinstance(left, Replayed) else left.tree
    if tree is None:
        return None
    replayer.keep(before.tip)
    replayer.keep_tree(tree)
    paths = left.paths if isinstance(left, Conflicted) else ()
    laid = _commit(repository, tree, before.tip, f"Conflict of {task}\n")
    ref = standoff_ref(task)
    repository.update_refs([RefUpdate(ref, laid, repository.read_ref(ref))], f"lay out the conflict of {task}")
    return Standoff(laid, before.tip, paths, about)


def _about(tip: Oid, found: Conflicted) -> str:
    """Return what a conflict is known again by: the work, and both sides of the files in conflict."""
    sides = sorted(f"{stage.number} {stage.mode} {stage.blob} {stage.path}" for stage in found.stages)
    words = "\0".join((tip, found.commit, *sorted(found.paths), *sides))
    return hashlib.sha256(words.encode("utf-8", "surrogateescape")).hexdigest()


def _commit(repository: Repository, tree: Oid, parent: Oid, message: str) -> Oid:
    words = ("commit-tree", tree, "-p", parent)
    return Oid(repository.git(*words, input=message.encode(), env=repository.identity()).text)


def lay_out(repository: Repository, worktree: Worktree, laid: Oid) -> bool:
    """Write a conflict's files into a worktree that stands where it starts; elsewhere, change nothing."""
    here = worktree.git(repository, "rev-parse", "--verify", "HEAD").text
    if here != repository.commits([laid])[0].parents[0]:
        return False
    worktree.git(repository, "restore", f"--source={laid}", "--worktree", "--", ":/")
    return True


def give_up(repository: Repository, worktree: Worktree | None, task: str, attempt: int, branch: str, tip: Oid) -> None:
    """Bring a task's branch and worktree back to the `tip` from before an attempt to solve a conflict.

    What the attempt made stays: its commits under the attempt's own ref, files in a rescue point. Where this was cut
    short, it can be done again.
    """
    ref, kept = branch_ref(branch), attempt_ref(task, attempt)
    at = repository.read_ref(ref)
    if at not in (None, tip) and repository.read_ref(kept) is None:
        repository.update_refs([RefUpdate(kept, at, None)], f"keep attempt {attempt} of {task}")
    if at is None or (worktree is None and at != tip):
        repository.update_refs([RefUpdate(ref, tip, at)], f"give up solving the conflict of {task}")
    if worktree is not None:
        worktrees.remove_stale_locks(repository, worktree, ref)
        worktrees.rescue(repository, worktree, rescue_ref(task), f"uncommitted files of {task}")
        worktrees.restore(repository, worktree, branch=branch, commit=tip)


def hunks(repository: Repository, laid: Oid, most: int = 200) -> dict[str, str]:
    """Return what is between conflict markers, by file: at most so many lines of each."""
    found = {}
    for path, content in _marked(repository, laid).items():
        lines: list[str] = []
        inside = False
        for line in content.decode("utf-8", "replace").split("\n"):
            inside = inside or line.startswith("<<<<<<< ")
            lines += [line] if inside else []
            inside = inside and not line.startswith(">>>>>>> ")
        found[path] = "\n".join(lines[:most])
    return found


def unsolved(repository: Repository, laid: Oid, tip: Oid) -> list[str]:
    """Return the files of a conflict in which a commit still has one of its markers."""
    return [
        path
        for path, content in _marked(repository, laid).items()
        if _marks(content) & _marks(repository.file(tip, path) or b"")
    ]


def _marked(repository: Repository, laid: Oid) -> dict[str, bytes]:
    listing = repository.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", f"{laid}^", laid)
    files = {path: repository.file(laid, path) or b"" for path in listing.fields()}
    return {path: content for path, content in files.items() if _marks(content)}


def _marks(content: bytes) -> set[bytes]:
    return {line.rstrip(b"\r") for line in content.split(b"\n") if line.startswith(_MARKS)}
