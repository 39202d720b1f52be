"""The integration branch and the branches of the user's: replayed on one that moved on, and brought to one.

A branch that moved is not merged in: the integration branch's own commits are replayed on it, so that what is merged
stays a line of commits on top of the base.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from gitorch.errors import NotFound, Refused
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, Ref, branch_ref, original_ref
from gitorch.model.refs import RefUpdate
from gitorch.replay import Conflicted, Own, Replayed, Replayer


class Target(msgspec.Struct, frozen=True):
    """A branch of the user's that the integration branch is brought to, and where it is.

    `upstream` is the name of the branch that it follows at `remote`; both empty where it follows none.
    """

    branch: str
    ref: Ref
    before: Oid
    remote: str = ""
    upstream: str = ""

    @property
    def spec(self) -> str:
        """What `git push` calls it."""
        return f"{self.branch}:{self.upstream}"


class Rebased(msgspec.Struct, frozen=True, kw_only=True):
    """The integration branch on a branch that moved on: by how many commits, and what became of its own commits."""

    branch: str
    ahead: int
    before: Oid
    replayed: Replayed | Conflicted


class Kept(msgspec.Struct, frozen=True):
    """An integration branch that stays where it is, although `branch` moved on by `ahead` commits: why."""

    branch: str
    ahead: int
    reason: str


Owned = Callable[[str], bool]
"""Tells whether a branch is gitorch's own."""


def find_target(repository: Repository, name: str, integration: str, owned: Owned) -> Target:
    """Return the branch of the user's that a name means.

    Raises `NotFound` where there is none, `Refused` for a branch of a remote and for gitorch's own.
    """
    name = name.removeprefix("refs/heads/")
    ref = branch_ref(name)
    at = repository.read_ref(ref) if name.isprintable() else None
    if at is None:
        raise _no_branch(repository, name, integration)
    # a branch may be another name for one
    actual = repository.git("symbolic-ref", "--quiet", ref, ok=(0, 1))
    if actual.code == 0:
        ref, name = Ref(actual.text), actual.text.removeprefix("refs/heads/")
    if owned(name):
        raise Refused("own-branch", f"{name} is a branch of gitorch's own", why="--into takes a branch of yours")
    follows = repository.git("for-each-ref", "--format=%(upstream:remotename)%0a%(upstream:remoteref)", ref).text
    remote, _, upstream = follows.partition("\n")
    return Target(name, ref, at, remote, upstream.removeprefix("refs/heads/"))


def _no_branch(repository: Repository, name: str, integration: str) -> NotFound | Refused:
    remote = name.removeprefix("refs/remotes/").removeprefix("remotes/")
    if name.isprintable() and repository.read_ref(Ref(f"refs/remotes/{remote}")) is not None:
        place, _, branch = remote.partition("/")
        return Refused(
            "remote-branch",
            f"{remote} is a branch of a remote, and gitorch never pushes",
            fix=(f"git push {place} {integration}:{branch}",),
        )
    known = [ref.removeprefix("refs/heads/") for ref in repository.refs("refs/heads")]
    near = difflib.get_close_matches(name, known, n=1)
    return NotFound(
        "no-branch",
        f"there is no branch {name}",
        why=f"there is {near[0]}" if near else "--into takes a branch that exists",
        fix=("git branch --list",),
    )


def rebase(replayer: Replayer, integration: Oid, branch: str, moved: Oid, owned: Owned) -> Rebased | Kept | None:
    """Replay the integration branch's own commits on a branch that moved on; None where it holds all of that branch.

    `moved` is where that branch is. Commits that are on another branch of the user's, too, are not written anew, nor
    are merges: then the integration branch stays where it is.
    """
    repository = replayer.repository
    behind, ahead = _distance(repository, integration, moved)
    if not ahead:
        return None
    if not behind:
        return Rebased(branch=branch, ahead=ahead, before=integration, replayed=Replayed(moved, ()))
    fork = repository.git("merge-base", integration, moved, ok=(0, 1))
    if fork.code != 0:
        return Kept(branch, ahead, "they have no commit in common")
    base = Oid(fork.text.split("\n")[0])
    if reason := _fixed(repository, integration, moved, owned):
        return Kept(branch, ahead, reason)
    own = Own(base, integration)
    return Rebased(branch=branch, ahead=ahead, before=integration, replayed=replayer.replay(own, moved))


def _distance(repository: Repository, ours: Oid, theirs: Oid) -> tuple[int, int]:
    counts = repository.git("rev-list", "--left-right", "--count", f"{ours}...{theirs}").text.split()
    return int(counts[0]), int(counts[1])


def _fixed(repository: Repository, integration: Oid, moved: Oid, owned: Owned) -> str:
    """Return why the integration branch's own commits cannot be written anew; empty where they can."""
    own = [line.split() for line in repository.git("rev-list", "--parents", integration, f"^{moved}").text.split("\n")]
    if any(len(line) > 2 for line in own):
        return "it holds a merge commit, which a replay would flatten"
    oldest = own[-1][0]
    found = repository.git("for-each-ref", "--format=%(refname)", f"--contains={oldest}", "refs/heads").text
    branches = (ref.removeprefix("refs/heads/") for ref in found.split("\n") if ref)
    others = [name for name in branches if not owned(name)]
    return f"its commits are on {others[0]}, too" if others else ""


Notes = Mapping[Oid, Sequence[Mapping[str, Any]]]
"""The lines of notes, by commit."""


def unapproved(notes: Notes, commits: Sequence[Oid], tips: Mapping[str, Oid], automatic: str = "") -> list[str]:
    """Return the tasks whose work is in these commits and that nobody has approved as they are.

    `tips` are the tips of the tasks that are known: where their verdicts were noted. `automatic` is who approves in
    nobody's name.
    """
    places: dict[str, list[Oid]] = {}
    for commit in commits:
        for line in notes.get(commit, ()):
            if line["kind"] == "merged":
                task = str(line.get("task"))
                at = places.setdefault(task, [tips[task]] if task in tips else [])
                at += [commit, Oid(str(line.get("commit")))]
    return [task for task, at in places.items() if not _is_approved(task, at, notes, automatic)]


def _is_approved(task: str, places: Sequence[Oid], notes: Notes, automatic: str) -> bool:
    noted = (line for commit in places for line in notes.get(commit, ()) if line["kind"] == "verdict")
    said = [line for line in noted if line.get("who") != automatic]
    verdicts = sorted((str(line.get("when")), str(line.get("verdict"))) for line in said if line.get("task") == task)
    return bool(verdicts) and verdicts[-1][1] == "approve"


def orig_move(repository: Repository, rebased: Rebased, integration: str) -> list[RefUpdate]:
    """Return the move that keeps the integration branch as it was before it was replayed."""
    ref = original_ref(integration, rebased.before)
    return [] if repository.read_ref(ref) else [RefUpdate(ref, rebased.before, None)]
