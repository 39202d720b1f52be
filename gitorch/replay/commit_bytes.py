"""The bytes of commits: one on another parent, as `git rebase` writes it, and a synthetic one."""

from __future__ import annotations

import re

from gitorch.git.commit_settings import DEFAULT, CommitSettings

_REPLACED = (b"tree", b"parent", b"committer", b"encoding", b"gpgsig", b"gpgsig-sha256", b"mergetag")
_NOBODY = b"gitorch <gitorch@localhost> 0 +0000"
_SPACE = b" \t\n\r"
_NOT_IN_ICONV = frozenset({"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"})

# as git checks it: without surrogates, and without the characters that Unicode guarantees never to assign
_UTF8 = re.compile(
    rb"[\x00-\x7f]+|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xef(?!\xb7[\x90-\xaf]|\xbf[\xbe\xbf])[\x80-\xbf]{2}|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}"
    rb"|\xf4[\x80-\x8f][\x80-\xbf]{2}|([\x80-\xff])",
)


def rewrite_commit(
    raw: bytes, tree: str, parent: str | None, committer: str, settings: CommitSettings = DEFAULT
) -> bytes:
    """Return a commit's bytes with another tree, parent and committer, as `git rebase` writes them.

    The message is in the encoding that the `settings` name. A signature cannot survive and is dropped; headers that git
    does not know are kept. Without a `parent`, it is the first commit of a history.
    """
    headers, _, message = _reencoded(raw, settings.encoding).partition(b"\n\n")
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
        b"committer " + committer.encode("utf-8", "surrogateescape"),
        *([] if settings.is_utf8 else [b"encoding " + settings.encoding.encode("utf-8", "surrogateescape")]),
        *other_headers,
    ]
    content = b"\n".join(new) + b"\n\n" + _message(message, settings)
    return _valid_utf8(content) if settings.is_utf8 else content


def synthetic_commit(tree: str, parent: str | None) -> bytes:
    """Return a commit that puts a tree on a parent, so that this parent is the merge base.

    `merge-tree --merge-base` does the same from git 2.40 on; this works with 2.38 too.
    """
    parent_line = b"parent %s\n" % parent.encode() if parent else b""
    return b"tree %s\n%sauthor %s\ncommitter %s\n\n" % (tree.encode(), parent_line, _NOBODY, _NOBODY)


def _message(message: bytes, settings: CommitSettings) -> bytes:
    """Return a message as git takes it over: from its first line that is not blank on, cleaned up if configured."""
    message = message.partition(b"\0")[0]
    first = len(message) - len(message.lstrip(_SPACE))
    message = message[message.rfind(b"\n", 0, first) + 1 :] if first < len(message) else b""
    return message if settings.cleanup == "none" else _stripped(message, settings)


def _stripped(message: bytes, settings: CommitSettings) -> bytes:
    """Return a message as `git stripspace` leaves it, with `strip` without comments."""
    lines: list[bytes] = []
    for line in message.split(b"\n"):
        if settings.cleanup == "strip" and line.startswith(settings.comment):
            continue
        text = line.rstrip(_SPACE)
        if text or (lines and lines[-1]):
            lines.append(text)
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\n" for line in lines)


def _reencoded(raw: bytes, encoding: str) -> bytes:
    """Return a commit in another encoding, as git does; unchanged if it is not in the encoding that it declares."""
    headers = raw.partition(b"\n\n")[0].split(b"\n")
    declared = next((line[9:] for line in headers if line.startswith(b"encoding ")), b"UTF-8")
    source = declared.decode("ascii", "replace")
    if {source.lower(), encoding.lower()} & _NOT_IN_ICONV or CommitSettings(source).is_same_encoding(encoding):
        return raw
    try:
        return raw.decode(source).encode(encoding)
    except (LookupError, UnicodeError):
        return raw


def _valid_utf8(content: bytes) -> bytes:
    """Return content with each byte that is not UTF-8 taken for Latin-1, as git does when it writes a commit."""
    if content.isascii():
        return content
    return _UTF8.sub(lambda match: match[1].decode("latin-1").encode() if match[1] else match[0], content)
