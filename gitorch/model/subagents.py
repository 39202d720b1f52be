"""Roles that a repository describes for Claude Code in `.claude/agents/NAME.md`; the content is untrusted.

The format is that of https://code.claude.com/docs/en/sub-agents: front matter with `name`, `description`, `tools` and
`model`, then the instructions. Real files are rarely strict YAML, so only `key: value` lines are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from gitorch.model.roles import Role, built_in_roles
from gitorch.model.visible import visible

FOLDER = ".claude/agents"
MOST_FILES = 64
LARGEST = 65_536
"""Bytes of one file; larger files are not read."""

_LONGEST_INSTRUCTIONS = 20_000
_LONGEST_PURPOSE = 300
_MOST_TOOLS = 32
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_MODEL = re.compile(r"[a-z0-9][A-Za-z0-9.:_-]{0,63}")
_TOOL = re.compile(r"[A-Za-z][\w():*, /-]{0,79}")
_KEY = re.compile(r"([A-Za-z][\w-]*):[ \t]*(.*)")


def read(content: bytes, path: str, commit: str) -> Role | None:
    """Return the role that a file describes; None without front matter, name or text."""
    text = visible(content.decode("utf-8", "replace"))
    parts = re.split(r"(?m)^---[ \t]*$\n?", text, maxsplit=2)
    if len(parts) != 3 or parts[0].strip():
        return None
    keys = _keys(parts[1])
    name, instructions = keys.get("name", ""), parts[2].strip()[:_LONGEST_INSTRUCTIONS]
    if not _NAME.fullmatch(name) or not instructions:
        return None
    model = keys.get("model", "")
    return Role(
        name=name,
        purpose=" ".join(keys.get("description", "").replace("\\n", " ").split())[:_LONGEST_PURPOSE],
        instructions=instructions,
        match={name.replace("-", " "): 3},
        # in Claude Code, `inherit` means the model of the calling agent
        model=model if _MODEL.fullmatch(model) and model != "inherit" else "",
        tools=_tools(keys.get("tools", "")),
        origin=f"{path} at {commit[:12]}",
    )


def with_built_in(described: Iterable[Role]) -> dict[str, Role]:
    """Return the built-in roles and those that a repository's files describe.

    A file never replaces a built-in role; only the configuration does (`prompt_file`). The origin of the built-in role
    then names the file that is not used.
    """
    built_in = built_in_roles()
    roles = dict(built_in)
    for role in described:
        if role.name in built_in:
            file = role.origin.partition(" ")[0]
            hint = f"{built_in[role.name].origin}; {file} is not used (roles.{role.name}.prompt_file would)"
            roles[role.name] = msgspec.structs.replace(roles[role.name], origin=hint)
        else:
            roles.setdefault(role.name, role)
    return roles


def _keys(header: str) -> dict[str, str]:
    """Read `key: value` lines; indented lines, and those of a list, continue the key above them."""
    values: dict[str, str] = {}
    key = ""
    for line in header.split("\n"):
        if match := _KEY.fullmatch(line.rstrip()):
            key, value = match[1], match[2].strip()
            values.setdefault(key, "" if value in ("|", ">", "|-", ">-") else _unquoted(value))
        elif key and line.strip():
            values[key] = f"{values[key]} {line.strip()}".strip()
    return values


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _tools(value: str) -> tuple[str, ...]:
    listed = re.split(r",(?![^(]*\))|(?:^|\s)- ", value.strip().strip("[]"))
    names = (_unquoted(name.strip()) for name in listed)
    return tuple(name for name in names if _TOOL.fullmatch(name))[:_MOST_TOOLS]
