"""Calls that one side copies and the other side extends: the copy would lack what was added."""

from __future__ import annotations

from collections import Counter

from gitorch.syntax import words
from gitorch.syntax.nodes import Node
from gitorch.syntax.scopes import Versions, functions_of

# a new call is a copy from this share of common tokens on
_COPY = 0.6

Calls = Counter[tuple[bytes, bytes]]


def copied_call_changed(versions: Versions, unchanged: frozenset[bytes]) -> str | None:
    """Return which call one side has once more, in a function where the other side adds to its arguments."""
    base, *sides = (dict(functions_of(version, unchanged)) for version in versions)
    for path, function in base.items():
        changed = [side[path] for side in sides if path in side]
        if len(changed) != 2:
            continue
        before, first, second = (_calls(node) for node in (function, *changed))
        name = _copied(before, first, second) or _copied(before, second, first)
        if name is not None:
            return f"a call of “{name.decode('utf-8', 'replace')}” is copied, and the other side adds to its arguments"
    return None


def _copied(before: Calls, copying: Calls, extending: Calls) -> bytes | None:
    """Return the function of a call that one side extends and of which the other side has a copy."""
    for name, text in before - extending:
        is_extended = any(
            name == function and len(longer) > len(text) and words.contained(text, longer) == 1
            for function, longer in extending - before
        )
        if not is_extended or (name, text) in before - copying:
            continue
        copies = [new for function, new in copying - before if function == name]
        if any(words.shared(text, new) >= _COPY for new in copies):
            return name
    return None


def _calls(function: Node) -> Calls:
    """Return how often each call is in a function: the function that is called, and the whole call."""
    calls: Calls = Counter()
    for node in function.descendants():
        field = node.language.calls.get(node.kind)
        called = None if field is None else node.by_field(field)
        if called is not None:
            calls[called.text, b" ".join(words.tokens(node.text))] += 1
    return calls
