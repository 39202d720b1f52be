"""What `git status` does not tell of a checkout is read and compared, within a bound."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from gitorch.git.protected import ignored_files
from gitorch.git.protected.ignored_files import Checkout, Unseen
from gitorch.git.repository import Repository
from gitorch.services.change_watch.ignored_files import RestingFiles, UnseenWatch
from gitorch.services.open import open_workspace
from tests.support.git import git

Act = Callable[[Path], object]


@pytest.fixture
def checkout(repository_folder: Path) -> Checkout:
    """A checkout with ignored files, a hidden one, a submodule, a repository inside, a pipe and an empty folder."""
    git("clone", "-q", ".", "../library", cwd=repository_folder)
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "../library", "lib", cwd=repository_folder)
    (repository_folder / ".gitignore").write_text("node_modules/\n*.env\n")
    git("add", "-A", cwd=repository_folder)
    git("commit", "-qm", "Library", cwd=repository_folder)
    git("update-index", "--skip-worktree", "run.sh", cwd=repository_folder)
    git("config", "core.fileMode", "false", cwd=repository_folder)
    git("init", "-q", "inside", cwd=repository_folder)
    for name in ("node_modules/a/index.js", "node_modules/a/.git/config", "secret.env", "inside/a.txt"):
        (repository_folder / name).parent.mkdir(parents=True, exist_ok=True)
        (repository_folder / name).write_text("x\n")
    (repository_folder / "empty").mkdir()
    os.mkfifo(repository_folder / "pipe")
    return Checkout(repository_folder, repository_folder / ".git")


def _lines(checkout: Checkout, act: Act, **options: object) -> tuple[str, ...]:
    repository = Repository.discover(checkout.folder)
    before = ignored_files.read(repository, [checkout], Unseen(), **options)  # type: ignore[arg-type]
    assert ignored_files.differences(before, ignored_files.read(repository, [checkout], before, **options)) == ()  # type: ignore[arg-type]
    act(checkout.folder)
    return ignored_files.differences(before, ignored_files.read(repository, [checkout], before, **options))  # type: ignore[arg-type]


def _written(name: str, content: str = "evil\n") -> Act:
    def act(top: Path) -> None:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(content)

    return act


def _kept_times(name: str) -> Act:
    def act(top: Path) -> None:
        times = (top / name).stat()
        (top / name).write_text("y\n")
        os.utime(top / name, ns=(times.st_atime_ns, times.st_mtime_ns))

    return act


def _swapped(top: Path) -> None:
    (top / "node_modules").rename(top / "node_modules.env")
    _written("node_modules/a/index.js")(top)


def _served(top: Path) -> None:
    # the path of a socket is short: its folder is opened first
    os.chdir(top)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")


def _unignored(top: Path) -> None:
    (top / ".gitignore").write_text("")
    (top / "node_modules/a/index.js").write_text("evil\n")


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (_written("secret.env"), ["file secret.env changed"]),
        (_written("new.env"), ["file new.env appeared"]),
        (lambda top: (top / "secret.env").unlink(), ["file secret.env disappeared"]),
        (_kept_times("secret.env"), ["file secret.env changed"]),
        (lambda top: (top / "secret.env").chmod(0o606), ["file secret.env changed"]),
        (_written("node_modules/a/index.js"), ["file node_modules/a/index.js changed"]),
        (_written("node_modules/b/index.js"), ["folder node_modules/b appeared"]),
        (_written("node_modules/a/.git/config"), ["file node_modules/a/.git/config changed"]),
        (_written("node_modules/a/.git/index"), []),
        (lambda top: (top / "node_modules").rename(top / "../n"), ["folder node_modules disappeared"]),
        (
            _swapped,
            [
                "file node_modules/a/index.js changed",
                "folder node_modules.env appeared",
                "folder node_modules/a/.git disappeared",
            ],
        ),
        (_unignored, ["file node_modules/a/index.js changed"]),
        (_written("run.sh"), ["file run.sh changed"]),
        (_written("lib/README.md"), ["file lib/README.md changed"]),
        (_written("lib/new.txt"), ["file lib/new.txt appeared"]),
        (_written("inside/a.txt"), ["file inside/a.txt changed"]),
        (lambda top: (top / "README.md").chmod(0o666), ["mode of README.md changed"]),
        (lambda top: (top / "src/app.py").chmod(0o755), ["mode of src/app.py changed"]),
        (lambda top: (top / "docs").chmod(0o777), ["mode of docs changed"]),
        (lambda top: (top / "empty").rmdir(), ["folder empty disappeared"]),
        (lambda top: (top / "a/b").mkdir(parents=True), ["folder a/b appeared"]),
        (lambda top: os.mkfifo(top / "docs/pipe"), ["pipe docs/pipe appeared"]),
        (lambda top: (top / "pipe").unlink(), ["pipe pipe disappeared"]),
        (_served, ["socket socket appeared"]),
        # of these git tells
        (_written("README.md"), []),
        (_written("new/file"), []),
        (lambda top: (top / "README.md").unlink(), []),
        (_written(".git/description"), []),
    ],
)
def test_what_git_does_not_tell_is_told(
    checkout: Checkout, act: Act, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ignored and hidden files, those of repositories inside, permissions, empty folders, and what is no file."""
    monkeypatch.chdir(checkout.folder)
    assert list(_lines(checkout, act)) == told


def test_a_checkout_by_gitorch_may_make_files_executable(checkout: Checkout) -> None:
    """It comes with the commit; that others may write a file does not."""
    repository = Repository.discover(checkout.folder)
    before = ignored_files.read(repository, [checkout], Unseen())
    (checkout.folder / "README.md").chmod(0o755)
    (checkout.folder / "src/lib.py").chmod(0o666)
    after = ignored_files.read(repository, [checkout], before)
    assert ignored_files.differences(before, after, is_moved=True) == ("mode of src/lib.py changed",)
    assert ignored_files.differences(before, after) == ("mode of README.md changed", "mode of src/lib.py changed")


def test_many_changes_of_one_kind_have_one_line(checkout: Checkout) -> None:
    """It counts them, and names a few; a name with an escape is one that a terminal shows as text."""

    def act(top: Path) -> None:
        for number in range(20):
            _written(f"node_modules/{number:02}.js")(top)
            _written(f"{number:02}.env")(top)

    assert _lines(checkout, act) == (
        "20 files appeared in node_modules: node_modules/00.js, node_modules/01.js, node_modules/02.js, ...",
        "20 files appeared: 00.env, 01.env, 02.env, ...",
    )


def test_a_linked_worktree_has_its_name_in_the_line(checkout: Checkout) -> None:
    """It may be in the other one."""
    git("worktree", "add", "-q", "inner.env", cwd=checkout.folder)
    inner = checkout.folder / "inner.env"
    linked = Checkout(inner, checkout.git_dir / "worktrees/inner.env", f"worktree {inner}")
    repository = Repository.discover(checkout.folder)
    before = ignored_files.read(repository, [checkout, linked], Unseen())
    _written("secret.env")(inner)
    (inner / "README.md").chmod(0o666)
    after = ignored_files.read(repository, [checkout, linked], before)
    assert ignored_files.differences(before, after) == (
        f"worktree {inner}: file secret.env appeared",
        f"worktree {inner}: mode of README.md changed",
    )


def test_globs_take_files_out(checkout: Checkout) -> None:
    """What git has is compared all the same."""

    def act(top: Path) -> None:
        _written("node_modules/a/index.js")(top)
        _written("secret.env")(top)
        (top / "docs").chmod(0o777)

    assert _lines(checkout, act, unwatched=["node_modules", "docs"]) == (
        "file secret.env changed",
        "mode of docs changed",
    )


def test_the_number_of_entries_is_bounded(checkout: Checkout) -> None:
    """What is near the top comes first; in what was not read the first time, only what is newer is told."""
    for number in range(50):
        _written(f"node_modules/{number:02}/{number}.js")(checkout.folder)
    repository = Repository.discover(checkout.folder)
    whole = ignored_files.read(repository, [checkout], Unseen())
    before = ignored_files.read(repository, [checkout], Unseen(), limit=90)
    assert whole.is_complete
    assert not before.is_complete
    assert len(before.folders) < len(whole.folders)
    assert ignored_files.differences(before, whole) == ignored_files.differences(whole, before) == ()
    _written("secret.env")(checkout.folder)
    _written("node_modules/49/49.js")(checkout.folder)
    after = ignored_files.read(repository, [checkout], before)
    assert ignored_files.differences(before, after) == ("file node_modules/49/49.js changed", "file secret.env changed")


def test_a_checkout_that_git_cannot_read(checkout: Checkout) -> None:
    """What was ignored stays so: an agent that breaks the index hides nothing."""

    def act(top: Path) -> None:
        (top / ".git/index").write_text("garbage")
        _written("secret.env")(top)

    assert _lines(checkout, act) == ("file secret.env changed",)


def test_the_bound_is_said(checkout: Checkout) -> None:
    """Whoever has more files hears of it, and what to do."""
    workspace = open_workspace(checkout.folder)
    assert UnseenWatch(workspace, set).troubles() == []
    (trouble,) = UnseenWatch(workspace, set, most=10).troubles()
    assert "more than 10 files and folders" in trouble
    assert "sandbox.watch" in trouble


def test_worktrees_of_ended_attempts_share_a_bound(checkout: Checkout) -> None:
    """Each is compared with what it was when its attempt ended; what does not fit is said."""
    tops = {name: checkout.folder.parent / name for name in ("one", "two")}
    for name, top in tops.items():
        git("worktree", "add", "-q", "-b", name, str(top), cwd=checkout.folder)
        (top / "node_modules").mkdir()
        _written("secret.env")(top)
        _written("node_modules/a.js")(top)
    workspace = open_workspace(checkout.folder)
    resting = RestingFiles(workspace)
    resting.note(tops)
    assert resting.compare(tops) == []
    _written("node_modules/a.js")(tops["one"])
    _written("secret.env")(tops["two"])
    expected = [f"worktree {tops['one']}: file node_modules/a.js changed"]
    assert resting.compare({"one": tops["one"], "three": tops["two"]}) == expected
    assert resting.compare(tops) == [*expected, f"worktree {tops['two']}: file secret.env changed"]
    assert resting.troubles() == []
    bounded = RestingFiles(workspace, most=12)
    bounded.note(tops)
    (trouble,) = bounded.troubles()
    assert trouble.startswith("the worktrees of tasks have more than 12 files and folders: ")
