"""The state of everything that belongs to the user, to be compared: what an agent must not change."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.git.protected import index_listing, refs_and_settings
from gitorch.git.protected.file_state import digest, printable
from gitorch.git.protected.refs_and_settings import Inventory, Setting
from gitorch.git.repository import Output, Repository
from gitorch.git.tree_size import size_problem

_STASH = "refs/stash"

# files in a checkout's git folder besides HEAD and the index: unfinished operations and the log of HEAD
_CHECKOUT_FILES = ("ORIG_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "logs/HEAD")
_SHARED_FILES = ("config", "config.worktree", "shallow", "objects/info/alternates")

_RUNNING = ("config", "hooks/", "info/")
"""How the names of files begin in a git folder that make git run programs."""

_FILTER = re.compile(r"filter\..*\.(clean|process|required)", re.DOTALL)
_SWITCHED_OFF = {"GITORCH_NOTHING": "", "GITORCH_NO": "false"}


class Fingerprint(msgspec.Struct, frozen=True):
    """The state of everything that belongs to the user, at one time: digests of contents by name.

    A name is a ref, `HEAD`, `index`, `entries` (the index entries, whatever its bytes), `stash COMMIT`, `file PATH`
    in the checkout, or a path inside the git folder. Names come from hostile bytes: escape them before they are shown.
    """

    digests: Mapping[str, str]


def files_of_git(shared: Path, *hooks: Path) -> dict[str, str]:
    """Return digests of the files in a git folder that are the user's, and of more folders of hooks, without git."""
    digests = {name: digest(shared / name) for name in ("HEAD", "index", *_CHECKOUT_FILES, *_SHARED_FILES)}
    for folder in {shared / "hooks", shared / "info", *hooks}:
        digests |= {_name(path, shared): digest(path) for path in _files_below(folder)}
    return digests


def differences(before: Fingerprint, after: Fingerprint) -> tuple[str, ...]:
    """Describe each difference in one line; empty if there is none."""
    names = sorted(before.digests.keys() | after.digests.keys())
    changed = {name for name in names if before.digests.get(name) != after.digests.get(name)}
    if "index" in changed and "entries" not in changed:
        return ("index rewritten, with the same entries", *_lines(before, after, changed - {"index"}))
    return _lines(before, after, changed - {"entries"} if "index" in changed else changed)


def _lines(before: Fingerprint, after: Fingerprint, changed: Iterable[str]) -> tuple[str, ...]:
    return tuple(_line(name, before.digests.get(name, ""), after.digests.get(name, "")) for name in sorted(changed))


def _line(name: str, old: str, new: str) -> str:
    is_file = name.startswith("file ") or ": file " in name
    if not old and not is_file:
        return f"{name} appeared"
    if not new and not is_file:
        return f"{name} disappeared"
    return f"{name} moved from {old[:12]} to {new[:12]}" if name.startswith("refs/") else f"{name} changed"


def own_checkout(repository: Repository, present: Inventory) -> dict[str, str]:
    """Return the state of the user's own checkout, as `checkout` does; empty in a bare repository."""
    if repository.work_tree is None:
        return {}
    return checkout(repository, repository.work_tree, repository.common_dir, without_filters(present.settings))


def stashed(repository: Repository, present: Inventory) -> dict[str, str]:
    """Return the entries of the stash."""
    if _STASH not in present.refs:
        return {}
    # by commit, so that `git stash store` can restore a dropped entry
    listing = repository.git("log", "-g", "--format=%H", _STASH, "--", ok=(0, 128))
    return {f"stash {oid}": "kept" for oid in listing.text.split()} if listing.code == 0 else {}


def is_covered(name: str, movable: Iterable[str]) -> bool:
    """Return whether a ref is one of these full names, or below one of these prefixes that end in `/`."""
    return any(name.startswith(pattern) if pattern.endswith("/") else name == pattern for pattern in movable)


def checkout(
    repository: Repository, work_tree: Path, git_dir: Path, filters: Sequence[str] | None = None
) -> dict[str, str]:
    """Return a digest of a checkout's index entries, and each file that differs from them or is untracked.

    `filters` are the options of `without_filters`, where several checkouts are read at once.
    """
    entries = index_listing.read(repository, work_tree, git_dir).digest
    if git_dir.parent.name == "worktrees":
        # an agent may have put a commit there that stands for millions of files
        (head,) = repository.object_ids(f"worktrees/{git_dir.name}/HEAD^{{commit}}")
        if head and (reason := size_problem(repository, head)):
            return {"entries": entries, "files": reason}
    status = _inspect(
        repository,
        work_tree,
        git_dir,
        *(without_filters(refs_and_settings.read_settings(repository)) if filters is None else filters),
        "status",
        "--porcelain",
        "-z",
        "--untracked-files=all",
        "--ignore-submodules=all",
        "--no-renames",
    )
    # without renames an entry is two letters, a space and the path
    files = {f"file {printable(line[3:])}": f"{line[:2]} {digest(work_tree / line[3:])}" for line in status.fields()}
    inside = [line[3:] for line in status.fields() if line.endswith("/")]
    for path in inside:  # of a repository inside, git tells nothing more
        files |= {f"file {printable(path)}.git/{name}": state for name, state in _settings(work_tree / path)}
    return {"entries": entries, **files}


def _settings(repository: Path) -> Iterator[tuple[str, str]]:
    """Yield what would make git run programs in a repository inside the checkout."""
    folder = repository / ".git"
    if folder.is_dir() and not folder.is_symlink():
        states = files_of_git(folder).items()
        yield from ((name, state) for name, state in states if name.startswith(_RUNNING))


def _inspect(repository: Repository, work_tree: Path, git_dir: Path, *args: str) -> Output:
    # no lock on the user's index, and no fetch of what a partial clone lacks: a config could name a program for it
    quiet = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none", **_SWITCHED_OFF}
    return repository.git(*args, cwd=work_tree, git_dir=git_dir, env=quiet)


def without_filters(settings: Iterable[Setting]) -> tuple[str, ...]:
    """Return options that switch every clean filter off: `git status` would run it on files whose time stamp moved.

    A filter's name can hold `=`, so the options take their value from the environment.
    """
    keys = (setting.key for setting in settings if _FILTER.fullmatch(setting.key))
    return tuple(
        f"--config-env={key}={'GITORCH_NO' if key.endswith('.required') else 'GITORCH_NOTHING'}" for key in keys
    )


def _files_below(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (Path(root, name) for name in names)


def _name(path: Path, shared: Path) -> str:
    return printable(str(path.relative_to(shared) if path.is_relative_to(shared) else path))
