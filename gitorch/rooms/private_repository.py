"""The repository that an agent's git sees: its own HEAD, index, refs and objects, behind the task's worktree.

On the host the worktree is an ordinary linked one. In the box its `.git` file points here, and the user's repository is
not visible. The history is borrowed from the store. Git of the host never opens this repository, because its agent may
have put anything into it: what is read here is read as plain files, by name, without following links.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from gitorch.git import config_text
from gitorch.git.history_store import HistoryStore, object_format
from gitorch.git.protected import ref_guard
from gitorch.git.repository import GitFailed, Repository
from gitorch.git.worktree_list import Worktree
from gitorch.model.naming import Oid, Ref
from gitorch.regular_files import open_plain
from gitorch.rooms.protocol import RoomError

IN_PROGRESS: Mapping[str, str] = {
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
}
READ_ONLY = ("config", "hooks")
"""What an agent must not change in its repository: it would decide what git runs.

Only direct children: on the way to anything deeper the agent could plant a link, and the next box would bind what it
leads to.
"""

# what decides the content of files and commits; never an address, a credential helper or an alias
_COPIED = re.compile(
    r"user\.(name|email)|author\..*|committer\..*|i18n\..*|filter\..*|merge\..*\.(name|driver|recursive)|"
    r"merge\.(conflictstyle|renames|directoryrenames)|diff\.(renames|algorithm|renamelimit)|index\.sparse|"
    r"core\.(autocrlf|eol|safecrlf|filemode|symlinks|ignorecase|precomposeunicode|checkroundtripencoding|"
    r"bigfilethreshold|sparsecheckout|sparsecheckoutcone|protecthfs|protectntfs)"
)
_OWN = {
    "core.bare": "false",
    "core.logallrefupdates": "true",
    "core.fsync": "all",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "commit.gpgsign": "false",
    "tag.gpgsign": "false",
    "advice.detachedhead": "false",
}
_NO_HOOKS = ("reference-transaction", "pre-push")
"""Hooks that guard what a linked worktree shares with the user: here there is nothing to guard."""
_LONGEST_HEAD = 1_024
_LARGEST_PACKED_REFS = 4 << 20


class Head(msgspec.Struct, frozen=True):
    """Where a HEAD points: a ref, or the commit of a detached one; neither when the file is not a HEAD of git."""

    ref: Ref | None = None
    commit: Oid | None = None


class PrivateRepository(msgspec.Struct, frozen=True):
    """The private repository of one attempt, in a folder that only the host can write."""

    folder: Path

    @property
    def git_dir(self) -> Path:
        """Return the repository itself, which the agent can write."""
        return self.folder / "git"

    @property
    def link(self) -> Path:
        """Return the file that stands in for the worktree's `.git` in the box."""
        return self.folder / "dotgit"

    def exists(self) -> bool:
        """Return whether it was made."""
        return self.link.is_file() and (self.git_dir / "config").is_file()

    def create(
        self,
        repository: Repository,
        store: HistoryStore,
        worktree: Worktree,
        branch: Ref | None,
        start: Oid,
        *,
        refuses_pushes: bool = False,
    ) -> None:
        """Make it for a worktree that is checked out at `start`; what was there before is kept under another name.

        Without a branch, HEAD is detached. With `refuses_pushes`, a hook refuses them: without a sandbox, an agent
        could push to the user's repository by its path.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / f"new-{uuid.uuid4().hex}"
        for name in ("hooks", "info", "objects/info", "objects/pack", "refs/heads"):
            (fresh / name).mkdir(parents=True, exist_ok=True)
        _write(fresh / "HEAD", f"ref: {branch}\n" if branch else f"{start}\n")
        if branch:
            (fresh / branch).parent.mkdir(parents=True, exist_ok=True)
            _write(fresh / branch, f"{start}\n")
        _write(fresh / "objects/info/alternates", f"{alternate(store.objects)}\n")
        # without what gitorch itself says in each call
        listing = worktree.git(repository, "config", "-z", "--list", "--show-scope").fields()
        settings = list(config_text.without_command_line(listing))
        _write(fresh / "config", _config(repository, worktree, start, settings))
        _copy_rules(repository, worktree, fresh, dict(settings))
        if shallow := store.shallow():
            (fresh / "shallow").write_bytes(shallow)
        _copy_checkout(worktree.admin, fresh)
        for hook in ref_guard.hooks_folder().iterdir():
            is_guard = hook.name in _NO_HOOKS and not (refuses_pushes and hook.name == "pre-push")
            if not is_guard and hook.suffix == "":
                shutil.copy(hook, fresh / "hooks")
        if self.git_dir.exists():
            self.git_dir.rename(self.folder / f"old-{uuid.uuid4().hex}")
        fresh.rename(self.git_dir)
        _write(self.link, f"gitdir: {self.git_dir}\n")

    def discard(self) -> None:
        """Remove it. Only where no agent has worked in it."""
        shutil.rmtree(self.git_dir, ignore_errors=True)

    def head(self) -> Head:
        """Return where HEAD points."""
        words = self.read_file("HEAD", _LONGEST_HEAD).decode("utf-8", "replace").rstrip("\n")
        if words.startswith("ref: refs/"):
            return Head(ref=Ref(words.removeprefix("ref: ")))
        return Head(commit=Oid(words)) if re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", words) else Head()

    def loose_ref(self, ref: Ref) -> Oid | None:
        """Return what a ref's own file holds; None where it has none (git may keep it elsewhere)."""
        text = self.read_file(ref, _LONGEST_HEAD).decode("utf-8", "replace").rstrip("\n")
        return Oid(text) if re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", text) else None

    def any_ref(self, ref: Ref) -> Oid | None:
        """Return what a ref's own file holds, or the file of packed refs; None where it is in neither."""
        if commit := self.loose_ref(ref):
            return commit
        lines = self.read_file("packed-refs", _LARGEST_PACKED_REFS).decode("utf-8", "replace").splitlines()
        ids = (line.partition(" ")[0] for line in lines if line.partition(" ")[2] == ref)
        return next((Oid(text) for text in ids if re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", text)), None)

    def remove_file(self, name: str) -> bool:
        """Remove a file at the top, if it is there; return False where the agent made that impossible."""
        try:
            with _Folder(self.git_dir) as folder, contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder.descriptor)
        except OSError:
            return False
        return True

    def operation(self) -> str:
        """Return the operation of git that was left half done; empty for none, and for a repository that is gone."""
        try:
            with _Folder(self.git_dir) as folder:
                return next((operation for name, operation in IN_PROGRESS.items() if folder.has(name)), "")
        except OSError:
            return ""

    def replace_index(self, index: Path) -> bool:
        """Replace its index by a copy of the worktree's own; return False where the agent made that impossible."""
        return self.replace_file("index", index.read_bytes())

    def replace_file(self, path: str, content: bytes) -> bool:
        """Replace a file, in folders that are made as needed; return False where the agent made that impossible."""
        *folders, name = path.split("/")
        fresh = f"{name}-{uuid.uuid4().hex}"
        try:
            with _Folder(self.git_dir, *folders, create=True) as folder:
                folder.write(fresh, content)
                os.rename(fresh, name, src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)
        except OSError:
            return False
        return True

    def read_file(self, path: str, limit: int) -> bytes:
        """Return the start of a plain file; nothing where there is none, or where a link leads to it."""
        return read_plain(self.git_dir, path.split("/"), limit)

    def names(self, path: str, pattern: re.Pattern[str]) -> list[str]:
        """Return the names in a folder that match a pattern; none where there is no folder."""
        try:
            with _Folder(self.git_dir, *path.split("/")) as folder, os.scandir(folder.descriptor) as entries:
                return sorted(entry.name for entry in entries if pattern.fullmatch(entry.name))
        except OSError:
            return []


def provide_start(store: HistoryStore, branch: Ref) -> Oid:
    """Return the tip of a task's branch, whose history the store then has; raise `RoomError` if that is impossible."""
    start = store.repository.read_ref(branch)
    if start is None:
        raise RoomError(f"branch {branch.removeprefix('refs/heads/')} is gone")
    try:
        store.provide(start)
    except GitFailed as error:
        raise RoomError(
            f"the history of the task's base is not complete, so that the agent's own repository cannot be made: "
            f"{error.why}"
        ) from error
    return start


def read_plain(top: Path, parts: Sequence[str], limit: int) -> bytes:
    """Return the start of a plain file below a folder; nothing where there is none, or where a link leads to it."""
    try:
        file = open_below(top, *parts)
    except OSError:
        return b""
    with file:
        return file.read(limit)


def open_below(top: Path, *parts: str) -> BinaryIO:
    """Open a plain file below a folder; raise `OSError` where there is none, or where a link leads to it."""
    *folders, name = parts
    with _Folder(top, *folders) as folder:
        return open_plain(name, within=folder.descriptor)


class _Folder:
    """A folder that an agent can write, open by its descriptor: no part of the way there is a link."""

    def __init__(self, top: Path, *names: str, create: bool = False) -> None:
        self.descriptor = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        for name in names:
            if name in ("", ".", ".."):
                os.close(self.descriptor)
                raise OSError(errno.EINVAL, "not a path inside", name)
            parent = self.descriptor
            try:
                if create:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, dir_fd=parent)
                self.descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            finally:
                os.close(parent)

    def __enter__(self) -> _Folder:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def has(self, name: str) -> bool:
        try:
            os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def write(self, name: str, content: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(name, flags, 0o644, dir_fd=self.descriptor), "wb") as file:
            file.write(content)


def _copy_rules(repository: Repository, worktree: Worktree, fresh: Path, settings: Mapping[str, str]) -> None:
    """Copy what the user ignores, and the attributes of files, that no commit has: from HOME, then the repository's."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config") / "git"
    for name, setting, default in (
        ("exclude", "core.excludesfile", folder / "ignore"),
        ("attributes", "core.attributesfile", folder / "attributes"),
    ):
        users = worktree.path / Path(settings.get(setting) or default).expanduser()
        rules = [file.read_bytes() for file in (users, repository.common_dir / "info" / name) if file.is_file()]
        if any(rules):
            # the last rule counts; the files may lack the end of their last line
            (fresh / "info" / name).write_bytes(b"\n".join(rules))


def _copy_checkout(admin: Path, fresh: Path) -> None:
    """Copy what git knows of the checked-out files, so that it need not read them again."""
    for name in ("index", *(path.name for path in admin.glob("sharedindex.*")), "info/sparse-checkout"):
        if (admin / name).is_file():
            shutil.copyfile(admin / name, fresh / name)


def alternate(objects: Path) -> str:
    """Return a line for git's list of alternates, which quotes a path with a line's end as C does."""
    path = str(objects)
    return '"' + config_text.escaped(path).replace("\n", "\\n") + '"' if "\n" in path else path


def _config(repository: Repository, worktree: Worktree, start: Oid, listed: Sequence[tuple[str, str]]) -> str:
    """Return the configuration: what in the user's decides content, and gitorch's own settings over it."""
    kind = object_format(repository)
    settings = [("core.repositoryformatversion", "0" if kind == "sha1" else "1")]
    settings += [("extensions.objectformat", kind)] if kind != "sha1" else []
    settings += [(name, value) for name, value in listed if _COPIED.fullmatch(name)]
    settings += _submodule_addresses(worktree, repository, start)
    identity = repository.identity()
    if identity:
        settings += [("user.name", identity["GIT_AUTHOR_NAME"]), ("user.email", identity["GIT_AUTHOR_EMAIL"])]
    settings += _OWN.items()
    return "".join(config_text.lines(settings))


def _submodule_addresses(worktree: Worktree, repository: Repository, start: Oid) -> Iterator[tuple[str, str]]:
    """Yield where submodules come from, without passwords: `git submodule init` could not write it.

    The user's own configuration goes before what the commit says.
    """
    pattern = ("--get-regexp", r"^submodule\..*\.url$")
    words = ("config", "-z", f"--blob={start}:.gitmodules", *pattern)
    addresses = dict(config_text.entries(worktree.git(repository, *words, ok=(0, 1, 128)).fields()))
    if not addresses:
        return
    addresses |= dict(config_text.entries(worktree.git(repository, "config", "-z", *pattern, ok=(0, 1)).fields()))
    for key, address in addresses.items():
        # one that is relative to a remote means nothing without remotes
        if "\n" not in key and not address.startswith(("./", "../")):
            yield key, re.sub(r"^([a-z+]+://)[^/@]*@", r"\1", address)


def _write(path: Path, text: str) -> None:
    path.write_bytes(os.fsencode(text))
