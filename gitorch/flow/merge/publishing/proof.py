"""Verify before publishing a merge that the refs will name exactly the planned and checked commits.

It reads the commits from the repository with git alone. Of the plan it uses only the claims: which new commit replaces
which old ones, which commits were dropped, and which trees the checks saw.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from gitorch.flow.merge.planning.dropped_commits import wrongly_dropped
from gitorch.flow.merge.planning.renames import Renames, renames_between
from gitorch.flow.merge.values import MergePlan
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import State, Task, commit_range

Parents = Mapping[Oid, tuple[Oid, ...]]
Paths = Mapping[Oid, frozenset[str]]


class UnexpectedChange(msgspec.Struct, frozen=True):
    """A new commit that changes paths which none of its originals changes."""

    new: Oid
    originals: tuple[Oid, ...]
    paths: frozenset[str]


def faults(repository: Repository, tasks: Mapping[TaskId, Task], plan: MergePlan) -> list[str]:
    """Return the faults of a plan whose commits are in the repository; empty for a sound plan.

    Faults are:

    - a tree that the checks did not see, or on which a check failed
    - a commit between the base and the tip that replaces no original, or whose parent is not the commit before it
    - a commit of a task that is neither merged nor dropped, or was dropped although its change is missing
    - a changed path that the original does not change and that no rename explains

    Runs four git processes, however many tasks there are, and a few more for each task with dropped commits.
    """
    if not plan.steps:
        return []
    parents = _read_parents(repository, tasks, plan)
    paths = _read_paths(repository, plan)
    return [
        *tree_faults(repository.tree(plan.tip), plan),
        *line_faults(plan, parents),
        *commit_faults(tasks, plan, parents),
        *_path_faults(repository, unexpected_changes(plan, paths, parents), paths, parents),
        *wrongly_dropped(repository, plan, parents),
    ]


def tree_faults(tree: Oid, plan: MergePlan) -> Iterator[str]:
    """Yield the checks that saw another tree than the one to be published, or that failed."""
    if plan.verify == "never":
        return
    for result in plan.results:
        if result.tree != tree:
            yield f"check {result.name} ran on the tree {result.tree[:12]}, and {tree[:12]} would be published"
        if not result.passed:
            yield f"check {result.name} did not pass on the tree that would be published"


def line_faults(plan: MergePlan, parents: Parents) -> Iterator[str]:
    """Yield the breaks in the line from the base to the tip: each new commit must follow the one before it."""
    new_commits = dict.fromkeys(new for step in plan.steps for _, new in step.replayed.pairs)
    tip = plan.onto
    for new in new_commits:
        if parents.get(new) != (tip,):
            yield f"the parent of {new[:12]} is not {tip[:12]}"
        tip = new
    if tip != plan.tip:
        yield f"the tip is {plan.tip[:12]}, and the last new commit is {tip[:12]}"


def commit_faults(tasks: Mapping[TaskId, Task], plan: MergePlan, parents: Parents) -> Iterator[str]:
    """Yield the commits of tasks, as git lists them, that the plan neither merges nor drops, and those it adds."""
    covered = _merged_commits(tasks, parents)
    for step in plan.steps:
        base, tip = commit_range(step.task)
        own = _reachable(parents, [tip], _reachable(parents, [base], ()))
        reachable = own - covered
        claimed = {old for old, _ in step.replayed.pairs}
        # a merge commit may be left out: it is claimed if it adds something
        expected = {oid for oid in reachable if len(parents[oid]) < 2 or oid in claimed}
        lost = expected - claimed - {*step.replayed.dropped}
        yield from (f"{step.task.id}: its commit {oid[:12]} is neither merged nor dropped" for oid in sorted(lost))
        yield from (f"{step.task.id}: {oid[:12]} is not one of its commits" for oid in sorted(claimed - own))
        covered |= own


def _merged_commits(tasks: Mapping[TaskId, Task], parents: Parents) -> set[Oid]:
    """Return the own commits of merged tasks: what is below them is another's, and may not be in."""
    merged = [commit_range(task) for task in tasks.values() if task.state is State.MERGED and task.tip]
    own = (_reachable(parents, [tip], _reachable(parents, [base], ())) for base, tip in merged)
    return set[Oid]().union(*own)


def _reachable(parents: Parents, tips: Iterable[Oid], stop: Collection[Oid]) -> set[Oid]:
    """Return the commits reachable from some tips, within the graph, without those in `stop`."""
    reachable: set[Oid] = set()
    pending = [tip for tip in tips if tip in parents and tip not in stop]
    while pending:
        oid = pending.pop()
        if oid not in reachable:
            reachable.add(oid)
            pending += [parent for parent in parents[oid] if parent in parents and parent not in stop]
    return reachable


def unexpected_changes(plan: MergePlan, paths: Paths, parents: Parents) -> list[UnexpectedChange]:
    """Return the new commits that change paths which their originals do not change.

    A merge commit stands for its whole branch: what the replay of that lacks is in the new commit.
    """
    originals: dict[Oid, list[Oid]] = {}
    for step in plan.steps:
        own = [*(old for old, _ in step.replayed.pairs), *step.replayed.dropped]
        for old, new in step.replayed.pairs:
            originals.setdefault(new, []).extend(own if len(parents.get(old, ())) > 1 else [old])
    changes = []
    for new, olds in originals.items():
        extra = paths[new].difference(*(paths[old] for old in olds))
        if extra:
            changes.append(UnexpectedChange(new, tuple(olds), extra))
    return changes


def _path_faults(
    repository: Repository, changes: Sequence[UnexpectedChange], paths: Paths, parents: Parents
) -> Iterator[str]:
    for change, renames in zip(changes, _read_renames(repository, changes, parents), strict=True):
        original_paths = frozenset[str]().union(*(paths[old] for old in change.originals))
        for path in sorted(path for path in change.paths if not renames.explain(path, original_paths, change.paths)):
            yield f"{change.new[:12]} changes {path}, which {', '.join(old[:12] for old in change.originals)} does not"


def _read_renames(repository: Repository, changes: Sequence[UnexpectedChange], parents: Parents) -> list[Renames]:
    """Return the renames that may explain each change, in one process."""
    trees: list[tuple[Oid, Oid]] = []
    for change in changes:
        first, last = change.originals[0], change.originals[-1]
        original_parent = parents[first][0] if parents[first] else first
        trees += [(original_parent, parents[change.new][0]), (original_parent, last)]
    renames = iter(renames_between(repository, trees))
    return [Renames(before, by_task) for before, by_task in zip(renames, renames, strict=True)]


def _read_parents(repository: Repository, tasks: Mapping[TaskId, Task], plan: MergePlan) -> Parents:
    """Return the parents of all commits of the tasks and of the plan that the base does not reach."""
    merged = (task.tip for task in tasks.values() if task.state is State.MERGED and task.tip)
    ends = (oid for step in plan.steps for oid in commit_range(step.task))
    tips = dict.fromkeys([plan.tip, *ends, *merged])
    revisions = "".join(f"{oid}\n" for oid in (*tips, f"^{plan.onto}")).encode()
    lines = repository.git("rev-list", "--parents", "--stdin", input=revisions).text.split("\n")
    commits = ([Oid(word) for word in line.split(" ")] for line in lines if line)
    return {oid: tuple(parents) for oid, *parents in commits}


def _read_paths(repository: Repository, plan: MergePlan) -> Paths:
    """Return the paths that each old and each new commit changes; of a merge, those that differ from any parent."""
    pairs = (oid for step in plan.steps for pair in step.replayed.pairs for oid in pair)
    commits = dict.fromkeys([*pairs, *(oid for step in plan.steps for oid in step.replayed.dropped)])
    listing = "".join(f"{oid}\n" for oid in commits).encode()
    options = ("--stdin", "-m", "--root", "--always", "-r", "-z", "--raw", "--no-renames")
    fields = iter(repository.git("diff-tree", *options, input=listing).fields())
    paths: dict[Oid, set[str]] = {}
    current: set[str] = set()
    for field in fields:
        if field.startswith(":"):
            current.add(next(fields))
        else:
            current = paths.setdefault(Oid(field), set())
    return {oid: frozenset(names) for oid, names in paths.items()}
