"""Commits without the credentials that they added: everything else in them stays as the agent made it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from gitorch import services
from gitorch.flow import attempt, intake
from gitorch.git.collecting import credentials, redaction
from gitorch.git.collecting.redaction import RedactedCommits
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid, Ref
from gitorch.model.task import State, Task, current_attempt
from gitorch.services.open import open_workspace
from tests.support.git import commit, git

TOKEN = "ghp_" + "aB3dE5gH7j" * 4
OTHER = "ghp_" + "Zy8xW6vU4t" * 4
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7bq1\nQm9vLCBzYWlkIEFkYQ==\n-----END RSA PRIVATE KEY-----\n"
REDACTED = "[redacted github-token]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    git("init", "-q", "-b", "main", cwd=tmp_path)
    commit(tmp_path, "base", {"a": "a\n", "fixtures/key.pem": KEY})
    git("switch", "-qc", "work", cwd=tmp_path)
    return tmp_path


def rewrite(folder: Path) -> RedactedCommits | None:
    start, tip = (Oid(git("rev-parse", name, cwd=folder)) for name in ("main", "work"))
    return redaction.rewrite(Repository.discover(folder), start, tip, Ref("refs/heads/work"))


def redact(folder: Path) -> RedactedCommits:
    """Rewrite the branch, and check that no credential is found in it afterwards."""
    rewritten = rewrite(folder)
    assert rewritten
    base = Oid(git("rev-parse", "main", cwd=folder))
    assert credentials.search(Repository.discover(folder), base, rewritten.tip).credentials == ()
    git("fsck", "--strict", "--no-dangling", rewritten.tip, cwd=folder)
    return rewritten


def show(folder: Path, tip: str, path: str) -> str:
    return git("show", f"{tip}:{path}", cwd=folder)


def test_files_and_messages(folder: Path) -> None:
    """Lines, modes, authors and dates stay; later commits have the redacted file, too."""
    commit(folder, "start", {"b": "b\n"})
    first = git("rev-parse", "HEAD", cwd=folder)
    (folder / "run.sh").write_text("")
    (folder / "run.sh").chmod(0o755)
    author = {"GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.org", "GIT_AUTHOR_DATE": "1700000000 +0530"}
    commit(folder, f"use {TOKEN} everywhere", {"run.sh": f"one\nT={TOKEN}\nthree"}, **author)
    commit(folder, "more", {"c": "c\n"})
    rewritten = redact(folder)
    assert {item.place for item in rewritten.credentials} == {
        "run.sh:2",
        f"message of {git('rev-parse', '--short=12', 'work~1', cwd=folder)}",
    }
    assert show(folder, rewritten.tip, "run.sh") == f"one\nT={REDACTED}\nthree"
    tip = rewritten.tip
    log = git("log", "--format=%s|%an|%ad", "--date=raw", f"{first}..{tip}^", cwd=folder)
    assert log == f"use {REDACTED} everywhere|Ann|1700000000 +0530"
    assert git("rev-parse", f"{tip}~2", cwd=folder) == first  # what needs no change is not rewritten
    assert git("ls-tree", tip, "run.sh", cwd=folder).startswith("100755")
    assert git("diff", "--name-only", "work", tip, cwd=folder) == "run.sh"


def test_a_credential_that_was_removed_again(folder: Path) -> None:
    """The history is merged, too."""
    commit(folder, "add", {"a": f"{TOKEN}\n"})
    commit(folder, "remove", {"a": "clean\n"})
    tip = redact(folder).tip
    assert [show(folder, f"{tip}{up}", "a") for up in ("", "^")] == ["clean", REDACTED]


def test_a_credential_of_the_base_is_not_new(folder: Path) -> None:
    """A test's key that is moved or copied stays whole; one beside it that is new does not."""
    git("mv", "fixtures/key.pem", "moved.pem", cwd=folder)
    commit(folder, "move", {"copy.pem": KEY})
    assert rewrite(folder) is None
    commit(folder, "add", {"new.pem": KEY.replace("MIIE", "MIIF")})
    rewritten = rewrite(folder)
    assert rewritten
    tip = rewritten.tip
    assert (show(folder, tip, "moved.pem"), show(folder, tip, "new.pem")) == (KEY.rstrip(), "[redacted private-key]")


def test_what_is_not_text_stays(folder: Path) -> None:
    """A binary file would no longer be what it is; a link's target is a name."""
    (folder / "link").symlink_to(TOKEN)
    commit(folder, "binary", {"data": b"\0" + TOKEN.encode()})
    assert rewrite(folder) is None


def test_odd_names_and_bytes(folder: Path) -> None:
    """Paths and contents are bytes."""
    names = ['quo"te', "back\\slash", "new\nline", " space ", "ünï"]
    commit(folder, "odd", {name: f"é {TOKEN}\n".encode() + b"\xff\r\n" for name in names})
    tip = redact(folder).tip
    listing = git("ls-tree", "-z", "--name-only", tip, cwd=folder).split("\0")
    assert set(names) <= set(listing)
    for name in names:
        path = Repository.discover(folder).file(tip, name)
        assert path == f"é {REDACTED}\n".encode() + b"\xff\r\n"


def test_a_file_becomes_a_folder_and_back(folder: Path) -> None:
    """Removals go before additions."""
    commit(folder, "one", {"t": f"{TOKEN}\n"})
    (folder / "t").unlink()
    commit(folder, "two", {"t/x": f"{OTHER}\n"})
    (folder / "t/x").unlink()
    (folder / "t").rmdir()
    commit(folder, "three", {"t": "file\n"})
    tip = redact(folder).tip
    assert git("ls-tree", "-r", "--name-only", f"{tip}^", cwd=folder).splitlines() == ["a", "fixtures/key.pem", "t/x"]
    assert show(folder, tip, "t") == "file"


def test_a_merge_keeps_its_parents_and_what_came_from_them(folder: Path) -> None:
    """Commits of the user's own branches are never rewritten, whatever they hold."""
    commit(folder, "own", {"mine": f"{TOKEN}\n"})
    git("switch", "-q", "main", cwd=folder)
    git("switch", "-qc", "theirs", cwd=folder)
    commit(folder, f"theirs {OTHER}", {"their": f"{OTHER}\n"})
    git("switch", "-q", "work", cwd=folder)
    git("merge", "-q", "--no-ff", "-m", "merge theirs", "theirs", cwd=folder)
    commit(folder, "after", {"d": "d\n"})
    rewritten = rewrite(folder)
    assert rewritten
    tip = rewritten.tip
    theirs = git("rev-parse", "theirs", cwd=folder)
    assert git("rev-parse", f"{tip}^^2", cwd=folder) == theirs
    assert (show(folder, tip, "mine"), show(folder, tip, "their")) == (REDACTED, OTHER)
    assert [item.path for item in rewritten.credentials] == ["mine"]


def test_a_signature_of_other_bytes_is_dropped(folder: Path) -> None:
    """Headers that vouch for the old commit do not stay on the new one."""
    commit(folder, "add", {"a": f"{TOKEN}\n"})
    raw = git("cat-file", "commit", "work", cwd=folder).encode() + b"\n"
    head, _, message = raw.partition(b"\n\n")
    signed = head + b"\ngpgsig -----BEGIN\n abc\n -----END\n\n" + message
    oid = git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", cwd=folder, input=signed)
    git("reset", "-q", "--soft", oid, cwd=folder)
    assert "gpgsig" not in git("cat-file", "commit", redact(folder).tip, cwd=folder)


AGENT = f"""
echo 'T={TOKEN}' > creds; git add creds; git commit -qm 'use {TOKEN}'
echo left > left
"""


def attempted(folder: Path, tmp_path: Path, checks: Mapping[str, str], *settings: str) -> Task:
    """Run the agent once on a task; return the task as it ended."""
    (tmp_path / "agent.sh").write_text(AGENT)
    command = f'agents.scripted.command=["sh", "{tmp_path / "agent.sh"}"]'
    context = services.agents.run_context(open_workspace(folder, ["agents.scripted.kind=command", command, *settings]))
    (task,) = intake.resolve([intake.from_text("Add greeting")], {}, 1)
    task = msgspec.structs.replace(task, spec=msgspec.structs.replace(task.spec, agent="scripted", role="generalist"))
    *_, task = attempt.run(context, attempt.start(context, task, Oid(git("rev-parse", "main", cwd=folder))), checks)
    return task


@pytest.mark.parametrize("mode", ["off", "private"])
def test_an_attempt(repository_folder: Path, tmp_path: Path, mode: str) -> None:
    """Branch, worktree and checks have the redacted files; the agent's own commits are in a rescue point, and told."""
    checks = {"redacted": f"grep -F '{REDACTED}' creds", "left": "grep left left"}
    task = attempted(repository_folder, tmp_path, checks, f"sandbox.mode={mode}")
    assert (task.state, task.passed) == (State.FINISHED, True)
    assert task.tip == git("rev-parse", task.branch, cwd=repository_folder)
    assert git("status", "--porcelain", cwd=Path(task.worktree)) == ""
    assert (Path(task.worktree) / "creds").read_text() == f"T={REDACTED}\n"
    assert TOKEN not in git("log", "--patch", "main..", cwd=Path(task.worktree))
    (alarm,) = [alarm for alarm in current_attempt(task).alarms if "redacted" in alarm]
    assert "github-token in creds:1" in alarm
    assert TOKEN not in alarm
    rescue = git("for-each-ref", "--format=%(refname)", "refs/gitorch/rescue", cwd=repository_folder)
    assert show(repository_folder, rescue, "creds") == f"T={TOKEN}"
    assert git("log", "--format=%s", rescue, "--not", "main", cwd=repository_folder).count(TOKEN) == 1


def test_it_can_be_turned_off(repository_folder: Path, tmp_path: Path) -> None:
    """Then the commits stay as they are, and approval is refused as before."""
    task = attempted(repository_folder, tmp_path, {}, "sandbox.mode=off", "run.redact_commits=false")
    assert show(repository_folder, task.branch, "creds") == f"T={TOKEN}"
    assert not any("redacted" in alarm for alarm in current_attempt(task).alarms)
