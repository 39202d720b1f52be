"""The search for proven resolutions: which proposals are tried, what proves them, and what stays in conflict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from gitorch.flow.merge.planning.order import best_plan
from gitorch.flow.merge.planning.planner import MergePlanner
from gitorch.flow.merge.resolution.judge import UNKNOWN, Verdict
from gitorch.flow.merge.resolution.landing import Choices, Landing
from gitorch.flow.merge.resolution.proposed_replay import ProposedReplay
from gitorch.flow.merge.resolution.prover import Prover
from gitorch.flow.merge.resolution.resolved_plan import resolved_plan
from gitorch.flow.merge.resolution.search import ResolutionSearch
from gitorch.flow.merge.values import MergePlan
from gitorch.model.naming import Oid, TaskId
from gitorch.model.resolution import ResolvedFile
from gitorch.model.task import CheckResult, State, Task, by_id, change_spec
from gitorch.replay import CommitRange, Conflicted, Replayed, Resolved
from tests.support.fake_merge import MAIN, FakeReplayer, Names, approved, approved_tasks, finish, names_in


def pairs(*names: str) -> list[Names]:
    return [frozenset(name.split("-")) for name in names]


def checked_tasks(*names: str, **after: str) -> dict[TaskId, Task]:
    """Return approved tasks, each with a check of its own."""
    tasks = approved_tasks(*names, **after)
    return {name: change_spec(task, checks={"own": f"test {name}"}) for name, task in tasks.items()}


class FakeProposals:
    """Has `counts[name]` proposals for the conflict of a task; the second is the commit `NAME#1`, and so on."""

    def __init__(self, replayer: FakeReplayer, counts: Mapping[str, int]) -> None:
        self.replayer = replayer
        self.counts = counts

    def replay(self, commits: CommitRange, onto: Oid, choices: Choices) -> ProposedReplay:
        name = commits.tip.removesuffix("-tip")
        conflict = self.replayer.replay(commits, plain(onto))
        if isinstance(conflict, Replayed) or not self.counts.get(name):
            tip = Oid(f"{onto}+{name}")
            is_clean = isinstance(conflict, Replayed)
            return ProposedReplay(Replayed(tip, ((commits.tip, tip),)) if is_clean else conflict, {})
        position = choices.get("file", 0)
        tip = Oid(f"{onto}+{name}" + (f"#{position}" if position else ""))
        files = tuple(resolved_file(path) for path in conflict.paths)
        resolved = Resolved(commits.tip, conflict.paths, "both", files)
        return ProposedReplay(Replayed(tip, ((commits.tip, tip),), resolved=(resolved,)), {"file": self.counts[name]})


def plain(commit: Oid) -> Oid:
    return Oid("+".join(part.partition("#")[0] for part in commit.split("+")))


def resolved_file(path: str) -> ResolvedFile:
    blob = Oid("blob")
    return ResolvedFile(path=path, kind="both", base=blob, ours=blob, theirs=blob, result=blob, evidence=("kept",))


class FakeJudge:
    """Fails the check that `failing` names for a set of tasks (empty: green); each tree is judged once."""

    def __init__(self, failing: Callable[[Names], str], red_alone: Sequence[str] = ()) -> None:
        self.failing = failing
        self.red_alone = red_alone
        self.known: dict[tuple[Names, Names], Verdict] = {}
        self.runs: list[str] = []

    def alone(self, task: Task, *, may_run: bool) -> Verdict:
        assert may_run or task.id not in self.red_alone
        return Verdict(reason="check own fails") if task.id in self.red_alone else Verdict()

    def together(self, commit: Oid, tasks: Sequence[Task], *, may_run: bool) -> Verdict:
        key = names_in(commit), frozenset(task.id for task in tasks)
        if key not in self.known and not may_run:
            return UNKNOWN
        if key in self.known:
            return self.known[key]
        self.runs.append(commit.removeprefix("main+"))
        check = self.failing(names_in(commit))
        result = CheckResult(name=check or "all", command="x", tree=Oid("t"), exit_code=1 if check else 0)
        verdict = Verdict(reason=f"check {check} fails" if check else "", check=check, results=(result,))
        self.known[key] = verdict
        return Verdict(reason=verdict.reason, check=check, results=verdict.results, started=True)


class Merged:
    """Tasks that went in before, with the paths that they touch."""

    def __init__(self, tasks: Mapping[Task, Sequence[str]] | None = None) -> None:
        self.tasks = [*(tasks or {}).items()] if tasks else []

    def touching(self, paths: Iterable[str]) -> list[Task]:
        wanted = set(paths)
        return [task for task, touched in self.tasks if wanted.intersection(touched)]


def green(names: Names) -> str:
    return ""


class Night:
    """A merge of tasks with conflicts between them, and proposals for these."""

    def __init__(
        self,
        tasks: Mapping[TaskId, Task],
        conflicts: Sequence[Names],
        counts: Mapping[str, int],
        failing: Callable[[Names], str] = green,
        *,
        sizes: Mapping[str, int] | None = None,
        red_alone: Sequence[str] = (),
    ) -> None:
        self.judge = FakeJudge(failing, red_alone)
        self.replayer = FakeReplayer(tasks, conflicts)
        self.planner = MergePlanner(self.replayer, tasks, MAIN, MAIN)
        self.planner.read([*tasks.values()])
        self.plan = best_plan(self.planner, [*tasks.values()])
        self.proposals = FakeProposals(self.replayer, counts)
        self.sizes = {TaskId(name): size for name, size in (sizes or {}).items()}
        self.merged = Merged()

    def resolve(self, *, max_runs: int = 50, reorder: bool = False) -> MergePlan:
        prover = Prover(self.judge, max_runs)
        search = ResolutionSearch(self.planner, self.replayer, self.proposals, prover, self.sizes, self.merged)
        landing: Landing = finish(search.resolve(self.plan, reorder=reorder))
        return resolved_plan(self.planner, self.plan, landing, search.open)


def landed(plan: MergePlan) -> list[str]:
    return [step.task.id for step in plan.steps]


def reasons(plan: MergePlan) -> dict[str, str]:
    return {resolution.task: resolution.reason for resolution in plan.resolutions}


def test_a_proven_resolution_goes_in_on_top() -> None:
    night = Night(checked_tasks("a", "b"), pairs("a-b"), {"b": 2})
    plan = night.resolve()
    assert landed(plan) == ["a", "b"]
    assert not plan.conflicts
    (resolution,) = plan.resolutions
    assert (resolution.task, resolution.partners, resolution.proven) == ("b", ("a",), True)
    assert (resolution.onto, resolution.tip) == ("main+a", "main+a+b")
    assert resolution.paths == ("a-b",)
    assert night.judge.runs == ["a+b"]


def test_the_text_plan_is_untouched() -> None:
    """A resolution that is only proposed changes nothing of what merges by text."""
    night = Night(checked_tasks("a", "b"), pairs("a-b"), {"b": 1}, lambda names: "own" if "b" in names else "")
    plan = night.resolve()
    assert landed(plan) == ["a"]
    assert [conflict.task.id for conflict in plan.conflicts] == ["b"]
    assert reasons(plan) == {"b": "check own fails"}


def test_the_checks_choose_among_proposals() -> None:
    night = Night(checked_tasks("a", "b"), pairs("a-b"), {"b": 3}, lambda names: "" if "b#1" in names else "own")
    plan = night.resolve()
    assert plan.tip == "main+a+b#1"
    assert plan.resolutions[0].proven
    assert night.judge.runs == ["a+b", "a+b#1"]


def test_two_failures_of_the_same_check_end_the_search() -> None:
    night = Night(checked_tasks("a", "b"), pairs("a-b"), {"b": 6}, lambda _: "a: own")
    assert reasons(night.resolve()) == {"b": "check a: own fails"}
    assert len(night.judge.runs) == 2


def test_failures_of_different_checks_go_on() -> None:
    """Proposals that fail in different checks are different: the next one may be right."""
    checks = {"b": "first", "b#1": "second", "b#2": ""}
    night = Night(
        checked_tasks("a", "b"), pairs("a-b"), {"b": 3}, lambda names: next(checks[n] for n in names if n in checks)
    )
    assert night.resolve().tip == "main+a+b#2"


def test_the_search_is_bounded() -> None:
    night = Night(checked_tasks("a", "b", "c"), pairs("a-b", "a-c", "b-c"), {"b": 1, "c": 1}, lambda _: "own")
    plan = night.resolve(max_runs=1)
    assert reasons(plan) == {
        "b": "check own fails",
        "c": "the limit of 1 checked trees was reached (merge.max_checks)",
    }
    assert len(night.judge.runs) == 1


def test_without_runs_only_what_is_known_counts() -> None:
    """A command that may run no checks shows what an earlier one proved."""
    night = Night(checked_tasks("a", "b"), pairs("a-b"), {"b": 1})
    assert reasons(night.resolve(max_runs=0)) == {"b": UNKNOWN.reason}
    assert night.resolve().resolutions[0].proven
    assert night.resolve(max_runs=0).resolutions[0].proven
    assert len(night.judge.runs) == 1


def test_without_checks_there_is_no_proof() -> None:
    """Each task whose changes meet must have a check of its own: a green tree says nothing of it otherwise."""
    tasks = {**checked_tasks("a"), **by_id([approved("b", 2)])}
    night = Night(tasks, pairs("a-b"), {"b": 1})
    plan = night.resolve()
    assert landed(plan) == ["a"]
    assert reasons(plan) == {"b": "b has no check of its own"}
    assert night.judge.runs == []


def test_a_side_that_fails_alone_proves_nothing() -> None:
    night = Night(checked_tasks("a", "b"), pairs("a-b"), {"b": 1}, red_alone=["a"])
    assert reasons(night.resolve()) == {"b": "a alone: check own fails"}


def test_every_landed_task_judges() -> None:
    """An earlier task on the same paths judges too, and one that went in on an earlier day."""
    night = Night(checked_tasks("a", "b", "c"), pairs("a-b", "b-c", "a-c"), {"b": 1, "c": 1})
    earlier = approved("earlier", 9, state=State.MERGED)
    night.merged.tasks = [(earlier, ["a-b"])]
    night.resolve()
    assert [*night.judge.known] == [
        (frozenset("ab"), frozenset(["earlier", "a", "b"])),
        (frozenset("abc"), frozenset(["earlier", "a", "b", "c"])),
    ]


def test_independent_conflicts_do_not_multiply() -> None:
    """Five independent conflicts cost five proofs, and the last proof covers all of them."""
    names = [f"{letter}{side}" for letter in "abcde" for side in "xy"]
    conflicts = pairs(*(f"{letter}x-{letter}y" for letter in "abcde"))
    night = Night(checked_tasks(*names), conflicts, {f"{letter}y": 6 for letter in "abcde"})
    plan = night.resolve(reorder=True)
    assert len(plan.steps) == 10
    assert len(night.judge.runs) == 5
    _, judges = [*night.judge.known][-1]
    assert judges == frozenset(names)


def test_smaller_changes_go_first() -> None:
    """The largest of three would shut out the others."""

    def failing(names: Names) -> str:
        return "own" if "big" in names and len(names) > 2 else ""

    night = Night(
        checked_tasks("a", "big", "c"),
        pairs("a-big", "big-c", "a-c"),
        {"a": 1, "big": 1, "c": 1},
        failing,
        sizes={"a": 1, "big": 90, "c": 2},
    )
    assert landed(night.resolve()) == ["a", "c"]


def test_another_order_is_taken_if_more_go_in() -> None:
    """What went in first by text has no proposal for the others: on top of it nothing goes in."""
    night = Night(
        checked_tasks("big", "b", "c"),
        pairs("big-b", "big-c", "b-c"),
        {"big": 1, "c": 1},
        sizes={"big": 90, "b": 1, "c": 2},
    )
    assert landed(night.plan) == ["big"]
    plan = night.resolve(reorder=True)
    assert landed(plan) == ["b", "c", "big"]
    assert landed(night.resolve()) == ["big", "c"]


def test_what_waits_for_a_resolved_task_goes_in_with_it() -> None:
    night = Night(checked_tasks("a", "b", c="b", d="a"), pairs("a-b"), {"b": 1})
    assert [entry.task.id for entry in night.plan.blocked] == ["c"]
    plan = night.resolve()
    assert landed(plan) == ["a", "d", "b", "c"]
    assert not plan.blocked


def test_what_merges_by_text_on_top_of_a_resolution_is_proven_too() -> None:
    tasks = checked_tasks("a", "b", c="b", d="a")
    night = Night(tasks, pairs("a-b"), {"b": 1}, lambda names: "own" if "c" in names else "")
    plan = night.resolve()
    assert landed(plan) == ["a", "d", "b"]
    assert [entry.task.id for entry in plan.blocked] == ["c"]


def test_a_task_without_a_proposal_stays_in_conflict() -> None:
    night = Night(checked_tasks("a", "b"), pairs("a-b"), {})
    plan = night.resolve()
    assert plan == night.plan
    assert isinstance(plan.conflicts[0].conflict, Conflicted)
