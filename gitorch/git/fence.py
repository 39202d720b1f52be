"""The fence of an attempt: the environment that restricts an agent's git, and a check that nothing else changed.

The environment leads git to the hooks in `hooks/`; there, `reference-transaction` decides which refs may move.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.errors import SetupNeeded
from gitorch.git import inventory
from gitorch.git.file_state import digest, printable, read_start
from gitorch.git.inventory import Inventory, Setting
from gitorch.git.repository import Output, Repository
from gitorch.git.tree_size import size_problem
from gitorch.model.naming import NOTES, OWN_REFS, Ref

HOOKS_FOLDER = Path(__file__).resolve().parent.parent / "_hooks"
"""Where gitorch's own hooks are installed."""

TASK_REFS = "refs/heads/orch/"
_STASH = "refs/stash"

# what an agent's git must not do automatically, or to shared data
_PINS = {
    "gc.auto": "0",
    "maintenance.auto": "false",
    # if an agent calls `git gc`, unreachable commits are kept, and no refs are packed
    "gc.packRefs": "false",
    "gc.pruneExpire": "never",
    "gc.reflogExpire": "never",
    "gc.reflogExpireUnreachable": "never",
    "gc.worktreePruneExpire": "never",
    # a rebase must not use the shared stash, or move the branches of other tasks
    "rebase.autoStash": "false",
    "merge.autoStash": "false",
    "rebase.updateRefs": "false",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "advice.detachedHead": "false",
}

# nothing may wait for a person
_UNATTENDED = {
    "GIT_EDITOR": "true",
    "GIT_SEQUENCE_EDITOR": "true",
    "GIT_MERGE_AUTOEDIT": "no",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "false",
    "SSH_ASKPASS": "false",
    "SSH_ASKPASS_REQUIRE": "force",
}

# files in a checkout's git folder besides HEAD and the index: unfinished operations and the log of HEAD
_CHECKOUT_FILES = ("ORIG_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "logs/HEAD")
_SHARED_FILES = ("config", "config.worktree", "shallow", "objects/info/alternates")

_RUNNING = ("config", "hooks/", "info/")
"""How the names of files begin in a git folder that make git run programs."""

_LONGEST_ALARM = 1024 * 1024

_COMMIT_HOOKS = ("pre-commit", "prepare-commit-msg", "commit-msg")

_EXPANDED = ("~", "%(")
"""How a path begins that git expands."""

_FILTER = re.compile(r"filter\..*\.(clean|process|required)", re.DOTALL)
_SWITCHED_OFF = {"GITORCH_NOTHING": "", "GITORCH_NO": "false"}


class Fingerprint(msgspec.Struct, frozen=True):
    """The state of everything that belongs to the user, at one time: digests of contents by name.

    A name is a ref, `HEAD`, `index`, `entries` (the index entries, whatever its bytes), `stash COMMIT`, `file PATH`
    in the checkout, or a path inside the git folder. Names come from hostile bytes: escape them before they are shown.
    """

    digests: Mapping[str, str]


def environment(
    *,
    hooks: Path,
    user_hooks: Path,
    git_dir: Path,
    common_dir: Path,
    branch: Ref,
    task: str,
    agent: str,
    alarm: Path,
    safe_folders: Sequence[str] = (),
) -> dict[str, str]:
    """Return the variables for an agent's git.

    `hooks` is `hooks_folder()`, `user_hooks` what `user_hooks()` found; `git_dir` the worktree's own git folder and
    `common_dir` the repository's, by which the hooks know other repositories (a test suite's) and let them be.
    `branch` is the full name of the one ref that may move; `alarm` the file to which refusals are appended.
    `safe_folders` are those of other users that git may use.
    """
    pins = [("core.hooksPath", str(hooks)), *_PINS.items(), *(("safe.directory", folder) for folder in safe_folders)]
    config = {"GIT_CONFIG_COUNT": str(len(pins))}
    for number, (key, value) in enumerate(pins):
        config |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {
        **_UNATTENDED,
        **config,
        "GITORCH_USER_HOOKS": str(user_hooks),
        "GITORCH_GIT_DIR": str(git_dir),
        "GITORCH_COMMON_DIR": str(common_dir),
        "GITORCH_BRANCH": branch,
        "GITORCH_TASK": task,
        "GITORCH_AGENT": agent,
        "GITORCH_ALARM": str(alarm),
    }


def safe_folders(repository: Repository) -> tuple[str, ...]:
    """Return what variables, not files, say of the folders of other users that git may use (`safe.directory`)."""
    entries = repository.settings.entries
    return tuple(entry.value or "" for entry in entries if (entry.scope, entry.name) == ("command", "safe.directory"))


def unattended() -> dict[str, str]:
    """Return the variables with which no program of git waits for a person."""
    return dict(_UNATTENDED)


def hooks_folder() -> Path:
    """Return the folder of gitorch's own hooks; raise `SetupNeeded` where git would pass over them without a word."""
    folder = HOOKS_FOLDER
    if not os.access(folder / "reference-transaction", os.X_OK):
        raise SetupNeeded(
            "hooks-missing",
            "gitorch's git hooks are not installed, or not executable",
            why=f"{folder} should hold them, on a file system that lets programs run",
            fix=("python -m pip install --force-reinstall gitorch", f"chmod +x {folder}/*"),
        )
    return folder.resolve()


def user_hooks(repository: Repository, worktree: Path | None = None, settings: Sequence[Setting] | None = None) -> Path:
    """Return the folder of the user's own hooks, as git would choose it without gitorch.

    A relative `core.hooksPath` is relative to where the hooks run: `worktree`, or else the user's checkout. `settings`
    are those of the repository, where they were read already.
    """
    settings = inventory.read_settings(repository) if settings is None else settings
    paths = [setting.value for setting in settings if setting.key == "core.hookspath"]
    if paths and paths[-1].startswith(_EXPANDED):
        fields = repository.git("config", "-z", "--type=path", "--show-scope", "--get-all", "core.hooksPath").fields()
        # gitorch itself uses the scope `command`
        paths = [path for scope, path in zip(fields[::2], fields[1::2], strict=True) if scope != "command"]
    if not paths:
        return repository.common_dir / "hooks"
    return (worktree or repository.work_tree or repository.common_dir) / paths[-1]


def commit_hooks(hooks: Path) -> tuple[str, ...]:
    """Return the user's own hooks in a folder that can refuse a commit."""
    return tuple(name for name in _COMMIT_HOOKS if (hooks / name).is_file() and os.access(hooks / name, os.X_OK))


def refusals(alarm: Path) -> tuple[str, ...]:
    """Return what was refused, each once, oldest first: refs, `push to NAME`, and `hook NAME` by a hook of the user's.

    The agent could write this file too, so it is read with care: it must be a plain file, and a megabyte is enough.
    """
    try:
        is_regular = stat.S_ISREG(alarm.lstat().st_mode)
    except FileNotFoundError:
        return ()
    if not is_regular:
        return ("the alarm file was replaced",)
    content = read_start(alarm, _LONGEST_ALARM)
    lines = content.split(b"\n")[:-1]
    return tuple(dict.fromkeys(line.split(b"\t")[0].decode("utf-8", "backslashreplace") for line in lines))


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
    present = present or inventory.read(repository)
    digests = files_of_git(repository.common_dir, user_hooks(repository, settings=present.settings))
    digests |= {
        name: value for name, value in present.refs.items() if not is_covered(name, (OWN_REFS, NOTES, *movable))
    }
    digests |= stashed(repository, present) | own_checkout(repository, present)
    return Fingerprint({name: digest for name, digest in sorted(digests.items()) if digest})


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
    entries = _inspect(repository, work_tree, git_dir, "ls-files", "--stage", "-v", "-z").stdout
    if git_dir.parent.name == "worktrees":
        # an agent may have put a commit there that stands for millions of files
        (head,) = repository.object_ids(f"worktrees/{git_dir.name}/HEAD^{{commit}}")
        if head and (reason := size_problem(repository, head)):
            return {"entries": hashlib.sha256(entries).hexdigest(), "files": reason}
    status = _inspect(
        repository,
        work_tree,
        git_dir,
        *(without_filters(inventory.read_settings(repository)) if filters is None else filters),
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
    return {"entries": hashlib.sha256(entries).hexdigest(), **files}


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
