"""Existing branches as finished tasks: which they are, what is their own, and which of them build on others.

However many branches there are, git is asked a fixed number of times.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from gitorch.config import Config
from gitorch.errors import NotFound, Refused, there_is
from gitorch.git.repository import Commit, Repository
from gitorch.model.globs import matches_name
from gitorch.model.naming import Oid, Ref, TaskId, branch_ref, slug
from gitorch.model.redact import redacted
from gitorch.model.task import DONE, Commits, State, Task, TaskSpec, urgency

_HEADS, _REMOTES = "refs/heads/", "refs/remotes/"
_GLOB = frozenset("*?[")
_TOLD = 20
_DROPPED = frozenset({State.REJECTED, State.CANCELLED})
_OVER = _DROPPED | {State.MERGED}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A branch that was asked for: its name as people write it, and whether it was named alone, and not by a glob."""

    name: str
    ref: Ref
    tip: Oid
    named: bool = True

    @property
    def is_local(self) -> bool:
        return self.ref.startswith(_HEADS)


class Left(msgspec.Struct, frozen=True):
    """A branch that is not adopted, and why."""

    branch: Found
    reason: str


class CommitRange(msgspec.Struct, frozen=True, kw_only=True):
    """What a branch adds: its own commits, newest first, the tips that it builds on, and where it left the base."""

    branch: Found
    commits: tuple[Oid, ...]
    stands_on: tuple[Oid, ...]
    bottoms: tuple[Oid, ...]


class Study(msgspec.Struct, frozen=True):
    """Branches that can be adopted, and those that cannot."""

    own: tuple[CommitRange, ...]
    left: tuple[Left, ...]


def find(repository: Repository, patterns: Sequence[str]) -> list[Found]:
    """Return the local and remote-tracking branches that names and globs mean, each once.

    Raises `NotFound`, with near misses, for one that means none.
    """
    known = _branches(repository)
    found: dict[Ref, Found] = {}
    for pattern in patterns:
        matches = _matching(pattern, known)
        if not matches:
            raise _no_branch(pattern, known)
        for one in matches:
            found[one.ref] = one if one.named or one.ref not in found else found[one.ref]
    return list(found.values())


def _branches(repository: Repository) -> dict[str, Found]:
    """Return all branches by name; where a local one and a remote-tracking one share a name, the local one."""
    options = ("--format=%(objectname) %(refname) %(symref)", _HEADS, _REMOTES)
    lines = repository.git("for-each-ref", *options).text.split("\n")
    rows = (line.split(" ") for line in lines if line)
    every = [(Ref(ref), Oid(oid)) for oid, ref, symref in rows if not symref]
    ordered = sorted(every, key=lambda row: not row[0].startswith(_REMOTES))
    return {(name := _short(ref)): Found(name=name, ref=ref, tip=oid) for ref, oid in ordered}


def _short(ref: Ref) -> str:
    return ref.removeprefix(_HEADS) if ref.startswith(_HEADS) else ref.removeprefix(_REMOTES)


def _matching(pattern: str, known: Mapping[str, Found]) -> list[Found]:
    exact = known.get(pattern) or known.get(_short(Ref(pattern)))
    if exact is not None:
        return [exact]
    if not _GLOB.intersection(pattern):
        return []
    names = sorted(name for name in known if matches_name(name, pattern))
    return [msgspec.structs.replace(known[name], named=False) for name in names]


def _no_branch(pattern: str, known: Mapping[str, Found]) -> NotFound:
    return NotFound(
        "no-branch",
        f"there is no branch {pattern}",
        why=there_is(pattern, known),
        fix=("git branch --all",),
    )


def study(
    repository: Repository, config: Config, found: Sequence[Found], tasks: Mapping[TaskId, Task], limits: Sequence[Oid]
) -> Study:
    """Say what each branch adds to `limits` (commits of the base and the integration branch), and which cannot be
    adopted.
    """
    left, fresh = _apart(config, found, tasks)
    graph = _graph(repository, [one.tip for one in fresh], limits)
    empty = "it has no commits of its own: all of them are in the base, or on the integration branch"
    left += [Left(one, empty) for one in fresh if one.tip not in graph]
    wanted = [one for one in fresh if one.tip in graph]
    others = {task.tip for task in tasks.values() if task.state in DONE and task.tip}
    order = {oid: at for at, oid in enumerate(graph)}
    while True:
        tips = others | {one.tip for one in wanted}
        own = [_own(one, graph, order, tips) for one in wanted]
        unrelated = [one.branch for one in own if not one.bottoms and not one.stands_on]
        if not unrelated:
            return Study(tuple(_without_implied(own)), tuple(left))
        left += [Left(one, "it shares no history with the base") for one in unrelated]
        wanted = [one for one in wanted if one not in unrelated]


def _apart(config: Config, found: Sequence[Found], tasks: Mapping[TaskId, Task]) -> tuple[list[Left], list[Found]]:
    """Tell branches that stand for something already from those that do not."""
    branches = {branch_ref(task.branch): task for task in tasks.values() if task.branch and task.state not in _OVER}
    held = {task.tip: f"the task {task.id}" for task in tasks.values() if task.tip and task.state not in _DROPPED}
    ours = {branch_ref(config.integration), branch_ref(f"{config.prefix}candidate")}
    left: list[Left] = []
    fresh: list[Found] = []
    for one in found:
        if one.ref in ours:
            left.append(Left(one, "it is gitorch's own"))
        elif one.ref in branches:
            left.append(Left(one, f"it is the branch of the task {branches[one.ref].id}"))
        elif one.tip in held:
            left.append(Left(one, f"it is at the same commit as {held[one.tip]}"))
        else:
            held[one.tip] = one.name
            fresh.append(one)
    return left, fresh


Graph = Mapping[Oid, tuple[Oid, ...]]
"""Commits and their parents, each commit before its parents."""


def _graph(repository: Repository, tips: Sequence[Oid], limits: Sequence[Oid]) -> Graph:
    asked = "".join([*(f"{tip}\n" for tip in tips), *(f"^{limit}\n" for limit in limits)]).encode()
    lines = repository.git("rev-list", "--topo-order", "--parents", "--stdin", input=asked).text.split("\n")
    rows = (line.split(" ") for line in lines if line)
    return {Oid(oid): tuple(map(Oid, parents)) for oid, *parents in rows}


def _own(branch: Found, graph: Graph, order: Mapping[Oid, int], tips: Collection[Oid]) -> CommitRange:
    """Walk from a branch's tip down to the base, or to what it stands on."""
    seen: set[Oid] = set()
    stands_on: set[Oid] = set()
    bottoms: set[Oid] = set()
    waiting = [branch.tip]
    while waiting:
        commit = waiting.pop()
        if commit in seen:
            continue
        if commit not in graph:
            bottoms.add(commit)
        elif commit in tips and commit != branch.tip:
            stands_on.add(commit)
        else:
            seen.add(commit)
            waiting += graph[commit]
    newest = sorted(seen, key=order.__getitem__)
    return CommitRange(
        branch=branch,
        commits=tuple(newest),
        stands_on=tuple(sorted(stands_on, key=order.__getitem__)),
        bottoms=tuple(sorted(bottoms)),
    )


def _without_implied(own: Sequence[CommitRange]) -> Iterator[CommitRange]:
    """Leave out what a branch stands on by way of another that it stands on."""
    below = {one.branch.tip: one.stands_on for one in own}
    for one in own:
        implied: set[Oid] = set()
        waiting = [tip for other in one.stands_on for tip in below.get(other, ())]
        while waiting:
            tip = waiting.pop()
            if tip not in implied:
                implied.add(tip)
                waiting += below.get(tip, ())
        yield msgspec.structs.replace(one, stands_on=tuple(tip for tip in one.stands_on if tip not in implied))


def refuse_named(left: Iterable[Left]) -> None:
    """Raise `Refused` for branches that were named and cannot be adopted; what a glob matched is only left out."""
    named = [one for one in left if one.branch.named]
    if named:
        first = named[0]
        raise Refused(
            "not-adoptable",
            f"{first.branch.name} cannot be adopted: {first.reason}",
            why="; ".join(f"{one.branch.name}: {one.reason}" for one in named[1:]),
            fix=(f"git log --oneline {first.branch.name}", "orchestrate adopt BRANCH --base REF"),
        )


def bases(repository: Repository, own: Sequence[CommitRange]) -> dict[Oid, Oid]:
    """Return the base of each branch, by its tip: the tip that it stands on, or where it left the base last."""
    found = {one.branch.tip: one.stands_on[0] for one in own if one.stands_on}
    forks = {one.branch.tip: one.bottoms for one in own if not one.stands_on}
    several = sorted({oid for bottoms in forks.values() if len(bottoms) > 1 for oid in bottoms})
    order = _newest_first(repository, several)
    return found | {tip: min(bottoms, key=lambda oid: order.get(oid, len(order))) for tip, bottoms in forks.items()}


def _newest_first(repository: Repository, commits: Sequence[Oid]) -> dict[Oid, int]:
    """Return the places of commits in an order in which none comes after what it descends from."""
    if not commits:
        return {}
    shared = repository.git("merge-base", "--octopus", "--all", *commits[:_OCTOPUS], ok=(0, 1)).text.split()
    limits = shared if len(commits) <= _OCTOPUS else []
    asked = "".join([*(f"{oid}\n" for oid in commits), *(f"^{oid}\n" for oid in limits)]).encode()
    lines = repository.git("rev-list", "--topo-order", "--stdin", input=asked).text.split("\n")
    wanted = set(commits)
    return {oid: at for at, oid in enumerate(Oid(line) for line in lines) if oid in wanted}


_OCTOPUS = 500  # so many fit on a command line


def tasks_of(
    repository: Repository,
    config: Config,
    own: Sequence[CommitRange],
    tasks: Mapping[TaskId, Task],
    taken: Collection[str],
    after: Sequence[TaskId],
) -> list[Task]:
    """Return the finished tasks that branches become, those that others build on first."""
    ids = _ids([one.branch for one in own], taken)
    by_tip = {task.tip: task.id for task in sorted(tasks.values(), key=urgency) if task.state in DONE and task.tip}
    by_tip |= {one.branch.tip: name for one, name in zip(own, ids, strict=True)}
    based = bases(repository, own)
    told = _messages(repository, own)
    first = max((task.number for task in tasks.values()), default=0) + 1
    number = {tip: first + at for at, tip in enumerate(_bottom_up(own))}
    now = datetime.now(UTC).replace(microsecond=0)
    made = [
        Task(
            id=name,
            number=number[one.branch.tip],
            spec=TaskSpec(
                title=_title(one, told),
                prompt=_prompt(one, told),
                after=tuple(dict.fromkeys([*(by_tip[tip] for tip in one.stands_on), *after])),
                created=now,
            ),
            state=State.FINISHED,
            branch=one.branch.name if one.branch.is_local else config.branch_of(name),
            commits=Commits(based[one.branch.tip], one.branch.tip),
            adopted=True,
        )
        for one, name in zip(own, ids, strict=True)
    ]
    return sorted(made, key=lambda task: task.number)


def _ids(branches: Sequence[Found], taken: Collection[str]) -> list[TaskId]:
    """Name tasks after the last part of their branches' names, or after the whole where that is taken."""
    last = [slug(one.name.rpartition("/")[2]) for one in branches]
    used = set(taken)
    ids = []
    for one, short in zip(branches, last, strict=True):
        free = last.count(short) == 1 and short not in used
        ids.append(slug(short if free else one.name, used))
        used.add(ids[-1])
    return ids


def _bottom_up(own: Sequence[CommitRange]) -> list[Oid]:
    """Return the tips in the order asked for, but each after those that it stands on."""
    import graphlib

    mine = {one.branch.tip for one in own}
    return list(
        graphlib.TopologicalSorter(
            {one.branch.tip: [tip for tip in one.stands_on if tip in mine] for one in own}
        ).static_order()
    )


def _messages(repository: Repository, own: Sequence[CommitRange]) -> dict[Oid, Commit]:
    wanted = dict.fromkeys(oid for one in own for oid in one.commits[-_TOLD:])
    return {commit.oid: commit for commit in repository.commits(wanted)}


def _title(one: CommitRange, told: Mapping[Oid, Commit]) -> str:
    return redacted(told[one.commits[-1]].message.strip().partition("\n")[0].strip()) or one.branch.name


def _prompt(one: CommitRange, told: Mapping[Oid, Commit]) -> str:
    """Say what the branch is for, in the words of its first commits: an agent that goes on with it reads this."""
    first, *rest = (told[oid] for oid in one.commits[-_TOLD:][::-1])
    subjects = "".join(f"- {commit.subject}\n" for commit in rest)
    more = f"- and {len(one.commits) - _TOLD} more\n" if len(one.commits) > _TOLD else ""
    lines = [first.message.strip(), subjects + more, f"This work was on the branch {one.branch.name} already."]
    return redacted("\n\n".join(line.rstrip("\n") for line in lines if line) + "\n")
