"""The hooks and settings that limit an agent's git: which refs it may move is decided by `reference-transaction`.

The variables of `environment` lead git to a copy of the hooks in `hooks/`, and to the user's own hooks after them.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from gitorch.errors import SetupNeeded
from gitorch.git.protected import refs_and_settings
from gitorch.git.protected.refs_and_settings import Setting
from gitorch.git.repository import Repository
from gitorch.model.naming import Ref
from gitorch.regular_files import read_start

HOOKS_FOLDER = Path(__file__).resolve().parents[2] / "_hooks"
"""Where gitorch's own hooks are installed."""

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

_LONGEST_ALARM = 1024 * 1024
_LONGEST_HOOK = 64 * 1024

_COMMIT_HOOKS = ("pre-commit", "prepare-commit-msg", "commit-msg")

_SKIPPABLE_HOOKS = ("pre-commit", "commit-msg")
"""Those of them that `git commit --no-verify` leaves out."""

_EXPANDED = ("~", "%(")
"""How a path begins that git expands."""


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

    `hooks` is a folder of `copy_hooks()`, `user_hooks` what `user_hooks()` found; `git_dir` the worktree's own git
    folder and `common_dir` the repository's, by which the hooks know other repositories (a test suite's) and let them
    be.
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
    hooks = [path for path in folder.iterdir() if not path.suffix] if folder.is_dir() else []
    if not hooks or not all(os.access(hook, os.X_OK) for hook in hooks):
        raise SetupNeeded(
            "hooks-missing",
            "gitorch's git hooks are not installed, or not executable",
            why=f"{folder} should hold them, on a file system that lets programs run",
            fix=("python -m pip install --force-reinstall gitorch", f"chmod +x {folder}/*"),
        )
    return folder.resolve()


def copy_hooks(folder: Path, *, without: Collection[str] = ()) -> Path:
    """Make a folder a copy of `hooks_folder()`, `without` some of its files, and return it.

    An install step writes its hooks where `core.hooksPath` leads: into the installation, it would take the fence away
    from every repository. Call before each program, as an earlier one may have written into the copy.
    """
    source = hooks_folder()
    wanted = {name: state for name, state in _hook_files(source).items() if name not in without}
    if _hook_files(folder) != wanted:
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
        else:
            folder.unlink(missing_ok=True)
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns(*without))
    return folder


def _hook_files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return mode and content of each file; nothing where a link has taken the folder's place."""
    if folder.is_symlink() or not folder.is_dir():
        return {}
    return {path.name: (path.lstat().st_mode, _start_of(path)) for path in folder.iterdir()}


def _start_of(path: Path) -> bytes:
    return read_start(path, _LONGEST_HOOK) if path.is_file() and not path.is_symlink() else b""


def user_hooks(repository: Repository, worktree: Path | None = None, settings: Sequence[Setting] | None = None) -> Path:
    """Return the folder of the user's own hooks, as git would choose it without gitorch.

    A relative `core.hooksPath` is relative to where the hooks run: `worktree`, or else the user's checkout. `settings`
    are those of the repository, where they were read already.
    """
    settings = refs_and_settings.read_settings(repository) if settings is None else settings
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
    return _executable(hooks, _COMMIT_HOOKS)


def skippable_hooks(hooks: Path) -> tuple[str, ...]:
    """Return the user's own hooks in a folder that git leaves out with `--no-verify`."""
    return _executable(hooks, _SKIPPABLE_HOOKS)


def _executable(hooks: Path, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if (hooks / name).is_file() and os.access(hooks / name, os.X_OK))


def refusals(alarm: Path) -> tuple[str, ...]:
    """Return what was refused, each once, oldest first: refs, `push to NAME`, and `hook NAME` by a user's hook.

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
