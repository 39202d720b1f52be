"""The contract of every `Resolver`: proposals with evidence for files in conflict, and nothing for what it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from gitorch.flow.merge import ConflictFile, KnownResolutions, MergeReplayer, Proposal, Resolver
from gitorch.flow.merge.resolution.remembered import Sides
from gitorch.flow.merge.resolution.replay import ConflictSolver
from gitorch.flow.merge.resolution.resolver import RegenerateResolver
from gitorch.flow.merge.resolution.syntax_resolver import ChosenProposals, SyntaxResolver, alternatives
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, TaskId
from gitorch.model.resolution import ResolvedFile
from gitorch.replay import CommitRange, Conflicted, MemoryReplayer, Replayed
from gitorch.syntax.outcome import SyntaxProposal
from tests.support.git import commit, git

LINES = [f"line {number}\n" for number in range(1, 21)]


def text(first: str, last: str = "line 20") -> str:
    return "".join([f"{first}\n", *LINES[1:-1], f"{last}\n"])


class ScriptedResolver:
    """Proposes what the test gave for a path, and remembers what it was asked."""

    def __init__(self, proposals: Mapping[str, Sequence[Proposal]]) -> None:
        self.proposals = proposals
        self.asked: list[ConflictFile] = []

    def propose(self, files: Sequence[ConflictFile]) -> Mapping[str, Sequence[Proposal]]:
        self.asked += files
        return {file.path: self.proposals[file.path] for file in files if file.path in self.proposals}


class Case:
    """A branch that conflicts with another one in `easy.lock` and, from its second commit on, in `hard.txt`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        git("init", "--quiet", cwd=folder)
        self.base = Oid(commit(folder, "start", {"easy.lock": text("base"), "hard.txt": text("base")}))
        self.repository = Repository.discover(folder)
        self.tip = self.branch({"easy.lock": text("theirs")})
        self.onto = self.branch({"easy.lock": text("ours"), "hard.txt": text("ours")})
        self.solution = self.blob(text("both"))
        self.easy = ConflictFile("easy.lock", self.sides(text("ours"), text("theirs")))
        self.hard = ConflictFile("hard.txt", self.sides(text("ours"), text("other")))

    def branch(self, files: Mapping[str, str], start: Oid | None = None) -> Oid:
        git("checkout", "--quiet", "--detach", start or self.base, cwd=self.folder)
        return Oid(commit(self.folder, "change", files))

    def blob(self, content: str) -> Oid:
        return Oid(git("hash-object", "-w", "--stdin", input=content.encode(), cwd=self.folder))

    def sides(self, ours: str, theirs: str) -> Sides:
        return Sides(self.blob(text("base")), self.blob(ours), self.blob(theirs))


def _known(case: Case) -> Resolver:
    known = KnownResolutions(case.repository)
    known.learn({case.easy.sides: case.solution})
    return known


def _known_hunks(case: Case) -> Resolver:
    """Teach the hunk in another file: only `rerere` knows it again."""
    known = KnownResolutions(case.repository)
    known.learn({case.sides(text("ours", "end"), text("theirs", "end")): case.blob(text("both", "end"))})
    return known


def _syntax(case: Case) -> SyntaxResolver:
    """Merge what the test can judge: lock files; that of a real grammar is tested with `gitorch.syntax`."""

    def propose(path: str, base: bytes | None, ours: bytes, theirs: bytes, *, limit: int) -> list[SyntaxProposal]:
        merges = [SyntaxProposal(text(name).encode(), "both", (f"kept as {name}",)) for name in ("both", "reversed")]
        return merges[:limit] if path == "easy.lock" else []

    def store(content: bytes) -> Oid:
        return Oid(git("hash-object", "-w", "--stdin", input=content, cwd=case.folder))

    return SyntaxResolver(lambda blob: git("cat-file", "blob", blob, cwd=case.folder).encode(), store, propose)


KINDS: dict[str, Callable[[Case], Resolver]] = {
    "memory": _known,
    "rerere": _known_hunks,
    "regenerate": lambda _: RegenerateResolver({"*.lock": "make lock"}),
    "syntax": _syntax,
    "chosen": lambda case: ChosenProposals(_syntax(case), {"easy.lock": 1}),
    "scripted": lambda case: ScriptedResolver({"easy.lock": [Proposal(case.solution, "scripted")]}),
}


@pytest.fixture
def case(tmp_path: Path) -> Case:
    folder = tmp_path / "repo"
    folder.mkdir()
    return Case(folder)


@pytest.fixture(params=KINDS)
def resolver(request: pytest.FixtureRequest, case: Case) -> Resolver:
    return KINDS[request.param](case)


def solver(case: Case, *resolvers: Resolver, tasks: Mapping[Oid, TaskId] | None = None) -> MergeReplayer:
    engine = MemoryReplayer(case.repository)
    known = KnownResolutions(case.repository)
    return MergeReplayer(engine, ConflictSolver(engine, resolvers, known, tasks=tasks))


def test_proposals_are_blobs_with_evidence(case: Case, resolver: Resolver) -> None:
    """Each proposal is a file of the repository without conflict markers, and names what it comes from."""
    proposals = resolver.propose([case.easy])
    assert proposals.keys() == {"easy.lock"}
    for proposal in proposals["easy.lock"]:
        content = git("cat-file", "blob", proposal.blob, cwd=case.folder)
        assert "<<<<<<<" not in content
        assert proposal.evidence


def test_what_is_unknown_has_no_proposal(case: Case, resolver: Resolver) -> None:
    """A file that cannot be resolved is left out, alone or among others, and no file is an empty answer."""
    assert resolver.propose([]) == {}
    assert resolver.propose([case.hard]) == {}
    assert resolver.propose([case.hard, case.easy]) == resolver.propose([case.easy])


def test_the_same_question_has_the_same_answer(case: Case, resolver: Resolver) -> None:
    assert resolver.propose([case.easy]) == resolver.propose([case.easy])


def test_a_replay_goes_on_past_what_is_resolved(case: Case, resolver: Resolver) -> None:
    """The commit goes in with the proposal, and the replay names the evidence; nothing stays unsolved."""
    (proposal, *_) = resolver.propose([case.easy])["easy.lock"]
    replayer = solver(case, resolver)
    with replayer:
        result = replayer.replay(CommitRange(case.base, case.tip), case.onto)
        assert isinstance(result, Replayed)
        replayer.keep(result.tip)
    assert git("rev-parse", f"{result.tip}:easy.lock", cwd=case.folder) == proposal.blob
    assert [(part.commit, part.paths, part.by) for part in result.resolved] == [
        (case.tip, ("easy.lock",), proposal.evidence)
    ]
    assert replayer.unsolved == {}


def test_one_file_without_a_proposal_keeps_the_conflict(case: Case, resolver: Resolver) -> None:
    """A later commit that cannot be resolved stops the whole branch: the conflict is that of the first replay."""
    tip = case.branch({"hard.txt": text("other")}, case.tip)
    with solver(case, resolver) as replayer:
        conflict = replayer.replay(CommitRange(case.base, tip), case.onto)
        assert isinstance(conflict, Conflicted)
        assert conflict.commit == case.tip
        assert replayer.unsolved == {tip: conflict}


def test_the_first_proposal_counts(case: Case) -> None:
    """Resolvers are asked in their order, each only for the files that are still open."""
    first = ScriptedResolver({"easy.lock": [Proposal(case.solution, "first"), Proposal(case.easy.sides.ours, "worse")]})
    second = ScriptedResolver({name: [Proposal(case.solution, "second")] for name in ("easy.lock", "hard.txt")})
    tip = case.branch({"easy.lock": text("theirs"), "hard.txt": text("other")})
    with solver(case, first, second) as replayer:
        result = replayer.replay(CommitRange(case.base, tip), case.onto)
        assert isinstance(result, Replayed)
    assert {part.by: part.paths for part in result.resolved} == {"first": ("easy.lock",), "second": ("hard.txt",)}
    assert {file.path for file in second.asked} == {"hard.txt"}


def test_a_resolver_learns_whose_changes_meet(case: Case) -> None:
    """The task that is replayed, and those that went in before it."""
    scripted = ScriptedResolver({})
    tasks = {case.tip: TaskId("theirs"), case.onto: TaskId("ours")}
    with solver(case, scripted, tasks=tasks) as replayer:
        replayer.replay(CommitRange(case.base, case.tip, (case.onto,)), case.onto)
    assert [(file.our_tasks, file.their_task) for file in scripted.asked] == [((TaskId("ours"),), TaskId("theirs"))]


def test_another_proposal_can_be_chosen(case: Case) -> None:
    """The search tries one proposal after the other: a replay takes exactly the one it is told."""
    by_syntax, contents = _syntax(case), []
    for choices in alternatives({"easy.lock": 2}):
        chosen = ChosenProposals(by_syntax, choices)
        with solver(case).with_resolver(chosen) as replayer:
            result = replayer.replay(CommitRange(case.base, case.tip), case.onto)
            assert isinstance(result, Replayed)
            replayer.keep(result.tip)
        contents.append(git("show", f"{result.tip}:easy.lock", cwd=case.folder).split("\n")[0])
        assert chosen.counts == {"easy.lock": 2}
    assert contents == ["both", "reversed"]


def test_a_resolution_names_its_sides_and_its_evidence(case: Case) -> None:
    with solver(case, _syntax(case)) as replayer:
        result = replayer.replay(CommitRange(case.base, case.tip), case.onto)
    assert isinstance(result, Replayed)
    sides = case.easy.sides
    assert result.resolved[0].files == (
        ResolvedFile(
            path="easy.lock",
            kind="both",
            base=sides.base,
            ours=sides.ours,
            theirs=sides.theirs,
            result=case.solution,
            evidence=("kept as both",),
        ),
    )


def test_choices_grow_with_the_proposals_not_with_their_combinations() -> None:
    """Ten files with three proposals each are 22 choices, and not 59,049."""
    choices = alternatives({f"file{number}": 3 for number in range(10)})
    assert choices[:2] == [{}, {f"file{number}": 1 for number in range(10)}]
    assert len(choices) == 22
    assert alternatives({"only.py": 1}) == [{}]
    assert alternatives({"only.py": 3}) == [{}, {"only.py": 1}, {"only.py": 2}]
