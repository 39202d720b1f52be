"""Rebuild tasks from branches and notes after the task file and its journal were lost."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence

import msgspec

from gitorch.config import Config
from gitorch.git.notes import note_store
from gitorch.git.repository import Repository
from gitorch.model import naming, noted_task
from gitorch.model.naming import Oid, branch_ref
from gitorch.model.note import Line, MergedNote
from gitorch.model.task import State, Task
from gitorch.rooms.paths import worktree_path


def tasks_from_branches(repository: Repository, config: Config) -> list[Task]:
    """Return the tasks that the task branches and the notes of a repository describe."""
    prefix = config.prefix
    refs = repository.refs(f"refs/heads/{prefix}" if prefix.endswith("/") else f"refs/heads/{prefix}**")
    lines = note_store.read_all(repository)
    merged = {line.note.task for noted in lines.values() for line in noted if isinstance(line.note, MergedNote)}
    tasks = []
    for number, (ref, tip) in enumerate(sorted(refs.items()), start=1):
        branch = ref.removeprefix("refs/heads/")
        name = branch.removeprefix(prefix)
        if name not in naming.RESERVED and branch != config.integration:
            task = noted_task.read_task(name, number, branch, tip, _merge_base(repository, tip), lines.get(tip, ()))
            if name in merged and task.state is not State.REJECTED:
                task = msgspec.structs.replace(task, state=State.MERGED)
            tasks.append(_with_worktree(repository, config, task))
    names = {task.id for task in tasks}
    return _renumbered([*tasks, *(task for task in _adopted(repository, lines, merged) if task.id not in names)])


def known_tasks(repository: Repository, config: Config) -> list[Task]:
    """Return the tasks that branches and notes describe, without those of which no note says how they ended."""
    return [task for task in tasks_from_branches(repository, config) if task.reason != noted_task.UNKNOWN_END]


def _adopted(repository: Repository, lines: Mapping[Oid, Sequence[Line]], merged: Container[str]) -> Iterator[Task]:
    """Yield the adopted tasks, whose branches can have any name."""
    branches = repository.refs("refs/heads")
    for tip, noted in lines.items():
        task = noted_task.read_adopted(noted, tip)
        if task is not None and branch_ref(task.branch) in branches:
            is_merged = task.id in merged and task.state is not State.REJECTED
            yield msgspec.structs.replace(task, state=State.MERGED) if is_merged else task


def _with_worktree(repository: Repository, config: Config, task: Task) -> Task:
    path = worktree_path(repository, config, task.id)
    return msgspec.structs.replace(task, worktree=str(path)) if path.is_dir() else task


def _merge_base(repository: Repository, tip: Oid) -> Oid | None:
    head = repository.resolve("HEAD")
    answer = repository.git("merge-base", head, tip, ok=(0, 1)) if head else None
    return Oid(answer.text) if answer and answer.code == 0 else None


def _renumbered(tasks: Sequence[Task]) -> list[Task]:
    """Give a free number to each task whose number is already used."""
    used: set[int] = set()
    renumbered = []
    for task in sorted(tasks, key=lambda task: task.number):
        number = task.number if task.number not in used else max(used) + 1
        used.add(number)
        renumbered.append(msgspec.structs.replace(task, number=number))
    return renumbered
