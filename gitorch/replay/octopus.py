"""Several commits as one: what a task starts on that waits for more than one other."""

from __future__ import annotations

from collections.abc import Sequence

from gitorch.git.repository import GITORCH_IDENTITY, Repository
from gitorch.model.naming import Oid
from gitorch.replay.replayer import Replayer
from gitorch.replay.values import Conflicted


def merge_heads(repository: Repository, heads: Sequence[Oid], message: str) -> Oid | Conflicted:
    """Merge several commits into one without a worktree; a single one is returned as it is.

    Heads that others contain are left out. The merge commit depends on the heads and their dates alone, so that the
    same heads give the same commit.
    """
    if len(set(heads)) == 1:
        return heads[0]
    independent = [Oid(line) for line in repository.git("merge-base", "--independent", *heads).text.split("\n")]
    ordered = [head for head in dict.fromkeys(heads) if head in independent]
    here = ordered[0]
    for head in ordered[1:]:
        with Replayer(repository) as replayer:
            merged = replayer.merge(here, head)
            if isinstance(merged, Conflicted):
                return merged
            replayer.keep_tree(merged.tree)
        newest = max(int(repository.git("log", "-1", "--format=%ct", one).text) for one in (here, head))
        stamp = {"GIT_AUTHOR_DATE": f"@{newest} +0000", "GIT_COMMITTER_DATE": f"@{newest} +0000"}
        here = Oid(
            repository.git(
                "commit-tree", merged.tree, "-p", here, "-p", head, input=message.encode(), env=GITORCH_IDENTITY | stamp
            ).text
        )
    return here
