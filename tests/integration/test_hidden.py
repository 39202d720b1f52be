"""Files that git was told not to look at: what they hold is seen, saved and brought home like any other."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from gitorch import services
from gitorch.errors import Refused
from gitorch.git.collecting.collect import Collected, NoChanges, collect
from gitorch.git.repository import Repository
from gitorch.git.worktrees import linked_worktrees, worktree_status
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.git.worktrees.worktree_status import Uncommitted
from gitorch.model.naming import Oid, Ref, rescue_ref
from gitorch.rooms.trees import TreeChecker
from gitorch.services.open import open_workspace
from tests.support.cli import Cli, does, saved
from tests.support.days import adopt, approve, branch
from tests.support.git import commit, git

RESCUE = rescue_ref("t")
BRANCH = Ref("refs/heads/orch/t")
FLAGS = {
    "assumed": ("--assume-unchanged",),
    "skipped": ("--skip-worktree",),
    "both": ("--assume-unchanged", "--skip-worktree"),
}
ODD = ("two words", "new\nline", "ünï/çode 🚀", '"quoted"', "-dash", ":(top)x", "*glob?[a]", "a\\b", "tab\t")


def hide(worktree: Worktree, *paths: str, flags: tuple[str, ...] = ("--skip-worktree",)) -> None:
    """Do what an agent does that wants to keep its changes to itself."""
    for flag in flags:
        git("update-index", flag, "--", *paths, cwd=worktree.path)


def rescued(repo: Repository, worktree: Worktree) -> Oid:
    found = linked_worktrees.rescue(repo, worktree, RESCUE, "m")
    assert found is not None
    return found


def collected(repo: Repository, worktree: Worktree, base: Oid) -> object:
    return collect(repo, worktree, branch=BRANCH, base=base, message="m\n")


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_a_hidden_change_is_seen_and_saved(repo: Repository, worktree: Worktree, flags: tuple[str, ...]) -> None:
    """Whatever git was told, the change is uncommitted work, and saved as it is; looking changes nothing."""
    hide(worktree, "README.md", "src/app.py", flags=flags)
    (worktree.path / "README.md").write_text("mine\n")
    assert git("status", "--porcelain", cwd=worktree.path) == "", "git sees it anyway: the test shows nothing"
    index = (worktree.admin / "index").read_bytes()
    assert worktree_status.uncommitted(repo, worktree) == Uncommitted(("README.md",), ())
    assert repo.file(rescued(repo, worktree), "README.md") == b"mine\n"
    assert (worktree.admin / "index").read_bytes() == index
    assert [path.name for path in worktree.admin.iterdir() if "rescue" in path.name] == []


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_a_hidden_change_comes_home(repo: Repository, worktree: Worktree, base: Oid, flags: tuple[str, ...]) -> None:
    """What an agent changed and hid is committed for it, as with anything that it forgot."""
    hide(worktree, "README.md", flags=flags)
    (worktree.path / "README.md").write_text("mine\n")
    found = collected(repo, worktree, base)
    assert isinstance(found, Collected)
    assert found.completed
    assert repo.file(found.tip, "README.md") == b"mine\n"
    assert worktree_status.uncommitted(repo, worktree) == Uncommitted((), ())


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_a_worktree_is_removed_after_hidden_work_was_saved(
    repo: Repository, worktree: Worktree, flags: tuple[str, ...]
) -> None:
    """Removing loses nothing of it."""
    hide(worktree, "run.sh", flags=flags)
    (worktree.path / "run.sh").write_text("mine\n")
    linked_worktrees.take_away(repo, worktree.path, RESCUE, "m")
    assert not worktree.path.exists()
    assert repo.file(repo.refs(RESCUE)[RESCUE], "run.sh") == b"mine\n"


def test_hidden_and_unchanged_is_clean(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """A mark alone is no work."""
    hide(worktree, "README.md", flags=FLAGS["both"])
    (worktree.path / "src/app.py").touch()
    assert worktree_status.uncommitted(repo, worktree) == Uncommitted((), ())
    assert linked_worktrees.rescue(repo, worktree, RESCUE, "m") is None
    assert collected(repo, worktree, base) == NoChanges()


def test_hidden_files_with_any_name(repo: Repository, worktree: Worktree) -> None:
    """Names are names, also of many files at once, in folders of any depth."""
    names = [*ODD, "/".join("d" * 600), *(f"many/{number}" for number in range(300))]
    commit(worktree.path, "odd", dict.fromkeys(names, "1\n"))
    git("update-index", "--skip-worktree", "-z", "--stdin", cwd=worktree.path, input="\0".join([*names, ""]).encode())
    for name in names:
        (worktree.path / name).write_text("2\n")
    assert sorted(worktree_status.uncommitted(repo, worktree).paths) == sorted(names)
    oid = rescued(repo, worktree)
    assert {repo.file(oid, name) for name in ODD} == {b"2\n"}
    assert repo.file(oid, "many/299") == b"2\n"


def test_other_work_beside_it_is_saved_with_it(repo: Repository, worktree: Worktree) -> None:
    """New, changed, staged and deleted files are in the same rescue point."""
    hide(worktree, "README.md")
    (worktree.path / "README.md").write_text("hidden\n")
    (worktree.path / "new").write_text("new\n")
    (worktree.path / "src/app.py").write_text("staged\n")
    git("add", "src/app.py", cwd=worktree.path)
    (worktree.path / "run.sh").unlink()
    oid = rescued(repo, worktree)
    assert [repo.file(oid, name) for name in ("README.md", "new", "src/app.py", "run.sh")] == [
        b"hidden\n",
        b"new\n",
        b"staged\n",
        None,
    ]


def test_a_file_that_is_assumed_and_gone_was_deleted(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """That mark says that a file is as it was; it is not."""
    hide(worktree, "README.md", flags=FLAGS["assumed"])
    (worktree.path / "README.md").unlink()
    assert repo.file(rescued(repo, worktree), "README.md") is None
    found = collected(repo, worktree, base)
    assert isinstance(found, Collected)
    assert repo.file(found.tip, "README.md") is None


def test_a_file_that_is_left_out_was_not_deleted(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """No file at a path that git leaves out of the checkout is no deletion, whatever else was done."""
    hide(worktree, "README.md", "src/lib.py")
    (worktree.path / "README.md").unlink()
    shutil.rmtree(worktree.path / "src")
    assert worktree_status.uncommitted(repo, worktree).paths == ("src/app.py",)
    (worktree.path / "new").write_text("new\n")
    for oid in (rescued(repo, worktree), collected(repo, worktree, base).tip):  # type: ignore[attr-defined]
        assert repo.file(oid, "README.md") == b"# Example\n"
        assert repo.file(oid, "src/lib.py") is not None
        assert repo.file(oid, "src/app.py") is None
        assert repo.file(oid, "new") == b"new\n"


def test_checks_see_what_the_branch_has(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """A file that was hidden and taken away is back when the work has come home: it is in the tree that is judged."""
    hide(worktree, "src/lib.py")
    (worktree.path / "src/lib.py").unlink()
    (worktree.path / "new").write_text("new\n")
    assert isinstance(collected(repo, worktree, base), Collected)
    assert (worktree.path / "src/lib.py").read_text() == "def f():\n    return 1\n"
    assert git("ls-files", "-v", "src/lib.py", cwd=worktree.path) == "H src/lib.py"


def test_a_folder_that_became_a_link(repo: Repository, worktree: Worktree, base: Oid) -> None:
    """What lies behind a link is not in the worktree: its files are neither read nor taken for changes."""
    outside = worktree.path.parent / "outside"
    outside.mkdir()
    (outside / "lib.py").write_text("secret\n")
    hide(worktree, "src/lib.py", "src/app.py")
    shutil.rmtree(worktree.path / "src")
    (worktree.path / "src").symlink_to(outside)
    oid = rescued(repo, worktree)
    assert git("ls-tree", oid, "src", cwd=worktree.path).startswith("120000 blob ")
    found = collected(repo, worktree, base)
    assert isinstance(found, Collected)
    assert git("ls-tree", found.tip, "src", cwd=worktree.path).startswith("120000 blob ")
    assert (outside / "lib.py").read_text() == "secret\n"


@pytest.fixture
def sparse(worktree: Worktree) -> Worktree:
    """The worktree with the folder `src` alone (and the files of the top folder)."""
    git("sparse-checkout", "set", "src", cwd=worktree.path)
    assert not (worktree.path / "docs").exists()
    return worktree


def test_a_sparse_checkout_is_clean(repo: Repository, sparse: Worktree, base: Oid) -> None:
    """What it leaves out is no deletion, and stays left out."""
    assert worktree_status.uncommitted(repo, sparse) == Uncommitted((), ())
    assert linked_worktrees.rescue(repo, sparse, RESCUE, "m") is None
    assert collected(repo, sparse, base) == NoChanges()
    linked_worktrees.restore(repo, sparse)
    assert not (sparse.path / "docs").exists()


def test_work_in_a_sparse_checkout_comes_home(repo: Repository, sparse: Worktree, base: Oid) -> None:
    """Inside and outside of what it has; what it leaves out stays in the tree."""
    (sparse.path / "src/app.py").write_text("mine\n")
    (sparse.path / "other").mkdir()
    (sparse.path / "other/new").write_text("new\n")
    found = collected(repo, sparse, base)
    assert isinstance(found, Collected)
    for oid in (found.tip,):
        assert repo.file(oid, "src/app.py") == b"mine\n"
        assert repo.file(oid, "other/new") == b"new\n"
        assert repo.file(oid, "docs/naïve file.md") == b"text\n"
    assert not (sparse.path / "docs").exists()


def test_work_in_a_sparse_checkout_is_saved(repo: Repository, sparse: Worktree) -> None:
    """So it is in a rescue point; what is in the index alone, without a file, is work, too."""
    (sparse.path / "other").mkdir()
    (sparse.path / "other/new").write_text("new\n")
    blob = git("hash-object", "-w", "--stdin", cwd=sparse.path, input=b"staged\n")
    for path in ("docs/naïve file.md", "docs/added.md"):
        git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", cwd=sparse.path)
        git("update-index", "--skip-worktree", path, cwd=sparse.path)
    oid = rescued(repo, sparse)
    assert repo.file(oid, "other/new") == b"new\n"
    assert repo.file(oid, "docs/naïve file.md") == b"staged\n"
    assert repo.file(oid, "docs/added.md") == b"staged\n"
    assert repo.file(oid, "src/app.py") is not None


def test_a_staged_file_that_git_ignores_is_saved(repo: Repository, worktree: Worktree) -> None:
    """Whoever adds an ignored file by force wants it: it is saved as it is now."""
    (worktree.path / "debug.log").write_text("1\n")
    git("add", "--force", "debug.log", cwd=worktree.path)
    (worktree.path / "debug.log").write_text("2\n")
    assert repo.file(rescued(repo, worktree), "debug.log") == b"2\n"


def test_a_staged_file_that_is_gone_is_not_invented(repo: Repository, worktree: Worktree) -> None:
    """Files are saved as they are: what was added and then removed, or made a folder, is not there."""
    for name in ("gone", "folder"):
        (worktree.path / name).write_text("1\n")
    git("add", "--all", cwd=worktree.path)
    for name in ("gone", "folder"):
        (worktree.path / name).unlink()
    (worktree.path / "folder").mkdir()
    (worktree.path / "folder/file").write_text("2\n")
    oid = rescued(repo, worktree)
    assert repo.file(oid, "gone") is None
    assert repo.file(oid, "folder/file") == b"2\n"


def test_a_change_in_the_moment_of_a_look_is_saved(repo: Repository, worktree: Worktree) -> None:
    """A file of the same size that changed in the very instant in which the index was written is read, not trusted."""
    git("config", "core.trustctime", "false", cwd=worktree.path)
    file, then = worktree.path / "README.md", 1_700_000_000 * 10**9
    os.utime(file, ns=(then, then))
    git("update-index", "--refresh", cwd=worktree.path, ok=(0, 1))
    git("update-index", "--assume-unchanged", "src/app.py", cwd=worktree.path)
    (worktree.path / "src/app.py").write_text("hidden\n")
    file.write_text("# example\n")
    os.utime(file, ns=(then, then))
    os.utime(worktree.admin / "index", ns=(then, then))
    assert sorted(worktree_status.uncommitted(repo, worktree).paths) == ["README.md", "src/app.py"]
    assert repo.file(rescued(repo, worktree), "README.md") == b"# example\n"


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_a_worktree_is_brought_to_a_commit_whole(
    repo: Repository, worktree: Worktree, base: Oid, flags: tuple[str, ...]
) -> None:
    """What was hidden does not stay behind for the next attempt: git's own reset would leave it."""
    hide(worktree, "README.md", "run.sh", flags=flags)
    (worktree.path / "README.md").write_text("of the attempt before\n")
    (worktree.path / "run.sh").unlink()
    linked_worktrees.restore(repo, worktree, branch="orch/t", commit=base)
    assert (worktree.path / "README.md").read_text() == "# Example\n"
    assert os.access(worktree.path / "run.sh", os.X_OK)
    assert [line for line in git("ls-files", "-v", cwd=worktree.path).splitlines() if line[0] != "H"] == []


def test_a_check_cannot_hide_files_from_the_next_one(repository_folder: Path) -> None:
    """Trees are judged exactly, although what is judged works in the same folder before: nothing it hid remains."""
    library = open_workspace(repository_folder)
    one = Oid(commit(repository_folder, "one", {"a": "1\n", "b": "1\n"}))
    two = Oid(commit(repository_folder, "two", {"c": "1\n"}))
    hiding = "git update-index --skip-worktree a b; echo 2 > a; rm b"
    with TreeChecker(services.agents.run_context(library), {"test": f"test ! -f c || cat a b; {hiding}"}) as judge:
        judge.check(one)
        (result,) = judge.check(two)
    assert Path(result.output).read_text() == "1\n1\n"


def test_nothing_that_an_agent_hides_is_lost(repository_folder: Path) -> None:
    """From end to end: what it hid is in its commit; what is hidden after that is saved before the worktree goes."""
    cli = Cli(repository_folder)
    cli.queue(does("Hide", saved("new", "x"), "git update-index --skip-worktree README.md", "echo hidden > README.md"))
    cli.run()
    assert git("show", "orch/hide:README.md", cwd=cli.folder) == "hidden"
    place = Path(cli.tasks()["hide"]["worktree"])
    git("update-index", "--assume-unchanged", "src/app.py", cwd=place)
    (place / "src/app.py").write_text("by hand\n")
    cli("reject", "hide")
    cli("cleanup", "--yes")
    assert not place.exists()
    assert git("show", "refs/gitorch/rescue/hide:src/app.py", cwd=cli.folder) == "by hand"


def test_the_next_attempt_does_not_begin_with_what_was_hidden(repository_folder: Path) -> None:
    """An attempt that failed leaves a rescue point, and a clean worktree to the one after it."""
    cli = Cli(repository_folder)
    hidden = ("git update-index --skip-worktree README.md", "echo hidden > README.md")
    cli.queue(
        does("Twice", f"test -f {cli.folder}/../again || {{ {'; '.join(hidden)}; exit 1; }}", "cat README.md > new")
    )
    cli.run(ok=6)
    (cli.folder.parent / "again").touch()
    cli("retry", "twice")
    cli.run()
    assert git("show", "orch/twice:new", cwd=cli.folder) == "# Example"
    assert git("show", "orch/twice:README.md", cwd=cli.folder) == "# Example"
    kept = git(
        "for-each-ref",
        "--format=%(refname)",
        "refs/gitorch/attempts/twice",
        "refs/gitorch/rescue/twice",
        cwd=cli.folder,
    )
    assert any(git("show", f"{ref}:README.md", cwd=cli.folder) == "hidden" for ref in kept.splitlines())


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_what_a_person_hides_is_not_written_over(repository_folder: Path, flags: tuple[str, ...]) -> None:
    """`merge --into` a branch that is checked out, and a file of it holds what only its owner knows: nothing moves."""
    branch(repository_folder, "work/a", "README.md")
    library = open_workspace(repository_folder)
    adopt(library, "work/a")
    approve(library, "a")
    for flag in flags:
        git("update-index", flag, "README.md", cwd=repository_folder)
    (repository_folder / "README.md").write_text("mine\n")
    with (
        services.merging.replaying.open_replayer(library) as replayer,
        pytest.raises(Refused, match="git cannot bring its files along"),
    ):
        services.merging.merge.publish(
            library, replayer, services.merging.merge.plan_merge(library, replayer, None, into="main")
        )
    assert (repository_folder / "README.md").read_text() == "mine\n"
    assert services.lookup.find_task(library, "a").state == "approved"
