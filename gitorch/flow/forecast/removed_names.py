"""Find public names that one branch removes or renames and another one newly uses: no text conflict says so."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from gitorch.flow.forecast.pairs import Branch
from gitorch.git.diff.path_changes import changed_paths
from gitorch.git.repository import Repository
from gitorch.model.forecasts.conflict_forecast import RemovedName
from gitorch.model.naming import Oid, TaskId
from gitorch.syntax import names

_MAX_FILES = 60
"""Files of one branch that are looked at: a branch that changes more is a sweep, and its names say little."""
_MAX_BYTES = 2_000_000
"""Bytes of one branch's files, before and after together, that are read: an agent can commit larger ones."""
_MAX_FOUND = 50


class _File(msgspec.Struct, frozen=True):
    """A changed file, as it was before and as it is now; empty where there is none."""

    path: str
    before: bytes
    after: bytes


def find_removed_names(repository: Repository, branches: Sequence[Branch]) -> tuple[RemovedName, ...]:
    """Return the names that do not fit together, the first ones; none in languages without a grammar.

    A branch that builds on another one has seen what that one removed.
    """
    files = _changed_files(repository, branches)
    fewer, more = _words(files)
    below = _below(branches)
    removals = []
    for name in sorted(fewer.keys() & more.keys()):
        gone = [task for task in fewer[name] if _is_gone(name, files[task])]
        pairs = [(one, other) for one in gone for other in more[name] if _are_apart(one, other, below)]
        for one, other in pairs if pairs else ():
            removed_in, used_in = _removed_in(name, files[one]), _used_in(name, files[other])
            if removed_in and used_in:
                removals.append(
                    RemovedName(name=name, removed_by=one, removed_in=removed_in, used_by=other, used_in=used_in)
                )
    return tuple(removals[:_MAX_FOUND])


def _changed_files(repository: Repository, branches: Sequence[Branch]) -> dict[TaskId, list[_File]]:
    changed = changed_paths(repository, [(branch.base, branch.tip) for branch in branches])
    files: dict[TaskId, list[_File]] = {}
    for branch in branches:
        paths = _paths(changed[branch.base, branch.tip].paths)
        requests = [f"{commit}:{path}" for path in paths for commit in (branch.base, branch.tip)]
        if sum(repository.object_sizes(requests)) > _MAX_BYTES:
            continue
        answers = repository.read_objects(requests)
        contents = [answer.content if answer.kind == "blob" and answer.content else b"" for answer in answers]
        files[branch.task] = [
            _File(path, before, after) for path, before, after in zip(paths, contents[::2], contents[1::2], strict=True)
        ]
    return files


def _paths(changed: Iterable[str]) -> list[str]:
    paths = sorted(path for path in changed if "\n" not in path and names.has_names(path))
    return paths if len(paths) <= _MAX_FILES else []


def _words(files: Mapping[TaskId, Sequence[_File]]) -> tuple[dict[str, list[TaskId]], dict[str, list[TaskId]]]:
    """Return the tasks after which a word is less often in the files they change, and those after which it is more so.

    Only the lines that a branch changes are read: most of a file is the same before and after.
    """
    fewer: dict[str, list[TaskId]] = defaultdict(list)
    more: dict[str, list[TaskId]] = defaultdict(list)
    for task, changed in files.items():
        before, after = Counter[str](), Counter[str]()
        for file in changed:
            old, new = _changed_part(file.before, file.after)
            before += names.count_names(old)
            after += names.count_names(new)
        for name in before - after:
            fewer[name].append(task)
        for name in after - before:
            more[name].append(task)
    return fewer, more


def _changed_part(before: bytes, after: bytes) -> tuple[bytes, bytes]:
    """Return two versions of a file without the lines at their beginning and at their end that are the same."""
    old, new = before.split(b"\n"), after.split(b"\n")
    start = _common_length(old, new)
    old, new = old[start:], new[start:]
    end = _common_length(old[::-1], new[::-1])
    return b"\n".join(old[: len(old) - end]), b"\n".join(new[: len(new) - end])


def _common_length(old: Sequence[bytes], new: Sequence[bytes]) -> int:
    differing = (number for number, (one, other) in enumerate(zip(old, new, strict=False)) if one != other)
    return next(differing, min(len(old), len(new)))


def _is_gone(name: str, files: Iterable[_File]) -> bool:
    return not any(name in names.count_names(file.after) for file in files)


def _removed_in(name: str, files: Iterable[_File]) -> str:
    """Return the file that defined a public name, and is without it now; empty if none did."""
    return next((file.path for file in files if name in names.public_names(file.path, file.before)), "")


def _used_in(name: str, files: Sequence[_File]) -> str:
    """Return the file in whose code a name is new; empty if there is none, or if the branch defines it itself."""
    if any(name in names.public_names(file.path, file.after) for file in files):
        return ""
    return next((file.path for file in files if name in _new_names(file)), "")


def _new_names(file: _File) -> frozenset[str]:
    more = names.count_names(file.after) - names.count_names(file.before)
    return frozenset(more) & names.used_names(file.path, file.after)


def _below(branches: Iterable[Branch]) -> dict[TaskId, frozenset[TaskId]]:
    """Return the tasks that each branch builds on, by its base."""
    by_tip: dict[Oid, Branch] = {branch.tip: branch for branch in branches}
    return {branch.task: frozenset(_stack(branch, by_tip)) for branch in by_tip.values()}


def _stack(branch: Branch, by_tip: Mapping[Oid, Branch]) -> Iterator[TaskId]:
    seen = {branch.task}
    while (branch := by_tip.get(branch.base, branch)).task not in seen:
        seen.add(branch.task)
        yield branch.task


def _are_apart(one: TaskId, other: TaskId, below: Mapping[TaskId, frozenset[TaskId]]) -> bool:
    return one != other and one not in below.get(other, ()) and other not in below.get(one, ())
