"""The output of `git diff` for a terminal: git's own colours stay, everything else that steers a terminal is escaped.

A file can hold the same colour sequences as git prints. So git is given colours that nobody can guess, and only these
are turned into the user's own; a sequence that was in a file is shown as an escape.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping

from gitorch.cli.terminal.sanitize import safe_block

_RESET = "\x1b[m"
_LINE = 65_536
"""Characters of one line that are made harmless at once."""

# git's own colours (diff.c), as escape sequences; a slot without a colour is not in this table
DEFAULTS: Mapping[str, str] = {
    "meta": "\x1b[1m",
    "frag": "\x1b[36m",
    "old": "\x1b[31m",
    "new": "\x1b[32m",
    "commit": "\x1b[33m",
    "whitespace": "\x1b[41m",
    "oldMoved": "\x1b[1;35m",
    "oldMovedAlternative": "\x1b[1;34m",
    "oldMovedDimmed": "\x1b[2m",
    "oldMovedAlternativeDimmed": "\x1b[2;3m",
    "newMoved": "\x1b[1;36m",
    "newMovedAlternative": "\x1b[1;33m",
    "newMovedDimmed": "\x1b[2m",
    "newMovedAlternativeDimmed": "\x1b[2;3m",
    "contextDimmed": "\x1b[2m",
    "oldDimmed": "\x1b[2;31m",
    "newDimmed": "\x1b[2;32m",
    "contextBold": "\x1b[1m",
    "oldBold": "\x1b[1;31m",
    "newBold": "\x1b[1;32m",
}


class Colours:
    """The colours of one `git diff`: `options` give git secret ones, `restored` turns these into the user's."""

    def __init__(self, chosen: Mapping[str, str] = DEFAULTS) -> None:
        self._sequences = {_RESET: _RESET}
        self.options: list[str] = []
        for slot, sequence in chosen.items():
            if sequence:
                red, green, blue, *behind = secrets.token_bytes(6)
                words = f"#{red:02x}{green:02x}{blue:02x} #{bytes(behind).hex()}"
                self.options += ["-c", f"color.diff.{slot}={words}"]
                ground = ";".join(map(str, behind))
                self._sequences[f"\x1b[38;2;{red};{green};{blue};48;2;{ground}m"] = sequence
        self._known = re.compile("(" + "|".join(map(re.escape, self._sequences)) + ")")

    def mapped(self, text: str, change: Callable[[str], str]) -> str:
        """Return text with the user's colours, and with `change` applied to what is between them."""
        parts = self._known.split(text)
        parts[::2] = map(change, parts[::2])
        parts[1::2] = (self._sequences[sequence] for sequence in parts[1::2])
        return "".join(parts)


def shown(
    blocks: Iterable[bytes], colours: Colours | None, redact: Callable[[str], str], *, escape: bool
) -> Iterator[bytes]:
    """Yield git's output, given in blocks of whole lines, redacted, and with `escape` as a terminal may show it."""

    def change(text: str) -> str:
        return safe_block(redact(text)) if escape else redact(text)

    for block in blocks:
        text = block.decode("utf-8", "surrogateescape")
        yield (colours.mapped(text, change) if colours else change(text)).encode("utf-8", "surrogateescape")


def whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield chunks joined to whole lines; a line that is longer than 64 kB is cut between two characters."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        end = rest.rfind(b"\n") + 1
        if not end and len(rest) > _LINE:
            end = _character_border(rest)
        if end:
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest


def _character_border(text: bytes) -> int:
    """Return where the last character or escape sequence near the end of a text starts."""
    escape = text.rfind(b"\x1b", len(text) - 64)
    end = escape if escape > 0 else len(text)
    lead = next((back for back in range(1, 5) if text[end - back] >= 0xC0), 0)
    return end - lead
