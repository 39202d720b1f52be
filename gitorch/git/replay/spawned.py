"""Replay with one git process for each step: the plainest of the engines."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath

import msgspec

from gitorch.git.replay.values import Conflicted, Merged, Own, Replayed, Stage
from gitorch.git.repository import Commit, Repository
from gitorch.model.naming import Oid

# merge-tree takes .gitattributes from the user's files or index, and not from what it merges; there is no such index
_NO_INDEX = {"GIT_INDEX_FILE": os.devnull + "/none"}


class Attributes(msgspec.Struct, frozen=True):
    """A `.gitattributes` file of a commit: where it is, and its content's id."""

    path: str
    blob: Oid


def replay_spawned(repository: Repository, own: Own, onto: Oid) -> Replayed | Conflicted:
    """Replay own commits onto `onto`.

    As `git rebase` does, to the same commit ids: in topological order, merges left out, author, dates and message
    kept (in UTF-8), a commit that is already on top kept as it is, a change that is already there dropped (by patch
    id), an originally empty commit kept. Writes objects, moves no ref.
    """
    here = onto
    pairs: list[tuple[Oid, Oid]] = []
    dropped: list[Oid] = []
    attributes = _attributes(repository, onto)
    same = attributes == _attributes(repository, own.tip)
    for commit, duplicate in _own_commits(repository, own, onto):
        if duplicate and not _is_empty(repository, commit):
            dropped.append(commit.oid)
            continue
        picked = _pick(repository, commit, here, attributes if same else None)
        if isinstance(picked, Conflicted):
            return picked
        if picked is None:
            dropped.append(commit.oid)
        else:
            here = picked
            pairs.append((commit.oid, here))
    return Replayed(here, tuple(pairs), tuple(dropped))


def merge_trees(
    repository: Repository, ours: Oid, theirs: Oid, attributes: Sequence[Attributes] | None = None
) -> Merged | Conflicted:
    """Merge two commits in memory, by the `.gitattributes` of the first, or by the given ones."""
    with _laid_out(repository, _attributes(repository, ours) if attributes is None else attributes) as place:
        answer = repository.git(
            *("merge-tree", "--write-tree", "--no-messages", "--allow-unrelated-histories", "-z"),
            *(ours, theirs),
            cwd=place,
            git_dir=repository.common_dir,
            ok=(0, 1),
            env=_NO_INDEX,
        )
    tree, *entries = answer.fields()
    if not answer.code:
        return Merged(Oid(tree))
    # where one side has a file and the other a folder, git calls the file `name~COMMIT`
    aside = re.compile(f"~(?:{ours}|{theirs})(?:_[0-9]+)?$")
    stages = tuple(_stage(entry, aside) for entry in entries)
    return Conflicted(theirs, tuple(dict.fromkeys(stage.path for stage in stages)), stages, Oid(tree))


def _stage(entry: str, aside: re.Pattern[str]) -> Stage:
    words, _, path = entry.partition("\t")
    mode, blob, number = words.split(" ")
    return Stage(aside.sub("", path), int(number), mode, Oid(blob))


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
        merged = merge_trees(repository, here, head)
        if isinstance(merged, Conflicted):
            return merged
        newest = max(int(repository.git("log", "-1", "--format=%ct", one).text) for one in (here, head))
        stamp = {"GIT_AUTHOR_DATE": f"@{newest} +0000", "GIT_COMMITTER_DATE": f"@{newest} +0000"}
        here = Oid(
            repository.git(
                "commit-tree", merged.tree, "-p", here, "-p", head, input=message.encode(), env=_AS_GITORCH | stamp
            ).text
        )
    return here


_AS_GITORCH = {
    "GIT_AUTHOR_NAME": "gitorch",
    "GIT_AUTHOR_EMAIL": "gitorch@localhost",
    "GIT_COMMITTER_NAME": "gitorch",
    "GIT_COMMITTER_EMAIL": "gitorch@localhost",
}


def _own_commits(repository: Repository, own: Own, onto: Oid) -> list[tuple[Commit, bool]]:
    """Return the commits to replay, oldest first, each with whether `onto` has its change already."""
    marked = repository.git(
        *("rev-list", "--reverse", "--topo-order", "--no-merges", "--right-only", "--cherry-mark"),
        *(f"{onto}...{own.tip}", f"^{own.base}", *(f"^{other}" for other in own.others)),
    ).text.split("\n")
    lines = [line for line in marked if line]
    commits = repository.commits(Oid(line.lstrip("=+")) for line in lines)
    return [(commit, line.startswith("=")) for commit, line in zip(commits, lines, strict=True)]


def _is_empty(repository: Repository, commit: Commit) -> bool:
    return bool(commit.parents) and repository.tree(commit.parents[0]) == commit.tree


def _pick(
    repository: Repository, commit: Commit, here: Oid, attributes: Sequence[Attributes] | None
) -> Oid | Conflicted | None:
    """Return the commit that stands for `commit` on top of `here`; None when it would change nothing."""
    if commit.parents[:1] == (here,):
        return commit.oid
    there = repository.tree(here)
    merged = merge_trees(repository, _stand_in(repository, there, commit), commit.oid, attributes)
    if isinstance(merged, Conflicted):
        return merged
    if merged.tree == there and not _is_empty(repository, commit):
        return None
    return repository.write_commit(_rewritten(commit, merged.tree, here, repository.committer()))


def _attributes(repository: Repository, commit: Oid) -> list[Attributes]:
    """Return the `.gitattributes` files of a commit: they say how files are merged (`merge=union`, `binary`)."""
    entries = (entry.partition("\t") for entry in repository.git("ls-tree", "-r", "-z", commit).fields())
    return [
        Attributes(path, Oid(words.split()[2]))
        for words, _, path in entries
        if path.endswith(".gitattributes") and PurePath(path).name == ".gitattributes" and words.startswith("100")
    ]


@contextmanager
def _laid_out(repository: Repository, attributes: Sequence[Attributes]) -> Iterator[Path | None]:
    """Put `.gitattributes` files where git looks for them: not in commits, but in a work tree."""
    if not attributes:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="gitorch-") as folder:
        for one in attributes:
            place = Path(folder, one.path)
            if ".." not in place.parts:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(repository.git("cat-file", "blob", one.blob).stdout)
        yield Path(folder)


def _stand_in(repository: Repository, tree: Oid, commit: Commit) -> Oid:
    """Make a commit with our tree and the picked commit's parent, so that this parent is the merge base.

    `merge-tree --merge-base` says the same from git 2.40 on; this works on 2.38 too.
    """
    parents = b"".join(b"parent %s\n" % parent.encode() for parent in commit.parents[:1])
    who = b"gitorch <gitorch@localhost> 0 +0000"
    return repository.write_commit(b"tree %s\n%sauthor %s\ncommitter %s\n\n" % (tree.encode(), parents, who, who))


def _rewritten(commit: Commit, tree: Oid, parent: Oid, committer: str) -> bytes:
    """Return the commit's bytes with another tree, parent and committer; a signature cannot survive and is dropped."""
    headers, _, message = _in_utf8(commit.raw).partition(b"\n\n")
    kept: list[bytes] = []
    dropping = False
    for line in headers.split(b"\n"):
        continued = line.startswith(b" ")
        dropping = dropping if continued else line.split(b" ")[0] in _REPLACED
        if not dropping:
            kept.append(line)
    author, rest = kept[0], kept[1:]
    new = [b"tree " + tree.encode(), b"parent " + parent.encode(), author, b"committer " + committer.encode(), *rest]
    # as git does: a message begins with its first line that is not empty
    return b"\n".join(new) + b"\n\n" + message.lstrip(b"\n")


_REPLACED = (b"tree", b"parent", b"committer", b"gpgsig", b"gpgsig-sha256", b"mergetag")


def _in_utf8(raw: bytes) -> bytes:
    """Return a commit that says it is in another encoding in UTF-8, as git does; one that is not what it says stays."""
    headers = raw.partition(b"\n\n")[0].split(b"\n")
    named = next((line for line in headers if line.startswith(b"encoding ")), None)
    if named is None:
        return raw
    try:
        return raw.replace(named + b"\n", b"", 1).decode(named[9:].decode("ascii")).encode()
    except (LookupError, UnicodeError):
        return raw
