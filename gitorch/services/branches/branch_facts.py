"""What the commits of branches say of themselves, read once for each base and tip, and kept.

A branch that is listed again costs no git process. The record is sealed with the user's key, so that nothing in a
sandbox can take a signal out of it. It is never needed: one that is missing, forged, or made by other rules is ignored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec

from gitorch import data, typed
from gitorch.flow import review
from gitorch.flow.review import BranchFacts
from gitorch.git.collecting import credentials
from gitorch.git.diff import file_changes
from gitorch.model.credentials import scan
from gitorch.model.naming import Oid
from gitorch.model.task import commit_range
from gitorch.services.workspace import Workspace
from gitorch.storage import atomic, seals

_FILE = "branch-facts.json"
_RULES = (review, data, credentials, scan, file_changes)

Range = tuple[Oid, Oid]


class _Record(msgspec.Struct, frozen=True):
    """What is kept: by `base..tip`, as long as the rules are the same."""

    rules: str
    facts: dict[str, BranchFacts]


def branch_facts(workspace: Workspace, ranges: Iterable[Range]) -> dict[Range, BranchFacts]:
    """Return what the commits of these branches say, each from base to tip."""
    wanted = [*dict.fromkeys(ranges)]
    known = _read(workspace.folder)
    facts = {pair: known[_name(pair)] for pair in wanted if _name(pair) in known}
    missing = [pair for pair in wanted if pair not in facts]
    if not missing:
        return facts
    changes = file_changes.file_changes(workspace.repository, missing)
    try:
        for pair in missing:
            facts[pair] = review.branch_facts(workspace.repository, *pair, changes.get(pair, ()))
    finally:  # what was read before somebody lost patience is kept
        _write(workspace, known, facts)
    return facts


def _name(pair: Range) -> str:
    return f"{pair[0]}..{pair[1]}"


def _read(folder: Path) -> dict[str, BranchFacts]:
    sealed = atomic.read_or_empty(folder / _FILE)
    content = seals.unseal(sealed, _key()) if sealed else None
    if content is None:
        return {}
    with suppress(msgspec.DecodeError):  # an earlier version wrote it
        record = typed.from_json(content, _Record)
        return record.facts if record.rules == _rules() else {}
    return {}


def _write(workspace: Workspace, known: dict[str, BranchFacts], new: dict[Range, BranchFacts]) -> None:
    """Keep what is new, and what was known of the branches that tasks have now."""
    names = {_name(commit_range(task)) for task in workspace.tasks.values() if task.tip}
    facts = {name: entry for name, entry in known.items() if name in names}
    facts |= {_name(pair): entry for pair, entry in new.items() if _is_text(entry)}
    record = _Record(_rules(), facts)
    with suppress(OSError):  # on a disk that is full or cannot be written, it is read again
        atomic.replace(
            workspace.folder / _FILE, seals.seal(msgspec.json.encode(record), _key()), durable=False, concurrent=True
        )


def _is_text(entry: BranchFacts) -> bool:
    """Return whether JSON can hold it: a path may be no UTF-8."""
    try:
        msgspec.json.encode(entry)
    except UnicodeEncodeError:
        return False
    return True


@cache
def _rules() -> str:
    """Return what changes with any rule by which a branch is judged."""
    digest = hashlib.blake2b(digest_size=16)
    for module in _RULES:
        file = Path(module.__file__ or "")
        files = file.parent.iterdir() if file.name == "__init__.py" else [file]
        for path in sorted(path for path in files if path.suffix in (".py", ".toml")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _key() -> bytes:
    return seals.derived_key("branch facts")
