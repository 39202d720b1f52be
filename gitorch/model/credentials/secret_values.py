"""The values in an environment that are secret, judged by the names of the variables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_SHORTEST = 8
_NAME = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)$|_AUTH$", re.IGNORECASE)


def secret_values(*environments: Mapping[str, str], names: Sequence[str] = ()) -> dict[str, str]:
    """Return the credentials in environments, to be redacted: those with such a name, and those of `names`.

    Left out are ordinary words and short values: to redact them would make a log unreadable.
    """
    variables = {name: value for environment in environments for name, value in environment.items()}
    return {
        name: value
        for name, value in variables.items()
        if (name in names or _NAME.search(name)) and len(value) >= _SHORTEST and not _is_word(value)
    }


def _is_word(value: str) -> bool:
    return len(value) < 2 * _SHORTEST and (value.isalpha() or value.isdecimal())
