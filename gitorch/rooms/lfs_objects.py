"""Large files of git LFS: a commit holds pointers, and their contents have to come home with it."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from pathlib import Path

from gitorch.rooms.private_repository import PrivateRepository, open_below

MOST_OBJECTS = 10_000
MOST_BYTES = 8 << 30
_CHUNK = 1 << 20
_PART = re.compile("[0-9a-f]{2}")
_NAME = re.compile("[0-9a-f]{64}")


def bring_home(private: PrivateRepository, storage: Path) -> str:
    """Copy the LFS objects of a private repository that `storage` lacks; return why not all came, empty when they did.

    Each is a plain file that is named by the hash of its content; anything else is left where it is.
    """
    count = total = 0
    for parts in _names(private):
        target = storage.joinpath(*parts)
        if target.exists():
            continue
        count += 1
        total += _copy(private, parts, target)
        if count >= MOST_OBJECTS or total > MOST_BYTES:
            return f"the commits have more than {MOST_OBJECTS} new LFS objects, or {MOST_BYTES >> 30} GB of them"
    return ""


def _names(private: PrivateRepository) -> list[tuple[str, str, str]]:
    """Return the objects by the two folders and the name of each, no more than one too many."""
    names: list[tuple[str, str, str]] = []
    for first in private.names("lfs/objects", _PART):
        for second in private.names(f"lfs/objects/{first}", _PART):
            prefix = first + second
            objects = private.names(f"lfs/objects/{prefix[:2]}/{prefix[2:]}", _NAME)
            names += [(first, second, name) for name in objects if name.startswith(prefix)]
            if len(names) > MOST_OBJECTS:
                return names
    return names


def _copy(private: PrivateRepository, parts: tuple[str, str, str], target: Path) -> int:
    """Copy one object if it is what its name says; return its size."""
    try:
        source = open_below(private.git_dir, "lfs", "objects", *parts)
    except OSError:
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f"gitorch-{uuid.uuid4().hex}")
    digest, size = hashlib.sha256(), 0
    with source, fresh.open("xb") as copy:
        while (chunk := source.read(_CHUNK)) and size <= MOST_BYTES:
            digest.update(chunk)
            size += len(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    if digest.hexdigest() == parts[-1]:
        fresh.rename(target)
    else:
        fresh.unlink()
    return size
