"""What a repository answers is what its objects hold, whichever method asks."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from gitorch.errors import NotFound, Refused
from gitorch.git.process import BatchProcess, GitFailed
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, Ref
from gitorch.model.refs import RefUpdate
from gitorch.services.open import open_workspace
from tests.support.git import commit, git


def test_a_replace_ref_changes_no_answer(repo: Repository) -> None:
    """`refs/replace` swaps no object, so that no agent can change the instructions of the next one with it."""
    assert repo.work_tree is not None
    folder = repo.work_tree
    path = ".claude/agents/zed.md"
    tip = repo.resolve(commit(folder, "Add a role\n", {path: "original\n", "other.md": "replaced\n"}))
    assert tip is not None
    git(
        "replace",
        git("rev-parse", f"{tip}:{path}", cwd=folder),
        git("rev-parse", f"{tip}:other.md", cwd=folder),
        cwd=folder,
    )
    assert git("show", f"{tip}:{path}", cwd=folder) == "replaced", "plain git follows the ref"
    assert repo.file(tip, path) == b"original\n"
    assert repo.plain_files(tip, ".claude/agents", max_files=9, max_bytes=9_999) == {path: b"original\n"}


def test_a_replaced_commit_changes_no_answer(repo: Repository) -> None:
    """A commit is read as it is, by name and by folder, also where `git replace` points at another one."""
    assert repo.work_tree is not None
    folder = repo.work_tree
    original = repo.resolve("HEAD")
    other = commit(folder, "Other\n", {".claude/agents/zed.md": "other\n"})
    assert original is not None
    git("replace", original, other, cwd=folder)
    assert repo.file(original, ".claude/agents/zed.md") is None
    assert repo.plain_files(original, ".claude/agents", max_files=9, max_bytes=9_999) == {}
    assert repo.commits([original])[0].message.startswith("Add a library")


def test_variables_of_git_change_no_answer(repository_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes the meaning of paths or the output of git is dropped; the user's settings in variables count."""
    commit(repository_folder, "Lines\n", {"lines.txt": "a\nb\nc\nd\ne\n"})
    (repository_folder / "lines.txt").write_text("a\nb\nC\nd\ne\n")
    variables = {"GIT_LITERAL_PATHSPECS": "1", "GIT_DIFF_OPTS": "-u0", "GIT_DIR": "/nowhere"}
    settings = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "Environment"}
    for name, value in (variables | settings).items():
        monkeypatch.setenv(name, value)
    repository = Repository.discover(repository_folder)
    patch = repository.git("diff-files", "--patch", "--", ":(top)lines.txt", cwd=repository_folder).text
    assert " b\n-c\n+C\n d" in patch
    assert repository.settings.get("user.name") == "Environment"
    # those of an agent's fence do not
    monkeypatch.setenv("GITORCH_GIT_DIR", "/nowhere")
    assert Repository.discover(repository_folder).settings.get("user.name") != "Environment"


def _readers(repo: Repository) -> list[psutil.Process]:
    """Return the processes that read objects of a repository; readers of earlier tests may just be ending."""
    return [child for child in psutil.Process().children() if {"--batch-command", _folder(repo)} <= _words(child)]


def _folder(repo: Repository) -> str:
    return f"--git-dir={repo.common_dir}"


def _words(process: psutil.Process) -> set[str]:
    try:
        return set(process.cmdline())
    except psutil.Error:
        return set()


def test_one_process_answers_all_questions(repo: Repository) -> None:
    """What is asked of objects costs no process each, and refs and objects that are written later are seen."""
    assert repo.work_tree is not None
    first = repo.resolve("main")
    assert first is not None
    tip = Oid(commit(repo.work_tree, "More\n", {"more": "text\n"}))
    git("pack-refs", "--all", cwd=repo.work_tree)
    git("gc", "--quiet", "--prune=now", cwd=repo.work_tree)
    assert repo.object_ids("refs/heads/main", tip, f"{first}:more", "no such name") == [tip, tip, None, None]
    assert repo.file(tip, "more") == b"text\n"
    assert repo.file(tip, "src") is None, "a folder is no file"
    assert repo.tree(tip) == git("rev-parse", f"{tip}^{{tree}}", cwd=repo.work_tree)
    assert repo.exists(tip)
    assert not repo.exists("f" * 40)
    assert [entry.oid for entry in repo.commits([tip, first])] == [tip, first]
    assert len(_readers(repo)) == 1


def test_any_name_can_be_asked_for(repo: Repository) -> None:
    """A name with line ends has one answer, and the next question its own."""
    assert repo.work_tree is not None
    tip = Oid(commit(repo.work_tree, "Odd\n", {"a\nb": "odd\n", "c d": "space\n"}))
    names = (f"{tip}:a\nb", f"{tip}:x\n\ny", f"{tip}:c d", f"{'0' * 40} blob 3\nabc", "a\0b", "", "-x", f"{tip}:\udcff")
    found = repo.read_objects(names)
    assert [entry.content for entry in found] == [b"odd\n", None, b"space\n", None, None, None, None, None]
    assert [entry.name for entry in found if entry.content is None] == [names[index] for index in (1, 3, 4, 5, 6, 7)]
    assert repo.object_ids(tip) == [tip]


def test_many_objects_are_read_at_once(repo: Repository) -> None:
    """Neither many names nor large answers block the process, and their answers are those for single ones."""
    assert repo.work_tree is not None
    commit(repo.work_tree, "Large\n", {"large": "x" * 300_000})
    names = ["main", "main:README.md", "main^{tree}", "absent" + "x" * 200, "main:large"] * 200
    assert sum(map(len, names)) > 32_768
    single = [repo.read_objects([name])[0] for name in names[:5]]
    assert len(single[4].content or b"") == 300_000
    assert repo.read_objects(names) == single * 200
    assert repo.object_ids(*names) == repo.object_ids(*names[:5]) * 200
    assert repo.read_objects([]) == []


def test_a_killed_reader_is_replaced(repo: Repository) -> None:
    """An answer never depends on the process that gave the one before."""
    tip = repo.resolve("main")
    (reader,) = _readers(repo)
    os.kill(reader.pid, signal.SIGKILL)
    reader.wait()
    assert repo.resolve("main") == tip


def test_an_interrupted_question_does_not_shift_the_answers(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C between a question and its answer leaves nothing for the next question."""
    tip = repo.resolve("main")
    assert tip is not None
    with pytest.raises(KeyboardInterrupt), _interrupted(repo, monkeypatch):
        repo.file(tip, "README.md")
    assert repo.file(tip, "src/lib.py") == b"def f():\n    return 1\n"


@contextmanager
def _interrupted(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def interrupt() -> bytes:
        raise KeyboardInterrupt

    reader = repo._objects._process
    with monkeypatch.context() as patch:
        patch.setattr(reader, "read_line", interrupt)
        yield


def test_threads_get_their_own_answers(repo: Repository) -> None:
    """Questions of several threads at once are not mixed up."""
    blobs = {name: repo.object_ids(f"main:{name}")[0] for name in ("README.md", "src/app.py", "src/lib.py", "data.bin")}
    wrong: list[str] = []

    def ask(name: str) -> None:
        wrong.extend(name for _ in range(50) if repo.object_ids(f"main:{name}") != [blobs[name]])

    threads = [threading.Thread(target=ask, args=(name,)) for name in blobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_fork_does_not_shift_the_answers(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is killed between a question and its answer, as a process that uses gitorch as a library may fork."""
    (head,) = repo.object_ids("main")
    child = os.fork()
    if not child:
        monkeypatch.setattr(BatchProcess, "read_line", lambda _: os.kill(os.getpid(), signal.SIGKILL))
        repo.object_ids("main^{tree}")
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert repo.object_ids("main") == [head]


def test_the_reader_holds_no_lock(repo: Repository, tmp_path: Path) -> None:
    """It lives longer than the block in which it was started, and must not keep what other processes wait for."""
    with (tmp_path / "lock").open("w") as lock, repo.inherit_lock(lock):
        holder = repo.start_batch("cat-file", "--batch")
        repo.resolve("main")
        children = [child for child in psutil.Process().children() if _folder(repo) in _words(child)]
        holding = [process.cmdline()[-2:] for process in children if _holds(process, lock.name)]
        holder.close()
    assert holding == [["cat-file", "--batch"]]


def test_no_ref_of_another_repository_moves(repo: Repository, repository_folder: Path, tmp_path: Path) -> None:
    """A repository that was replaced while a command works gets nothing from it."""
    (head,) = repo.object_ids("main")
    assert head is not None
    shutil.copytree(repository_folder / ".git", tmp_path / "copy", symlinks=True)
    shutil.rmtree(repository_folder / ".git")
    (tmp_path / "copy").rename(repository_folder / ".git")
    with pytest.raises(Refused, match="another repository is at"):
        repo.update_refs([RefUpdate(Ref("refs/heads/new"), head, None)], "test")
    assert git("for-each-ref", "refs/heads/new", cwd=repository_folder) == ""
    Repository.discover(repository_folder).update_refs([RefUpdate(Ref("refs/heads/new"), head, None)], "test")


def _holds(process: psutil.Process, path: str) -> bool:
    return path in {file.path for file in process.open_files()}


def test_a_move_of_refs_that_finds_the_disk_full_says_so(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not taken for a branch that somebody else has moved."""
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    full = "cat > /dev/null; echo 'fatal: cannot lock ref: No space left on device' >&2; exit 128"
    other = f'exec {shutil.which("git")} "$@"'
    program.write_text(f'#!/bin/sh\ncase " $* " in *" update-ref "*) {full};; esac\n{other}\n')
    program.chmod(0o755)
    tip = repo.resolve("HEAD")
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with pytest.raises(GitFailed) as caught:
        repo.update_refs([RefUpdate(Ref("refs/heads/new"), tip, None)], "make a branch")
    assert (caught.value.code, caught.value.exit) == ("disk-full", 4)


def test_no_branch_moves_through_a_symbolic_ref(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither where one is found, nor where one is put in place a moment later, nor when it is deleted."""
    folder = repo.common_dir
    main, alias = repo.resolve("HEAD"), Ref("refs/heads/orch/alias")
    git("symbolic-ref", alias, "refs/heads/main", cwd=folder)
    later = Oid(git("commit-tree", "-p", "HEAD", "-m", "Later", "HEAD^{tree}", cwd=folder))
    for new in (later, None):
        with pytest.raises(Refused) as refused:
            repo.update_refs([RefUpdate(alias, new, main)], "test")
        assert (refused.value.code, "refs/heads/main" in refused.value.what) == ("symbolic-ref", True)
    monkeypatch.setattr(Repository, "_require_own_value", lambda *_: None)  # it was not there yet
    for new, old in ((later, main), (None, later)):
        repo.update_refs([RefUpdate(alias, new, old)], "test")
        assert repo.resolve("refs/heads/main") == main
    assert repo.read_ref(alias) is None


@pytest.mark.parametrize("names", [("GIT_DIR",), ("GIT_DIR", "GIT_WORK_TREE")])
def test_a_repository_that_the_environment_names_is_said_not_to_count(
    repository_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    """Git would work there; in a hook, where they name the same repository, nothing is said."""
    other = tmp_path / "other"
    git("init", "-q", str(other), cwd=tmp_path)
    own = {"GIT_DIR": ".git", "GIT_WORK_TREE": str(repository_folder)}
    foreign = {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other)}
    monkeypatch.chdir(repository_folder)

    def notices(variables: dict[str, str]) -> list[str]:
        for name in names:
            monkeypatch.setenv(name, variables[name])
        return open_workspace(repository_folder).store.notices

    assert notices(own) == []
    words = f"gitorch ignores {' and '.join(names)} of your environment"
    assert notices(foreign) == [f"{words}, and works in the repository of {repository_folder}"]
    monkeypatch.delenv("GIT_WORK_TREE", raising=False)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    with pytest.raises(NotFound) as refused:
        open_workspace(tmp_path)
    assert "gitorch ignores GIT_DIR of your environment" in refused.value.why


def test_a_hook_in_a_linked_worktree_is_told_nothing(
    repository_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git names the worktree's own folder there."""
    side = tmp_path / "side"
    git("worktree", "add", "-q", str(side), cwd=repository_folder)
    monkeypatch.setenv("GIT_DIR", str(repository_folder / ".git" / "worktrees" / "side"))
    assert open_workspace(side).store.notices == []
