"""Several commits as one: the base of a task that waits for more than one other."""

from __future__ import annotations

from collections.abc import Sequence

from gitorch.git.repository import GITORCH_IDENTITY, Repository
from gitorch.git.writing import unreferenced
from gitorch.model.naming import Oid
from gitorch.replay.memory import MemoryReplayer
from gitorch.replay.values import Conflicted


def merge_heads(repository: Repository, heads: Sequence[Oid], message: str) -> Oid | Conflicted:
    """Merge several commits into one without a worktree; a single one is returned as it is.

    Heads that others contain are left out. The merge commit depends only on the heads and their dates, so that the
    same heads give the same commit.
    """
    if len(set(heads)) == 1:
        return heads[0]
    independent = [Oid(line) for line in repository.git("merge-base", "--independent", *heads).text.split("\n")]
    merged, *remaining = [head for head in dict.fromkeys(heads) if head in independent]
    for head in remaining:
        with MemoryReplayer(repository) as replayer:
            result = replayer.merge(merged, head)
            if isinstance(result, Conflicted):
                return result
            replayer.keep_tree(result.tree)
        merged = _commit_merge(repository, result.tree, merged, head, message)
    return merged


def _commit_merge(repository: Repository, tree: Oid, first: Oid, second: Oid, message: str) -> Oid:
    newest = max(int(repository.git("log", "-1", "--format=%ct", parent).text) for parent in (first, second))
    dates = {"GIT_AUTHOR_DATE": f"@{newest} +0000", "GIT_COMMITTER_DATE": f"@{newest} +0000"}
    return unreferenced.commit_tree(repository, tree, [first, second], message, GITORCH_IDENTITY | dates)
