"""The files of a repository's objects at one time, and what is missing or damaged since.

git itself and gitorch add, pack and unpack objects at any time. So a file that is no longer there is a loss only if
its objects are nowhere else, and a file with other times only if its content is not what its name says.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import struct
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from gitorch.git.repository import GitFailed, Repository
from gitorch.regular_files import open_plain

ObjectFiles: TypeAlias = Mapping[str, str]
"""The state of each loose object (by its id), pack and pack index (by `pack/NAME`).

That of an index is followed by the ids of some of its objects.
"""

_FAN = 2
_PACK = re.compile(r"pack-[0-9a-f]+\.(pack|idx)")
_OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_IDS_START = 8 + 256 * 4
_SHA256_DIGITS = 64
_STATE_FIELDS = 4
_SAMPLED = 8
_NAMED = 3
_BLOCK = 1 << 20
_LARGEST = 1 << 28
"""A larger loose object is not read again: only its size is compared."""


def read(common_dir: Path) -> ObjectFiles:
    """Return the states of all files of objects; of what cannot be read, none."""
    objects = common_dir / "objects"
    states: dict[str, str] = {}
    for fan in _entries(objects):
        if len(fan.name) == _FAN and fan.is_dir(follow_symlinks=False):
            # a git that works, or was killed, has other files there
            names = [entry for entry in _entries(Path(fan.path)) if _OBJECT.fullmatch(fan.name + entry.name)]
            states |= {fan.name + entry.name: _state(entry) for entry in names}
    packs = [entry for entry in _entries(objects / "pack") if _PACK.fullmatch(entry.name)]
    return {**states, **{f"pack/{entry.name}": " ".join((_state(entry), *_sample(entry))) for entry in packs}}


def graphs(common_dir: Path) -> ObjectFiles:
    """Return the states of the files in which git keeps what commits say, for speed: it believes them."""
    info = common_dir / "objects" / "info"
    entries = [entry for folder in (info, info / "commit-graphs") for entry in _entries(folder)]
    graph_files = [entry for entry in entries if "graph" in entry.name and not entry.name.endswith(".lock")]
    return {entry.path: _state(entry) for entry in graph_files}


def false_graphs(repository: Repository, before: ObjectFiles, after: ObjectFiles) -> tuple[str, ...]:
    """Return a line if such a file was written and does not say what the commits say."""
    written = any(before.get(path) != state for path, state in after.items())
    if not written or repository.git("commit-graph", "verify", "--shallow", ok=range(256)).code == 0:
        return ()
    return ("objects/info/commit-graph is damaged: it does not say what the commits say",)


def lfs_objects(common_dir: Path) -> ObjectFiles:
    """Return the states of the objects of git LFS, by path."""
    states: dict[str, str] = {}
    for root, _, names in os.walk(common_dir / "lfs" / "objects"):
        states |= {entry.path: _state(entry) for entry in _entries(Path(root)) if entry.name in names}
    return states


def lfs_losses(before: ObjectFiles, after: ObjectFiles) -> tuple[str, ...]:
    """Return what is missing or damaged of them, one line for each. New ones are found by content: they do no harm."""
    missing = sorted(Path(path).name for path in before.keys() - after.keys())
    changed = sorted(path for path in before.keys() & after.keys() if before[path] != after[path])
    damaged = [Path(path).name for path in changed if not _is_sound_lfs_object(Path(path))]
    return tuple(f"LFS {line}" for line in (_line("disappeared", missing), _line("damaged", damaged)) if line)


def _is_sound_lfs_object(path: Path) -> bool:
    digest = hashlib.sha256()
    try:
        for block in _blocks(path):
            digest.update(block)
    except OSError:
        return False
    return digest.hexdigest() == path.name


def losses(repository: Repository, before: ObjectFiles, after: ObjectFiles) -> tuple[str, ...]:
    """Return what is missing or damaged, one line for each. Reads only files that have changed."""
    removed_files = before.keys() - after.keys()
    missing = set(_missing(repository, {name for file in removed_files for name in _objects_of(file, before[file])}))
    lost = sorted(file for file in removed_files if missing.intersection(_objects_of(file, before[file])))
    changed = [file for file in sorted(before.keys() & after.keys()) if before[file] != after[file]]
    objects = repository.common_dir / "objects"
    # that an index has other objects than it had is enough
    damaged = [
        file for file in changed if _objects(before[file]) != _objects(after[file]) or not _is_sound(objects, file)
    ]
    return tuple(filter(None, (_line("disappeared", lost), _line("damaged", damaged))))


def _objects_of(file: str, state: str) -> Sequence[str]:
    """Return the ids of objects that a file has, or of some of them."""
    return _objects(state) if "/" in file else [file]


def _objects(state: str) -> Sequence[str]:
    return state.split(" ")[_STATE_FIELDS:]


def _line(verb: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    suffix = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"objects {verb}: {', '.join(names[:_NAMED])}{suffix}"


def _missing(repository: Repository, names: Collection[str]) -> list[str]:
    """Return the objects of these names that the repository does not have in any file."""
    if not names:
        return []
    listing = "".join(f"{name}\n" for name in sorted(names)).encode()
    try:
        answers = repository.git("cat-file", "--batch-check", input=listing, env={"GIT_NO_LAZY_FETCH": "1"})
    except GitFailed:
        return list(names)
    return [line.split(" ")[0] for line in answers.text.splitlines() if line.endswith(" missing")]


def _is_sound(objects: Path, name: str) -> bool:
    try:
        return _is_sound_pack(objects / name) if "/" in name else _is_sound_object(objects / name[:2] / name[2:], name)
    except (OSError, zlib.error):
        return False


def _is_sound_object(path: Path, name: str) -> bool:
    """Return whether a loose object is what its name says."""
    digest = _hash(name)
    inflater = zlib.decompressobj()
    total = 0
    for block in _blocks(path):
        data = inflater.decompress(block, _BLOCK)
        while data:
            digest.update(data)
            total += len(data)
            if total > _LARGEST:
                return True
            data = inflater.decompress(inflater.unconsumed_tail, _BLOCK)
    return inflater.eof and digest.hexdigest() == name


def _is_sound_pack(path: Path) -> bool:
    """Return whether a pack or its index ends in the digest of what precedes it."""
    digest, end = _hash(path.stem.removeprefix("pack-")), b""
    for block in _blocks(path):
        content = end + block
        digest.update(content[: -digest.digest_size])
        end = content[-digest.digest_size :]
    return digest.digest() == end


def _sample(entry: os.DirEntry[str]) -> Iterator[str]:
    """Yield the ids of some objects of a pack index of version 2."""
    name = entry.name.removeprefix("pack-").removesuffix(".idx")
    if not entry.name.endswith(".idx"):
        return
    with contextlib.suppress(OSError, struct.error), open_plain(Path(entry.path)) as file:
        header = file.read(_IDS_START)
        (count,) = struct.unpack(">I", header[-4:])
        size = _hash(name).digest_size
        for number in sorted({count * part // _SAMPLED for part in range(_SAMPLED)}) if count else ():
            file.seek(_IDS_START + number * size)
            yield file.read(size).hex()


def _hash(name: str) -> hashlib._Hash:
    """Return the function that made a name."""
    return hashlib.sha256() if len(name) == _SHA256_DIGITS else hashlib.sha1(usedforsecurity=False)


def _blocks(path: Path) -> Iterator[bytes]:
    with open_plain(path) as file:
        while block := file.read(_BLOCK):
            yield block


def _entries(folder: Path) -> Iterable[os.DirEntry[str]]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return list(entries)
    return ()


def _state(entry: os.DirEntry[str]) -> str:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return "0 0 0 0"
    # the change time: whoever sets the others cannot set this one
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
