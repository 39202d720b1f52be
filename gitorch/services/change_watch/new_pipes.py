"""Named pipes that a program puts, during a run, where git would read a file: git, and so the run, waits for them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gitorch.git.protected.file_state import printable
from gitorch.git.stalls import is_pipe
from gitorch.model.credentials.redaction import redacted
from gitorch.storage import foreign_changes

_UNLISTED = ("gitorch", "objects")
_INDEX = Path("index")


class NewPipes:
    """Removes pipes where nothing was when the run began, and records each: without them, all is as it was.

    One in the place of a file stays: without the file, git would read something else. Only an index that was replaced
    is nothing that others need. `folder` is the state folder.
    """

    def __init__(self, common_dir: Path, folder: Path) -> None:
        self._common_dir = common_dir
        self._folder = folder
        self._present = frozenset(_files(common_dir))

    def remove(self, pipe: Path) -> bool:
        """Remove a pipe if nothing was there before; return whether it is gone. For any thread."""
        place = pipe.relative_to(self._common_dir)
        was_there = place in self._present
        if (was_there and place != _INDEX) or place.parts[0] in _UNLISTED or not self._take(pipe):
            return False
        said = (
            f"{redacted(printable(str(place)))} became a named pipe, for which git waits for ever; gitorch removed it"
        )
        said += "; `git reset` makes an index again" if was_there else ""
        foreign_changes.record(self._folder, [said])
        return True

    def _take(self, pipe: Path) -> bool:
        """Remove what is at a path, if it is a pipe: git may put a file in its place at the same moment."""
        taken = self._folder / f"pipe-{uuid.uuid4().hex}"
        try:
            pipe.rename(taken)
        except OSError:
            return False
        if not is_pipe(taken):
            with suppress(FileExistsError):
                os.link(taken, pipe, follow_symlinks=False)
            taken.unlink()
            return False
        with suppress(OSError):  # whoever waits for it, such as an agent's git, reads its end
            os.close(os.open(taken, os.O_RDWR | os.O_NONBLOCK))
        taken.unlink()
        return True


def _files(common_dir: Path) -> Iterator[Path]:
    """Yield the paths of the files in a git folder that are not in folders that git fills with objects."""
    for root, folders, names in os.walk(common_dir):
        if Path(root) == common_dir:
            folders[:] = [folder for folder in folders if folder not in _UNLISTED]
        yield from (Path(root, name).relative_to(common_dir) for name in names)
