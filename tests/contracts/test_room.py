"""The contract of every `Room`: what an attempt relies on, wherever its agent works."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from gitorch import services
from gitorch.git.protected import ref_guard
from gitorch.git.repository import RefsMoved, Repository
from gitorch.model.naming import Oid
from gitorch.rooms.protocol import Collected, Command, NoChanges, Rejected, Room, RoomError, Rooms, RoomSpec
from gitorch.services.open import open_workspace
from tests.support import sandbox
from tests.support.clone_rooms import CloneRooms
from tests.support.git import commit, git

MESSAGE = "Add `things`; 🚀\n\nTask: t\n"
BRANCH = "orch/t"
CONFIG = '[agents.scripted]\nkind = "command"\ncommand = ["true"]\npass_env = ["AGENT_*"]\nenv = { MODE = "fast" }\n'
USER = {"SECRET_OF_THE_USER": "hush", "AGENT_TOKEN": "token", "AGENT_LEVEL": "3"}


class Suite:
    """A repository, one kind of rooms for it, and agents that are shell scripts."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.base = Oid(git("rev-parse", "main", cwd=folder))
        self.spec = RoomSpec(
            task="t",
            attempt=1,
            agent="scripted",
            branch=BRANCH,
            base=self.base,
            tip=None,
            directory=folder.parent / "rooms" / "t",
            folder=folder / ".git/gitorch/attempts/t/1",
        )

    @property
    def repository(self) -> Repository:
        return Repository.discover(self.folder)

    @property
    def mode(self) -> str:
        kind = self.kind.removesuffix(" worktree")
        return {"boxed": "bwrap", "landlock": "landlock", "private": "private"}.get(kind, "off")

    @property
    def rooms(self) -> Rooms:
        """Rooms as another process would get them: nothing is shared but the files."""
        workspace = open_workspace(self.folder, environment={**os.environ, **USER, "GITORCH_SANDBOX_MODE": self.mode})
        context = services.agents.run_context(workspace)
        if self.kind != "clone":
            return context.rooms
        return CloneRooms(
            repository=context.repository,
            config=context.config,
            agents=context.agents,
            environment=context.environment,
        )

    def room(self, **fields: object) -> Room:
        """Create a room, with these fields of the spec changed."""
        return self.rooms.create(msgspec.structs.replace(self.spec, **fields))

    def next_attempt(self, tip: Oid | None) -> RoomSpec:
        folder = self.spec.folder.with_name("2")
        return msgspec.structs.replace(self.spec, attempt=2, tip=tip, folder=folder)

    def ref(self, name: str) -> str:
        """Return the commit of a ref in the user's repository; empty when there is none."""
        return git("rev-parse", "--verify", "--quiet", name, cwd=self.folder, ok=(0, 1))


def execute(command: Command) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command.argv, cwd=command.cwd, env=dict(command.env), capture_output=True, text=True)


def act(room: Room, script: str, env: Mapping[str, str] | None = None) -> str:
    """Run a shell script as the agent of a room; return what it printed."""
    result = execute(room.agent_command(["/bin/sh", "-ec", script], env or {}))
    assert result.returncode == 0, result.stderr
    return result.stdout.rstrip("\n")


def attempt_at(room: Room, script: str) -> None:
    """Run a shell script as the agent of a room, whether or not it is allowed."""
    execute(room.agent_command(["/bin/sh", "-c", script], {}))


@pytest.fixture(params=["fenced worktree", "boxed worktree", "landlock worktree", "private worktree", "clone"])
def suite(request: pytest.FixtureRequest, repository_folder: Path) -> Suite:
    if request.param == "boxed worktree":
        sandbox.require()
    (repository_folder / ".orchestrate.local.toml").write_text(CONFIG)
    return Suite(request.param, repository_folder)


def work(room: Room, name: str = "one") -> None:
    """Commit a file as the agent."""
    act(room, f"echo {name} > {name}; git add {name}; git commit -qm 'Add {name}'")


def lines(command: Sequence[str], cwd: Path) -> list[str]:
    return git(*command, cwd=cwd).splitlines()


def test_a_room_is_a_checkout_of_the_tasks_branch(suite: Suite) -> None:
    """An attempt starts on its base, on the branch of its task, with nothing uncommitted."""
    room = suite.room()
    assert room.head() == suite.base
    assert act(room, "pwd; git symbolic-ref --short HEAD; git rev-parse HEAD; git status --porcelain").splitlines() == [
        str(room.directory),
        BRANCH,
        suite.base,
    ]
    assert (room.directory / "README.md").read_text() == "# Example\n"
    assert suite.ref(BRANCH) == suite.base


def test_the_environment_is_an_allow_list(suite: Suite) -> None:
    """An agent gets the names that its configuration passes on, and nothing else of the user's."""
    room = suite.room()
    script = 'echo "$SECRET_OF_THE_USER|$AGENT_TOKEN|$AGENT_LEVEL|$MODE|$EXTRA|$GITORCH_TASK"'
    assert act(room, script, {"EXTRA": "more"}) == "|token|3|fast|more|t"


def test_checks_get_no_credentials(suite: Suite) -> None:
    """Preparations and checks run what an agent wrote, so they do not get its keys."""
    room = suite.room()
    result = execute(room.check_command(["/bin/sh", "-c", 'echo "$AGENT_TOKEN|$AGENT_LEVEL"; pwd']))
    assert result.stdout.splitlines() == ["|3", str(room.directory)]


def test_commits_come_home(suite: Suite) -> None:
    """Collected commits are on the task's branch in the user's repository, counted, with their tree."""
    room = suite.room()
    work(room, "one")
    work(room, "two")
    tip = room.head()
    tree = Oid(act(room, "git rev-parse HEAD^{tree}"))
    assert room.collect(MESSAGE) == Collected(tip=tip, tree=tree, commits=2, completed=False)
    assert suite.ref(BRANCH) == tip
    assert git("show", f"{BRANCH}:two", cwd=suite.folder) == "two"


def test_uncommitted_files_are_committed(suite: Suite) -> None:
    """Agents forget to commit: their files come home with the message of gitorch."""
    room = suite.room()
    (room.directory / "new\nfile").write_text("x")
    (room.directory / "README.md").unlink()
    result = room.collect(MESSAGE)
    assert isinstance(result, Collected)
    assert (result.completed, result.commits) == (True, 1)
    assert git("log", "-1", "--format=%B", BRANCH, cwd=suite.folder) == MESSAGE.rstrip("\n")
    assert suite.repository.file(result.tip, "new\nfile") == b"x"
    assert suite.repository.file(result.tip, "README.md") is None
    assert room.collect(MESSAGE) == msgspec.structs.replace(result, completed=False)


@pytest.mark.parametrize(
    "suite", ["fenced worktree", "boxed worktree", "landlock worktree", "private worktree"], indirect=True
)
def test_what_the_user_ignores_is_no_work(suite: Suite, tmp_path: Path) -> None:
    """By the user's own files, which no commit has; their attributes count as well."""
    rules = {"ignore": "*.tmp\n!kept.out", "attributes": "*.txt -text"}
    for name, text in rules.items():
        (tmp_path / name).write_text(text)
    git("config", "--global", "core.excludesFile", str(tmp_path / "ignore"), cwd=suite.folder)
    git("config", "--global", "core.attributesFile", str(tmp_path / "attributes"), cwd=suite.folder)
    (suite.folder / ".git/info/exclude").write_text("*.out\n!seen.out\n")
    (suite.folder / ".git/info/attributes").write_text("own.txt text\n")
    room = suite.room()
    act(room, "touch a.tmp b.out kept.out seen.out; printf 'a\\r\\n' | tee own.txt > other.txt")
    added = act(room, "git add -A; git ls-files --eol --cached -- '*.out' '*.tmp' '*.txt'").splitlines()
    assert [line.split()[0] + line.split()[-1] for line in added] == [
        "i/crlfother.txt",
        "i/lfown.txt",
        "i/noneseen.out",
    ]


def test_no_changes(suite: Suite) -> None:
    """Neither nothing, nor an empty commit, nor work that was undone is a change."""
    room = suite.room()
    assert room.collect(MESSAGE) == NoChanges()
    act(room, "git commit -q --allow-empty -m empty")
    assert room.collect(MESSAGE) == NoChanges()
    work(room)
    act(room, "git rm -q one; git commit -qm 'Remove one'")
    assert room.collect(MESSAGE) == NoChanges()
    assert suite.ref(BRANCH) in (suite.base, room.head())


@pytest.mark.parametrize(
    "script",
    [
        "git symbolic-ref HEAD refs/heads/mine",
        "echo 1 > f; git add f; git commit -qm f; git checkout -q --detach HEAD~1; echo 2 > f; git add f;"
        " git commit -qm g; git cherry-pick orch/t || true",
        "mkdir inner; cd inner; git init -q; echo x > x; git add x; git commit -qm x",
        "git checkout -q --orphan fresh; git commit -qm fresh; git branch -D orch/t; git checkout -q -b orch/t",
    ],
    ids=["another branch", "unfinished operation", "repository inside", "rewritten history"],
)
def test_work_that_does_not_pass_the_gate(suite: Suite, script: str) -> None:
    """Rejected work moves no branch, gives a reason, and stays where it is."""
    room = suite.room()
    act(room, "echo unfinished > notes.txt")
    attempt_at(room, script)
    result = room.collect(MESSAGE)
    assert isinstance(result, Rejected)
    assert result.reason
    assert suite.repository.is_ancestor(suite.base, Oid(suite.ref(BRANCH)))
    assert (room.directory / "notes.txt").exists()


def test_an_agent_moves_nothing_of_the_users(suite: Suite) -> None:
    """Branches, tags and stash of the user stay; what was tried is reported, unless it is out of reach."""
    git("branch", "other", cwd=suite.folder)
    git("tag", "v1", cwd=suite.folder)
    before = lines(["for-each-ref"], suite.folder)
    room = suite.room()
    work(room)
    for script in (
        "git update-ref refs/heads/main HEAD",
        "git branch -f other HEAD",
        "git tag -f v1 HEAD",
        "git tag mine",
        "git branch -D other",
        "echo x >> README.md; git stash",
    ):
        attempt_at(room, script)
    assert [line for line in lines(["for-each-ref"], suite.folder) if not line.endswith(f"/{BRANCH}")] == before
    if refusals := room.refusals():
        assert {"refs/heads/main", "refs/heads/other", "refs/tags/v1", "refs/tags/mine"} <= set(refusals)


def test_a_room_is_found_again(suite: Suite) -> None:
    """Another process finds a room as its programs left it, and collects from it."""
    room = suite.room()
    work(room)
    (room.directory / "left.txt").write_text("left")
    found = suite.rooms.reopen(suite.spec)
    assert (found.head(), found.directory) == (room.head(), room.directory)
    assert (found.directory / "left.txt").read_text() == "left"
    assert act(found, "echo $AGENT_TOKEN; git symbolic-ref --short HEAD").splitlines() == ["token", BRANCH]
    result = found.collect(MESSAGE)
    assert isinstance(result, Collected)
    assert result.commits == 2


def test_a_room_that_is_gone(suite: Suite) -> None:
    """Reopening says so, before anything runs."""
    with pytest.raises(RoomError, match="gone"):
        suite.rooms.reopen(suite.spec)


def test_creating_a_room_can_be_repeated(suite: Suite) -> None:
    """A first creation that was cut short is done again; what a preparation left does not matter."""
    suite.room()
    room = suite.room()
    assert (room.head(), act(room, "git status --porcelain")) == (suite.base, "")
    work(room)
    assert isinstance(room.collect(MESSAGE), Collected)


def test_the_next_attempt_continues_on_the_tip(suite: Suite) -> None:
    """It starts on the last collected commit; the attempt's ref keeps it, a rescue point the uncommitted files."""
    room = suite.room()
    work(room)
    first = room.collect(MESSAGE)
    assert isinstance(first, Collected)
    (room.directory / "left.txt").write_text("left")
    again = suite.rooms.create(suite.next_attempt(first.tip))
    assert again.head() == first.tip
    assert act(again, "git status --porcelain") == ""
    assert suite.ref("refs/gitorch/attempts/t/1") == first.tip
    assert git("show", "refs/gitorch/rescue/t:left.txt", cwd=suite.folder) == "left"
    work(again, "two")
    second = again.collect(MESSAGE)
    assert isinstance(second, Collected)
    assert second.commits == 2


def test_the_next_attempt_starts_afresh(suite: Suite) -> None:
    """Without a tip it starts on the base, and the commits of the attempt before are kept."""
    room = suite.room()
    work(room)
    first = room.collect(MESSAGE)
    assert isinstance(first, Collected)
    again = suite.rooms.create(suite.next_attempt(None))
    assert again.head() == suite.base
    assert suite.ref(BRANCH) == suite.base
    assert suite.ref("refs/gitorch/attempts/t/1") == first.tip


def test_a_branch_that_a_person_continued(suite: Suite) -> None:
    """An attempt starts on what a person added to the branch."""
    room = suite.room()
    work(room)
    first = room.collect(MESSAGE)
    assert isinstance(first, Collected)
    tree = git("write-tree", cwd=suite.folder)
    later = git("commit-tree", tree, "-p", first.tip, "-m", "by hand", cwd=suite.folder)
    git("update-ref", f"refs/heads/{BRANCH}", later, cwd=suite.folder)
    assert suite.rooms.create(suite.next_attempt(first.tip)).head() == later


def test_the_agents_git_follows_a_branch_that_a_person_continued(suite: Suite) -> None:
    """A session that is opened later stands on the branch's tip; commits that did not come home stay."""
    room = suite.room()
    work(room)
    assert isinstance(room.collect(MESSAGE), Collected)
    git("update-ref", f"refs/heads/{BRANCH}", commit_on(suite, BRANCH, "By hand"), cwd=suite.folder)
    room.follow_branch()
    assert room.head() == suite.ref(BRANCH)
    if suite.kind not in ("fenced worktree", "clone"):  # those have no repository of their own to keep it in
        act(room, "git commit -q --allow-empty -m later")
        own = room.head()
        room.follow_branch()
        assert room.head() == own != suite.ref(BRANCH)


def test_a_branch_of_somebody_else(suite: Suite) -> None:
    """A first attempt does not take over a branch that exists and is not the task's."""
    other = git("commit-tree", "HEAD^{tree}", "-m", "other", cwd=suite.folder)
    git("update-ref", f"refs/heads/{BRANCH}", other, cwd=suite.folder)
    with pytest.raises(RoomError, match="already exists"):
        suite.room()
    assert suite.ref(BRANCH) == other


def test_what_checks_left_is_discarded(suite: Suite) -> None:
    """The files are as committed again; what was there is in a rescue point, and ignored files stay."""
    room = suite.room()
    work(room)
    assert isinstance(room.collect(MESSAGE), Collected)
    (room.directory / "one").write_text("changed by a check")
    (room.directory / "report.txt").write_text("left")
    (room.directory / "debug.log").write_text("ignored")
    room.discard_uncommitted("files that checks left")
    assert act(room, "git status --porcelain; cat one") == "one"
    assert not (room.directory / "report.txt").exists()
    assert (room.directory / "debug.log").exists()
    assert git("show", "refs/gitorch/rescue/t:report.txt", cwd=suite.folder) == "left"
    rescued = suite.ref("refs/gitorch/rescue/t")
    room.discard_uncommitted("nothing")
    assert suite.ref("refs/gitorch/rescue/t") == rescued


def conflict_on(suite: Suite, parent: str) -> Oid:
    """Make a commit that holds a conflict, kept by a ref as gitorch keeps it."""
    blob = git("hash-object", "-w", "--stdin", cwd=suite.folder, input=b"<<<<<<< a\n1\n=======\n2\n>>>>>>> b\n")
    index = {"GIT_INDEX_FILE": str(suite.folder / ".git/conflict-index")}
    git("read-tree", parent, cwd=suite.folder, env=index)
    git("update-index", "--add", "--cacheinfo", f"100644,{blob},README.md", cwd=suite.folder, env=index)
    tree = git("write-tree", cwd=suite.folder, env=index)
    oid = Oid(git("commit-tree", tree, "-p", parent, "-m", "conflict", cwd=suite.folder))
    git("update-ref", "refs/gitorch/conflicts/t", oid, cwd=suite.folder)
    return oid


def test_another_commit_takes_the_place_of_the_tip(suite: Suite) -> None:
    """Branch, files and the agent's git are on it, and the agent's next commit builds on it; a moved branch is left."""
    room = suite.room()
    act(room, "echo secret > one; echo ignored > one.log; git add -f one; git commit -qm 'Add one'")
    collected = room.collect(MESSAGE)
    assert isinstance(collected, Collected)
    blob = git("hash-object", "-w", "--stdin", cwd=suite.folder, input=b"hidden\n")
    tree = git("mktree", cwd=suite.folder, input=f"100644 blob {blob}\tone\n".encode())
    other = Oid(git("commit-tree", tree, "-p", suite.base, "-m", "Add one", cwd=suite.folder))
    room.replace_tip(collected.tip, other)
    assert suite.ref(BRANCH) == other
    assert (room.directory / "one").read_text() == "hidden\n"
    assert act(room, "git rev-parse HEAD; git status --porcelain --untracked-files=no") == other
    act(room, "echo more > two; git add two; git commit -qm 'Add two'")
    again = room.collect(MESSAGE)
    assert isinstance(again, Collected)
    assert suite.ref(f"{BRANCH}^") == other
    with pytest.raises(RefsMoved):
        room.replace_tip(collected.tip, other)
    assert suite.ref(BRANCH) == again.tip


def test_a_conflict_is_checked_out(suite: Suite) -> None:
    """The files have the markers, and nothing is committed; on any other commit, nothing changes."""
    room = suite.room()
    room.checkout_conflict(conflict_on(suite, suite.base))
    assert room.head() == suite.base
    assert (room.directory / "README.md").read_text().startswith("<<<<<<< a\n")
    room.discard_uncommitted("markers")
    room.checkout_conflict(conflict_on(suite, f"{suite.base}~1"))
    assert (room.directory / "README.md").read_text() == "# Example\n"


def test_an_attempt_is_given_up(suite: Suite) -> None:
    """Branch and files are as before it; its commits and its uncommitted files are kept. It can be repeated."""
    before = Oid(commit_on(suite, suite.base, "before"))
    git("update-ref", f"refs/heads/{BRANCH}", before, cwd=suite.folder)
    spec = suite.next_attempt(before)
    room = suite.rooms.create(spec)
    work(room)
    result = room.collect(MESSAGE)
    assert isinstance(result, Collected)
    (room.directory / "left.txt").write_text("left")
    for _ in range(2):
        suite.rooms.give_up(spec, before)
        assert suite.ref(BRANCH) == before
        assert suite.ref("refs/gitorch/attempts/t/2") == result.tip
        assert git("show", "refs/gitorch/rescue/t:left.txt", cwd=suite.folder) == "left"
    assert not (room.directory / "one").exists()
    assert not (room.directory / "left.txt").exists()


def test_an_attempt_without_a_room_is_given_up(suite: Suite) -> None:
    """Where the room is gone, or was never made, the branch goes back all the same."""
    later = commit_on(suite, suite.base, "later")
    git("update-ref", f"refs/heads/{BRANCH}", later, cwd=suite.folder)
    suite.rooms.give_up(suite.spec, suite.base)
    assert suite.ref(BRANCH) == suite.base
    assert suite.ref("refs/gitorch/attempts/t/1") == later


def commit_on(suite: Suite, parent: str, message: str) -> str:
    """Make a commit with one more file."""
    folder = suite.folder.parent / "scratch"
    git("worktree", "add", "--quiet", "--detach", str(folder), parent, cwd=suite.folder)
    oid = commit(folder, message, {message: message})
    git("worktree", "remove", "--force", str(folder), cwd=suite.folder)
    return oid


def test_progress_has_commits_and_files_and_moves_nothing(suite: Suite) -> None:
    """What an agent has committed, and what it has not, while it may run: it notices nothing of the look."""
    room = suite.room()
    assert room.progress().tip == suite.base
    work(room)
    act(room, "echo two > two; echo staged > staged; git add staged; rm README.md")
    before = act(room, "git status --porcelain; git rev-parse HEAD")
    branch = suite.ref(f"refs/heads/{BRANCH}")
    progress = room.progress()
    assert act(room, "git status --porcelain; git rev-parse HEAD") == before
    assert progress.tip == before.splitlines()[-1]
    names = git("ls-tree", "-r", "--name-only", progress.tree, cwd=suite.folder).splitlines()
    assert {"one", "two", "staged"} <= {*names}
    assert "README.md" not in names
    assert git("cat-file", "blob", f"{progress.tree}:two", cwd=suite.folder) == "two"
    if suite.kind != "fenced worktree":  # there, the agent itself moves it
        assert suite.ref(f"refs/heads/{BRANCH}") == branch


def test_progress_of_a_damaged_room_still_has_the_files(suite: Suite) -> None:
    """Commits that rewrote the history are not its work; its files are saved."""
    room = suite.room()
    attempt_at(room, "git checkout -q --detach; git commit -q --amend -m rewritten; echo two > two")
    progress = room.progress()
    assert progress.tip == suite.base
    assert git("cat-file", "blob", f"{progress.tree}:two", cwd=suite.folder) == "two"


def test_what_an_install_step_writes_as_hooks_stays_in_the_room(suite: Suite) -> None:
    """It writes them where git looks for hooks: not into gitorch's own, which guard every repository."""
    before = {path: path.read_bytes() for path in ref_guard.hooks_folder().iterdir()}
    room = suite.room()
    script = "cd $(git rev-parse --git-path hooks) && for name in *; do echo 'exit 0' > $name; done"
    execute(room.check_command(["/bin/sh", "-c", script]))
    changed = [path.name for path, content in before.items() if path.read_bytes() != content]
    for path in map(ref_guard.hooks_folder().joinpath, changed):
        path.write_bytes(before[path])  # other tests need them
    assert changed == []
    if suite.kind == "fenced worktree":  # elsewhere, the branch would be in a repository of the room's own
        attempt_at(room, "git branch other")
        assert not suite.ref("refs/heads/other")
    work(room)
    assert isinstance(room.collect(MESSAGE), Collected)


def test_what_an_install_step_writes_as_hooks_does_not_replace_the_users(suite: Suite) -> None:
    """In the agent's repository, or where git looks for hooks: the user's own still judge the agent's commits.

    Landlock cannot protect the hooks of the agent's repository: there, the commit is one that passed no hook.
    """
    if suite.kind == "clone":
        pytest.skip("the user's hooks are not there")
    hook = suite.folder / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    room = suite.room()
    script = "cd {} && for name in pre-commit chain; do printf '#!/bin/sh\\nexit 0\\n' > $name; done; true"
    if suite.kind == "fenced worktree":  # there, the user's hooks are those of the repository
        places = ["$(git rev-parse --git-path hooks)"]
    else:
        places = ["$(git rev-parse --git-path hooks)", "$(git rev-parse --git-dir)/hooks"]
    for place in places:
        execute(room.check_command(["/bin/sh", "-c", script.format(place)]))
    attempt_at(room, "echo 1 > one; git add one; git commit -qm one")
    assert (room.head() == suite.base) == (suite.kind != "landlock worktree")
    ledger = room.hook_ledger()
    assert (ledger.hooks, ledger.passed) == (("pre-commit",), frozenset())
