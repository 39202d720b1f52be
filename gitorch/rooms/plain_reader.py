"""Read a private repository without a sandbox: through a repository of gitorch's own that borrows its objects.

Git of the host opens only the fresh one. Of what the agent could write, it sees object files and one commit id.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from gitorch.git.collecting import incoming
from gitorch.git.history_store import HistoryStore, object_format
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, Ref
from gitorch.rooms.private_repository import PrivateRepository, alternate

_TIP = "refs/heads/tip"


def fetch(repository: Repository, store: HistoryStore, private: PrivateRepository, tip: Oid, ref: Ref) -> str:
    """Bring a commit of a private repository, with what it needs, into `ref`; return why not."""
    reader = private.folder / "reader"
    shutil.rmtree(reader, ignore_errors=True)
    for name in ("objects/info", "objects/pack", "refs/heads"):
        (reader / name).mkdir(parents=True)
    kind = object_format(repository)
    version = "0" if kind == "sha1" else f"1\n[extensions]\n\tobjectformat = {kind}"
    _write(reader / "config", f"[core]\n\tbare = true\n\trepositoryformatversion = {version}\n")
    _write(reader / "HEAD", f"ref: {_TIP}\n")
    _write(reader / _TIP, f"{tip}\n")
    _write(
        reader / "objects/info/alternates", f"{alternate(private.git_dir / 'objects')}\n{alternate(store.objects)}\n"
    )
    if shallow := store.shallow():
        (reader / "shallow").write_bytes(shallow)
    return incoming.fetch(repository, reader, _TIP, ref, incoming.UPLOAD_PACK)


def _write(path: Path, text: str) -> None:
    path.write_bytes(os.fsencode(text))
