"""Files of a checkout that git ignores, as a commit that other machines fetch: one archive, under a ref of its own.

They travel as commits do, and not through the server.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from gitorch.git.exchange.attempts import ExchangeFailed
from gitorch.git.lockfiles import SCRATCH
from gitorch.git.repository import RefsMoved, Repository
from gitorch.git.writing import unreferenced
from gitorch.model.naming import OWN_REFS, Oid, Ref
from gitorch.model.refs import RefUpdate

REF = Ref(f"{OWN_REFS}copies")
"""Where the newest archive is, so that no `git gc` removes it."""

LARGEST = 20_000_000
"""The most bytes that these files may have together."""

_NAME = "files.tar"
_TRIES = 20


class TooLarge(Exception):
    """Files have more bytes than may be sent."""


def archive(files: Iterable[tuple[str, Path]], largest: int = LARGEST) -> bytes:
    """Return an archive of files and folders under these names, the same one for the same files.

    Raises `TooLarge`, and `OSError` when a file cannot be read. Sockets, pipes and devices are left out.
    """
    output, room = io.BytesIO(), largest

    def admitted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        nonlocal room
        if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
            return None
        room -= member.size
        if room < 0:
            raise TooLarge
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, path in files:
            tar.add(path, arcname=name, filter=admitted)
    return output.getvalue()


def store(repository: Repository, content: bytes) -> Oid:
    """Store an archive; return its commit, which is the same one for the same content."""
    for _ in range(_TRIES):
        current = repository.read_ref(REF)
        if current is not None and repository.git("cat-file", "blob", f"{current}:{_NAME}").stdout == content:
            return current
        commit = _commit(repository, content)
        try:
            repository.update_refs([RefUpdate(REF, commit, current)], "files for workers")
        except RefsMoved:
            continue
        return commit
    raise RefsMoved("refs-moved", f"{REF} moves all the time")


def _commit(repository: Repository, content: bytes) -> Oid:
    # the scratch ref holds the commit only within this process, and is neither written nor locked
    head = f"feature done\ncommit {SCRATCH}\nmark :1\ncommitter gitorch <gitorch> 0 +0000\ndata 0\n"
    file = b"M 100644 inline %s\ndata %d\n%s\n" % (_NAME.encode(), len(content), content)
    end = f"\nget-mark :1\nreset {SCRATCH}\n\ndone\n"
    return unreferenced.fast_import(repository, head.encode() + file + end.encode(), [])


def unpack(repository: Repository, commit: Oid, folder: Path) -> None:
    """Write the files of an archive into a new folder that only this user can enter. Raises `ExchangeFailed`.

    The repository ignores files with these names from now on: at home, a setting of the user may be what ignores them.
    """
    folder.mkdir(mode=0o700)
    content = repository.git("cat-file", "blob", f"{commit}:{_NAME}").stdout
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            tar.extractall(os.fspath(folder), filter="tar")
    except (tarfile.TarError, OSError) as error:
        raise ExchangeFailed(f"the files of prepare.copy cannot be written: {error}") from error
    exclude = repository.common_dir / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    with exclude.open("ab") as file:
        file.writelines(b"/%s\n" % _literal(name) for name in _names(folder))


def _names(folder: Path) -> Iterator[bytes]:
    """Yield the paths of the files and links below a folder."""
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            yield os.fsencode(path.relative_to(folder))


def _literal(name: bytes) -> bytes:
    """Return a path as a pattern that matches nothing else. One with a line's end cannot be excluded."""
    return re.sub(rb"([\\*?\[ ])", rb"\\\1", name)
