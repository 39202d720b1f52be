"""Which of the files of patterns that git reads keeps it busy; only looked for once it does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gitorch import regular_files

_NAMES = (".gitattributes", ".gitignore")
_MOST_ENTRIES = 200_000
_READ_BYTES = 1 << 20


def likely_cause(work_tree: Path, common_dir: Path | None) -> Path | None:
    """Return the file of patterns with the most wildcards among those that git reads for a work tree."""
    own = [common_dir / "info" / name for name in ("exclude", "attributes")] if common_dir else []
    counts = {path: _wildcards(path) for path in (*own, *_pattern_files(work_tree))}
    return max(counts, key=lambda path: counts[path]) if any(counts.values()) else None


def _pattern_files(top: Path) -> Iterator[Path]:
    """Yield the files of patterns below a folder, with no link followed."""
    folders, count = [top], 0
    while folders and count < _MOST_ENTRIES:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                count += 1
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                elif entry.name in _NAMES and entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)


def _wildcards(path: Path) -> int:
    try:
        return regular_files.read_start(path, _READ_BYTES).count(b"*")
    except OSError:
        return 0
