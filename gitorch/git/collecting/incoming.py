"""Fetch commits from a repository that an agent could write: through a program of the caller's, with every check."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from gitorch.git.history_store import config_variables, literal_path
from gitorch.git.repository import Repository
from gitorch.git.worktrees import unfinished
from gitorch.model.naming import Ref

UPLOAD_PACK = ("git", "-c", "transfer.hideRefs=!refs", "upload-pack")
"""What serves commits, from a repository of ours whatever the user hides in those that they serve."""

_SETTINGS = {
    "protocol.version": "2",
    "protocol.allow": "never",
    "protocol.file.allow": "always",
    "fetch.fsckObjects": "true",
    "transfer.fsckObjects": "true",
    "fetch.unpackLimit": "1",  # a pack is checked as a whole before any object is visible
    "gc.auto": "0",
}
_SHOWN = 300


def fetch(repository: Repository, source: Path, name: str, ref: Ref, upload_pack: Sequence[str]) -> str:
    """Bring a ref `name` of `source`, with what it needs, into `ref`; return why not, empty when it is there.

    `upload_pack` starts `UPLOAD_PACK` where it may read `source`: git of the host never opens that repository.
    """
    options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance")
    words = (*options, f"--upload-pack={shlex.join(upload_pack)}", os.fspath(source), f"+{name}:{ref}")
    variables = config_variables(_SETTINGS | literal_path(repository, source))
    answer = unfinished.retried(repository, lambda: repository.git("fetch", *words, env=variables, ok=range(256)))
    if answer.code == 0:
        return ""
    lines = [line for line in answer.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return next((line for line in lines if line.startswith(("fatal:", "error:"))), "git fetch failed")[:_SHOWN]
