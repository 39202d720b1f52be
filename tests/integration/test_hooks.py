"""The hooks that an agent's git sees, driven through real git: what they refuse, what they let pass, what they add."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitorch.git.protected import ref_guard
from gitorch.git.repository import Repository
from gitorch.git.worktrees.linked_worktrees import Worktree, find
from gitorch.model.naming import Ref

BRANCH = Ref("refs/heads/orch/t1")
TRAILERS = b"Task: t1\nAgent: claude\n"

# every hook that runs on the side of whoever works (githooks(5)), but the file system monitor
CLIENT_HOOKS = """applypatch-msg pre-applypatch post-applypatch pre-commit pre-merge-commit prepare-commit-msg
commit-msg post-commit pre-rebase post-checkout post-merge pre-push reference-transaction pre-auto-gc post-rewrite
sendemail-validate post-index-change""".split()


@dataclass(frozen=True)
class Desk:
    """A user's repository `main` with a remote, and the worktree of the task `t1` beside it."""

    root: Path
    environment: Mapping[str, str]

    @property
    def main(self) -> Path:
        return self.root / "main"

    @property
    def task(self) -> Path:
        return self.root / "main.orch" / "t1"

    @property
    def alarm(self) -> Path:
        return self.root / "alarm"

    def fenced(self, user_hooks: Path | None = None) -> dict[str, str]:
        repository = Repository(self.main / ".git", self.main)
        worktree = find(repository, self.task)
        assert isinstance(worktree, Worktree)
        return {**self.environment} | ref_guard.environment(
            hooks=ref_guard.hooks_folder(),
            user_hooks=user_hooks or ref_guard.user_hooks(repository, self.task),
            git_dir=worktree.admin,
            common_dir=repository.common_dir,
            branch=BRANCH,
            task="t1",
            agent="claude",
            alarm=self.alarm,
        )

    def run(
        self, env: Mapping[str, str], cwd: Path, *args: str | bytes, ok: bool | None = True
    ) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(["git", *args], cwd=cwd, env=env, capture_output=True, stdin=subprocess.DEVNULL)
        if ok is not None:
            assert (done.returncode == 0) is ok, (args, done)
        return done

    def user(self, *args: str, cwd: Path | None = None) -> str:
        return self.run(self.environment, cwd or self.main, *args).stdout.decode().strip()

    def agent(
        self, *args: str | bytes, cwd: Path | None = None, ok: bool | None = True
    ) -> subprocess.CompletedProcess[bytes]:
        return self.run(self.fenced(), cwd or self.task, *args, ok=ok)

    def refs(self) -> str:
        """Everything that names a commit: all refs, and HEAD of both checkouts."""
        listing = self.user("for-each-ref", "--format=%(refname) %(objectname) %(symref)")
        return listing + "".join((self.main / ".git" / name).read_text() for name in ("HEAD", "worktrees/t1/HEAD"))

    def message(self, commit: str = "orch/t1") -> bytes:
        return self.run(self.environment, self.main, "cat-file", "commit", commit).stdout.partition(b"\n\n")[2]

    def write(self, name: str, content: str, commit: bool = True) -> None:
        (self.task / name).write_text(content)
        if commit:
            self.agent("add", "--all")
            self.agent("commit", "-q", "-m", f"write {name}")

    def hook(self, name: str, script: str, folder: Path | None = None) -> Path:
        path = (folder or self.main / ".git" / "hooks") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path


@pytest.fixture(scope="session")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to copy: the user's repository and its remote, without the task's worktree."""
    root = tmp_path_factory.mktemp("standard")
    desk = Desk(root, _environment(root))
    desk.main.mkdir()
    desk.user("init", "-q", "--template=")
    for number in (1, 2, 3):
        (desk.main / f"f{number}").write_text(f"{number}\n")
        desk.user("add", ".")
        desk.user("commit", "-q", "-m", f"c{number}")
    desk.user("branch", "other", "HEAD~1")
    desk.user("tag", "v1")
    desk.user("clone", "-q", "--bare", "--template=", ".", "../up.git")
    desk.user("remote", "add", "origin", "../up.git")
    desk.user("fetch", "-q")
    # the remote has moved on since
    desk.user("push", "-q", "origin", f"{desk.user('commit-tree', '-p', 'main', '-m', 'up', 'main^{tree}')}:main")
    desk.user("update-ref", "refs/remotes/origin/main", "main")
    return root


def _environment(root: Path) -> dict[str, str]:
    config = root / "home" / "gitconfig"
    config.parent.mkdir(exist_ok=True)
    config.write_text("[user]\n\tname = U\n\temail = u@example.com\n[init]\n\tdefaultBranch = main\n")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(config.parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_AUTHOR_DATE": "2026-11-22T12:00:00Z",
        "GIT_COMMITTER_DATE": "2026-11-22T12:00:00Z",
    }


@pytest.fixture
def desk(standard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    shutil.copytree(standard, tmp_path, dirs_exist_ok=True)
    environment = _environment(tmp_path)
    for name in [*os.environ]:
        if name.startswith("GIT"):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    desk = Desk(tmp_path, environment)
    desk.user("config", "remote.origin.url", str(tmp_path / "up.git"))
    desk.user("worktree", "add", "-q", "--no-track", "-b", "orch/t1", str(desk.task), "main")
    desk.write("own", "own\n")
    return desk


REFUSED = {
    "stash": (["stash"], "refs/stash"),
    "stash with new files": (["stash", "push", "--include-untracked"], "refs/stash"),
    "stash everything": (["stash", "push", "--all", "--keep-index"], "refs/stash"),
    "force another branch": (["branch", "-f", "other", "HEAD"], "refs/heads/other"),
    "move another branch": (["update-ref", "refs/heads/main", "HEAD"], "refs/heads/main"),
    "move it from the user's checkout": (
        ["-C", "../../main", "update-ref", "refs/heads/main", "v1~1"],
        "refs/heads/main",
    ),
    "move it by a git folder": (
        ["--git-dir=../../main/.git", "update-ref", "refs/heads/main", "v1~1"],
        "refs/heads/main",
    ),
    "commit in the user's checkout": (["-C", "../../main", "commit", "--allow-empty", "-m", "x"], "HEAD"),
    "commit there without checks": (
        ["-C", "../../main", "commit", "-n", "--allow-empty", "-m", "x"],
        "HEAD",
    ),
    "make a branch": (["checkout", "-b", "mine"], "refs/heads/mine"),
    "make a branch quietly": (["branch", "mine"], "refs/heads/mine"),
    "make a branch of gitorch's": (["switch", "-c", "orch/t2"], "refs/heads/orch/t2"),
    "delete a branch": (["branch", "-D", "other"], "refs/heads/other"),
    "rename a branch": (["branch", "-m", "other", "else"], "refs/heads/other"),
    "rename the own branch": (["branch", "-m", "mine"], "refs/heads/orch/t1"),
    "delete the own branch": (["update-ref", "-d", "refs/heads/orch/t1"], "refs/heads/orch/t1"),
    "tag": (["tag", "v2"], "refs/tags/v2"),
    "delete a tag": (["tag", "-d", "v1"], "refs/tags/v1"),
    "notes": (["notes", "add", "-m", "x"], "refs/notes/commits"),
    "replace": (["replace", "HEAD", "HEAD~1"], "refs/replace/"),
    "gitorch's own refs": (["update-ref", "refs/gitorch/rescue/t1", "HEAD"], "refs/gitorch/rescue/t1"),
    "fetch": (["fetch", "-q"], "refs/remotes/origin/main"),
    "a worktree of its own": (["worktree", "add", "-q", "--detach", "../t2"], "HEAD"),
    "detach the user's checkout": (["-C", "../../main", "checkout", "--detach"], "HEAD"),
    "the user's HEAD by name": (["update-ref", "--no-deref", "main-worktree/HEAD", "HEAD"], "main-worktree/HEAD"),
    "the user's bisection": (["-C", "../../main", "update-ref", "refs/bisect/bad", "HEAD"], "refs/bisect/bad"),
    "pack refs": (["pack-refs", "--all"], "refs/heads/main"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_move_of_any_other_ref_is_refused_and_changes_nothing(desk: Desk, name: str) -> None:
    """Whatever the command, refs, HEADs and uncommitted files stay, and the ref's name is told on one line."""
    args, ref = REFUSED[name]
    desk.write("f1", "edited\n", commit=False)
    desk.write("new", "new\n", commit=False)
    before = desk.refs()
    done = desk.agent(*args, ok=False)
    assert desk.refs() == before
    assert (desk.task / "f1").read_text() == "edited\n"
    assert (desk.task / "new").read_text() == "new\n"
    ours = [line for line in done.stderr.decode().splitlines() if line.startswith("gitorch: ")]
    assert [line.startswith(f"gitorch: {ref}") for line in ours] == [True] * len(ours) != []
    assert ref_guard.refusals(desk.alarm)[0].startswith(ref)


def test_the_refusal_of_a_stash_says_what_to_do_instead(desk: Desk) -> None:
    """An agent reads why, and the command that does what it wanted."""
    desk.write("f1", "edited\n", commit=False)
    words = desk.agent("stash", ok=False).stderr.decode()
    assert "git stash is shared by all worktrees; commit on orch/t1 instead" in words


def test_the_users_stash_cannot_be_cleared(desk: Desk) -> None:
    """`git stash clear` is refused; git asks no hook before `drop` shortens the list, but the last commit stays."""
    (desk.main / "f1").write_text("the user's\n")
    desk.user("stash")
    stash, before = desk.user("stash", "list"), desk.refs()
    desk.agent("stash", "clear", ok=False)
    assert desk.user("stash", "list") == stash
    desk.agent("stash", "drop", ok=False)
    assert desk.refs() == before
    assert desk.user("show", "refs/stash:f1") == "the user's"


def test_turning_hooks_off_in_the_config_has_no_effect(desk: Desk) -> None:
    """The environment wins over what an agent writes into `.git/config`."""
    desk.agent("config", "core.hooksPath", "/dev/null")
    desk.agent("branch", "-f", "other", "HEAD", ok=False)


def test_no_verify_does_not_get_round_the_fence(desk: Desk) -> None:
    """A commit on a branch that the agent switched to is refused, with or without `--no-verify`."""
    desk.agent("checkout", "-q", "other")
    before = desk.refs()
    for args in ((), ("--no-verify",)):
        done = desk.agent("commit", "--allow-empty", "-m", "x", *args, ok=False)
        assert b"refs/heads/other is refused: this task's only branch is orch/t1" in done.stderr
    assert desk.refs() == before


def test_one_forbidden_ref_stops_the_whole_transaction(desk: Desk) -> None:
    """The own branch does not move when a forbidden ref was to move with it."""
    before = desk.refs()
    moves = b"update refs/heads/orch/t1 refs/heads/main\nupdate refs/heads/main refs/heads/other\n"
    done = subprocess.run(
        ["git", "update-ref", "--stdin"], input=moves, cwd=desk.task, env=desk.fenced(), capture_output=True
    )
    assert done.returncode != 0
    assert desk.refs() == before


def test_a_push_is_refused_on_one_line(desk: Desk) -> None:
    """The remote gets nothing; the alarm names the remote, and no address that may hold a password."""
    up = desk.user("ls-remote", "origin")
    words = desk.agent("push", "-q", "origin", "HEAD:refs/heads/x", ok=False).stderr.decode()
    desk.agent("push", "-q", str(desk.root / "up.git"), "HEAD:refs/heads/x", ok=False)
    assert desk.user("ls-remote", "origin") == up
    assert "gitorch: push refused: a task's work leaves this machine only after review" in words
    assert ref_guard.refusals(desk.alarm) == ("push to origin", "push to an address")


def test_an_alarm_that_cannot_be_written_does_not_open_the_fence(desk: Desk) -> None:
    """Refusing comes first."""
    desk.alarm.mkdir()
    desk.agent("branch", "-f", "other", "HEAD", ok=False)
    assert ref_guard.refusals(desk.alarm) == ("the alarm file was replaced",)


HONEST = {
    "amend": [["commit", "-q", "--amend", "-m", "better"]],
    "rebase onto the base's new tip": [["rebase", "-q", "main"]],
    "rebase onto an older commit": [["rebase", "-q", "--onto", "other", "main"]],
    "rebase with the other machinery": [["rebase", "-q", "--apply", "--onto", "other", "main"]],
    "rebase with merges": [
        ["merge", "-q", "--no-ff", "apart"],
        ["rebase", "-q", "--rebase-merges", "--onto", "other", "main"],
    ],
    "rebase interactively": [["rebase", "-q", "-i", "--exec", "true", "HEAD~1"]],
    "merge": [["merge", "-q", "--no-edit", "apart"]],
    "squash": [["merge", "-q", "--squash", "apart"], ["commit", "-q", "--no-edit"]],
    "cherry-pick": [["cherry-pick", "apart"]],
    "revert": [["revert", "--no-edit", "HEAD"]],
    "reset": [["reset", "-q", "--hard", "HEAD~1"], ["reset", "-q", "--hard", "HEAD@{1}"]],
    "bisect": [["bisect", "start", "HEAD", "HEAD~3"], ["bisect", "run", "test", "!", "-f", "own"], ["bisect", "reset"]],
    "work detached": [
        ["checkout", "-q", "--detach"],
        ["commit", "-q", "--allow-empty", "-m", "d"],
        ["checkout", "-q", "orch/t1"],
        ["merge", "-q", "--ff-only", "HEAD@{1}"],
    ],
    "look at another branch": [["checkout", "-q", "other"], ["checkout", "-q", "-"]],
    "fetch without tracking": [
        ["fetch", "-q", "--no-tags", "--refmap=", "origin", "main"],
        ["merge", "-q", "--no-edit", "FETCH_HEAD"],
    ],
    "refs of the worktree": [["update-ref", "refs/worktree/mark", "HEAD"], ["update-ref", "-d", "refs/worktree/mark"]],
    "gc": [["gc", "-q"]],
    "restore": [["checkout", "HEAD~1", "--", "."], ["restore", "--staged", "--worktree", "."], ["clean", "-fdx"]],
    "patches": [
        ["format-patch", "-q", "-1", "-o", "../p"],
        ["reset", "-q", "--hard", "HEAD~1"],
        ["am", "-q", "../p/0001-write-own.patch"],
    ],
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_work_on_the_own_branch_passes(desk: Desk, name: str) -> None:
    """Each command succeeds, raises no alarm, and leaves the branch checked out and every other ref alone."""
    apart = desk.user("commit-tree", "-p", "other", "-m", "apart", "other^{tree}")
    desk.user("update-ref", "refs/heads/apart", _with_file(desk, apart))
    before = _without_own(desk)
    for args in HONEST[name]:
        desk.agent(*args)
    assert not desk.alarm.exists()
    assert desk.agent("symbolic-ref", "HEAD").stdout.decode().strip() == BRANCH
    assert desk.agent("status", "--porcelain").stdout == b""
    assert _without_own(desk) == before


def _with_file(desk: Desk, parent: str) -> str:
    """Commit a new file on top of `parent` without a checkout."""
    env = {**desk.environment, "GIT_INDEX_FILE": str(desk.root / "index")}
    blob = desk.user("hash-object", "-w", "f1")
    desk.run(env, desk.main, "read-tree", parent)
    desk.run(env, desk.main, "update-index", "--add", "--cacheinfo", f"100644,{blob},apart")
    tree = desk.run(env, desk.main, "write-tree").stdout.decode().strip()
    return desk.user("commit-tree", "-p", parent, "-m", "add apart", tree)


def _without_own(desk: Desk) -> list[str]:
    return [line for line in desk.refs().splitlines() if not line.startswith(BRANCH)]


def test_work_goes_on_after_the_user_packed_all_refs(desk: Desk) -> None:
    """`git gc` of the user's puts the task's branch into packed-refs; committing and rebasing still pass."""
    desk.user("gc", "-q", "--prune=now")
    desk.write("later", "later\n")
    desk.agent("rebase", "-q", "--onto", "other", "main")
    assert not desk.alarm.exists()


def test_a_conflict_is_resolved_in_the_ordinary_way(desk: Desk) -> None:
    """A rebase stops at a conflict, goes on without an editor, and can be aborted."""
    (desk.main / "own").write_text("the user's\n")
    desk.user("add", "own")
    desk.user("commit", "-q", "-m", "own, too")
    desk.agent("rebase", "-q", "main", ok=False)
    desk.agent("rebase", "--abort")
    desk.agent("rebase", "-q", "main", ok=False)
    (desk.task / "own").write_text("both\n")
    desk.agent("add", "own")
    desk.agent("rebase", "--continue")
    assert desk.message() == b"write own\n\n" + TRAILERS
    assert not desk.alarm.exists()


def test_autostash_works_and_loses_nothing_where_it_meets_a_conflict(desk: Desk) -> None:
    """Where git would fall back to the shared stash, the refusal leaves a commit that it names, with the work in it."""
    desk.write("f1", "edited\n", commit=False)
    desk.agent("rebase", "-q", "--autostash", "--onto", "other", "main")
    assert (desk.task / "f1").read_text() == "edited\n"
    desk.agent("commit", "-q", "-a", "-m", "f1")
    desk.write("f1", "edited again\n", commit=False)
    desk.agent("rebase", "-q", "--autostash", "--onto", "other", "HEAD", ok=None)
    ref, oid = desk.alarm.read_text().split()
    assert ref == "refs/stash"
    assert desk.user("show", f"{oid}:f1") == "edited again"


def test_a_repository_that_a_test_suite_makes_is_left_alone(desk: Desk) -> None:
    """In a repository of its own an agent branches, tags, stashes, clones and pushes, without trailers or alarms."""
    scratch = desk.task / "scratch"
    scratch.mkdir()
    desk.agent("init", "-q", "--bare", str(desk.root / "hub.git"))
    desk.agent("init", "-q", cwd=scratch)
    for args in (
        ["commit", "-q", "--allow-empty", "-m", "one"],
        ["checkout", "-q", "-b", "topic"],
        ["tag", "v1"],
        ["worktree", "add", "-q", "-b", "second", "../second"],
        ["push", "-q", str(desk.root / "hub.git"), "topic:main"],
        ["clone", "-q", str(desk.root / "hub.git"), str(desk.root / "clone")],
    ):
        desk.agent(*args, cwd=scratch)
    (scratch / "f").write_text("f\n")
    desk.agent("add", "f", cwd=scratch)
    desk.agent("stash", cwd=scratch)
    assert desk.agent("log", "-1", "--format=%B", cwd=scratch).stdout.strip() == b"one"
    assert not desk.alarm.exists()


def test_a_clone_of_the_users_repository_is_a_repository_of_its_own(desk: Desk) -> None:
    """A clone borrows nothing of the fence, though it starts in the task's worktree."""
    desk.agent("clone", "-q", "../../main", "../../copy")
    desk.agent("commit", "-q", "--allow-empty", "-m", "x", cwd=desk.root / "copy")
    assert not desk.alarm.exists()


def test_a_scratch_repository_keeps_its_own_hooks(desk: Desk) -> None:
    """There, the hooks are those that git would run without gitorch, and not the user's for the task."""
    scratch = desk.root / "scratch"
    scratch.mkdir()
    desk.hook("pre-commit", "echo wrong >>$HOME/ran")
    desk.agent("init", "-q", cwd=scratch)
    desk.hook("pre-commit", "echo default >>$HOME/ran", scratch / ".git" / "hooks")
    desk.agent("commit", "-q", "--allow-empty", "-m", "x", cwd=scratch)
    desk.agent("config", "core.hooksPath", "tools", cwd=scratch)
    desk.hook("pre-commit", "echo configured >>$HOME/ran", scratch / "tools")
    desk.agent("commit", "-q", "--allow-empty", "-m", "x", cwd=scratch)
    assert _ran(desk) == ["default", "configured"]


def test_a_push_of_a_scratch_repository_asks_its_own_hook(desk: Desk) -> None:
    """It gets the remote's name and address, and what is pushed on its standard input."""
    scratch, hub = desk.root / "scratch", str(desk.root / "hub.git")
    scratch.mkdir()
    desk.agent("init", "-q", "--bare", hub)
    desk.agent("init", "-q", cwd=scratch)
    desk.agent("commit", "-q", "--allow-empty", "-m", "x", cwd=scratch)
    desk.hook("pre-push", 'echo "$@" >>$HOME/ran; cut -d " " -f 1 >>$HOME/ran', scratch / ".git" / "hooks")
    desk.agent("push", "-q", hub, "main", cwd=scratch)
    assert _ran(desk) == [f"{hub} {hub}", "refs/heads/main"]


def _ran(desk: Desk) -> list[str]:
    return (desk.root / "home" / "ran").read_text().splitlines()


def test_every_hook_of_the_client_has_an_executable_file() -> None:
    """A missing or plain file would hide the user's hook of that name."""
    folder = ref_guard.hooks_folder()
    assert [name for name in CLIENT_HOOKS if not os.access(folder / name, os.X_OK)] == []
    assert {path.name for path in folder.iterdir()} - {*CLIENT_HOOKS} == {"chain", "README.md"}
    for path in (folder / name for name in [*CLIENT_HOOKS, "chain"]):
        assert not path.is_symlink()
        subprocess.run(["sh", "-n", path], check=True)


@pytest.mark.parametrize("name", [name for name in CLIENT_HOOKS if name != "pre-push"])
def test_each_hook_becomes_the_users_hook(desk: Desk, name: str) -> None:
    """Arguments, input, folder, pins and exit code are the same as without gitorch."""
    desk.hook(name, 'pwd -P; cat; printf "<%s>" "$@" "$GIT_CONFIG_COUNT"; exit 7')
    (desk.root / "message").write_text("say nothing new\n\n" + TRAILERS.decode())
    args = [str(desk.root / "message"), "a b", ""] if name == "commit-msg" else ["committed", "a b", ""]
    env = desk.fenced() | {"GIT_DIR": str(desk.main / ".git" / "worktrees" / "t1")}
    done = subprocess.run(
        [ref_guard.hooks_folder() / name, *args],
        input=b"0 1 refs/heads/x\n",
        cwd=desk.task,
        env=env,
        capture_output=True,
    )
    expected = "".join(f"<{word}>" for word in (*args, env["GIT_CONFIG_COUNT"]))
    assert (done.returncode, done.stdout.decode()) == (7, f"{desk.task}\n0 1 refs/heads/x\n{expected}")


def test_the_users_hooks_still_run_at_a_commit(desk: Desk) -> None:
    """pre-commit, prepare-commit-msg, commit-msg (which sees our trailers) and post-commit, in this order."""
    for name in ("pre-commit", "prepare-commit-msg", "post-commit"):
        desk.hook(name, f"echo {name} >>$HOME/ran")
    desk.hook("commit-msg", 'grep ^Task: "$1" >>$HOME/ran; echo "Change-Id: 1" >>"$1"')
    desk.agent("commit", "-q", "--allow-empty", "-m", "x")
    assert _ran(desk) == ["pre-commit", "prepare-commit-msg", "Task: t1", "post-commit"]
    assert desk.message() == b"x\n\n" + TRAILERS + b"Change-Id: 1\n"


@pytest.mark.parametrize("name", ["pre-commit", "commit-msg", "pre-rebase", "reference-transaction"])
def test_the_users_hook_has_its_say_where_ours_has_nothing_against_it(desk: Desk, name: str) -> None:
    """A veto of the user's hook stops the commit or the rebase, and gitorch learns of it."""
    desk.hook(name, "echo no >&2; exit 1")
    before = desk.refs()
    command = (
        ["rebase", "-q", "--onto", "other", "main"]
        if name == "pre-rebase"
        else ["commit", "-q", "--allow-empty", "-m", "x"]
    )
    assert b"no\n" in desk.agent(*command, ok=False).stderr
    assert desk.refs() == before
    refused = () if name == "reference-transaction" else (f"hook {name}",)
    assert ref_guard.refusals(desk.alarm) == refused


def test_the_users_reference_transaction_hook_hears_what_it_would_hear(desk: Desk) -> None:
    """All updates of a transaction, in each of its states."""
    desk.hook("reference-transaction", 'echo "$1" >>$HOME/ran; cat >>$HOME/ran')
    desk.agent("commit", "-q", "--allow-empty", "-m", "x")
    old, new = desk.user("rev-parse", "orch/t1~1", "orch/t1").split()
    moves = [f"{old} {new} HEAD", f"{old} {new} {BRANCH}"]
    assert _ran(desk) == ["prepared", *moves, "committed", *moves]


def test_the_users_post_rewrite_hook_gets_its_input(desk: Desk) -> None:
    """It is told the old and the new commit, on its standard input."""
    desk.hook("post-rewrite", "cat >>$HOME/ran")
    old = desk.user("rev-parse", "orch/t1")
    desk.agent("commit", "-q", "--amend", "-m", "better")
    assert _ran(desk) == [f"{old} {desk.user('rev-parse', 'orch/t1')}"]


@pytest.mark.parametrize("where", ["global", "local"])
def test_a_hooks_path_of_the_users_is_chained(desk: Desk, where: str) -> None:
    """`core.hooksPath` in the user's or the repository's config names the folder, with `~` for the home."""
    desk.user("config", f"--{where}", "core.hooksPath", "~/my hooks")
    desk.hook("pre-commit", "echo ran >>$HOME/ran", desk.root / "home" / "my hooks")
    desk.agent("commit", "-q", "--allow-empty", "-m", "x")
    assert _ran(desk) == ["ran"]


def test_a_relative_hooks_path_is_the_worktrees(desk: Desk) -> None:
    """As with git: the folder in the task's worktree, not the one in the user's checkout."""
    desk.user("config", "core.hooksPath", ".githooks")
    desk.hook("pre-commit", "echo main >>$HOME/ran", desk.main / ".githooks")
    desk.hook("pre-commit", "echo task >>$HOME/ran", desk.task / ".githooks")
    (desk.task / "sub").mkdir()
    desk.agent("commit", "-q", "--allow-empty", "-m", "x", cwd=desk.task / "sub")
    assert _ran(desk) == ["task"]


def test_a_user_hooks_folder_that_is_gitorchs_own_does_not_loop(desk: Desk) -> None:
    """The chain ends where it would call itself."""
    env = desk.fenced(user_hooks=ref_guard.hooks_folder())
    desk.run(env, desk.task, "commit", "-q", "--allow-empty", "-m", "x")
    assert desk.message() == b"x\n\n" + TRAILERS


MESSAGES = {
    "one line": (b"Add a table", b"Add a table\n\n"),
    "a line like a trailer": (b"fix: a table", b"fix: a table\n\n"),
    "a line like a comment": (b"#12 is fixed", b"#12 is fixed\n\n"),
    "a heading at the end": (b"Add\n\n# What\n", b"Add\n\n# What\n\n"),
    "a body": (b"Add\n\nBecause.\n", b"Add\n\nBecause.\n\n"),
    "a divider": (b"Add\n\nabove\n---\nbelow\n", b"Add\n\nabove\n---\nbelow\n\n"),
    "trailers": (b"Add\n\nFixes: #1\n", b"Add\n\nFixes: #1\n"),
    "another task's": (b"Add\n\nTask: t0\n", b"Add\n\nTask: t0\n"),
    "latin-1, which git recodes": (b"Caf\xe9\n", "Café\n\n".encode()),
    "an emoji": ("Käse 🧀\n".encode(), "Käse 🧀\n\n".encode()),
    "shell": (b"`id` $(id) \\n %s 'a\" -n\n", b"`id` $(id) \\n %s 'a\" -n\n\n"),
    "a dash": (b"-n\n", b"-n\n\n"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_commit_names_its_task_and_agent(desk: Desk, name: str) -> None:
    """Whatever the message, the trailers are its last lines, after a blank one, and git reads them as trailers."""
    message, expected = MESSAGES[name]
    desk.agent("commit", "-q", "--allow-empty", b"--message=" + message)
    assert desk.message() == expected + TRAILERS
    read = desk.user("log", "-1", "--format=%(trailers:key=Task,valueonly)%(trailers:key=Agent,valueonly)", "orch/t1")
    assert read.split()[-2:] == ["t1", "claude"]


@pytest.mark.parametrize("content", [b"Add", b"Add\n", b"Add\n\nbody", b"\n\nAdd", b"Add\r\n\r\nbody\r\n"])
def test_a_verbatim_message_is_kept_to_the_byte(desk: Desk, content: bytes) -> None:
    """The trailers come after it, in a paragraph of their own, though its last line has no end."""
    (desk.root / "message").write_bytes(content)
    desk.agent("commit", "-q", "--allow-empty", "--cleanup=verbatim", "-F", str(desk.root / "message"))
    assert desk.message() == content.rstrip(b"\n") + b"\n\n" + TRAILERS


def test_bytes_that_are_not_utf8_are_kept(desk: Desk) -> None:
    """Where the user's config says that messages are in another encoding."""
    desk.user("config", "i18n.commitEncoding", "ISO-8859-1")
    desk.agent("commit", "-q", "--allow-empty", b"--message=Caf\xe9\n\n\xa7 1")
    assert desk.message() == b"Caf\xe9\n\n\xa7 1\n\n" + TRAILERS


def test_carriage_returns_do_not_double_the_trailers(desk: Desk) -> None:
    """A message that came through a Windows editor is amended without a second set."""
    desk.agent("commit", "-q", "--allow-empty", "-m", "Add\r\n\r\n" + TRAILERS.decode().replace("\n", "\r\n"))
    assert desk.message().count(b"Task:") == desk.message().count(b"Agent:") == 1


@pytest.mark.parametrize("comment", ["", "#", ";", "auto"])
def test_a_message_that_says_nothing_is_still_refused_by_git(desk: Desk, comment: str) -> None:
    """An empty message, and a template left as it was, do not become commits that only hold trailers."""
    if comment:
        desk.user("config", "core.commentChar", comment)
    before = desk.refs()
    for args in (["-m", ""], ["-m", " \n\t\n"], [], ["-v"], ["--cleanup=scissors"]):
        done = desk.agent("commit", "--allow-empty", *args, ok=False)
        assert b"empty commit message" in done.stderr
    assert desk.refs() == before


@pytest.mark.parametrize("comment", ["#", ";"])
def test_a_message_from_an_editor_gets_its_trailers_before_the_comments(desk: Desk, comment: str) -> None:
    """What git strips from an edited message, diff and status, is stripped as ever."""
    desk.user("config", "core.commentChar", comment)
    desk.write("f1", "edited\n", commit=False)
    env = desk.fenced() | {"GIT_EDITOR": "sed -i '1i From an editor'"}
    desk.run(env, desk.task, "commit", "-q", "-a", "-v")
    assert desk.message() == b"From an editor\n\n" + TRAILERS


def test_trailers_are_not_doubled_by_amending_or_rebasing(desk: Desk) -> None:
    """`--amend` with and without an editor, reword, fixup with autosquash, and an amended merge."""
    desk.agent("commit", "-q", "--amend", "--no-edit")
    desk.agent("commit", "-q", "--amend")
    assert desk.message() == b"write own\n\n" + TRAILERS
    desk.write("second", "2\n")
    desk.write("own", "fixed\n", commit=False)
    desk.agent("commit", "-q", "-a", "--fixup=HEAD~1")
    assert desk.message() == b"fixup! write own\n\n" + TRAILERS
    desk.agent("rebase", "-q", "-i", "--autosquash", "main")
    env = desk.fenced() | {"GIT_SEQUENCE_EDITOR": "sed -i s/^pick/reword/"}
    desk.run(env, desk.task, "rebase", "-q", "-i", "main")
    assert desk.message() == b"write second\n\n" + TRAILERS
    assert desk.message("orch/t1~1") == b"write own\n\n" + TRAILERS


def test_a_merge_commit_names_its_task(desk: Desk) -> None:
    """With the message that git makes."""
    desk.user("update-ref", "refs/heads/apart", _with_file(desk, "other"))
    desk.agent("merge", "-q", "--no-edit", "apart")
    assert desk.message() == b"Merge branch 'apart' into orch/t1\n\n" + TRAILERS


def test_the_users_trailer_settings_change_nothing(desk: Desk) -> None:
    """Separators, placement and defaults of the user's config are for the user's own trailers."""
    for key, value in {"separators": "#", "where": "start", "ifexists": "replace", "ifmissing": "doNothing"}.items():
        desk.user("config", f"trailer.{key}", value)
    desk.agent("commit", "-q", "--allow-empty", "-m", "x\n\nFixes: 1")
    assert desk.message() == b"x\n\nFixes: 1\n" + TRAILERS


def test_nothing_waits_for_a_person(desk: Desk) -> None:
    """Editors are answered at once, signing is off though the user's config asks for it, gc does not start."""
    desk.user("config", "commit.gpgSign", "true")
    desk.user("config", "gpg.program", "false")
    desk.agent("commit", "-q", "--amend")
    values = [desk.agent("config", key).stdout.strip() for key in ("gc.auto", "maintenance.auto", "tag.gpgSign")]
    assert values == [b"0", b"false", b"false"]
    assert desk.agent("var", "GIT_EDITOR").stdout == b"true\n"
