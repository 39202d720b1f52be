"""A commit's bytes on another parent, as `git rebase` writes them."""

from __future__ import annotations

_REPLACED = (b"tree", b"parent", b"committer", b"gpgsig", b"gpgsig-sha256", b"mergetag")


def rewritten(raw: bytes, tree: str, parent: str, committer: str) -> bytes:
    """Return a commit's bytes with another tree, parent and committer; a signature cannot survive and is dropped."""
    headers, _, message = _in_utf8(raw).partition(b"\n\n")
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


def stand_in(tree: str, parent: str | None) -> bytes:
    """Return a commit that puts a tree on a parent, so that this parent is the merge base.

    `merge-tree --merge-base` says the same from git 2.40 on; this works on 2.38 too.
    """
    who = b"gitorch <gitorch@localhost> 0 +0000"
    on = b"parent %s\n" % parent.encode() if parent else b""
    return b"tree %s\n%sauthor %s\ncommitter %s\n\n" % (tree.encode(), on, who, who)


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
