"""Remove invisible characters: a person must see everything that an agent reads."""

from __future__ import annotations

import re

# Controls, also of terminals; what reorders text or has no width; tags, which spell invisible words; surrogates
# and private characters. Joiners stay: Persian and emoji are spelled with them.
_HIDDEN = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ue000-\uf8ff\ufeff\ufff0-\ufffb\U000e0000-\U0010ffff]"
)


def visible(text: str) -> str:
    """Return text without invisible characters, with newlines as line ends."""
    return re.sub(_HIDDEN, "", text.replace("\r\n", "\n").replace("\r", "\n"))
