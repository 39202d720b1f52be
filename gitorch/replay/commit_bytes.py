"""The bytes of commits: one on another parent, as `git rebase` writes it, and a synthetic one."""

from __future__ import annotations

_REPLACED = (b"tree", b"parent", b"committer", b"gpgsig", b"gpgsig-sha256", b"mergetag")
_NOBODY = b"gitorch <gitorch@localhost> 0 +0000"


def rewrite_commit(raw: bytes, tree: str, parent: str | None, committer: str) -> bytes:
    """Return a commit's bytes with another tree, parent and committer; a signature cannot survive and is dropped.

    Without a `parent`, it is the first commit of a history.
    """
    headers, _, message = _in_utf8(raw).partition(b"\n\n")
    lines: list[bytes] = []
    is_replaced = False
    for line in headers.split(b"\n"):
        is_continuation = line.startswith(b" ")
        is_replaced = is_replaced if is_continuation else line.split(b" ")[0] in _REPLACED
        if not is_replaced:
            lines.append(line)
    author, *other_headers = lines
    new = [
        b"tree " + tree.encode(),
        *([b"parent " + parent.encode()] if parent is not None else []),
        author,
        b"committer " + committer.encode(),
        *other_headers,
    ]
    # as git does: a message begins with its first line that is not empty
    return b"\n".join(new) + b"\n\n" + message.lstrip(b"\n")


def synthetic_commit(tree: str, parent: str | None) -> bytes:
    """Return a commit that puts a tree on a parent, so that this parent is the merge base.

    `merge-tree --merge-base` does the same from git 2.40 on; this works with 2.38 too.
    """
    parent_line = b"parent %s\n" % parent.encode() if parent else b""
    return b"tree %s\n%sauthor %s\ncommitter %s\n\n" % (tree.encode(), parent_line, _NOBODY, _NOBODY)


def _in_utf8(raw: bytes) -> bytes:
    """Return a commit with another declared encoding in UTF-8, as git does; unchanged if it is not in that encoding."""
    headers = raw.partition(b"\n\n")[0].split(b"\n")
    declared = next((line for line in headers if line.startswith(b"encoding ")), None)
    if declared is None:
        return raw
    try:
        return raw.replace(declared + b"\n", b"", 1).decode(declared[9:].decode("ascii")).encode()
    except (LookupError, UnicodeError):
        return raw
