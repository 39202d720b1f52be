"""Rescue points of an agent on a worker: pushed home while it runs, so that a dead machine loses minutes.

What a rescue point holds is decided in `gitorch.git.worktrees.rescue_points`.
"""

from __future__ import annotations

from gitorch.executors.protocol import Errand
from gitorch.executors.temporal.messages import Delivery, Route
from gitorch.git.exchange.attempts import Mirror, delivery_ref, lease_ref
from gitorch.git.repository import Repository
from gitorch.git.worktrees.rescue_points import SAVED_GIT, with_skipped
from gitorch.git.writing import unreferenced
from gitorch.model.naming import Oid, Ref
from gitorch.model.refs import RefUpdate
from gitorch.rooms.protocol import Progress

_MESSAGE = "Work of the agent of {task} so far\n"


class Rescues:
    """The rescue points of one attempt: each is a new ref in the repository at home, while its lease holds."""

    def __init__(self, mirror: Mirror, repository: Repository, errand: Errand, route: Route, token: str) -> None:
        self._mirror = mirror
        self._repository = repository
        self._errand = errand
        self._route = route
        self._token = f"{token}-saved"
        self._last: Progress | None = None
        self._number = 0

    def save(self, progress: Progress) -> Delivery | None:
        """Push what differs from the last rescue point; None if nothing does. Raises `ExchangeFailed`."""
        start = Oid(self._errand.start)
        last = self._last or Progress(start, self._repository.tree(start))
        if progress == last:
            return None
        is_completed = progress.tree != self._repository.tree(progress.tip)
        self._keep(self._commit(progress) if is_completed else progress.tip)
        tip = self._mirror.take(self._repository, self._ref, self._token)
        self._number += 1  # also when the answer to the push is lost: a ref is made once
        ref = delivery_ref(self._errand.task, self._route.epoch, self._errand.attempt, self._number)
        self._mirror.push(tip, ref, lease_ref(self._errand.task), Oid(self._route.lease))
        self._mirror.release(self._token)
        self._last = progress
        if nested := self._repository_inside(progress):
            return Delivery(problem=f"the worktree contains a git repository: {nested} (its files are in {ref})")
        return Delivery(tip=tip, ref=ref, is_completed=is_completed)

    def _repository_inside(self, progress: Progress) -> str:
        """Return the path of a repository whose `.git` folder was saved as files: no branch may get it."""
        words = ("diff-tree", "-r", "-z", "--name-only", progress.tip, progress.tree)
        saved = f"/{SAVED_GIT}/"
        paths = self._repository.git(*words, "--", f":(glob)**{saved}**").fields()
        return paths[0].partition(saved)[0] if paths else ""

    def _commit(self, progress: Progress) -> Oid:
        message = with_skipped(_MESSAGE.format(task=self._errand.task), progress.skipped)
        identity = self._repository.identity()
        return unreferenced.commit_tree(self._repository, progress.tree, [progress.tip], message, identity)

    def _keep(self, commit: Oid) -> None:
        self._repository.update_refs(
            [RefUpdate(self._ref, commit, self._repository.read_ref(self._ref))], "rescue point"
        )

    @property
    def _ref(self) -> Ref:
        return Ref(f"refs/gitorch/saved/{self._errand.task}")
