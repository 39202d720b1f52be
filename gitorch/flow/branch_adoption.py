"""Turn existing branches into finished tasks: which branches qualify, their own commits, and what they build on.

The number of git calls does not depend on the number of branches.
"""

from __future__ import annotations

import graphlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from gitorch.config import Config
from gitorch.errors import NotFound, Refused, there_is
from gitorch.git.repository import Commit, Repository
from gitorch.model.credentials.redaction import redacted
from gitorch.model.globs import matches_name
from gitorch.model.naming import NOT_UTF8_FIX, Oid, Ref, TaskId, branch_ref, is_utf8, slug
from gitorch.model.task import DONE, Commits, State, Task, TaskSpec, urgency

_HEADS, _REMOTES = "refs/heads/", "refs/remotes/"
_GLOB = frozenset("*?[")
_MAX_SUBJECTS = 20
_DROPPED = frozenset({State.REJECTED, State.CANCELLED})
_OVER = _DROPPED | {State.MERGED}
_OCTOPUS = 500  # commits that fit on a command line


class BranchMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A branch that the user asked for: by its exact name, or by a glob. `name` is the short name."""

    name: str
    ref: Ref
    tip: Oid
    is_exact: bool = True

    @property
    def is_local(self) -> bool:
        return self.ref.startswith(_HEADS)


class SkippedBranch(msgspec.Struct, frozen=True):
    """A branch that is not adopted, and the reason."""

    branch: BranchMatch
    reason: str


class BranchRange(msgspec.Struct, frozen=True, kw_only=True):
    """What a branch adds: its own commits (newest first), the tips that it builds on, and where it left the base."""

    branch: BranchMatch
    commits: tuple[Oid, ...]
    builds_on: tuple[Oid, ...]
    fork_points: tuple[Oid, ...]


class BranchAnalysis(msgspec.Struct, frozen=True):
    """The commit ranges of the branches that can be adopted, and the branches that cannot."""

    ranges: tuple[BranchRange, ...]
    skipped: tuple[SkippedBranch, ...]


def find_branches(repository: Repository, patterns: Sequence[str]) -> list[BranchMatch]:
    """Return the local and remote-tracking branches that match names and globs, each once.

    Raises `NotFound`, with near misses, for a pattern without a match.
    """
    branches = _branches(repository)
    by_ref: dict[Ref, BranchMatch] = {}
    for pattern in patterns:
        matches = _matching(pattern, branches)
        if not matches:
            raise _no_branch(pattern, branches)
        for match in matches:
            if match.is_exact or match.ref not in by_ref:
                by_ref[match.ref] = match
    return list(by_ref.values())


def _branches(repository: Repository) -> dict[str, BranchMatch]:
    """Return all branches by name. A local branch hides a remote-tracking one of the same name."""
    options = ("--format=%(objectname) %(refname) %(symref)", _HEADS, _REMOTES)
    lines = repository.git("for-each-ref", *options).text.split("\n")
    rows = (line.split(" ") for line in lines if line)
    tips = [(Ref(ref), Oid(oid)) for oid, ref, symref in rows if not symref]
    ordered = sorted(tips, key=lambda row: not row[0].startswith(_REMOTES))
    return {(name := _short(ref)): BranchMatch(name=name, ref=ref, tip=oid) for ref, oid in ordered}


def _short(ref: Ref) -> str:
    return ref.removeprefix(_HEADS) if ref.startswith(_HEADS) else ref.removeprefix(_REMOTES)


def _matching(pattern: str, branches: Mapping[str, BranchMatch]) -> list[BranchMatch]:
    exact = branches.get(pattern) or branches.get(_short(Ref(pattern)))
    if exact is not None:
        return [exact]
    if not _GLOB.intersection(pattern):
        return []
    names = sorted(name for name in branches if matches_name(name, pattern))
    return [msgspec.structs.replace(branches[name], is_exact=False) for name in names]


def _no_branch(pattern: str, branches: Mapping[str, BranchMatch]) -> NotFound:
    return NotFound(
        "no-branch",
        f"there is no branch {pattern}",
        why=there_is(pattern, branches),
        fix=("git branch --all",),
    )


def analyze(
    repository: Repository,
    config: Config,
    branches: Sequence[BranchMatch],
    tasks: Mapping[TaskId, Task],
    limits: Sequence[Oid],
) -> BranchAnalysis:
    """Return what each branch adds to `limits` (tips of the base and the integration branch), and which to skip."""
    skipped, unused = _split_by_use(config, branches, tasks)
    graph = _graph(repository, [branch.tip for branch in unused], limits)
    empty = "it has no commits of its own: all of them are in the base, or on the integration branch"
    skipped += [SkippedBranch(branch, empty) for branch in unused if branch.tip not in graph]
    candidates = [branch for branch in unused if branch.tip in graph]
    task_tips = {task.tip for task in tasks.values() if task.state in DONE and task.tip}
    order = {oid: index for index, oid in enumerate(graph)}
    while True:
        tips = task_tips | {branch.tip for branch in candidates}
        ranges = [_commit_range(branch, graph, order, tips) for branch in candidates]
        unrelated = [commits.branch for commits in ranges if not commits.fork_points and not commits.builds_on]
        if not unrelated:
            return BranchAnalysis(tuple(_without_implied(ranges)), tuple(skipped))
        skipped += [SkippedBranch(branch, "it shares no history with the base") for branch in unrelated]
        candidates = [branch for branch in candidates if branch not in unrelated]


def _split_by_use(
    config: Config, branches: Sequence[BranchMatch], tasks: Mapping[TaskId, Task]
) -> tuple[list[SkippedBranch], list[BranchMatch]]:
    """Separate the branches that gitorch or a task already uses from the others."""
    owners = {branch_ref(task.branch): task for task in tasks.values() if task.branch and task.state not in _OVER}
    tip_owners = {task.tip: f"the task {task.id}" for task in tasks.values() if task.tip and task.state not in _DROPPED}
    reserved = {branch_ref(config.integration), branch_ref(f"{config.prefix}candidate")}
    skipped: list[SkippedBranch] = []
    unused: list[BranchMatch] = []
    for branch in branches:
        if not is_utf8(branch.name):
            skipped.append(SkippedBranch(branch, f"its name is not UTF-8: {NOT_UTF8_FIX}"))
        elif branch.ref in reserved:
            skipped.append(SkippedBranch(branch, "it is gitorch's own"))
        elif branch.ref in owners:
            skipped.append(SkippedBranch(branch, f"it is the branch of the task {owners[branch.ref].id}"))
        elif branch.tip in tip_owners:
            skipped.append(SkippedBranch(branch, f"it is at the same commit as {tip_owners[branch.tip]}"))
        else:
            tip_owners[branch.tip] = branch.name
            unused.append(branch)
    return skipped, unused


Graph = Mapping[Oid, tuple[Oid, ...]]
"""Commits and their parents, each commit before its parents."""


def _graph(repository: Repository, tips: Sequence[Oid], limits: Sequence[Oid]) -> Graph:
    revisions = "".join([*(f"{tip}\n" for tip in tips), *(f"^{limit}\n" for limit in limits)]).encode()
    lines = repository.git("rev-list", "--topo-order", "--parents", "--stdin", input=revisions).text.split("\n")
    rows = (line.split(" ") for line in lines if line)
    return {Oid(oid): tuple(map(Oid, parents)) for oid, *parents in rows}


def _commit_range(branch: BranchMatch, graph: Graph, order: Mapping[Oid, int], tips: Collection[Oid]) -> BranchRange:
    """Walk from a branch's tip down to the base, or to the tips that it builds on."""
    visited: set[Oid] = set()
    builds_on: set[Oid] = set()
    fork_points: set[Oid] = set()
    pending = [branch.tip]
    while pending:
        commit = pending.pop()
        if commit in visited:
            continue
        if commit not in graph:
            fork_points.add(commit)
        elif commit in tips and commit != branch.tip:
            builds_on.add(commit)
        else:
            visited.add(commit)
            pending += graph[commit]
    return BranchRange(
        branch=branch,
        commits=tuple(sorted(visited, key=order.__getitem__)),
        builds_on=tuple(sorted(builds_on, key=order.__getitem__)),
        fork_points=tuple(sorted(fork_points)),
    )


def _without_implied(ranges: Sequence[BranchRange]) -> Iterator[BranchRange]:
    """Remove from `builds_on` the tips that another tip in it already builds on."""
    direct = {commits.branch.tip: commits.builds_on for commits in ranges}
    for commits in ranges:
        implied: set[Oid] = set()
        pending = [tip for parent in commits.builds_on for tip in direct.get(parent, ())]
        while pending:
            tip = pending.pop()
            if tip not in implied:
                implied.add(tip)
                pending += direct.get(tip, ())
        yield msgspec.structs.replace(commits, builds_on=tuple(tip for tip in commits.builds_on if tip not in implied))


def refuse_exact(skipped: Iterable[SkippedBranch]) -> None:
    """Raise `Refused` if a branch was given by its exact name and is skipped; glob matches may be skipped."""
    refused = [skip for skip in skipped if skip.branch.is_exact]
    if refused:
        first = refused[0]
        raise Refused(
            "not-adoptable",
            f"{first.branch.name} cannot be adopted: {first.reason}",
            why="; ".join(f"{skip.branch.name}: {skip.reason}" for skip in refused[1:]),
            fix=(f"git log --oneline {first.branch.name}", "orchestrate adopt BRANCH --base REF"),
        )


def base_commits(repository: Repository, ranges: Sequence[BranchRange]) -> dict[Oid, Oid]:
    """Return the base of each branch, by its tip: the tip that it builds on, or where it left the base last."""
    stacked = {commits.branch.tip: commits.builds_on[0] for commits in ranges if commits.builds_on}
    forks = {commits.branch.tip: commits.fork_points for commits in ranges if not commits.builds_on}
    ambiguous = sorted({oid for points in forks.values() if len(points) > 1 for oid in points})
    order = _newest_first(repository, ambiguous)
    return stacked | {tip: min(points, key=lambda oid: order.get(oid, len(order))) for tip, points in forks.items()}


def _newest_first(repository: Repository, commits: Sequence[Oid]) -> dict[Oid, int]:
    """Return the positions of commits in an order that has descendants before their ancestors."""
    if not commits:
        return {}
    shared = repository.git("merge-base", "--octopus", "--all", *commits[:_OCTOPUS], ok=(0, 1)).text.split()
    limits = shared if len(commits) <= _OCTOPUS else []
    revisions = "".join([*(f"{oid}\n" for oid in commits), *(f"^{oid}\n" for oid in limits)]).encode()
    lines = repository.git("rev-list", "--topo-order", "--stdin", input=revisions).text.split("\n")
    requested = set(commits)
    return {oid: index for index, oid in enumerate(Oid(line) for line in lines) if oid in requested}


def make_tasks(
    repository: Repository,
    config: Config,
    ranges: Sequence[BranchRange],
    tasks: Mapping[TaskId, Task],
    used_names: Collection[str],
    after: Sequence[TaskId],
) -> list[Task]:
    """Return the finished tasks that branches become, those that others build on first."""
    ids = _ids([commits.branch for commits in ranges], used_names)
    by_tip = {task.tip: task.id for task in sorted(tasks.values(), key=urgency) if task.state in DONE and task.tip}
    by_tip |= {commits.branch.tip: name for commits, name in zip(ranges, ids, strict=True)}
    bases = base_commits(repository, ranges)
    messages = _messages(repository, ranges)
    first = max((task.number for task in tasks.values()), default=0) + 1
    number = {tip: first + index for index, tip in enumerate(_bottom_up(ranges))}
    now = datetime.now(UTC).replace(microsecond=0)
    adopted = [
        Task(
            id=name,
            number=number[commits.branch.tip],
            spec=TaskSpec(
                title=_title(commits, messages),
                prompt=_prompt(commits, messages),
                after=tuple(dict.fromkeys([*(by_tip[tip] for tip in commits.builds_on), *after])),
                created=now,
            ),
            state=State.FINISHED,
            branch=commits.branch.name if commits.branch.is_local else config.branch_of(name),
            commits=Commits(bases[commits.branch.tip], commits.branch.tip),
            adopted=True,
        )
        for commits, name in zip(ranges, ids, strict=True)
    ]
    return sorted(adopted, key=lambda task: task.number)


def _ids(branches: Sequence[BranchMatch], used_names: Collection[str]) -> list[TaskId]:
    """Name each task after the last part of its branch's name, or after the full name if that part is in use."""
    last_parts = [slug(branch.name.rpartition("/")[2]) for branch in branches]
    used = set(used_names)
    ids = []
    for branch, last_part in zip(branches, last_parts, strict=True):
        is_free = last_parts.count(last_part) == 1 and last_part not in used
        ids.append(slug(last_part if is_free else branch.name, used))
        used.add(ids[-1])
    return ids


def _bottom_up(ranges: Sequence[BranchRange]) -> list[Oid]:
    """Return the tips in the given order, but each after those that it builds on."""
    tips = {commits.branch.tip for commits in ranges}
    parents = {commits.branch.tip: [tip for tip in commits.builds_on if tip in tips] for commits in ranges}
    return list(graphlib.TopologicalSorter(parents).static_order())


def _messages(repository: Repository, ranges: Sequence[BranchRange]) -> dict[Oid, Commit]:
    oldest = dict.fromkeys(oid for commits in ranges for oid in commits.commits[-_MAX_SUBJECTS:])
    return {commit.oid: commit for commit in repository.commits(oldest)}


def _title(commits: BranchRange, messages: Mapping[Oid, Commit]) -> str:
    subject = messages[commits.commits[-1]].message.strip().partition("\n")[0].strip()
    return redacted(subject) or commits.branch.name


def _prompt(commits: BranchRange, messages: Mapping[Oid, Commit]) -> str:
    """Describe the branch with its first commit messages, for an agent that continues its work."""
    first, *later = (messages[oid] for oid in commits.commits[-_MAX_SUBJECTS:][::-1])
    subjects = "".join(f"- {commit.subject}\n" for commit in later)
    extra = len(commits.commits) - _MAX_SUBJECTS
    omitted = f"- and {extra} more\n" if extra > 0 else ""
    paragraphs = [first.message.strip(), subjects + omitted, f"This work was already on branch {commits.branch.name}."]
    return redacted("\n\n".join(paragraph.rstrip("\n") for paragraph in paragraphs if paragraph) + "\n")
