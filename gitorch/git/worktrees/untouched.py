"""Files that git calls modified although nobody touched them: attributes or filters do not give their blob back.

A blob with CRLF where the attributes say `text`, a file that was committed before its pattern was given to LFS, an
expanded `$Id$`, a clean filter with a random salt: the checkout of such a blob differs from it from the start. Git
notices only while the index is not newer than the file. So the clock decides whether the next `git add --all` rewrites
a file that its author did not touch.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from gitorch.git import tree_files
from gitorch.git.opened_worktree import opened
from gitorch.git.repository import Repository
from gitorch.git.tree_files import FileContent
from gitorch.git.worktree_list import Worktree

_ATTRIBUTES = ("text", "crlf", "eol", "ident", "filter", "working-tree-encoding")
_AUTO = ("text", "auto")
_FILE_MODES = ("100644", "100755")
_LARGEST = 64 << 20
"""A larger file that git calls modified counts as touched: comparing it costs too much."""
_NEW = "gitorch-new"
"""The file in a worktree's git folder that says that no program has run there."""
_CLOCK_SECONDS = 0.02
"""How far the clock of a file system may be behind."""


def settle(repository: Repository, worktree: Worktree) -> None:
    """Let git see the files of a new checkout as unmodified until something changes them.

    Git trusts what the index says of a file that is older than the index, so the index is made newer than the files
    that it would else compare. Costs up to a second, where there are such files.
    """
    if not _may_convert(repository, worktree):
        return  # comparing would read every file
    words = ("diff-files", "-z", "--name-only", "--ignore-submodules=all", "--no-renames")
    paths = worktree.git(repository, *words, ok=(0, 1, 128)).fields()
    if not paths:
        return
    listed = b"".join(os.fsencode(path) + b"\0" for path in paths)
    # a filter that fails leaves its file as it was
    worktree.git(repository, "checkout-index", "-q", "-f", "-u", "-z", "--stdin", input=listed, ok=(0, 1, 128))
    time.sleep(1 - time.time() % 1 + _CLOCK_SECONDS)  # git compares whole seconds
    os.utime(worktree.admin / "index")


def mark_new(worktree: Worktree) -> None:
    """Note that nothing but git has written the files of a checkout; see `before_program`."""
    (worktree.admin / _NEW).touch()


def before_program(worktree: Worktree) -> None:
    """Let git trust the index of a new checkout, in which a program is about to start for the first time.

    Git reads every file again that is not older than the index by whole seconds, each time it looks. Up to now nobody
    has changed any. What changes one from now on gives it a time of a later second than the index has of it. While the
    second of the checkout lasts, git goes on reading.
    """
    try:
        (worktree.admin / _NEW).unlink()
    except FileNotFoundError:
        return
    index = worktree.admin / "index"
    if time.time() - _CLOCK_SECONDS >= int(index.stat().st_mtime) + 1:
        os.utime(index)


def written_into(worktree: Worktree) -> None:
    """Note that gitorch has written into a new checkout past git's index."""
    (worktree.admin / _NEW).unlink(missing_ok=True)


def _may_convert(repository: Repository, worktree: Worktree) -> bool:
    """Return whether any attributes could make a checked-out file differ from its blob."""
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    files = (repository.common_dir / "info" / "attributes", config / "git" / "attributes", Path("/etc/gitattributes"))
    if any(file.exists() for file in files):
        return True
    if worktree.git(repository, "config", "--get", "core.attributesFile", ok=(0, 1)).stdout:
        return True
    return bool(worktree.git(repository, "ls-files", "-z", "--", ":(top,glob)**/.gitattributes").stdout)


def find(repository: Repository, worktree: Worktree, entries: Sequence[str], env: Mapping[str, str]) -> tuple[str, ...]:
    """Return the paths among the entries of `git status --porcelain=v2` whose files are what git itself checks out.

    `env` selects the index that the entries come from.
    """
    paths = _convertible(repository, worktree, [path for entry in entries if (path := _modified_path(entry))], env)
    if not paths:
        return ()
    folder = worktree.admin / f"gitorch-checkout-{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        listed = b"".join(os.fsencode(path) + b"\0" for path in paths)
        words = ("checkout-index", "-q", "-z", "--stdin", f"--prefix={folder}/")
        worktree.git(repository, *words, input=listed, env=dict(env), ok=(0, 1, 128))
        return _equal(worktree, tree_files.open_folder(folder), paths)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _modified_path(entry: str) -> str:
    """Return the path of an entry whose file differs from index and HEAD, which agree; empty for other entries."""
    if not entry.startswith("1 .M "):
        return ""
    _, _, _, head_mode, _, mode, _, _, path = entry.split(" ", 8)
    return path if head_mode == mode and mode in _FILE_MODES else ""


def _convertible(
    repository: Repository, worktree: Worktree, paths: Collection[str], env: Mapping[str, str]
) -> list[str]:
    """Return the paths whose content git may convert."""
    if not paths:
        return []
    listed = b"".join(os.fsencode(path) + b"\0" for path in paths)
    fields = worktree.git(repository, "check-attr", "-z", "--stdin", *_ATTRIBUTES, input=listed, env=dict(env)).fields()
    values = zip(fields[::3], fields[1::3], fields[2::3], strict=True)
    # `text=auto` converts nothing that its blob would not give back
    converted = {
        path for path, name, value in values if value not in ("unspecified", "unset") and (name, value) != _AUTO
    }
    return [path for path in paths if path in converted]


def _equal(worktree: Worktree, checkout: int, paths: Collection[str]) -> tuple[str, ...]:
    """Return the paths that have the same content in a worktree and below the open folder `checkout`, which closes."""
    try:
        with _opened(worktree) as top:
            return tuple(path for path in paths if _is_equal(top, checkout, path))
    finally:
        os.close(checkout)


@contextmanager
def _opened(worktree: Worktree) -> Iterator[int]:
    """Yield a descriptor of a worktree's folder, or of the user's own checkout."""
    if worktree.is_linked:
        with opened(worktree.path, worktree.admin) as top:
            yield top
        return
    top = tree_files.open_folder(worktree.path)
    try:
        yield top
    finally:
        os.close(top)


def _is_equal(top: int, checkout: int, path: str) -> bool:
    file = tree_files.read(top, path, _LARGEST)
    return isinstance(file, FileContent) and file == tree_files.read(checkout, path, _LARGEST)
