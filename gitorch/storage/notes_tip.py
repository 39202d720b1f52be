"""Where the notes were when gitorch last moved them, so that a lost notes ref is noticed and put back."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from gitorch import regular_files
from gitorch.model.naming import NOTES, Oid
from gitorch.storage import atomic

_FILE = "notes.tip"
_OID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def remember(folder: Path, tip: Oid | None) -> None:
    """Keep the tip in the state folder, if there is one. Not durable: an older tip is a part of a newer one."""
    with suppress(OSError):
        if tip is None:
            (folder / _FILE).unlink(missing_ok=True)
        elif folder.is_dir():
            atomic.replace(folder / _FILE, tip.encode() + b"\n", durable=False, concurrent=True)


def read(folder: Path) -> Oid | None:
    """Return the tip that was last kept; None if nothing is known."""
    with suppress(OSError):
        content = regular_files.read(folder / _FILE).strip()
        if _OID.fullmatch(content):
            return Oid(content.decode())
    return None


def may_be_lost(folder: Path, common_dir: Path) -> bool:
    """Return whether the notes ref is missing or damaged although gitorch left one.

    Looks at files only: where git keeps refs in another way, it has to be asked.
    """
    return (folder / _FILE).exists() and read(folder) is not None and not _is_whole(common_dir)


def _is_whole(common_dir: Path) -> bool:
    try:
        content = regular_files.read(common_dir / NOTES)
    except OSError:
        return b" %s\n" % NOTES.encode() in atomic.read_or_empty(common_dir / "packed-refs")
    return bool(_OID.fullmatch(content.strip())) or content.startswith(b"ref: ")
