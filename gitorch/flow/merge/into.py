"""The integration branch and user branches: find the branch that goes to the result, and replay onto a moved base.

A base that moved is not merged in. The integration branch's own commits are replayed on it, so that the merged work
stays a line of commits on top of the base.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence

import msgspec

from gitorch.errors import NotFound, Refused
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, Ref, branch_ref, original_ref
from gitorch.model.note import Line, MergedNote, VerdictNote
from gitorch.model.refs import RefUpdate
from gitorch.replay import CommitRange, Conflicted, Replayed, Replayer


class MergeTarget(msgspec.Struct, frozen=True):
    """A user branch that goes to the result of a merge, and its tip.

    `upstream` is the branch at `remote` that it tracks; both are empty if it tracks none.
    """

    branch: str
    ref: Ref
    before: Oid
    remote: str = ""
    upstream: str = ""

    @property
    def spec(self) -> str:
        """The refspec for `git push`."""
        return f"{self.branch}:{self.upstream}"


class Rebased(msgspec.Struct, frozen=True, kw_only=True):
    """The integration branch replayed on a branch that moved on by `ahead` commits, or was reset to an earlier one (0).

    `removed` commits of it were on that branch before, and were removed there: they stay out.
    """

    branch: str
    ahead: int
    before: Oid
    replayed: Replayed | Conflicted
    removed: tuple[Oid, ...] = ()


class NotRebased(msgspec.Struct, frozen=True):
    """The reason why the integration branch is not rebased, although `branch` moved on by `ahead` commits."""

    branch: str
    ahead: int
    reason: str


IsOwnBranch = Callable[[str], bool]
"""Returns whether a branch belongs to gitorch."""

IsTakenBack = Callable[[Oid], bool]
"""Returns whether an undo took back the last move of the branch to a commit."""


def find_target(repository: Repository, name: str, integration: str, is_own_branch: IsOwnBranch) -> MergeTarget:
    """Return the user branch with this name.

    Raises `NotFound` if it does not exist, and `Refused` for a remote-tracking branch and for gitorch's own branches.
    """
    name = name.removeprefix("refs/heads/")
    ref = branch_ref(name)
    tip = repository.read_ref(ref) if name.isprintable() else None
    if tip is None:
        raise _no_branch(repository, name, integration)
    # a branch can be a symbolic ref to another one
    actual = repository.git("symbolic-ref", "--quiet", ref, ok=(0, 1))
    if actual.code == 0:
        ref, name = Ref(actual.text), actual.text.removeprefix("refs/heads/")
    if is_own_branch(name):
        raise Refused("own-branch", f"{name} is one of gitorch's branches", why="--into takes one of your own branches")
    follows = repository.git("for-each-ref", "--format=%(upstream:remotename)%0a%(upstream:remoteref)", ref).text
    remote, _, upstream = follows.partition("\n")
    return MergeTarget(name, ref, tip, remote, upstream.removeprefix("refs/heads/"))


def _no_branch(repository: Repository, name: str, integration: str) -> NotFound | Refused:
    tracking = name.removeprefix("refs/remotes/").removeprefix("remotes/")
    if name.isprintable() and repository.read_ref(Ref(f"refs/remotes/{tracking}")) is not None:
        remote, _, branch = tracking.partition("/")
        return Refused(
            "remote-branch",
            f"{tracking} is a remote-tracking branch, and gitorch never pushes",
            fix=(f"git push {remote} {integration}:{branch}",),
        )
    branches = [ref.removeprefix("refs/heads/") for ref in repository.refs("refs/heads")]
    matches = difflib.get_close_matches(name, branches, n=1)
    return NotFound(
        "no-branch",
        f"there is no branch {name}",
        why=f"did you mean {matches[0]}?" if matches else "--into takes a branch that exists",
        fix=("git branch --list",),
    )


def rebase(
    replayer: Replayer,
    integration: Oid,
    branch: str,
    branch_tip: Oid,
    is_own_branch: IsOwnBranch,
    is_taken_back: IsTakenBack,
) -> Rebased | NotRebased | None:
    """Replay the integration branch's own commits on a branch that moved on or was reset; None if it did neither.

    What the branch had before, and has no more, was removed by its owner and does not come back, unless that was part
    of an undo. Never rewrites merges, or commits that are also on another user branch: the integration branch then does
    not move.
    """
    repository = replayer.repository
    behind, ahead = _distance(repository, integration, branch_tip)
    if not behind:
        replayed = Replayed(branch_tip, ())
        return Rebased(branch=branch, ahead=ahead, before=integration, replayed=replayed) if ahead else None
    published = _published(repository, integration, branch)
    if not ahead and published in (None, branch_tip):
        return None
    fork = repository.git("merge-base", integration, branch_tip, ok=(0, 1))
    if fork.code != 0:
        return NotRebased(branch, ahead, "they have no commit in common")
    start = published or Oid(fork.text.split("\n")[0])
    removed = repository.git("rev-list", "--reverse", start, f"^{branch_tip}").text.split()
    if removed and is_taken_back(start):
        start, removed = Oid(fork.text.split("\n")[0]), []
    if not ahead and not removed:
        return None
    if reason := _why_not_rewritable(repository, integration, (branch_tip, start), is_own_branch):
        return NotRebased(branch, ahead, reason)
    commits = CommitRange(start, integration)
    replayer.read([commits], branch_tip)
    return Rebased(
        branch=branch,
        ahead=ahead,
        before=integration,
        replayed=Replayed(branch_tip, ()) if start == integration else replayer.replay(commits, branch_tip),
        removed=tuple(map(Oid, removed)),
    )


def _published(repository: Repository, integration: Oid, branch: str) -> Oid | None:
    """Return the last commit of the integration branch that a branch ever had, by its reflog; None if unknown."""
    name = repository.full_name(branch)
    answer = repository.git("merge-base", "--fork-point", name, integration, ok=(0, 1, 128))
    return Oid(answer.text) if answer.code == 0 and answer.text else None


def _distance(repository: Repository, integration: Oid, branch_tip: Oid) -> tuple[int, int]:
    """Return how many commits only the integration branch has, and how many only the other one has."""
    counts = repository.git("rev-list", "--left-right", "--count", f"{integration}...{branch_tip}").text.split()
    return int(counts[0]), int(counts[1])


def _why_not_rewritable(
    repository: Repository, integration: Oid, without: Sequence[Oid], is_own_branch: IsOwnBranch
) -> str:
    """Return why the integration branch's own commits cannot be rewritten; empty if they can."""
    listing = repository.git("rev-list", "--parents", integration, *(f"^{oid}" for oid in without)).text
    if not listing:
        return ""
    lines = [line.split() for line in listing.split("\n")]
    if any(len(line) > 2 for line in lines):
        return "it holds a merge commit, which a replay would flatten"
    oldest = lines[-1][0]
    containing = repository.git("for-each-ref", "--format=%(refname)", f"--contains={oldest}", "refs/heads").text
    branches = (ref.removeprefix("refs/heads/") for ref in containing.split("\n") if ref)
    user_branches = [name for name in branches if not is_own_branch(name)]
    return f"its commits are also on {user_branches[0]}" if user_branches else ""


Notes = Mapping[Oid, Sequence[Line]]
"""The lines of notes, by commit."""


def unapproved(notes: Notes, commits: Sequence[Oid], tips: Mapping[str, Oid], automatic: str = "") -> list[str]:
    """Return the tasks with work in these commits that no person has approved in this state.

    `tips` are the tips of the known tasks, where their verdicts are noted. Verdicts by `automatic` do not count.
    """
    noted_at: dict[str, list[Oid]] = {}
    for commit in commits:
        for line in notes.get(commit, ()):
            if isinstance(line.note, MergedNote):
                task = line.note.task
                task_commits = noted_at.setdefault(task, [tips[task]] if task in tips else [])
                task_commits += [commit, line.note.commit]
    return [task for task, task_commits in noted_at.items() if not _is_approved(task, task_commits, notes, automatic)]


def _is_approved(task: str, commits: Sequence[Oid], notes: Notes, automatic: str) -> bool:
    noted = (line.note for commit in commits for line in notes.get(commit, ()))
    verdicts = [note for note in noted if isinstance(note, VerdictNote) and note.task == task]
    by_people = [note for note in verdicts if not automatic or note.reviewer != automatic]
    return bool(by_people) and max(by_people, key=lambda note: (note.time, note.verdict)).verdict == "approve"


def original_updates(repository: Repository, rebased: Rebased, integration: str) -> list[RefUpdate]:
    """Return the ref update that keeps the integration branch as it was before it was replayed."""
    ref = original_ref(integration, rebased.before)
    return [] if repository.read_ref(ref) else [RefUpdate(ref, rebased.before, None)]
