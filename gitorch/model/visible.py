"""Text as a person may see it: without invisible characters, and file names whose bytes are not UTF-8 as escapes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Controls, also of terminals; what reorders text or has no width; tags, which spell invisible words; surrogates
# and private characters. Joiners stay: Persian and emoji are spelled with them.
_HIDDEN = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ue000-\uf8ff\ufeff\ufff0-\ufffb\U000e0000-\U0010ffff]"
)


def visible(text: str) -> str:
    """Return text without invisible characters, with newlines as line ends."""
    return re.sub(_HIDDEN, "", text.replace("\r\n", "\n").replace("\r", "\n"))


def readable(path: str) -> str:
    r"""Return a path of git (decoded with `surrogateescape`) as text; bytes that are not UTF-8 become `\xNN`."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def first_names(names: Sequence[str], most: int = 5) -> str:
    """Return the first names as one text, with how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def readable_list(paths: Iterable[str]) -> str:
    """Return paths of git as one text, with commas."""
    return ", ".join(map(readable, paths))
