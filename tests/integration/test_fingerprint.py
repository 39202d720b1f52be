"""The fingerprint of what is the user's, on real repositories: it sees each change and no other, and writes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

import gitorch
from gitorch.git.protected import ref_guard
from gitorch.git.protected.fingerprint import Fingerprint, differences
from gitorch.git.repository import GitFailed, Repository
from gitorch.model.naming import Ref
from tests.support.fingerprints import fingerprint


@dataclass(frozen=True)
class Home:
    """A user's repository with everything that could be disturbed, and a task's worktree beside it."""

    root: Path

    @property
    def main(self) -> Path:
        return self.root / "main"

    @property
    def task(self) -> Path:
        return self.root / "main.orch" / "t1"

    @property
    def folder(self) -> Path:
        return self.main / ".git"

    @property
    def repository(self) -> Repository:
        return Repository.discover(self.main)

    def git(self, *args: str, cwd: Path | None = None) -> str:
        done = subprocess.run(["git", *args], cwd=cwd or self.main, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def fenced(self, *args: str) -> None:
        """Run git in the task's worktree as an agent would."""
        env = ref_guard.environment(
            hooks=ref_guard.hooks_folder(),
            user_hooks=ref_guard.user_hooks(self.repository, self.task),
            git_dir=self.folder / "worktrees" / "t1",
            common_dir=self.folder,
            branch=Ref("refs/heads/orch/t1"),
            task="t1",
            agent="claude",
            alarm=self.root / "alarm",
        )
        subprocess.run(["git", *args], cwd=self.task, env={**os.environ, **env}, capture_output=True)

    def differs(self, change: Callable[[Home], object]) -> tuple[str, ...]:
        before = fingerprint(self.repository)
        change(self)
        return differences(before, fingerprint(self.repository))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in [*os.environ]:
        if name.startswith("GIT"):
            monkeypatch.delenv(name)
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n\tname = U\n\temail = u@example.com\n[init]\n\tdefaultBranch = main\n")
    date = "2026-11-22T12:00:00Z"
    for name, value in {
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_AUTHOR_DATE": date,
        "GIT_COMMITTER_DATE": date,
    }.items():
        monkeypatch.setenv(name, value)
    home = Home(tmp_path)
    _build(home)
    return home


def _build(home: Home) -> None:
    home.main.mkdir()
    home.git("init", "-q")
    for name in ("f1", "f2"):
        (home.main / name).write_text(f"{name}\n")
        home.git("add", ".")
        home.git("commit", "-q", "-m", name)
    home.git("branch", "other", "HEAD~1")
    home.git("tag", "v1")
    home.git("clone", "-q", "--bare", str(home.main), str(home.root / "up.git"))
    home.git("remote", "add", "origin", str(home.root / "up.git"))
    home.git("fetch", "-q")
    for number in (1, 2):
        (home.main / "f2").write_text(f"stashed {number}\n")
        home.git("stash")
    (home.main / "f1").write_text("the user's edit\n")
    (home.main / "new").write_text("the user's new file\n")
    home.git("worktree", "add", "-q", "--no-track", "-b", "orch/t1", str(home.task), "main")


def _append(path: Path, text: str = "x\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(text)


def _hide(home: Home) -> None:
    home.git("update-index", "--assume-unchanged", "f2")


def _refresh(home: Home) -> None:
    os.utime(home.main / "f2", (1, 1))
    home.git("status")


def _link(home: Home) -> None:
    (home.main / "new").unlink()
    (home.main / "new").symlink_to("f1")


def _pipe(home: Home) -> None:
    (home.main / "new").unlink()
    os.mkfifo(home.main / "new")


def _unfenced(home: Home) -> None:
    home.git("update-ref", "refs/heads/other", "main", cwd=home.task)


# what the hooks do not see, or what no hook could
MOVED: dict[str, tuple[Callable[[Home], object], set[str]]] = {
    "a ref, without the environment": (_unfenced, {"refs/heads/other moved"}),
    "a ref, with hooks off": (
        lambda home: home.fenced("-c", "core.hooksPath=/dev/null", "tag", "mine"),
        {"refs/tags/mine appeared"},
    ),
    "a ref's file": (
        lambda home: (home.folder / "refs/heads/other").write_text(home.git("rev-parse", "main") + "\n"),
        {"refs/heads/other moved"},
    ),
    "a branch copied": (
        lambda home: home.fenced("branch", "-c", "main", "copy"),
        {"refs/heads/copy appeared"},
    ),
    "a remote removed": (
        lambda home: home.fenced("remote", "remove", "origin"),
        {"config changed", "refs/remotes/origin/main disappeared", "refs/remotes/origin/other disappeared"},
    ),
    "a push past the check": (
        lambda home: home.fenced("push", "-q", "--no-verify", "../../main", "HEAD:refs/heads/pushed"),
        {"refs/heads/pushed appeared"},
    ),
    "HEAD": (
        lambda home: home.fenced("-C", "../../main", "symbolic-ref", "HEAD", "refs/heads/other"),
        {"HEAD changed", "logs/HEAD changed", "file f2 changed"},
    ),
    "a stash popped": (lambda home: home.fenced("stash", "pop"), {"refs/stash moved", "stash "}),
    "a symbolic ref": (
        lambda home: home.fenced("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/other"),
        {"refs/remotes/origin/HEAD appeared"},
    ),
    "config": (lambda home: home.fenced("config", "core.fsmonitor", "touch ran"), {"config changed"}),
    "a new hook": (lambda home: _append(home.folder / "hooks/post-commit"), {"hooks/post-commit appeared"}),
    "a hook's mode": (lambda home: (home.folder / "hooks/update.sample").chmod(0o644), {"hooks/update.sample changed"}),
    "excludes": (lambda home: _append(home.folder / "info/exclude"), {"info/exclude changed"}),
    "attributes": (lambda home: _append(home.folder / "info/attributes"), {"info/attributes appeared"}),
    "alternates": (
        lambda home: _append(home.folder / "objects/info/alternates", ""),
        {"objects/info/alternates appeared"},
    ),
    "the index": (lambda home: home.git("add", "f1"), {"index changed", "file f1 changed"}),
    "a flag in the index": (_hide, {"index changed"}),
    "the index's bytes alone": (
        _refresh,
        {"index rewritten, with the same entries"},
    ),
    "a clean file": (lambda home: _append(home.main / "f2"), {"file f2 changed"}),
    "a file that was edited before": (lambda home: _append(home.main / "f1"), {"file f1 changed"}),
    "an edit undone": (lambda home: home.git("checkout", "f1"), {"file f1 changed", "index rewritten"}),
    "a new file's content": (lambda home: _append(home.main / "new"), {"file new changed"}),
    "a new file": (lambda home: _append(home.main / "sub/deep"), {"file sub/deep changed"}),
    "a file's mode": (lambda home: (home.main / "f2").chmod(0o755), {"file f2 changed"}),
    "a deleted file": (lambda home: (home.main / "f2").unlink(), {"file f2 changed"}),
    "a file made a link": (_link, {"file new changed"}),
    "a pipe in a file's place": (_pipe, {"file new"}),
    "a half-done merge": (lambda home: _append(home.folder / "MERGE_HEAD"), {"MERGE_HEAD appeared"}),
}


@pytest.mark.parametrize("name", MOVED)
def test_each_thing_of_the_users_that_moves_is_named(home: Home, name: str) -> None:
    """One line for each, and none beside; the same thing twice is no difference."""
    change, expected = MOVED[name]
    assert home.differs(lambda _: None) == ()
    lines = home.differs(change)
    assert len(lines) == len(expected)
    assert all(any(line.startswith(start) for line in lines) for start in expected), lines
    assert home.differs(lambda _: None) == ()


def test_honest_work_and_gitorchs_own_refs_are_no_difference(home: Home) -> None:
    """A task commits, rebases and is noted; refs under other prefixes are left out when asked."""

    def work(home: Home) -> None:
        _append(home.task / "own")
        home.fenced("add", "own")
        home.fenced("commit", "-q", "-m", "own")
        home.fenced("rebase", "-q", "--onto", "other", "main")
        for ref in ("refs/heads/orch/t2", "refs/gitorch/rescue/t1", "refs/notes/gitorch"):
            home.git("update-ref", ref, "main")
        home.git("worktree", "add", "-q", "--detach", "../elsewhere")
        home.git("worktree", "remove", "../elsewhere")

    assert home.differs(work) == ()
    before = fingerprint(home.repository, movable=("refs/heads/agents/", "refs/heads/trunk"))
    home.git("update-ref", "refs/heads/agents/t1", "main")
    home.git("update-ref", "refs/heads/trunk", "main")
    home.git("update-ref", "refs/heads/trunk2", "main")
    home.git("update-ref", "refs/heads/orch/t3", "main")
    after = fingerprint(home.repository, movable=("refs/heads/agents/", "refs/heads/trunk"))
    assert differences(before, after) == ("refs/heads/orch/t3 appeared", "refs/heads/trunk2 appeared")


def test_a_dropped_stash_can_be_brought_back_from_what_is_named(home: Home) -> None:
    """The line holds the commit that `git stash store` wants."""
    stashes = home.git("stash", "list")
    lines = home.differs(lambda home: home.fenced("stash", "drop", "stash@{1}"))
    (line,) = lines
    commit = line.split()[1]
    assert line == f"stash {commit} disappeared"
    home.git("stash", "store", "-m", "back", commit)
    assert len(home.git("stash", "list").splitlines()) == len(stashes.splitlines())


def test_taking_a_fingerprint_writes_nothing(home: Home) -> None:
    """No file of the git folder or the checkout is touched, not even an index that wants to be refreshed."""
    os.utime(home.main / "f2", (1, 1))
    before = _times(home.main)
    fingerprint(home.repository)
    assert _times(home.main) == before


def _times(folder: Path) -> dict[str, tuple[int, int]]:
    found = [folder, *folder.rglob("*")]
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in found}


def test_a_hostile_config_runs_nothing(home: Home) -> None:
    """Not a file system monitor, a hook, a filter (whatever its name), nor a transport."""
    ran = home.root / "ran"
    (home.main / ".gitattributes").write_text("* filter=a=b\nf1 filter=p\n")
    for key in ("core.fsmonitor", "filter.a=b.clean", "filter.p.process", "core.sshCommand", "core.pager"):
        home.git("config", key, f"touch {ran}; cat")
    home.git("config", "filter.a=b.required", "true")
    hook = home.folder / "hooks" / "post-index-change"
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
    hook.chmod(0o755)
    for name in ("f1", "f2"):
        os.utime(home.main / name, (1, 1))
    taken = fingerprint(home.repository)
    assert not ran.exists()
    assert "file .gitattributes" in taken.digests
    subprocess.run(["git", "status"], cwd=home.main, capture_output=True)
    assert ran.exists(), "the trap does not work"


def test_a_damaged_config_is_an_error_and_not_a_wrong_answer(home: Home) -> None:
    """Where git cannot read the repository, its words are handed on."""
    _append(home.folder / "config", "[broken\n")
    with pytest.raises(GitFailed) as caught:
        fingerprint(Repository(home.folder, home.main))
    assert "bad config" in caught.value.why


def test_names_of_any_bytes_can_be_stored(home: Home) -> None:
    """Paths and refs that are not UTF-8 survive a round through JSON, and differ where they differ."""
    (home.main / os.fsdecode(b"caf\xe9\n[bold]")).write_text("x")
    before = fingerprint(home.repository)
    stored = msgspec.json.decode(msgspec.json.encode(before), type=Fingerprint)
    assert differences(before, stored) == ()
    (home.main / os.fsdecode(b"caf\xe9\n[bold]")).write_text("y")
    assert differences(stored, fingerprint(home.repository)) == ("file caf\\xe9\n[bold] changed",)


def test_a_bare_repository_and_one_without_commits_have_fingerprints(home: Home) -> None:
    """No checkout, no index, no HEAD commit: what is there is taken."""
    bare = Repository(home.root / "up.git", None)
    assert {"HEAD", "refs/heads/main"} <= fingerprint(bare).digests.keys()
    (home.root / "empty").mkdir()
    home.git("init", "-q", cwd=home.root / "empty")
    assert "HEAD" in fingerprint(Repository.discover(home.root / "empty")).digests


def test_the_users_hooks_folder_elsewhere_is_watched(home: Home) -> None:
    """A `core.hooksPath` outside the repository is the user's, too."""
    home.git("config", "--global", "core.hooksPath", "~/hooks")
    _append(home.root / "hooks" / "pre-commit")
    assert ref_guard.user_hooks(home.repository) == home.root / "hooks"
    lines = home.differs(lambda home: _append(home.root / "hooks" / "pre-commit"))
    assert lines == (f"{home.root / 'hooks' / 'pre-commit'} changed",)


def test_our_own_pin_is_not_taken_for_the_users_hooks_path(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked from inside an agent's environment, the user's folder is still the user's."""
    repository = home.repository
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.hooksPath")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(ref_guard.hooks_folder()))
    assert ref_guard.user_hooks(repository) == home.folder / "hooks"


@pytest.mark.parametrize("hook", ["reference-transaction", "commit-msg", "chain"])
def test_hooks_that_git_would_pass_over_are_an_error(tmp_path: Path, hook: str) -> None:
    """An installation whose hooks lost their mode is refused: git would run an agent without the fence."""
    package = tmp_path / "gitorch"
    subprocess.run(["cp", "-rL", Path(gitorch.__file__).parent, package], check=True)
    (package / "_hooks" / hook).chmod(0o644)
    code = "from gitorch.git.protected import ref_guard; from gitorch.errors import SetupNeeded\n"
    code += "try: ref_guard.hooks_folder()\nexcept SetupNeeded as error: print(error.code)"
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout == b"hooks-missing\n"
