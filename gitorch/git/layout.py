"""Where a repository's parts are: its common folder, the user's work tree, and the checkout with the user's files."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from gitorch import regular_files
from gitorch.git import settings as git_settings, worktree_entries
from gitorch.git.process import GitRunner, Output
from gitorch.git.settings import Settings
from gitorch.model.naming import REMEMBERED_FOLDER

TRASH = ".gitorch-trash"
"""The folder beside worktrees that holds those taken away: on the same file system, so that a rename is enough."""

LOCATION_FILE = Path("gitorch", "location")
"""A file in the common folder that names this folder: where the repository was when gitorch last used it."""


class Layout(msgspec.Struct, frozen=True):
    """The parts of a repository. A bare one has no `work_tree`, but may have worktrees beside it.

    `checkout` is the folder from which the user's files are read: the work tree; in a bare repository the worktree
    that has its HEAD's branch checked out, or else the user's worktree in which the command was started. There are no
    `settings` if git could not read them.
    """

    common_dir: Path
    work_tree: Path | None = None
    checkout: Path | None = None
    settings: Settings | None = None


def is_in_place(common_dir: Path) -> bool:
    """Return whether a repository is where it is recorded to be."""
    try:
        return regular_files.read(common_dir / LOCATION_FILE) == os.fsencode(common_dir) + b"\n"
    except OSError:
        return False


def ask(start: Path) -> Output:
    """Ask git for the repository around a folder; the answer is for `find`."""
    return GitRunner().run("rev-parse", "--path-format=absolute", "--git-common-dir", cwd=start, ok=range(256))


def find(start: Path, common_dir: Path) -> Layout:
    """Return the layout of the repository around a folder.

    From a linked worktree it is that of the main one, so that every command sees the same state.
    """
    runner = GitRunner(common_dir)
    # asked of the repository itself: in a linked worktree of a bare repository, git says that it is not bare
    answer = runner.run(*git_settings.COMMAND, ok=(0, 1, 128))
    settings = git_settings.parse(answer.fields() if answer.code == 0 else [])
    known = settings if answer.code == 0 else None
    if (work_tree := settings.get("core.worktree")) is not None:
        path = (common_dir / work_tree).resolve()
        return Layout(common_dir, path, path, known)
    if _is_true(runner, settings.get("core.bare")):
        return Layout(common_dir, None, _checkout_of_bare(runner, start), known)
    main = common_dir.parent if common_dir.name == ".git" else _separate_work_tree(start, common_dir)
    return Layout(common_dir, main, main, known)


def _is_true(runner: GitRunner, value: str | None) -> bool:
    if value in (None, "false"):
        return False
    return value == "true" or runner.run("config", "--type=bool", "core.bare", ok=(0, 1, 128)).text == "true"


def _separate_work_tree(start: Path, common_dir: Path) -> Path | None:
    """Return the work tree of a repository with a separate git folder: git knows it only inside of that work tree."""
    folder = _rev_parse(start, "--absolute-git-dir")
    top = _rev_parse(start, "--show-toplevel")
    return Path(top) if top and os.path.realpath(folder) == os.path.realpath(common_dir) else None


def _checkout_of_bare(runner: GitRunner, start: Path) -> Path | None:
    head = runner.run("symbolic-ref", "--quiet", "HEAD", ok=(0, 1, 128)).text
    for entry in worktree_entries.parse(runner.run(*worktree_entries.LIST).stdout) if head else ():
        if entry.branch == head and entry.path.is_dir():
            return entry.path
    admin, top = Path(_rev_parse(start, "--absolute-git-dir")), _rev_parse(start, "--show-toplevel")
    # an agent writes the files of gitorch's own worktrees
    return Path(top) if top and not (admin / REMEMBERED_FOLDER).exists() else None


def head_name(start: Path, common_dir: Path) -> str:
    """Return what the repository calls the HEAD of the worktree around a folder; for gitorch's own, the main one's."""
    linked = users_worktree(start, common_dir)
    return f"worktrees/{linked[1].name}/HEAD" if linked else "HEAD"


def users_worktree(start: Path, common_dir: Path) -> tuple[Path, Path] | None:
    """Return the linked worktree around a folder and git's folder of it; None in the main one and in gitorch's own."""
    for folder in (start, *start.absolute().parents):
        link = folder / ".git"
        if link.is_file():
            admin = folder / os.fsdecode(link.read_bytes()[:4096].removeprefix(b"gitdir:").strip())
            is_linked = admin.is_dir() and admin.parent.name == "worktrees" and admin.parent.parent.samefile(common_dir)
            return (folder, admin) if is_linked and not (admin / REMEMBERED_FOLDER).exists() else None
        if link.exists():
            break
    return None


def repository_of(worktree: Path) -> Path:
    """Return the repository that the `.git` file of a worktree names: its folder, or the bare repository."""
    target = (worktree / ".git").read_bytes()[:4096].removeprefix(b"gitdir:").strip()
    common_dir = (worktree / os.fsdecode(target)).parent.parent
    return common_dir.parent if common_dir.name == ".git" else common_dir


def unlinked_worktree(start: Path) -> Path | None:
    """Return the worktree around a folder whose `.git` file names a git folder that is gone; None if there is none."""
    for folder in (start, *start.absolute().parents):
        link = folder / ".git"
        if link.is_file():
            target = link.read_bytes()[:4096].removeprefix(b"gitdir:").strip()
            return None if (folder / os.fsdecode(target)).exists() else folder
        if link.exists():
            return None
    return None


def path_in_work_tree(folder: Path) -> str:
    """Return the path from the top of a work tree to a folder in it; empty at its top, and outside of one."""
    return _rev_parse(folder, "--show-prefix")


def superproject(work_tree: Path) -> Path | None:
    """Return the work tree of the outermost superproject of a submodule; None for any other repository."""
    if not any((folder / ".git").exists() for folder in work_tree.absolute().parents):
        return None
    outer = _rev_parse(work_tree, "--show-superproject-working-tree")
    return (superproject(Path(outer)) or Path(outer)) if outer else None


def _rev_parse(start: Path, word: str) -> str:
    answer = GitRunner().run("rev-parse", "--path-format=absolute", word, cwd=start, ok=range(256))
    return answer.text if answer.code == 0 else ""
