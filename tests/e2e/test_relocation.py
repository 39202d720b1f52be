"""A repository that is moved, renamed or copied goes on with its worktrees, and a copy touches no other's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gitorch.git.layout import TRASH
from tests.support.cli import OBEDIENT, Cli, does, saved
from tests.support.git import git
from tests.support.prepared import PreparedNight

OFF = {"GITORCH_SANDBOX_MODE": "off"}


def spend(folder: Path) -> Cli:
    """A repository in a folder of its own, with two finished tasks."""
    place = folder.parent / "place"
    place.mkdir()
    folder.rename(place / "shop")
    cli = Cli(place / "shop", **OFF)
    cli.queue(
        does("One", "date +%N >> one.txt; git add --all; git commit --quiet -m one"), does("Two", saved("two.txt", "2"))
    )
    cli.run()
    return cli


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, _template: Path) -> PreparedNight:
    return PreparedNight(tmp_path_factory.mktemp("prepared"), _template, spend)


@pytest.fixture
def cli(night: PreparedNight, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return night.restore(monkeypatch)


def at(cli: Cli, folder: Path) -> Cli:
    """Return the same user in another folder."""
    moved = Cli(folder, **OFF)
    moved.environment = cli.environment
    return moved


def goes_on(cli: Cli, said: str) -> None:
    """Assert that one message says what was found, and that work goes on to the end."""
    assert said in cli("status").stderr
    assert cli("status").stderr == ""
    for name in ("one", "two"):
        worktree = Path(cli.tasks()[name]["worktree"])
        assert git("rev-parse", "--abbrev-ref", "HEAD", cwd=worktree) == f"orch/{name}"
        assert git("status", "--porcelain", cwd=worktree) == ""
    cli("revise", "one", "-m", "Again")
    cli.run()
    assert cli.tasks()["one"]["attempts"] == 2
    cli("approve", "two")
    cli("merge")
    cli("cleanup", "--yes")
    assert "two" not in cli.tasks()
    assert not (cli.folder.parent / "shop.orch" / "two").exists()
    worktrees = git("worktree", "list", "--porcelain", cwd=cli.folder)
    assert "prunable" not in worktrees, worktrees


def test_a_renamed_repository(cli: Cli) -> None:
    """Its worktrees stay where they are, and are linked with it again; the next attempt's is where it belongs now."""
    new = cli.folder.rename(cli.folder.parent / "store")
    moved = at(cli, new)
    goes_on(moved, f"the repository was moved here from {cli.folder}/.git: repaired the links of 2 worktrees")
    assert moved.tasks()["one"]["worktree"] == str(new.parent / "store.orch" / "one")
    assert not (new.parent / "shop.orch" / "one").exists()


def test_a_repository_that_was_moved_with_its_worktrees(cli: Cli) -> None:
    """The folder around both was renamed: both links are broken, and both are repaired."""
    new = cli.folder.parent.rename(cli.folder.parent.with_name("elsewhere"))
    goes_on(at(cli, new / "shop"), "repaired the links of 2 worktrees")


def test_worktrees_that_were_moved(cli: Cli) -> None:
    """Worktrees that were moved with git are found by their branch, and those moved by hand where they belong now."""
    folder = cli.folder.parent
    git("worktree", "unlock", str(folder / "shop.orch" / "one"), cwd=cli.folder)
    git("worktree", "move", str(folder / "shop.orch" / "one"), str(folder / "one"), cwd=cli.folder)
    (folder / "trees").mkdir()
    (folder / "shop.orch" / "two").rename(folder / "trees" / "two")
    (cli.folder / ".orchestrate.toml").write_text('worktrees = "../trees/{task}"\n')
    cli("revise", "one", "-m", "Again")
    said = cli.run()
    assert "worktrees were moved, and are linked again: one, two" in said.stderr
    assert cli.states() == {"one": "finished", "two": "finished"}
    assert not (folder / "one").exists()
    assert git("rev-parse", "--abbrev-ref", "HEAD", cwd=folder / "trees" / "two") == "orch/two"


def copied_folder(source: Path, target: Path) -> Path:
    subprocess.run(["cp", "-R", source, target], check=True)
    return target


def digests(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_copy_leaves_the_worktrees_of_the_original_alone(cli: Cli) -> None:
    """A copy of the repository alone gets worktrees of its own, and both go on."""
    copy = copied_folder(cli.folder, cli.folder.parent / "copy")
    copied = at(cli, copy)
    before = digests(cli.folder.parent / "shop.orch"), git("worktree", "list", "--porcelain", cwd=cli.folder)
    said = copied("status").stderr
    assert f"the repository is a copy of {cli.folder}/.git: the worktrees of the original are left alone" in said
    copied("revise", "one", "-m", "Again")
    copied.run()
    assert copied.tasks()["one"]["worktree"] == str(cli.folder.parent / "copy.orch" / "one")
    copied("approve", "two")
    copied("merge")
    copied("cleanup", "--yes")
    assert before == (
        digests(cli.folder.parent / "shop.orch"),
        git("worktree", "list", "--porcelain", cwd=cli.folder),
    )
    assert cli("status").stderr == ""
    cli("revise", "one", "-m", "Again")
    cli.run()
    assert cli.states() == {"one": "finished", "two": "finished"}


def test_a_copy_of_repository_and_worktrees(cli: Cli) -> None:
    """A copy that has its own copies of the worktrees uses these, and the original keeps its own."""
    original = cli.folder.parent
    copy = copied_folder(original, original.with_name("copy"))
    goes_on(at(cli, copy / "shop"), "repaired the links of 2 worktrees")
    assert cli("status").stderr == ""
    for name in ("one", "two"):
        assert git("rev-parse", "--abbrev-ref", "HEAD", cwd=original / "shop.orch" / name) == f"orch/{name}"
        assert cli.tasks()[name]["worktree"] == str(original / "shop.orch" / name)


def test_a_repository_under_another_name_was_not_moved(cli: Cli) -> None:
    """A link to the folder is another name for the same place."""
    link = cli.folder.parent / "link"
    link.symlink_to(cli.folder)
    assert at(cli, link)("status").stderr == ""


def test_inside_a_worktree_whose_repository_was_moved(cli: Cli) -> None:
    """The error names what repairs the link; a command in the repository does."""
    worktree = Path(cli.tasks()["one"]["worktree"])
    new = cli.folder.rename(cli.folder.parent / "store")
    error = at(cli, worktree).error("status", exit=3)
    assert error["code"] == "repository-moved"
    assert error["fix"] == [
        "orchestrate -C REPOSITORY status",
        f"git -C REPOSITORY worktree repair {worktree}",
    ]
    at(cli, new)("status")
    assert at(cli, worktree).states() == {"one": "finished", "two": "finished"}


def test_a_renamed_repository_whose_agents_have_private_ones(repository_folder: Path) -> None:
    """A worktree whose `.git` file leads to its attempt's own repository is linked again too."""
    cli = Cli(repository_folder, f'{OBEDIENT}[checks]\ntest = "true"\n', GITORCH_SANDBOX_MODE="private")
    cli.queue(does("One", "date +%N >> one.txt; git add --all; git commit --quiet -m one"))
    cli.run()
    moved = at(cli, cli.folder.rename(cli.folder.parent / "a\nstore"))
    assert "repaired the links of" in moved("status").stderr
    moved("revise", "one", "-m", "Again")
    moved.run()
    assert moved.states() == {"one": "finished"}


def test_inside_a_worktree_that_cleanup_removed(cli: Cli) -> None:
    """A shell that is still there is told where the repository is, not to repair the links."""
    before = Path(cli.tasks()["one"]["worktree"])
    cli("reject", "one")
    cli("cleanup", "--yes")
    (trashed,) = (before.parent / TRASH).glob("one-*")
    error = at(cli, trashed).error("status", exit=3)
    assert error["code"] == "worktree-removed"
    assert error["fix"] == [f"cd {cli.folder}", f"orchestrate -C {cli.folder} undo --list"]
