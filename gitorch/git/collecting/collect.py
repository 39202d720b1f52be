"""Collect an agent's commits: what its worktree has passes one gate, and then its branch moves."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gitorch.git import commit_gate
from gitorch.git.protected import ref_guard
from gitorch.git.repository import NeedsTooLong, Repository
from gitorch.git.worktrees import index_flags, linked_worktrees, worktree_status
from gitorch.git.worktrees.linked_worktrees import Worktree, remove_stale_locks
from gitorch.git.worktrees.worktree_status import WorktreeStatus
from gitorch.model.naming import Oid, Ref, branch_ref
from gitorch.model.refs import RefUpdate


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt's work, on its branch: the tip, its tree, and the number of own commits.

    `completed` means that gitorch committed files which the agent had left uncommitted; `skipped_hooks` are the user's
    own hooks that could have refused that commit, and were not run.
    """

    tip: Oid
    tree: Oid
    commits: int
    completed: bool
    skipped_hooks: tuple[str, ...] = ()


class NoChanges(msgspec.Struct, frozen=True):
    """The agent changed nothing."""


class Rejected(msgspec.Struct, frozen=True):
    """The worktree's content does not pass the gate, and stays where it is. `reason` is for the user."""

    reason: str


CollectResult = Collected | NoChanges | Rejected

Admit = Callable[[Oid], str]
"""Returns why a tree is refused, or an empty text."""

_IN_PROGRESS = {
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
}


def collect(
    repository: Repository,
    worktree: Worktree,
    *,
    branch: Ref,
    base: Oid,
    message: str,
    admit: Admit | None = None,
    judges_content: bool = False,
) -> CollectResult:
    """Commit what an attempt's worktree has onto its branch.

    Uncommitted files are committed with `message` (agents forget), hidden from git or not. The gate: no unfinished
    operation, no repository inside, the worktree on the task's branch, and its tip a descendant of `base`. `admit`
    judges the tree of what was not committed, before it is. With `judges_content`, nothing else will judge the commits:
    no huge file, and no link out of the worktree.
    """
    remove_stale_locks(repository, worktree, branch)
    try:
        return _collect(repository, worktree, branch, base, message, admit, judges_content)
    except NeedsTooLong as error:
        return Rejected(error.reason)


def _collect(
    repository: Repository,
    worktree: Worktree,
    branch: Ref,
    base: Oid,
    message: str,
    admit: Admit | None,
    judges_content: bool,
) -> CollectResult:
    if reason := _unreadable(repository, worktree):
        return Rejected(reason)
    status = worktree_status.compare(repository, worktree)
    files = status.uncommitted
    if reason := _content_problem(worktree, status, branch):
        return Rejected(reason)
    if files:
        index_flags.stage(repository, worktree, (*files.nested, *files.untouched))
        if admit and (reason := admit(Oid(worktree.git(repository, "write-tree").text))):
            return Rejected(reason)
        _commit(repository, worktree, message)
    tip = status.tip
    if files or tip is None:
        tip = Oid(worktree.git(repository, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", ok=(0, 1, 128)).text)
    if not tip:
        return Rejected("the task's branch no longer has a commit")
    if tip != base and (path := _nested_link(repository, worktree, base, tip)):
        return Rejected(f"the worktree contains a git repository: {path}")
    if judges_content and (reason := commit_gate.content_problem(repository, base, tip)):
        return Rejected(reason)
    if status.flagged.absent:  # checks run on these files, and the tip has those that were hidden and deleted
        index_flags.restore_absent(repository, worktree)
    if tip == base:
        return NoChanges()
    result = _advance(repository, tip, branch, base, completed=bool(files))
    if files and isinstance(result, Collected):
        hooks = ref_guard.commit_hooks(ref_guard.user_hooks(repository, worktree.path))
        return msgspec.structs.replace(result, skipped_hooks=hooks)
    return result


def replace_tip(repository: Repository, worktree: Worktree, branch: str, old: Oid, new: Oid) -> None:
    """Move a branch, and the worktree that is on it, from collected work to another commit.

    Raises `RefsMoved` when the branch is no longer at `old`.
    """
    repository.update_refs([RefUpdate(branch_ref(branch), new, old)], "redact an attempt's commits")
    linked_worktrees.restore(repository, worktree, branch=branch, commit=new)


def awaiting_hooks(repository: Repository, worktree: Worktree, branch: Ref) -> tuple[str, ...]:
    """Return the files that `collect` would commit, if one of the user's hooks may refuse them; otherwise none."""
    if not ref_guard.commit_hooks(ref_guard.user_hooks(repository, worktree.path)):
        return ()
    remove_stale_locks(repository, worktree, branch)
    if _unreadable(repository, worktree):
        return ()
    try:
        status = worktree_status.compare(repository, worktree)
    except NeedsTooLong:
        return ()  # `collect` says why
    if _content_problem(worktree, status, branch):
        return ()
    files = status.uncommitted
    return tuple(path for path in files.paths if path not in {*files.untouched})


def _unreadable(repository: Repository, worktree: Worktree) -> str:
    """Return why git must not compare a worktree with its commit, or an empty text."""
    for name, operation in _IN_PROGRESS.items():
        if (worktree.admin / name).exists():
            return f"a {operation} was left unfinished in the worktree"
    return worktree_status.size_problem(repository, worktree)


def _content_problem(worktree: Worktree, status: WorktreeStatus, branch: Ref) -> str:
    """Return why what a worktree holds cannot be committed to the branch, or an empty text."""
    if status.branch is not None and f"refs/heads/{status.branch}" != branch:
        return f"the worktree was switched to another branch: {status.branch}"
    if status.uncommitted.nested:
        return f"the worktree contains a git repository: {status.uncommitted.nested[0]}"
    return commit_gate.files_problem(worktree.path, status.uncommitted.paths)


def _nested_link(repository: Repository, worktree: Worktree, base: Oid, tip: Oid) -> str:
    """Return a repository inside that was committed as a link: its commits and files are nowhere else."""
    fields = repository.git("diff-tree", "-r", "-z", "--raw", "--no-renames", base, tip).fields()
    changes = zip(fields[::2], fields[1::2], strict=True)
    links = (path for change, path in changes if change.split()[1] == "160000")
    # a real submodule's `.git` is a file
    return next((path for path in links if (worktree.path / path / ".git").is_dir()), "")


def _commit(repository: Repository, worktree: Worktree, message: str) -> None:
    # from a file: a git that outlives us would take a pipe that ends early for the whole message
    file = worktree.admin / "gitorch-message"
    file.write_bytes(message.encode())
    options = ("--quiet", "--no-verify", "--cleanup=verbatim", "--allow-empty-message", f"--file={file}")
    # the message is in UTF-8, whatever the user writes commits in
    words = ("-c", "i18n.commitEncoding=UTF-8", "commit", *options)
    # 1: nothing that was staged is a change
    worktree.git(repository, *words, env=repository.identity(), ok=(0, 1))
    file.unlink()


def _advance(repository: Repository, tip: Oid, branch: Ref, base: Oid, *, completed: bool) -> CollectResult:
    counts = repository.git("rev-list", "--left-right", "--count", f"{base}...{tip}").text
    behind, ahead = map(int, counts.split())
    if behind:
        return Rejected("the history before the task's base was rewritten")
    tree, base_tree, branch_tip = repository.object_ids(f"{tip}^{{tree}}", f"{base}^{{tree}}", branch)
    if ahead == 0 or tree == base_tree:
        return NoChanges()
    if branch_tip != tip:
        if branch_tip is not None and not repository.is_ancestor(branch_tip, tip):
            return Rejected("the worktree's commits do not build on the task's branch")
        # the agent worked on a detached HEAD
        repository.update_refs([RefUpdate(branch, tip, branch_tip)], "collect an attempt's commits")
    assert tree is not None
    return Collected(tip=tip, tree=tree, commits=ahead, completed=completed)
