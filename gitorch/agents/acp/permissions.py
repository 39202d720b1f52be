"""What an ACP agent that asks for permission may do: everything in its worktree, only read there, or everything."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from gitorch.agents import streams
from gitorch.agents.streams import Record, object_at, objects_at, text_at

Policy: TypeAlias = Literal["worktree", "readonly", "read-and-run", "full"]
"""What is allowed: `read-and-run` adds commands to `readonly`, for a box in which these cannot write the files."""

POLICIES: tuple[Policy, ...] = ("worktree", "readonly", "read-and-run", "full")

_READING = frozenset({"read", "search", "think", "fetch"})
_PATHS = ("path", "file_path", "abs_path", "absolute_path")


def outside(tool_call: Record, worktree: Path) -> list[str]:
    """Return the paths of a tool call that lie outside of `worktree`, through links too."""
    root = os.path.realpath(worktree)
    paths = dict.fromkeys(_paths(tool_call))
    return [path for path in paths if not _is_within(os.path.realpath(Path(root, path)), root)]


def allows(policy: Policy, tool_call: Record, worktree: Path) -> bool:
    """Return whether a tool call may go on.

    In the mode `worktree`, a command may: no path of it is known, and the sandbox confines it. When only reading is
    allowed, a call of a kind that is not known to read may not.
    """
    if policy == "full":
        return True
    if is_reader(policy):
        kinds = _READING | {"execute"} if policy == "read-and-run" else _READING
        if text_at(tool_call, "kind") not in kinds:
            return False
    return not outside(tool_call, worktree)


def is_reader(policy: Policy) -> bool:
    """Return whether a policy allows reading only: nobody can allow more while the agent works."""
    return policy in ("readonly", "read-and-run")


def chosen(options: Sequence[Record], *, allowed: bool) -> str:
    """Return the id of the option that allows or rejects a tool call this once; "" if there is none."""
    kinds = ("allow_once", "allow_always") if allowed else ("reject_once", "reject_always")
    by_kind = {text_at(option, "kind"): text_at(option, "optionId") for option in reversed(options)}
    return next((by_kind[kind] for kind in kinds if kind in by_kind), "")


def question(tool_call: Record, worktree: Path) -> str:
    """Return what a person has to decide."""
    call = described(tool_call)
    places = ", ".join(place for place in outside(tool_call, worktree) if place not in call)
    return streams.one_line(f"May it do this outside of its worktree: {call}{f' ({places})' if places else ''}?")


def described(tool_call: Record) -> str:
    """Return a tool call in a few words."""
    title = text_at(tool_call, "title") or text_at(tool_call, "kind") or "a tool call"
    return streams.one_line(title)


def identity(tool_call: Record, worktree: Path) -> str:
    """Return a name of what a tool call does, to know it again when a person has decided."""
    parts = [text_at(tool_call, "kind"), text_at(tool_call, "title"), *sorted(outside(tool_call, worktree))]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _paths(tool_call: Record) -> Iterator[str]:
    for place in (*objects_at(tool_call, "locations"), *objects_at(tool_call, "content")):
        yield text_at(place, "path")
    for name in _PATHS:
        yield text_at(object_at(tool_call, "rawInput"), name)


def _is_within(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)
