"""Claims: which folders of executions are gitorch's own, and which of their records a supervisor wrote.

Without a sandbox, an agent can write into the state folder, for example a record of a check that never ran. So a folder
is used only if it holds a claim that gitorch has sealed. It comes into being with the folder, by one rename. The
supervisor gets a key of its own through a pipe and seals its records with it; no program inherits the key.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from pathlib import Path

import msgspec

from gitorch import typed
from gitorch.executors import processes
from gitorch.regular_files import open_plain
from gitorch.storage import atomic, foreign_changes, seals

CLAIM = "claim.json"
SET_ASIDE = "foreign"
"""Where folders and records go that gitorch did not write."""


class _Claim(msgspec.Struct, frozen=True):
    """That gitorch made the folder of this key; `nonce` tells it from an earlier folder of the same key."""

    key: str
    nonce: str


def claim(root: Path, key: str) -> Path:
    """Return the folder of a key, which is gitorch's own; what something else has put there is set aside."""
    folder = root / key
    while not is_claimed(root, key):
        _make_parents(root, folder)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
        content = msgspec.json.encode(_Claim(key, secrets.token_hex(16)))
        atomic.replace(new / CLAIM, seals.seal(content, seals.derived_key("claim")))
        try:
            new.rename(folder)  # also over an empty folder
        except OSError:
            shutil.rmtree(new)
            if not is_claimed(root, key) and os.path.lexists(folder):
                set_aside(root, folder, f"the folder of the execution {key} was forged, and set aside")
    return folder


def is_claimed(root: Path, key: str) -> bool:
    """Return whether the folder of a key is gitorch's own."""
    return _read(root / key, key) is not None


def record_key(root: Path, key: str) -> bytes:
    """Return the key that seals the records of an execution whose folder is claimed."""
    claim = _read(root / key, key)
    return seals.derived_key(f"record {key}\0{claim.nonce if claim else secrets.token_hex(16)}")


def set_aside(root: Path, path: Path, what: str) -> None:
    """Move what gitorch did not write out of the way, end its processes, and tell the user."""
    target = root / SET_ASIDE / f"{path.relative_to(root).as_posix().replace('/', '-')[-200:]}-{secrets.token_hex(4)}"
    target.parent.mkdir(exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path.rename(target)
        foreign_changes.record(root, [f"{what}: {target.relative_to(root)}"])
    processes.kill_marked(str(path))


def _read(folder: Path, key: str) -> _Claim | None:
    try:
        file = open_plain(folder / CLAIM)
    except OSError:
        return None
    with file:
        content = seals.unseal(file.read(4096), seals.derived_key("claim"))
    claim = typed.from_json(content, _Claim) if content else None
    return claim if claim is not None and claim.key == key else None


def _make_parents(root: Path, folder: Path) -> None:
    """Create the folders above an execution's; a link among them would lead its records elsewhere."""
    root.mkdir(exist_ok=True)  # not its parents: a repository that was removed must not come back as a shell of one
    for parent in [*folder.relative_to(root).parents][-2::-1]:
        path = root / parent
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            set_aside(root, path, f"{parent} was replaced by a file or a link, and set aside")
        path.mkdir(exist_ok=True)
