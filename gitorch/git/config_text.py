"""Settings of git as text: what `git config -z --list` prints, and the lines of a configuration file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def entries(fields: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the names and values of what `git config -z` prints; a name without a value is true."""
    for field in fields:
        name, separator, value = field.partition("\n")
        yield name, value if separator else "true"


def without_command_line(fields: Sequence[str]) -> list[tuple[str, str]]:
    """Return the settings in what `git config -z --list --show-scope` prints, without those of the call itself."""
    pairs = zip(fields[::2], entries(fields[1::2]), strict=True)
    return [setting for scope, setting in pairs if scope != "command"]


def lines(settings: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the sections of a file with these settings, in their order."""
    for name, value in settings:
        section, _, rest = name.partition(".")
        subsection, _, key = rest.rpartition(".")
        head = f'{section} "{escaped(subsection)}"' if subsection else section
        text = escaped(value).replace("\n", "\\n").replace("\t", "\\t").replace("\b", "\\b")
        yield f'[{head}]\n\t{key} = "{text}"\n'


def escaped(text: str) -> str:
    """Return a text as it stands between double quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
