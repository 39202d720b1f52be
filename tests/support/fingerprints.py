"""The state of all that gitorch promises not to change, at one time: the watch of a run reads it piece by piece."""

from __future__ import annotations

from collections.abc import Iterable

from gitorch.git.protected import refs_and_settings
from gitorch.git.protected.fingerprint import Fingerprint, files_of_git, is_covered, own_checkout, stashed
from gitorch.git.protected.ref_guard import user_hooks
from gitorch.git.protected.refs_and_settings import Inventory
from gitorch.git.repository import Repository
from gitorch.model.naming import NOTES, OWN_REFS

TASK_REFS = "refs/heads/orch/"


def fingerprint(
    repository: Repository, *, movable: Iterable[str] = (TASK_REFS,), present: Inventory | None = None
) -> Fingerprint:
    """Return the fingerprint of everything that gitorch promises not to change.

    `movable` are refs that may move, in addition to `refs/gitorch/` and the notes: full names, or prefixes that end in
    `/`. Includes the files in the checkout that differ from the index or are untracked, but no ignored files and no
    submodules. `present` are the refs and settings, where they were read already. Writes nothing, and runs no program
    that a config names. Raises `GitFailed` if git cannot read the
    repository (a damaged config or index).
    """
    present = present or refs_and_settings.read(repository)
    digests = files_of_git(repository.common_dir, user_hooks(repository, settings=present.settings))
    digests |= {
        name: value for name, value in present.refs.items() if not is_covered(name, (OWN_REFS, NOTES, *movable))
    }
    digests |= stashed(repository, present) | own_checkout(repository, present)
    return Fingerprint({name: digest for name, digest in sorted(digests.items()) if digest})
