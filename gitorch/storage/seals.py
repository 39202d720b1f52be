"""Seals: with the user's key, gitorch knows its own records again, and whatever another program wrote.

The key is a file in the user's configuration folder, outside of every repository, that only the user can read. No
process of an agent inherits it. Without a sandbox an agent runs as the same user and could read that file: a seal stops
forgeries by accident, by a script that knows the format, and by whatever is in a sandbox.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path

from gitorch.config import user_folder
from gitorch.errors import Refused, SetupNeeded
from gitorch.storage.digests import digest, is_digest

_KEY_BYTES = 32
_MARK = b', "seal": "'
_END = b'"}'


def derived_key(purpose: str) -> bytes:
    """Return the key for one purpose; raise `SetupNeeded` or `Refused` if the user's key cannot be made or read."""
    return digest(purpose.encode(), key=_key(user_folder() / "seal.key"), size=_KEY_BYTES)


def first_time() -> float:
    """Return when the user's key was made, in Unix seconds: what is older cannot have a seal of it."""
    _key(user_folder() / "seal.key")
    return (user_folder() / "seal.key").lstat().st_mtime


def is_sealed(content: bytes) -> bool:
    """Return whether something has a seal, whoever made it."""
    return _MARK in content


def seal(content: bytes, key: bytes) -> bytes:
    """Return a JSON object, other than an empty one, with its seal as the last field."""
    return content[:-1] + _MARK + digest(content, key=key).hex().encode() + _END


def unseal(sealed: bytes, key: bytes) -> bytes | None:
    """Return the JSON object that was sealed; None if this key did not seal it."""
    content, mark, rest = sealed.rpartition(_MARK)
    content += b"}"
    is_ours = mark and rest.endswith(_END) and is_digest(rest.removesuffix(_END), content, key=key)
    return content if is_ours else None


@cache
def _key(path: Path) -> bytes:
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    try:
        _create(path)
    except OSError as error:
        raise SetupNeeded(
            "seal-key",
            f"cannot write {path}, the key by which gitorch knows its own records",
            why=str(error),
            fix=("export XDG_CONFIG_HOME=...   a folder that you can write to",),
        ) from error
    return _read(path)


def _create(path: Path) -> None:
    """Write a new key, whole or not at all; another process may do the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(new)
    finally:
        new.unlink()


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        key = file.read(_KEY_BYTES + 1) if stat.S_ISREG(status.st_mode) else b""
    if len(key) != _KEY_BYTES or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise Refused(
            "seal-key",
            f"{path} is not a key that only you can read",
            why="by this key gitorch knows its own records; records of running tasks are lost with it",
            fix=(f"chmod 600 {path}", f"rm {path}"),
        )
    return key
