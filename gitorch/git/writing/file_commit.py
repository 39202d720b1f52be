"""A commit with other contents of some files, made without a worktree."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from gitorch.git.repository import Repository
from gitorch.git.writing import unreferenced
from gitorch.model.naming import Oid


def file_entry(repository: Repository, commit: Oid, path: str) -> tuple[str, Oid] | None:
    """Return the mode and the blob of a file in a commit; None if it has no such file."""
    listing = repository.git("--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit, "--", path).fields()
    for entry in listing:
        words, _, name = entry.partition("\t")
        mode, kind, oid = words.split(" ")
        if name == path and kind == "blob":
            return mode, Oid(oid)
    return None


def commit_files(repository: Repository, parent: Oid, files: Mapping[str, tuple[str, bytes]], message: str) -> Oid:
    """Return a commit on `parent` by the user, in which these files have other modes and contents."""
    with unreferenced.tentative(repository) as objects, tempfile.TemporaryDirectory(prefix="gitorch-") as folder:
        env = {**objects, "GIT_INDEX_FILE": str(Path(folder) / "index")}
        entries = []
        for path, (mode, content) in files.items():
            blob = repository.git("hash-object", "-w", "--stdin", input=content, env=objects).text
            entries.append(f"{mode} {blob}\t{path}\0".encode("utf-8", "surrogateescape"))
        repository.git("read-tree", parent, env=env)
        repository.git("update-index", "-z", "--index-info", input=b"".join(entries), env=env)
        tree = repository.git("write-tree", env=env).text
        return unreferenced.commit_tree(repository, tree, [parent], message, repository.identity(), objects=objects)
