"""Write objects that no ref leads to yet, so that a user's `git gc --prune=now` at that moment leaves them alone.

git removes every loose object that was unreachable when it looked, however new, and rewrites packs without unreachable
ones, unless there is a `.keep` file next to them. So all new objects are packs, with such a file until a ref has moved
to one of their tips.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from gitorch import regular_files
from gitorch.git import kept_packs
from gitorch.git.history_store import config_variables
from gitorch.git.repository import GitFailed, Repository, quoted_path
from gitorch.git.writing.pack_format import NewObject, pack
from gitorch.model.naming import Oid
from gitorch.storage import atomic

_SHA1_DIGITS = 40
_OURS = re.compile(rb"gitorch (\d+)\n?")
_STALE_SECONDS = 86_400.0
_REPORT_BYTES = 500
"""How much of the beginning of a crash report says whose it is."""
"""When a file is removed although a process of this id lives: it may be another one."""
_MOST_PACKS = 20
"""How many small packs there may be before they are made one."""
_SMALL_BYTES = 1 << 20
"""A pack of fewer bytes is small."""


def store_pack(repository: Repository, content: bytes, tips: Iterable[Oid], *, roll_up: bool = False) -> None:
    """Store a pack; git keeps it until `kept_packs.release` is called with one of these commits.

    With `roll_up` it becomes one with other small packs, once there are many.
    """
    with tentative(repository) as env:
        repository.git("index-pack", "--threads=1", "--stdin", input=content, env=env)
        _move_in(repository, Path(env["GIT_OBJECT_DIRECTORY"], "pack"), tips, roll_up=roll_up)


def store_commit(repository: Repository, raw: bytes) -> Oid:
    """Store a commit of exactly these bytes; git keeps it as in `store_pack`."""
    algorithm = hashlib.sha1 if raw.index(b"\n") == len("tree ") + _SHA1_DIGITS else hashlib.sha256
    name = algorithm(b"commit %d\0%s" % (len(raw), raw)).digest()
    content = pack([name], {name: NewObject(b"commit", raw)})
    oid = Oid(name.hex())
    store_pack(repository, content + algorithm(content).digest(), [oid], roll_up=True)
    return oid


def commit_tree(
    repository: Repository,
    tree: str,
    parents: Iterable[Oid],
    message: str,
    env: Mapping[str, str],
    *,
    objects: Mapping[str, str] | None = None,
) -> Oid:
    """Run `git commit-tree`; git keeps the commit, with its tree, as in `store_pack`.

    `env` says who commits. `objects` is the environment of `tentative`, if the tree was made in it.
    """
    if objects is None:
        with tentative(repository) as places:
            return commit_tree(repository, tree, parents, message, env, objects=places)
    parents = list(parents)
    options = [word for parent in parents for word in ("-p", parent)]
    words = ("-c", "i18n.commitEncoding=UTF-8", "commit-tree", tree, *options)
    answer = repository.git(*words, input=message.encode(), env={**objects, **env})
    commit = Oid(answer.text)
    store_reachable(repository, objects, commit, parents)
    return commit


def fast_import(repository: Repository, stream: bytes, existing: Iterable[Oid]) -> Oid:
    """Run `git fast-import`, which writes to no ref; return the last id that it prints.

    What the commit reaches is stored as `store_reachable` stores it: git skips objects that the repository has.
    """
    with tentative(repository) as env:
        words = ("fast-import", "--quiet", "--done", "--date-format=raw")
        tip = Oid(repository.git(*words, input=stream, env=env).text.split("\n")[-1])
        store_reachable(repository, env, tip, existing)
    return tip


@contextmanager
def tentative(repository: Repository) -> Iterator[dict[str, str]]:
    """Yield an environment in which git writes objects to a folder of their own, and reads the repository's as well.

    The folder is removed at the end: `store_reachable` takes what is needed over.
    """
    objects = repository.common_dir / "objects"
    _remove_stale(repository.common_dir)
    with _incoming(objects) as folder:
        places = {"GIT_OBJECT_DIRECTORY": str(folder), "GIT_ALTERNATE_OBJECT_DIRECTORIES": quoted_path(objects)}
        # with the limit 1, a single object would be loose: the others may be in a pack that a killed command left
        settings = {
            "fastimport.unpackLimit": "0",
            "core.looseCompression": "0",  # what is loose here is packed at once
            "core.ignoreCase": "false",  # `fast-import` would make one path of two
        }
        try:
            yield places | config_variables(settings)
        except GitFailed:
            _remove_crash_reports(repository.common_dir)
            raise


def store_reachable(repository: Repository, env: Mapping[str, str], tip: Oid, existing: Iterable[Oid]) -> None:
    """Store what a commit reaches and `existing` commits, which refs lead to, do not; git keeps it as in `store_pack`.

    What the repository has, but no ref leads to, is stored again: the user's git may be about to remove it.
    """
    folder = Path(env["GIT_OBJECT_DIRECTORY"]) / uuid.uuid4().hex
    folder.mkdir()
    listing = "".join(f"{line}\n" for line in (tip, *(f"^{oid}" for oid in existing))).encode()
    words = ("pack-objects", "--quiet", "--revs", "--window=0", "--threads=1", str(folder / "pack"))
    repository.git(*words, input=listing, env=env)
    _move_in(repository, folder, [tip], roll_up=True)


def _remove_crash_reports(common_dir: Path) -> None:
    """Remove what a `git fast-import` of this process left: on a full disk, it would be taken for an agent's."""
    parent = b"parent process     : %d\n" % os.getpid()
    for path in common_dir.glob("fast_import_crash_*"):
        with suppress(OSError):
            if parent in regular_files.read(path)[:_REPORT_BYTES] or not path.stat().st_size:
                path.unlink()


@contextmanager
def _incoming(objects: Path) -> Iterator[Path]:
    """Yield an empty folder for objects, on the file system of the repository's own."""
    folder = objects / f"{kept_packs.INCOMING}{os.getpid()}-{uuid.uuid4().hex[:12]}"
    folder.mkdir()
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # see `_is_held`
        yield folder
    finally:
        os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def _move_in(repository: Repository, folder: Path, tips: Iterable[Oid], *, roll_up: bool) -> None:
    """Take over the packs of a folder, with a `.keep` file each.

    Each gets a name of its own, not that of its content: a pack must never get a `.keep` file later. A `git repack`
    that has begun would delete a pack that had none at its start, and copy nothing from one that has it by then.
    """
    packs = repository.common_dir / "objects" / "pack"
    for file in [*folder.glob("pack-*.pack")]:
        name = _new_name(file)
        keep = packs / f"{name}.keep"
        keep.write_text(kept_packs.content(), "ascii")
        kept_packs.remember(repository.common_dir, keep, tips)
        is_small = file.stat().st_size < _SMALL_BYTES
        _rename(file, packs / f"{name}.pack")
        if roll_up and is_small:
            _roll_up(repository, f"{name}.pack")


def _new_name(file: Path) -> str:
    return f"pack-{os.urandom((len(file.stem) - len('pack-')) // 2).hex()}"


def _rename(old: Path, new: Path) -> None:
    """Move the files of a pack; git looks for the index: it comes last."""
    for file in sorted(old.parent.glob(f"{old.stem}.*"), key=lambda file: file.suffix == ".idx"):
        file.rename(new.with_suffix(file.suffix))
    atomic.sync(new.parent)


def _roll_up(repository: Repository, new: str) -> None:
    """Make one pack of the small ones, if there are many: each slows git down a little."""
    record = repository.common_dir / "gitorch" / "packs"
    packs = repository.common_dir / "objects" / "pack"
    small = [*atomic.read_or_empty(record).decode("ascii").split(), new]
    if len(small) > _MOST_PACKS:
        # git may have packed them itself since
        existing = [name for name in small if (packs / name).exists()]
        rolled = [name for name in existing if not (packs / name).with_suffix(".keep").exists()]
        result = _one_pack(repository, rolled) if rolled else ""
        rolled = rolled if result else []
        for name in rolled:
            for suffix in (".idx", ".rev", ".pack"):  # git looks for the index: it goes first
                (packs / name).with_suffix(suffix).unlink(missing_ok=True)
        small = [*(name for name in existing if name not in rolled), *filter(None, [result])]
    record.parent.mkdir(exist_ok=True)
    atomic.replace(record, "".join(f"{name}\n" for name in small).encode("ascii"), durable=False, concurrent=True)


def _one_pack(repository: Repository, names: Iterable[str]) -> str:
    """Store the objects of some packs as one; return its name, or an empty text if one of them has gone meanwhile."""
    objects = repository.common_dir / "objects"
    with _incoming(objects) as folder:
        listing = "".join(f"{name}\n" for name in names).encode()
        words = ("pack-objects", "--quiet", "--stdin-packs", str(folder / "pack"))
        # another process may do the same, or the user's git: then it is for the next time
        if repository.git(*words, input=listing, ok=(0, 128)).code != 0:
            return ""
        (file,) = folder.glob("pack-*.pack")
        name = f"{_new_name(file)}.pack"
        _rename(file, objects / "pack" / name)
    return name


def _remove_stale(common_dir: Path) -> None:
    """Remove what killed processes left: `.keep` files of packs, and folders of objects that were not moved in."""
    objects = common_dir / "objects"
    for path in (objects / "pack").glob("*.keep"):
        owner = _OURS.fullmatch(atomic.read_or_empty(path))
        if owner and _is_stale(path, int(owner[1])):
            if not path.with_suffix(".idx").exists():  # it was killed before git could see the pack
                for suffix in (".pack", ".rev"):
                    path.with_suffix(suffix).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
    for path in objects.glob(f"{kept_packs.INCOMING}*"):
        process = int(path.name.removeprefix(kept_packs.INCOMING).partition("-")[0])
        if _is_stale(path, process) and not _is_held(path):
            shutil.rmtree(path, ignore_errors=True)


def _is_held(folder: Path) -> bool:
    """Return whether a process works in a folder of objects, whatever its clock and ours say of the folder's age."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _is_stale(path: Path, pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # another user's process
    with contextlib.suppress(FileNotFoundError):
        return pid != os.getpid() and time.time() - path.stat().st_mtime > _STALE_SECONDS
    return False
