"""`merge --into`, `merge --squash`, and a base that moved on: the one command that touches a branch of the user's."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gitorch import services
from gitorch.git.repository import RefsMoved
from gitorch.services.open import open_workspace
from tests.support.cli import OBEDIENT, Cli, bytes_of_checkout, does, saved
from tests.support.git import commit, git

_MADE: list[Path] = []


@pytest.fixture
def cli(repository_folder: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Two approved tasks on `main`: a night that is run once, and copied."""
    if not _MADE:
        night = shutil.copytree(repository_folder, tmp_path_factory.mktemp("night") / "repo", symlinks=True)
        cli = Cli(night)
        cli.queue(
            does("One", saved("one.txt", "1")),
            does("Two", "git mv README.md READ.md; git commit -qm 'Move it'"),
        )
        cli.run()
        cli("approve", "--all")
        _MADE.append(night)
    shutil.rmtree(repository_folder)
    return Cli(shutil.copytree(_MADE[0], repository_folder, symlinks=True))


def at(cli: Cli, name: str) -> str:
    return git("rev-parse", "--verify", "--quiet", name, cwd=cli.folder, ok=(0, 1))


def status(cli: Cli, folder: Path | None = None) -> str:
    return git("status", "--porcelain", "--ignored", cwd=folder or cli.folder)


def kinds(cli: Cli, name: str) -> list[str]:
    lines = git("notes", "--ref=gitorch", "show", name, cwd=cli.folder).splitlines()
    return [json.loads(line)["kind"] for line in lines]


def test_a_branch_is_moved_forward_and_a_clean_checkout_follows(cli: Cli) -> None:
    """Branch, index and files are as `git merge --ff-only` would have left them; untracked files stay."""
    (cli.folder / "mine.txt").write_text("untracked\n")
    before = at(cli, "main")
    told = cli.json("merge", "--into", "main")
    tip = at(cli, "orch/integration")
    assert told["into"] == {"branch": "main", "before": before, "after": tip}
    assert at(cli, "main") == at(cli, "HEAD") == tip
    assert (cli.folder / "one.txt").read_text() == "1\n"
    assert (cli.folder / "READ.md").exists()
    assert not (cli.folder / "README.md").exists()
    assert status(cli) == "?? mine.txt"
    assert git("write-tree", cwd=cli.folder) == at(cli, "main^{tree}")
    assert git("reflog", "-1", "--format=%H", "HEAD", cwd=cli.folder) == tip
    again = cli.json("merge", "--into", "main")
    assert again["into"] == {"branch": "main", "before": tip, "after": tip}
    assert again["merged"] == []


def test_what_was_merged_before_is_brought_along(cli: Cli) -> None:
    """With nothing newly approved, `--into` brings what is merged; `-n` says so and moves nothing."""
    cli("merge")
    with cli.untouched():
        told = cli.json("merge", "-n", "--into", "main")
    assert told["into"]["after"] == at(cli, "orch/integration")
    planned = cli("merge", "-n", "--into", "main").text
    assert "main would be fast-forwarded to" in planned
    assert "nothing to merge" not in planned
    show, merge = (line[2:].partition("   ")[0] for line in planned.splitlines() if line.startswith("↳"))
    assert git(*shlex.split(show)[1:], cwd=cli.folder).splitlines()
    merged = cli(*shlex.split(merge)[1:])
    said = merged.text
    assert "to undo" not in merged.stderr
    assert cli.error("undo", exit=5)["code"]
    assert "nothing merged" not in said
    assert "main fast-forwarded to" in said
    assert "not checked" in said
    assert at(cli, "main") == at(cli, "orch/integration")


def test_a_branch_that_moved_on_is_built_upon(cli: Cli) -> None:
    """The integration branch is replayed on it first, with its notes; the commits that it had are kept."""
    cli("merge")
    old = at(cli, "orch/integration")
    moved = commit(cli.folder, "Mine\n", {"mine.txt": "m\n"})
    told = cli.json("merge", "--into", "main")
    tip = at(cli, "main")
    assert git("merge-base", moved, tip, cwd=cli.folder) == moved
    assert [pair["new"] for pair in told["base"]["replayed"]] == git(
        "rev-list", "--reverse", f"{moved}..{tip}", cwd=cli.folder
    ).split()
    assert (told["base"]["branch"], told["base"]["ahead"]) == ("main", 1)
    assert at(cli, "orch/integration") == tip
    assert "merged" in kinds(cli, tip)
    assert git("for-each-ref", "--format=%(objectname)", "refs/gitorch/orig", cwd=cli.folder) == old
    assert (cli.folder / "mine.txt").read_text() == "m\n"
    assert (cli.folder / "one.txt").read_text() == "1\n"
    assert status(cli) == ""


def test_a_base_that_moved_is_said_and_built_upon(cli: Cli) -> None:
    """A plain merge replays what is merged on the base that moved, says so in the plan, and leaves the base alone."""
    cli("merge", "one")
    old = at(cli, "orch/integration")
    moved = commit(cli.folder, "Mine\n", {"mine.txt": "m\n"})
    assert "main moved by 1 commit: 1 merged commit rebased onto it" in cli("merge", "-n").text
    with cli.untouched():
        told = cli.json("merge")
    tip = at(cli, "orch/integration")
    assert told["integration"] == {"branch": "orch/integration", "before": old, "after": tip}
    assert git("log", "--format=%s", "--reverse", f"{moved}..{tip}", cwd=cli.folder).splitlines() == [
        "Write one.txt",
        "Move it",
    ]
    assert at(cli, "main") == moved
    assert old in git("rev-list", "--glob=refs/gitorch/orig", cwd=cli.folder).split()
    merged_as = json.loads(cli("task", "one", "--json").stdout)["task"].get("merged_as")
    assert merged_as in (None, at(cli, f"{tip}~"))


def test_a_tag_of_the_same_name_is_not_the_base(cli: Cli) -> None:
    """git takes `main` for a tag where it can: the base is the branch, and what it removed stays out."""
    mine = commit(cli.folder, "Mine\n", {"mine.txt": "m\n"})
    git("tag", "main", cwd=cli.folder)
    cli("merge", "one")
    git("reset", "--quiet", "--hard", "HEAD~1", cwd=cli.folder)
    instead = commit(cli.folder, "Instead\n", {"instead.txt": "i\n"})
    told = cli.json("merge")
    assert told["base"]["removed"] == [mine]
    subjects = git("log", "--format=%s", "--reverse", f"{instead}..refs/heads/orch/integration", cwd=cli.folder)
    assert subjects.splitlines() == ["Write one.txt", "Move it"]


def test_another_branch_that_one_is_on_is_not_the_base(cli: Cli) -> None:
    """With `base = "auto"` the base is the branch that the first merge was on, wherever the user is now."""
    cli("merge", "one")
    old = at(cli, "orch/integration")
    git("switch", "--quiet", "--create", "aside", cwd=cli.folder)
    aside = commit(cli.folder, "Aside\n", {"aside.txt": "a\n"})
    told = cli.json("merge")
    assert "base" not in told
    assert git("merge-base", old, at(cli, "orch/integration"), cwd=cli.folder) == old
    assert git("merge-base", aside, at(cli, "orch/integration"), cwd=cli.folder) != aside


def test_a_base_that_conflicts_stops_the_merge(cli: Cli) -> None:
    """The conflict is named, exit 7, nothing moves but the candidate, which holds nothing that a merge would not take;
    and the command that helps keeps the notes."""
    cli("merge", "one")
    commit(cli.folder, "Mine\n", {"one.txt": "other\n"})
    refs = [ref for ref in git("for-each-ref", cwd=cli.folder).splitlines() if "orch/candidate" not in ref]
    for words in (("-n",), (), ("--into", "main")):
        told = cli.json("merge", *words, ok=7)
        assert told["base"]["conflict"]["paths"] == ["one.txt"]
        assert [one["id"] for one in told["held"]] == ["two"]
        assert told["integration"]["after"] == told["integration"]["before"]
    assert [ref for ref in git("for-each-ref", cwd=cli.folder).splitlines() if "orch/candidate" not in ref] == refs
    assert at(cli, "orch/candidate") == at(cli, "orch/integration")
    assert "rewriteRef" in cli("merge", ok=7).text


def test_commits_of_another_branch_are_not_written_anew(cli: Cli) -> None:
    """Where the integration branch's commits are on a branch of the user's, too, they stay, and that is said."""
    cli("merge", "one")
    git("branch", "taken", "orch/integration", cwd=cli.folder)
    commit(cli.folder, "Mine\n", {"mine.txt": "m\n"})
    told = cli.json("merge")
    assert told["base"]["reason"] == "its commits are also on taken"
    assert git("merge-base", "taken", "orch/integration", cwd=cli.folder) == at(cli, "taken")
    assert cli.error("merge", "--into", "main", exit=5)["code"] == "into-diverged"


def lay(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("mine\n")


REFUSALS: dict[str, tuple[Callable[[Path], object], str]] = {
    "changed": (lambda top: (top / "data.bin").write_text("x"), "checkout-dirty"),
    "staged": (lambda top: ((top / "new").write_text("x"), git("add", "new", cwd=top)), "checkout-dirty"),
    "untracked": (lambda top: (top / "one.txt").write_text("mine\n"), "checkout-in-the-way"),
    "ignored": (
        lambda top: ((top / ".git/info/exclude").write_text("one.txt\n"), (top / "one.txt").write_text("mine\n")),
        "checkout-in-the-way",
    ),
    "folder": (
        lambda top: lay(top / "one.txt/x"),
        "checkout-in-the-way",
    ),
    "bisect": (lambda top: git("bisect", "start", cwd=top), "checkout-busy"),
    "rebase": (
        lambda top: git(
            "-c", "sequence.editor=sed -i 1s/pick/edit/", "rebase", "-q", "-i", "HEAD~1", cwd=top, ok=(0, 1)
        ),
        "checkout-busy",
    ),
    "merge": (lambda top: git("update-ref", "MERGE_HEAD", "HEAD~1", cwd=top), "checkout-busy"),
    "locked": (lambda top: (top / ".git/index.lock").touch(), "refs-locked"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_checkout_that_cannot_follow_is_refused(cli: Cli, name: str) -> None:
    """Whatever of the user's would be lost or disturbed: nothing moves, not even the integration branch."""
    make, code = REFUSALS[name]
    make(cli.folder)
    refs = git("for-each-ref", cwd=cli.folder)
    before = bytes_of_checkout(cli.repository)
    assert cli.error("merge", "--into", "main", exit=5)["code"] == code
    assert git("for-each-ref", cwd=cli.folder) == refs
    after = bytes_of_checkout(cli.repository)
    for one in (before, after):
        one.pop("index", None)
    assert after == before
    assert (cli.folder / ".git/index.lock").exists() is (name == "locked")
    assert set(cli.states().values()) == {"approved"}


def test_a_checkout_in_another_worktree_follows_or_refuses(cli: Cli, tmp_path: Path) -> None:
    """A linked worktree of the user's counts like the main one."""
    other = tmp_path / "other"
    git("worktree", "add", "-q", "-b", "release/1.0-ü", str(other), "main", cwd=cli.folder)
    (other / "README.md").write_text("mine\n")
    assert cli.error("merge", "--into", "release/1.0-ü", exit=5)["code"] == "checkout-dirty"
    git("checkout", "-q", "README.md", cwd=other)
    main = at(cli, "main")
    cli("merge", "--into", "release/1.0-ü")
    assert (other / "one.txt").exists()
    assert status(cli, other) == ""
    assert at(cli, "main") == main
    assert status(cli) == ""


def test_a_checkout_on_a_symbolic_branch_follows(cli: Cli) -> None:
    """HEAD names an alias of a branch (`git symbolic-ref`), as after a change of the default branch's name."""
    git("symbolic-ref", "refs/heads/trunk", "refs/heads/main", cwd=cli.folder)
    git("symbolic-ref", "HEAD", "refs/heads/trunk", cwd=cli.folder)
    (cli.folder / "README.md").write_text("mine\n")
    assert cli.error("merge", "--into", "main", exit=5)["code"] == "checkout-dirty"
    git("checkout", "-q", "README.md", cwd=cli.folder)
    cli("merge", "--into", "trunk")
    assert (cli.folder / "one.txt").exists()
    assert status(cli) == ""
    assert (cli.folder / ".git/HEAD").read_text() == "ref: refs/heads/trunk\n"


def test_a_checkout_on_a_disk_that_is_away_keeps_its_branch(cli: Cli, tmp_path: Path) -> None:
    """A locked worktree whose folder is not there could not follow, as git's own `branch --force` says, too."""
    disk = tmp_path / "disk"
    git("worktree", "add", "-q", "-b", "away", str(disk), "main", cwd=cli.folder)
    git("worktree", "lock", str(disk), cwd=cli.folder)
    disk.rename(tmp_path / "in a drawer")
    before = at(cli, "away")
    refused = cli.error("merge", "--into", "away", exit=5)
    assert (refused["code"], str(disk) in refused["what"]) == ("checked-out", True)
    assert at(cli, "away") == before
    (tmp_path / "in a drawer").rename(disk)
    cli("merge", "--into", "away")
    assert (disk / "one.txt").exists()
    assert status(cli, disk) == ""


def test_all_checkouts_of_a_branch_follow_or_none(cli: Cli, tmp_path: Path) -> None:
    """A branch that is checked out twice: one checkout that cannot follow keeps both where they are."""
    other = tmp_path / "other"
    git("worktree", "add", "--quiet", "--force", str(other), "main", cwd=cli.folder)
    (other / "README.md").write_text("mine\n")
    before = at(cli, "main")
    refused = cli.error("merge", "--into", "main", exit=5)
    assert (refused["code"], str(other) in refused["what"]) == ("checkout-dirty", True)
    assert (at(cli, "main"), at(cli, "orch/integration"), status(cli)) == (before, "", "")
    git("checkout", "--quiet", "README.md", cwd=other)
    cli("merge", "--into", "main", cwd=other)
    for checkout in (cli.folder, other):
        assert (checkout / "one.txt").exists()
        assert not (checkout / "README.md").exists()
        assert status(cli, checkout) == ""


def test_a_refused_undo_says_how_all_checkouts_go_back(cli: Cli, tmp_path: Path) -> None:
    """The commands of the hint move the branch and the files of each checkout; edits of other files stay."""
    other = tmp_path / "an other"
    git("worktree", "add", "--quiet", "--force", str(other), "main", cwd=cli.folder)
    before = at(cli, "main")
    cli("merge", "--into", "main")
    (other / "two.txt").write_text("mine\n")
    edited = status(cli, other)
    *commands, again = cli.error("undo", exit=5)["fix"]
    assert again == "orchestrate undo"
    for command in commands:
        git(*shlex.split(command)[1:], cwd=cli.folder)
    assert (at(cli, "main"), status(cli), status(cli, other)) == (before, "", edited)
    assert not (other / "one.txt").exists()
    cli("undo")


@pytest.mark.parametrize("name", ["project.git", "project/.bare"])
def test_a_bare_repository_has_the_checkouts_that_it_lists(cli: Cli, tmp_path: Path, name: str) -> None:
    """In a bare repository's folder a branch moves without a checkout, and the checkouts in linked worktrees follow."""
    bare = tmp_path / name
    git("clone", "--quiet", "--bare", str(cli.folder), str(bare), cwd=tmp_path)
    git("branch", "later", "main", cwd=bare)
    git("worktree", "add", "--quiet", str(tmp_path / "linked"), "main", cwd=bare)
    where = bare
    if bare.name == ".bare":
        where = bare.parent
        (where / ".git").write_text("gitdir: ./.bare\n")
    before = sorted(path.name for path in where.iterdir())
    there = Cli(where)
    there("adopt", "orch/one")
    there("approve", "--all", "--force")
    there("merge", "--into", "later")
    assert git("ls-tree", "--name-only", "later", "one.txt", cwd=bare) == "one.txt"
    assert not (tmp_path / "linked/one.txt").exists(), "another branch is checked out there"
    there("merge", "--into", "main", cwd=tmp_path / "linked")
    assert (tmp_path / "linked/one.txt").read_text() == "1\n"
    assert git("status", "--porcelain", cwd=tmp_path / "linked") == ""
    assert {path.name for path in where.iterdir()} - {*before} <= {"gitorch", "logs"}


def test_names_that_are_no_branch_of_the_users(cli: Cli) -> None:
    """A branch that is not there, one of a remote, one of gitorch's own: each is refused with what helps."""
    git("update-ref", "refs/remotes/origin/main", "HEAD", cwd=cli.folder)
    missing = cli.error("merge", "--into", "mian", exit=3)
    assert (missing["code"], missing["why"]) == ("no-branch", "did you mean main?")
    remote = cli.error("merge", "--into", "origin/main", exit=5)
    assert (remote["code"], remote["fix"]) == ("remote-branch", ["git push origin orch/integration:main"])
    cli("merge", "one")
    for own in ("orch/integration", "orch/one"):
        assert cli.error("merge", "--into", own, exit=5)["code"] == "own-branch"
    for odd in ("-x", "a b", "HEAD", "refs/tags/x", "x\ny"):
        assert cli.error("merge", f"--into={odd}", exit=3)["code"] == "no-branch"


def test_the_push_is_the_users(cli: Cli, tmp_path: Path) -> None:
    """Nothing is pushed; the command that would is the last line."""
    git("init", "--quiet", "--bare", str(tmp_path / "origin.git"), cwd=cli.folder)
    git("remote", "add", "origin", str(tmp_path / "origin.git"), cwd=cli.folder)
    git("push", "--quiet", "--set-upstream", "origin", "main:trunk", cwd=cli.folder)
    said = cli("merge", "--into", "main").text
    assert "git push origin main:trunk" in said.splitlines()[-1]
    assert git("rev-parse", "trunk", cwd=tmp_path / "origin.git") != at(cli, "main")


def test_nothing_to_bring(repository_folder: Path) -> None:
    """Before anything was merged or approved there is nothing that could be brought to a branch."""
    cli = Cli(repository_folder)
    assert cli.error("merge", "--into", "main", exit=3)["code"] == "nothing-merged"


def test_what_is_brought_is_checked(repository_folder: Path) -> None:
    """A tree that no check has judged is judged before a branch of the user's gets it; a red one does not get there."""
    cli = Cli(repository_folder)
    commit(cli.folder, "Add checks\n", {".orchestrate.toml": "[checks]\ntest = 'test ! -f bad.txt'\n"})
    cli("config", "trust", "--yes")
    cli.queue(does("One", saved("one.txt", "1")), does("Bad", saved("bad.txt", "b")))
    cli.run(ok=(0, 6))
    cli("approve", "one", "bad", "--force")
    cli("merge", "one")
    told = cli.json("merge", "--into", "main", "--skip", "bad")
    assert [one["name"] for one in told["checks"]] == ["test"]
    main = at(cli, "main")
    cli("merge", "--verify", "never")
    told = cli.json("merge", "--into", "main", ok=6)
    assert told["red_base"] == "test"
    assert "into" not in told
    assert at(cli, "main") == main


def test_squash_makes_one_commit_of_each_task(repository_folder: Path) -> None:
    """Its message has all that was said, its notes are those of the commits that it stands for."""
    cli = Cli(repository_folder)
    other = "GIT_AUTHOR_NAME=Ann GIT_AUTHOR_EMAIL=ann@example.com git commit -qm"
    cli.queue(
        does(
            "First thing", saved("a", "1", "Add a"), saved("b", "2", "Add b"), f"echo 3 >c; git add c; {other} 'Add c'"
        ),
        does("On top", saved("d", "4", "Add d"), saved("e", "5", "Add e"), after=["first-thing"]),
        does("Single", saved("f", "6", "Only this")),
    )
    cli.run()
    cli("approve", "--all")
    plain = cli.json("merge", "-n")
    told = cli.json("merge", "--squash")
    assert [len({pair["new"] for pair in one["commits"]}) for one in told["merged"]] == [1, 1, 1]
    tip = at(cli, "orch/integration")
    assert git("log", "--format=%s", "--reverse", f"main..{tip}", cwd=cli.folder).splitlines() == [
        "First thing",
        "On top",
        "Only this",
    ]
    first = told["merged"][0]["new_tip"]
    message = git("log", "-1", "--format=%B", first, cwd=cli.folder)
    assert [message.index(word) for word in ("* Add a", "* Add b", "* Add c")] == sorted(
        message.index(word) for word in ("* Add a", "* Add b", "* Add c")
    )
    assert "Co-authored-by: Ann <ann@example.com>" in message.splitlines()
    assert git("log", "-1", "--format=%an", first, cwd=cli.folder) != "Ann"
    assert set(git("ls-tree", "--name-only", tip, cwd=cli.folder).split()) >= set("abcdef")
    lines = [json.loads(line) for line in git("notes", "--ref=gitorch", "show", first, cwd=cli.folder).splitlines()]
    merged = [line["commit"] for line in lines if line["kind"] == "merged"]
    assert merged == [pair["old"] for pair in plain["merged"][0]["commits"]]
    assert {"attempt", "verdict"} <= {line["kind"] for line in lines}
    # the originals are still there
    for pair in told["merged"][0]["commits"]:
        assert git("branch", "--contains", pair["old"], cwd=cli.folder).strip()


def test_a_task_on_a_squashed_one_goes_in_later(repository_folder: Path) -> None:
    """What builds on a task that was squashed brings its own commits alone."""
    cli = Cli(repository_folder)
    cli.queue(
        does("Below", saved("a", "1", "Add a"), saved("a", "2", "Change a")),
        does("Above", saved("a", "3", "Change a again"), after=["below"]),
    )
    cli.run()
    cli("approve", "below")
    cli("merge", "--squash")
    cli("approve", "above")
    told = cli.json("merge")
    assert len(told["merged"][0]["commits"]) == 1
    assert git("show", "orch/integration:a", cwd=cli.folder) == "3"
    assert git("rev-list", "--count", "main..orch/integration", cwd=cli.folder) == "2"


def test_only_a_person_brings_it(cli: Cli) -> None:
    """An agent that asks for it is refused."""
    with cli.untouched():
        assert cli.error("merge", "--into", "main", exit=5, env={"GITORCH_TASK": "one"})["code"] == "inside-agent"


def test_two_at_once(cli: Cli) -> None:
    """Of two merges at the same time both end well, or one says that something moved; the branch has it all once."""
    with cli.start("merge", "--into", "main") as one, cli.start("merge", "--into", "main") as two:
        codes = {one.end().code, two.end().code}
    assert codes <= {0, 5}
    assert 0 in codes
    assert at(cli, "main") == at(cli, "orch/integration")
    assert git("rev-list", "--count", "HEAD", cwd=cli.folder) == "5"
    assert status(cli) == ""
    subprocess.run(["git", "fsck", "--strict"], cwd=cli.folder, check=True, capture_output=True)


def test_another_merge_between_plan_and_proof(cli: Cli) -> None:
    """What was merged meanwhile is told as that, and not as a proof that failed; nothing of it moves."""
    late = open_workspace(cli.folder)
    with services.merging.replaying.open_replayer(late) as replayer:
        plan = services.merging.merge.plan_merge(late, replayer, None, into="main")
        cli("merge", "--into", "main")
        refs = git("for-each-ref", cwd=cli.folder)
        with pytest.raises(RefsMoved, match="another command changed the repository"):
            services.merging.merge.publish(late, replayer, plan)
    assert git("for-each-ref", cwd=cli.folder) == refs
    assert not (cli.folder / ".git/gitorch/crashes").exists()


def test_undo_takes_no_commits_from_a_branch_of_the_users(cli: Cli) -> None:
    """It is refused while the branch has them, with the command that takes them back; then the rest is undone."""
    before = at(cli, "main")
    cli("merge", "--into", "main")
    refused = cli.error("undo", exit=5)
    assert refused["code"] == "undo-refused"
    assert at(cli, "main") == at(cli, "orch/integration")
    (command,) = (line for line in refused["fix"] if line.startswith("git "))
    subprocess.run(command, shell=True, check=True, capture_output=True)
    cli("undo")
    assert (at(cli, "main"), at(cli, "orch/integration")) == (before, "")
    assert status(cli) == ""
    assert set(cli.states().values()) == {"approved"}


def test_what_a_run_has_merged_by_itself_needs_approval_here(repository_folder: Path) -> None:
    """With `merge.auto = "finished"` work is on the integration branch that nobody has seen: `--into` asks."""
    cli = Cli(repository_folder)
    cli.configure(OBEDIENT.replace("[agents.sh]", '[merge]\nauto = "finished"\n[agents.sh]'))
    commit(cli.folder, "Add checks\n", {".orchestrate.toml": "[checks]\ntest = 'true'\n"})
    cli("config", "trust", "--yes")
    cli.queue(does("One", saved("one.txt", "1")))
    cli.run()
    assert cli.states() == {"one": "merged"}
    refused = cli.error("merge", "--into", "main", exit=5)
    assert (refused["code"], refused["fix"]) == ("not-approved", ["orchestrate approve one"])
    cli("approve", "one")
    cli("merge", "--into", "main")
    assert (cli.folder / "one.txt").read_text() == "1\n"


@pytest.mark.parametrize("flag", ["assume-unchanged", "skip-worktree"])
def test_a_change_that_git_does_not_show_stops_it_with_what_shows_it(cli: Cli, flag: str) -> None:
    """`git status` would be silent: the command that is named makes it tell, and the change is kept."""
    git("update-index", f"--{flag}", "README.md", cwd=cli.folder)
    (cli.folder / "README.md").write_text("hidden\n")
    with cli.untouched():
        (command,) = cli.error("merge", "--into", "main", exit=5)["fix"]
    assert status(cli) == ""
    subprocess.run(shlex.split(command), check=True)
    assert status(cli) == " M README.md"
    assert (cli.folder / "README.md").read_text() == "hidden\n"
