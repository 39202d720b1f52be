"""Redact the output of a program as it comes, before it is stored. Uses only the standard library.

Text is redacted in whole lines, so that no credential is cut in two by a read. A line that is a JSON object stays one:
its strings are redacted one by one. A line without an end is redacted in windows that overlap.
"""

from __future__ import annotations

import contextlib
import json
import re

from gitorch.model.credentials.key_lines import KeyLines
from gitorch.model.credentials.scan import Scanner, ends_in_key, replaced

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` would delay the start of every agent and every check
    from collections.abc import Callable
    from typing import Any

WINDOW = 65_536
"""Bytes of a line without an end that are held back."""

_OVERLAP = 8_192
"""Characters that are searched again with what follows. No credential but a private key is longer."""

_CONTEXT = 512
"""Characters before a credential that a rule may need to recognize it."""

_BLOCK = 65_536
_OPEN_END = re.compile(
    rb"(?:sk-ant-|sk-proj-|gh[pousr]_|github_pat_|glpat-|AKIA|ASIA|pypi-|eyJ)[A-Za-z0-9_.-]{0,255}\r?\n\Z"
)
_OBJECT = re.compile(r"^[ \t]*\{.*\}[ \t\r]*$\n?", re.MULTILINE)
_TOKEN = re.compile(r"[A-Za-z0-9_+/=.~%-]*")
_TOKEN_BYTES = re.compile(rb"[A-Za-z0-9_+/=.~%-]{0,8192}")


class OutputRedactor:
    """Redacts a stream of bytes that comes in pieces of any size."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._values = [value.encode("utf-8", "surrogateescape") for _, value in scanner.values]
        self._key = KeyLines()
        self._rest = b""
        self._in_secret = False

    def feed(self, data: bytes) -> bytes:
        """Return what of the stream can be stored now."""
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        lines, self._rest = data[:end], data[end:]
        if lines and self._may_continue(lines):
            start = lines.rfind(b"\n", 0, -1) + 1
            lines, self._rest = lines[:start], lines[start:] + self._rest
        output = self._redacted(lines)
        return output + self._cut_window() if len(self._rest) >= WINDOW else output

    def finish(self) -> bytes:
        """Return the end of the stream."""
        rest, self._rest = self._rest, b""
        return self._redacted(rest)

    def skip(self, data: bytes) -> tuple[int, bytes]:
        """Start again with data from further on in the stream.

        Returns how many bytes are lost in addition, and the data to feed: half a line may start with half a credential.
        """
        lost = len(self._rest)
        self._rest = b""
        self._in_secret = False
        self._key.open(is_certain=False)
        end = data.find(b"\n") + 1
        if not end:
            match = _TOKEN_BYTES.match(data)
            end = match.end() if match else 0
        return lost + end, data[end:]

    def _may_continue(self, lines: bytes) -> bool:
        """Return whether the last line could end in the first part of a credential."""
        start = lines.rfind(b"\n", 0, -1) + 1
        last = lines[start:]
        if len(last) > _BLOCK or last.lstrip().startswith(b"{"):
            return False
        text = last.rstrip(b"\r\n")
        if any(_shares_end(text, value) for value in self._values):
            return True
        return _OPEN_END.search(last[-300:]) is not None and not self._ends_in_credential(text)

    def _ends_in_credential(self, line: bytes) -> bool:
        text = _text(line)
        matches = self._scanner.find(text)
        return bool(matches) and matches[-1][1] == len(text)

    def _redacted(self, data: bytes) -> bytes:
        """Return whole lines, or the last one, without credentials."""
        if not data:
            return b""
        text = _text(data)
        if self._in_secret:
            match = _TOKEN.match(text)
            text = text[match.end() :] if match else text
            self._in_secret = False
        objects = list(_OBJECT.finditer(text))
        if not (self._key.is_open or self._scanner.find_wrapped(text) or self._in_strings(objects)):
            return _bytes(text)
        parts = []
        position = 0
        for match in objects:
            parts += [self._plain(text[position : match.start()]), self._object(match[0])]
            position = match.end()
        return _bytes("".join([*parts, self._plain(text[position:])]))

    def _in_strings(self, objects: list[re.Match[str]]) -> bool:
        """Return whether a string of these objects holds a credential, which escapes may hide in the line itself."""
        texts: list[str] = []
        for match in objects:
            with contextlib.suppress(ValueError, RecursionError):
                _with_strings(json.loads(match[0]), lambda text: _added(texts, text))
        return bool(texts) and bool(self._scanner.find_wrapped("\n \n".join(texts)))

    def _plain(self, text: str) -> str:
        text = self._key.feed(text)
        matches = self._scanner.find_wrapped(text)
        if not matches:
            return text
        if ends_in_key(text, matches[-1]):
            self._key.open()
        redacted = replaced(text, matches)
        return redacted + ("\n" if text.endswith("\n") and not redacted.endswith("\n") else "")

    def _object(self, line: str) -> str:
        """Return a line with a JSON object without the credentials in its strings."""
        self._key.is_open = False
        in_line = self._scanner.find(line)
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return replaced(line, in_line)
        secrets = [(line[start:end], f"[redacted {kind}]") for start, end, kind in in_line]

        def change(text: str) -> str:
            text = replaced(text, self._scanner.find_wrapped(text))
            for secret, mark in secrets:
                text = text.replace(secret, mark)
            return text

        changed = _with_strings(record, change)
        return line if changed == record else json.dumps(changed, separators=(",", ":")) + "\n" * line.endswith("\n")

    def _cut_window(self) -> bytes:
        """Return the first part of a long line, and keep what a credential could reach into."""
        text = _text(self._rest)
        if self._in_secret:
            match = _TOKEN.match(text)
            text = text[match.end() :] if match else text
            self._in_secret = not text
        cut = max(0, len(text) - _OVERLAP)
        matches = []
        for match_start, match_end, kind in self._scanner.find(text):
            if match_end == len(text) and match_start < cut + _CONTEXT:  # it may go on
                cut = match_start or len(text)
                self._in_secret = match_start == 0
            elif match_start < cut + _CONTEXT:
                cut = max(cut, match_end)
            if match_end <= cut:
                matches.append((match_start, match_end, kind))
        self._rest = _bytes(text[cut:])
        return _bytes(replaced(text[:cut], matches))


def _added(texts: list[str], text: str) -> str:
    texts.append(text)
    return text


def _with_strings(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_with_strings(item, change) for item in value]
    if isinstance(value, dict):
        return {change(name): _with_strings(item, change) for name, item in value.items()}
    return value


def _shares_end(text: bytes, value: bytes) -> bool:
    """Return whether a text ends with the first part of a value, of at least 4 bytes."""
    return any(text.endswith(value[:size]) for size in range(4, len(value)))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
