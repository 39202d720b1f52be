"""Names: object ids, branches, task ids, and refs."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Collection
from typing import NewType

from gitorch.errors import InvalidInput

Oid = NewType("Oid", str)
"""A full object id in hexadecimal: 40 digits (SHA-1) or 64 (SHA-256)."""

Ref = NewType("Ref", str)
"""A full reference name: `refs/...`."""

TaskId = NewType("TaskId", str)
"""A task's slug: `add-a-users-table`."""

NOTES = Ref("refs/notes/gitorch")
OWN_REFS = "refs/gitorch/"

RESERVED = frozenset({"integration", "candidate", "all"})
"""Names of gitorch's own branches, and words of its command line."""

REMEMBERED_FOLDER = "gitorch-folder"
"""A file in the git folder of each worktree that gitorch made."""

EXECUTION_VARIABLE = "GITORCH_EXECUTION"
"""The environment variable that names a process's execution: its folder."""

LONGEST_ID = 50
_ID = re.compile(r"[a-z0-9][a-z0-9-]*")


def slug(title: str, existing: Collection[str] = ()) -> TaskId:
    """Make a task id from a title: ASCII letters, digits and dashes, at most 50, not among `existing`.

    Titles in other scripts are transliterated, and a title that is a number becomes `task-` and the number.
    """
    words = re.findall(r"[a-z0-9]+", _in_ascii(title).lower().replace("'", ""))
    name = ""
    for word in words:
        longer = f"{name}-{word}" if name else word[:LONGEST_ID]
        if len(longer) > LONGEST_ID:
            break
        name = longer
    # a number alone would stand for the task with that number, too
    return unused(f"task-{name}"[:LONGEST_ID] if name.isdigit() else name or "task", existing)


def _in_ascii(title: str) -> str:
    """Return a title in ASCII: without accents and symbols, and with letters of other scripts transliterated."""
    text = unicodedata.normalize("NFKD", title)
    if not is_foreign(text):
        return text.encode("ascii", "ignore").decode()
    # not at the top: it takes 30 ms, and few titles need it
    import anyascii

    return "".join(_letter_in_ascii(letter, anyascii.anyascii) for letter in unicodedata.normalize("NFKC", title))


def _letter_in_ascii(letter: str, transliterate: Callable[[str], str]) -> str:
    if letter.isascii():
        return letter
    if not letter.isalnum():
        return " " if letter.isspace() or unicodedata.category(letter).startswith("P") else ""
    # each ideograph is a syllable of its own
    return f" {transliterate(letter)} " if _is_ideograph(letter) else transliterate(letter)


def _is_ideograph(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith("CJK ")


def is_foreign(text: str) -> bool:
    """Return whether an id made from a text does not show it: it has letters that are not Latin, or none at all."""
    letters = [letter for letter in unicodedata.normalize("NFKD", text) if letter.isalnum()]
    return not letters or any(not letter.isascii() for letter in letters)


NOT_UTF8_FIX = "git branch -m OLD NEW"
"""How a branch gets a name that is UTF-8."""


def is_utf8(name: str) -> bool:
    """Return whether a name of git (decoded with `surrogateescape`) is UTF-8: tasks and notes can hold no other."""
    return not any("\udc80" <= character <= "\udcff" for character in name)


def unused(name: str, existing: Collection[str]) -> TaskId:
    """Return `name`, or `name-2`, `name-3`, ... when it is taken or reserved."""
    if name not in existing and name not in RESERVED:
        return TaskId(name)
    numbered = (_numbered(name, number) for number in itertools.count(2))
    return next(name for name in numbered if name not in existing)


def _numbered(name: str, number: int) -> TaskId:
    end = f"-{number}"
    return TaskId(name[: LONGEST_ID - len(end)].rstrip("-") + end)


def task_id(text: str) -> TaskId:
    """Return `text` as a task id, or raise `InvalidInput`: ids are valid in files, branches and shells."""
    if not _ID.fullmatch(text) or len(text) > LONGEST_ID or text.endswith("-") or text in RESERVED:
        raise InvalidInput(
            "task-id",
            f"{text!r} cannot be a task's name",
            why=f"a name has at most {LONGEST_ID} lowercase letters, digits and dashes; "
            f"{', '.join(sorted(RESERVED))} are reserved",
            fix=(f"{slug(text)} is a valid name",),
        )
    return TaskId(text)


def branch_ref(branch: str) -> Ref:
    """Return the full name of a branch."""
    return Ref(f"refs/heads/{branch}")


def attempt_ref(task: str, number: int) -> Ref:
    """Return the ref that keeps an earlier attempt's tip."""
    return Ref(f"{OWN_REFS}attempts/{task}/{number}")


def rescue_ref(task: str) -> Ref:
    """Return the ref of a task's rescued uncommitted work."""
    return Ref(f"{OWN_REFS}rescue/{task}")


def trash_ref(task: str, stamp: str) -> Ref:
    """Return the ref that keeps a deleted branch for undo."""
    return Ref(f"{OWN_REFS}trash/{task}/{stamp}")


def check_ref(name: str) -> Ref:
    """Return the one ref that programs in a worktree for checks may move: gitorch never makes or reads it."""
    return Ref(f"{OWN_REFS}checks/{name}")


def conflict_ref(task: str) -> Ref:
    """Return the ref of a task's conflict commit."""
    return Ref(f"{OWN_REFS}standoff/{task}")


def original_ref(branch: str, tip: str) -> Ref:
    """Return the ref that keeps the original tip of a replayed branch."""
    return Ref(f"{OWN_REFS}orig/{branch}/{tip[:12]}")


def task_of_key(key: str) -> str:
    """Return the task that an execution belongs to; empty if it is not part of an attempt."""
    parts = key.split("/")
    return parts[1] if parts[0] == "attempts" and len(parts) > 2 else ""
