"""The proof before a merge is published: what the refs are about to name is what was planned and checked, and no more.

It is computed from the objects in the repository alone, by git, and asks neither the plan's engine nor its values
more than what it claims: which new commit stands for which old ones, what was dropped, and what the checks saw.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

import msgspec

from gitorch.flow.merge.dropped_commits import unfounded
from gitorch.flow.merge.values import Plan
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import State, Task, commit_range

Parents = Mapping[Oid, tuple[Oid, ...]]
Paths = Mapping[Oid, frozenset[str]]


class Stray(msgspec.Struct, frozen=True):
    """A new commit that changes paths which none of the commits that it stands for changes."""

    new: Oid
    olds: tuple[Oid, ...]
    paths: frozenset[str]


def faults(repository: Repository, tasks: Mapping[TaskId, Task], made: Plan) -> list[str]:
    """Return all that is wrong with a plan whose commits are in the repository; empty for a plan that holds.

    Wrong is: a tree that the checks did not see, or saw red; a commit between the base and the tip that stands for
    none, or is not on the one before it; an own commit of a task that is neither merged nor dropped, or dropped though
    what it changes is not there; a change of paths that the original does not change, and no rename explains. Four
    processes of git, however many tasks, and a few more for each task of which something was dropped.
    """
    if not made.steps:
        return []
    graph = _graph(repository, tasks, made)
    paths = _paths(repository, made)
    strays = _strays(made, paths)
    return [
        *_tree_faults(repository, made),
        *_line_faults(made, graph),
        *_own_faults(tasks, made, graph),
        *_path_faults(repository, strays, paths, graph),
        *unfounded(repository, made, graph),
    ]


def _tree_faults(repository: Repository, made: Plan) -> Iterator[str]:
    if made.verify == "never":
        return
    tree = repository.tree(made.tip)
    for result in made.results:
        if result.tree != tree:
            yield f"check {result.name} judged the tree {result.tree[:12]}, and {tree[:12]} would be published"
        if not result.passed:
            yield f"check {result.name} did not pass on the tree that would be published"


def _line_faults(made: Plan, graph: Parents) -> Iterator[str]:
    """Follow the line from the tip to the base: it must be the new commits, each on the one before it."""
    line = list(dict.fromkeys(new for step in made.steps for _, new in step.replayed.pairs))
    here = made.onto
    for new in line:
        if graph.get(new) != (here,):
            yield f"{new[:12]} does not stand on {here[:12]}"
        here = new
    if here != made.tip:
        yield f"the tip is {made.tip[:12]}, and the last new commit is {here[:12]}"


def _own_faults(tasks: Mapping[TaskId, Task], made: Plan, graph: Parents) -> Iterator[str]:
    """Each own commit, as git tells them, is merged or dropped, and nothing else is."""
    merged = [task.tip for task in tasks.values() if task.state is State.MERGED and task.tip]
    gone = _reached(graph, merged, ())
    for step in made.steps:
        base, tip = commit_range(step.task)
        others = _reached(graph, [base], ())
        reached = _reached(graph, [tip], gone | others)
        own = {oid for oid in reached if len(graph[oid]) < 2}
        told = {old for old, _ in step.replayed.pairs}
        lost = own - told - {*step.replayed.dropped}
        yield from (f"{step.task.id}: its commit {oid[:12]} is neither merged nor dropped" for oid in sorted(lost))
        yield from (f"{step.task.id}: {oid[:12]} is not one of its commits" for oid in sorted(told - own))
        gone |= reached


def _reached(graph: Parents, tips: Iterable[Oid], stop: Collection[Oid]) -> set[Oid]:
    """Return what is reached from some commits, within the graph, up to where others have been."""
    found: set[Oid] = set()
    fresh = [tip for tip in tips if tip in graph and tip not in stop]
    while fresh:
        oid = fresh.pop()
        if oid not in found:
            found.add(oid)
            fresh += [parent for parent in graph[oid] if parent in graph and parent not in stop]
    return found


def _graph(repository: Repository, tasks: Mapping[TaskId, Task], made: Plan) -> Parents:
    """Return all commits of the tasks and of the plan that the base does not reach, with their parents."""
    merged = (task.tip for task in tasks.values() if task.state is State.MERGED and task.tip)
    ends = (oid for step in made.steps for oid in commit_range(step.task))
    wanted = dict.fromkeys([made.tip, *ends, *merged])
    asked = "".join(f"{oid}\n" for oid in (*wanted, f"^{made.onto}")).encode()
    lines = repository.git("rev-list", "--parents", "--stdin", input=asked).text.split("\n")
    words = ([Oid(word) for word in line.split(" ")] for line in lines if line)
    return {oid: tuple(parents) for oid, *parents in words}


def _paths(repository: Repository, made: Plan) -> Paths:
    """Return the paths that each old and each new commit changes."""
    both = dict.fromkeys(oid for step in made.steps for pair in step.replayed.pairs for oid in pair)
    asked = "".join(f"{oid}\n" for oid in both).encode()
    options = ("--stdin", "--root", "--always", "-r", "-z", "--raw", "--no-renames")
    fields = iter(repository.git("diff-tree", *options, input=asked).fields())
    found: dict[Oid, set[str]] = {}
    here: set[str] = set()
    for field in fields:
        if field.startswith(":"):
            here.add(next(fields))
        else:
            here = found.setdefault(Oid(field), set())
    return {oid: frozenset(names) for oid, names in found.items()}


def _strays(made: Plan, paths: Paths) -> list[Stray]:
    olds: dict[Oid, list[Oid]] = {}
    for old, new in (pair for step in made.steps for pair in step.replayed.pairs):
        olds.setdefault(new, []).append(old)
    found = []
    for new, stand in olds.items():
        beside = paths[new].difference(*(paths[old] for old in stand))
        if beside:
            found.append(Stray(new, tuple(stand), beside))
    return found


def _path_faults(repository: Repository, strays: Sequence[Stray], paths: Paths, graph: Parents) -> Iterator[str]:
    for stray, moved in zip(strays, _moved(repository, strays, graph), strict=True):
        wanted = frozenset[str]().union(*(paths[old] for old in stray.olds))
        for path in sorted(path for path in stray.paths if not moved.explains(path, wanted, stray.paths)):
            yield f"{stray.new[:12]} changes {path}, which {', '.join(old[:12] for old in stray.olds)} does not"


class Moves(msgspec.Struct, frozen=True):
    """What was renamed, from and to: since the original's parent by others, and by the original itself."""

    others: tuple[tuple[str, str], ...]
    own: tuple[tuple[str, str], ...]

    def explains(self, path: str, wanted: Collection[str], beside: Collection[str]) -> bool:
        """Tell whether renames make one of the `wanted` paths of the original this one, or take a file of others along.

        A file that is taken along is gone in one folder and new in the other: both paths are `beside` it.
        """
        if any(to == path and here in wanted for here, to in self.others):
            return True
        if any((rest := _below(path, to)) is not None and here + rest in wanted for here, to in _folders(self.others)):
            return True
        both = [pair for here, to in _folders(self.own) for pair in ((here, to), (to, here))]
        return any((rest := _below(path, here)) is not None and to + rest in beside for here, to in both)


def _moved(repository: Repository, strays: Sequence[Stray], graph: Parents) -> list[Moves]:
    """Return the renames that may explain each stray, in one process."""
    if not strays:
        return []
    lines: list[str] = []
    for stray in strays:
        first, last = stray.olds[0], stray.olds[-1]
        parent = graph[first][0] if graph[first] else first
        lines += [f"{graph[stray.new][0]} {parent}", f"{last} {parent}"]
    options = ("--stdin", "--always", "-r", "-z", "--raw", "-M", "-l0")
    fields = iter(repository.git("diff-tree", *options, input="".join(f"{line}\n" for line in lines).encode()).fields())
    found: list[list[tuple[str, str]]] = []
    for field in fields:
        if not field.startswith(":"):
            found.append([])
        elif field.rpartition(" ")[2].startswith("R"):
            found[-1].append((next(fields), next(fields)))
        else:
            next(fields)
    pairs = iter(found)
    return [Moves(tuple(others), tuple(own)) for others, own in zip(pairs, pairs, strict=True)]


def _folders(renames: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return which folders became which, each with a slash at its end ("" is the top), as far as renames tell."""
    found: set[tuple[str, str]] = set()
    for here, to in renames:
        old, new = PurePosixPath(here).parent, PurePosixPath(to).parent
        while old != new:
            found.add((_slashed(old), _slashed(new)))
            if old.name != new.name or not old.name:
                break
            old, new = old.parent, new.parent
    return found


def _slashed(folder: PurePosixPath) -> str:
    return "" if folder == PurePosixPath() else f"{folder}/"


def _below(path: str, folder: str) -> str | None:
    return path[len(folder) :] if path.startswith(folder) else None
