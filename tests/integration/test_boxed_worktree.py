"""What comes home from a box, whatever the agent made of its repository and its files."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gitorch.errors import InvalidInput
from gitorch.rooms.protocol import Collected, Rejected
from gitorch.storage.shared_notes import SharedNotes
from tests.support import sandbox
from tests.support.git import commit, git

COMMIT = "echo x > x; git add x; git commit -qm x; "
BOMB = (
    "t=$(printf 'boom' | git hash-object -w --stdin); t=$(printf '100644 blob %s\\tf\\n' $t | git mktree); "
    "for i in 1 2 3 4 5 6 7 8 9 10; do t=$(for j in 0 1 2 3 4 5 6 7 8 9; do "
    "printf '040000 tree %s\\td%s\\n' $t $j; done | git mktree); done; "
    "git update-ref HEAD $(git commit-tree $t -p HEAD -m bomb)"
)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (BOMB, "stands for"),
        ("ln -s /etc/passwd leak; git add leak; git commit -qm x", "leads out of the worktree"),
        ("ln -s /etc/passwd leak", "leads out of the worktree"),
        (
            "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),inner; git commit -qm x",
            "another repository",
        ),
        (f"{COMMIT} git checkout -q --orphan new; git commit -qm new; git branch -M new orch/t", "rewritten"),
        (f"{COMMIT} rm .git/../HEAD; G=$(git rev-parse --git-dir); rm $G/HEAD; mkfifo $G/HEAD", "damaged"),
        (f"{COMMIT} G=$(git rev-parse --git-dir); rm $G/HEAD; ln -s /etc/passwd $G/HEAD", "damaged"),
        (
            f"{COMMIT} G=$(git rev-parse --git-dir); rm -rf $G/refs/heads; ln -s /etc $G/refs/heads",
            "could not be fetched",
        ),
        (f"{COMMIT} G=$(git rev-parse --git-dir); rm -rf $G/objects/??", "could not be fetched"),
        ("git checkout -q -b mine", "another branch: mine"),
        ("git init -q inner; echo x > inner/x", "a git repository: inner/"),
        (
            f"{COMMIT} git merge -q --no-commit --no-ff HEAD~1; G=$(git rev-parse --git-dir); touch $G/MERGE_HEAD",
            "merge",
        ),
    ],
)
def test_what_is_refused_stays_where_it_is(repository_folder: Path, script: str, reason: str) -> None:
    """A refusal is a value with words, and the branch did not move."""
    room = sandbox.room_in(repository_folder)
    base = git("rev-parse", "HEAD", cwd=repository_folder)
    sandbox.act(room, script)
    result = room.collect("work")
    assert isinstance(result, Rejected)
    assert reason in result.reason
    assert git("rev-parse", "orch/t", cwd=repository_folder) == base
    git("fsck", cwd=repository_folder)


def test_hostile_configuration_of_the_private_repository_runs_nowhere(repository_folder: Path, tmp_path: Path) -> None:
    """A `commondir` with a configuration of the agent's is read only inside the box."""
    proof = tmp_path / "proof"
    room = sandbox.room_in(repository_folder)
    script = (
        f"{COMMIT} G=$(git rev-parse --git-dir); mkdir evil; cp -r $G/. evil; echo $PWD/evil > $G/commondir; "
        f"git config -f evil/config core.fsmonitor 'touch {proof}'; "
        f"git config -f evil/config uploadpack.packObjectsHook 'touch {proof}; exec'; rm -rf .git-copy"
    )
    sandbox.act(room, script)
    room.collect("work")
    git("status", cwd=room.directory)
    assert not proof.exists()


def test_hidden_changes_come_home(repository_folder: Path) -> None:
    """What the agent hides from its own git is not hidden from the host's."""
    room = sandbox.room_in(repository_folder)
    sandbox.act(room, "git update-index --assume-unchanged README.md; echo hidden > README.md; echo x > .gitx; "
                      "echo '*' > $(git rev-parse --git-dir)/info/exclude; echo new > new")  # fmt: skip
    result = room.collect("work")
    assert isinstance(result, Collected)
    assert git("show", "orch/t:README.md", cwd=repository_folder) == "hidden"
    assert git("show", "orch/t:new", cwd=repository_folder) == "new"


def test_rounds_go_on_from_what_gitorch_committed(repository_folder: Path) -> None:
    """The agent's git follows, and its next commits come home on top."""
    room = sandbox.room_in(repository_folder)
    sandbox.act(room, "echo a > a")
    first = room.collect("first")
    assert isinstance(first, Collected)
    assert sandbox.act(room, "git rev-parse HEAD; git status --porcelain").stdout == f"{first.tip}\n"
    done = sandbox.act(room, "git checkout -q --detach; echo b > b; git add b; git commit -qm second")
    assert done.returncode == 0, done.stderr
    second = room.collect("rest")
    assert isinstance(second, Collected)
    assert (second.commits, second.completed) == (2, False)
    assert git("status", "--porcelain", cwd=room.directory) == ""


def test_a_person_goes_on_with_the_branch_meanwhile(repository_folder: Path) -> None:
    """A commit by hand stays; the agent's own, which does not build on it, is refused in words."""
    room = sandbox.room_in(repository_folder)
    by_hand = commit(room.directory, "by hand", {"hand": "x"})
    assert isinstance(room.collect("work"), Collected)
    assert git("rev-parse", "orch/t", cwd=repository_folder) == by_hand
    again = commit(room.directory, "by hand again", {"again": "x"})
    sandbox.act(room, COMMIT)
    assert room.collect("work") == Rejected("the agent's commits do not build on the task's branch")
    assert git("rev-parse", "orch/t", cwd=repository_folder) == again


def test_agents_share_notes_through_the_wall(repository_folder: Path) -> None:
    """A note of a person is in the box, the agent's comes out as its task's own; the state folder is out of reach."""
    notes = SharedNotes(repository_folder / ".git" / "gitorch" / "context")
    notes.add("from a person", author="Una")
    room = sandbox.room_in(repository_folder)
    assert "from a person" in sandbox.act(room, "orchestrate context list").stdout
    script = (
        "orchestrate context add 'from the agent'; C=$(git rev-parse --git-dir)/gitorch/context; "
        """echo '{"number":1,"run":1,"text":"forged","task":"other","author":"Una"}' >> $C/run-1.jsonl; """
        "rm $C/lock; ln -s /etc/passwd $C/lock"
    )
    sandbox.act(room, script)
    room.collect("work")
    found = [(note.text, note.task, note.author) for note in notes.read(1)]
    assert found == [("from a person", "", "Una"), ("from the agent", "t", ""), ("forged", "t", "")]
    sandbox.act(room, "C=$(git rev-parse --git-dir)/gitorch; rm -rf $C; ln -s /tmp $C")
    room.collect("work")
    assert len(notes.read(1)) == 3


def test_links_in_its_repository_open_nothing_in_the_next_box(repository_folder: Path, tmp_path: Path) -> None:
    """What an agent plants where gitorch binds files is bound nowhere: neither for its next round nor for checks."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    room = sandbox.room_in(repository_folder)
    script = (
        f"{COMMIT} cd $(git rev-parse --git-dir); mv objects o; mkdir -p objects/info; "
        f"ln -s {secret} objects/info/alternates; mv config c; mv hooks h; "
        f"ln -s {secret} config; ln -s {tmp_path} hooks; "
        f"rm -f ~/x; ln -s {tmp_path} ~/x; ln -s /oldroot{tmp_path} ~/.claude; ls -A ."
    )
    names = sandbox.act(room, script).stdout.split()
    assert {"config", "hooks"} <= set(names)
    files = "$G/objects/info/alternates $G/config $G/hooks/*"
    # not by its absolute path: what a command names in its own arguments is readable
    again = sandbox.act(room, f"S={str(secret)[1:]}; G=$(git rev-parse --git-dir); cat /$S {files}")
    assert "secret" not in again.stdout
    assert "secret" not in sandbox.execute(room.check_command(("/bin/cat", "/proc/self/mountinfo"))).stdout
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("repo", "repo.orch")] == ["secret"]


def test_a_folder_of_hooks_in_the_worktree_is_not_bound(repository_folder: Path, tmp_path: Path) -> None:
    """A relative core.hooksPath is in the agent's files: a link in its place leads nowhere."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "key").write_text("secret")
    commit(repository_folder, "hooks", {".hooks/pre-commit": "#!/bin/sh\ntouch ran\n"})
    (repository_folder / ".hooks/pre-commit").chmod(0o755)
    git("commit", "-qam", "executable", cwd=repository_folder)
    git("config", "core.hooksPath", ".hooks", cwd=repository_folder)
    room = sandbox.room_in(repository_folder)
    sandbox.act(room, f"{COMMIT} rm -rf .hooks; ln -s {secrets} .hooks")
    assert (room.directory / "ran").exists()
    assert "secret" not in sandbox.act(room, "cat .hooks/key /run/gitorch-hooks/key").stdout


def test_lfs_objects_come_home(repository_folder: Path) -> None:
    """Contents behind pointers are copied when they are what their names say, from plain files alone."""
    room = sandbox.room_in(repository_folder)
    content = "large\n"
    oid, link = hashlib.sha256(content.encode()).hexdigest(), "ab" * 32
    script = (
        f"L=$(git rev-parse --git-dir)/lfs/objects; mkdir -p $L/{oid[:2]}/{oid[2:4]} $L/ab/ab $L/../x; "
        f"echo large > $L/{oid[:2]}/{oid[2:4]}/{oid}; ln -s /etc/passwd $L/ab/ab/{link}; "
        f"echo forged > $L/ab/ab/{'ab' * 31}ac; ln -s /etc $L/ac; {COMMIT}"
    )
    sandbox.act(room, script)
    assert isinstance(room.collect("work"), Collected)
    objects = repository_folder / ".git" / "lfs" / "objects"
    assert [path.name for path in objects.rglob("*") if path.is_file()] == [oid]
    assert (objects / oid[:2] / oid[2:4] / oid).read_text() == content


def test_the_network_is_a_list_of_hosts(repository_folder: Path) -> None:
    """Anything else is refused, and told; there is no other way out."""
    room = sandbox.room_in(repository_folder, 'hosts = ["allowed.invalid"]')
    script = """
import os, socket, urllib.request
def connect(target):
    proxy = socket.create_connection(("127.0.0.1", 3128))
    proxy.sendall(f"CONNECT {target} HTTP/1.1\\r\\n\\r\\n".encode())
    return proxy.recv(999).split(b"\\r\\n")[0].decode()
for target in ("denied.invalid:443", "allowed.invalid:443", "allowed.invalid:22", "169.254.169.254:80", "nonsense"):
    print(connect(target))
try: socket.create_connection(("1.1.1.1", 53), 3)
except OSError as error: print(type(error).__name__)
try: socket.getaddrinfo("example.org", 80)
except OSError as error: print("no names")
"""
    done = sandbox.execute(room.agent_command(("/usr/bin/python3", "-c", script), {}))
    assert done.stdout.splitlines() == [
        "HTTP/1.1 403 Forbidden",
        "HTTP/1.1 502 Bad Gateway",
        "HTTP/1.1 403 Forbidden",
        "HTTP/1.1 403 Forbidden",
        "HTTP/1.1 400 Bad Request",
        "OSError",
        "no names",
    ], done.stderr
    refused = ("denied.invalid:443", "allowed.invalid:22", "169.254.169.254:80", "nonsense")
    assert room.refusals() == tuple(f"network: {target}" for target in refused)


def test_no_network(repository_folder: Path) -> None:
    """`network = "off"`: not even the proxy."""
    room = sandbox.room_in(repository_folder, 'network = "off"')
    assert (
        "refused"
        in sandbox.act(room, "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 3128))'").stderr
    )
    assert "127.0.0.1" not in sandbox.act(room, "env | grep -i proxy").stdout


def test_more_to_read_and_to_write(repository_folder: Path, tmp_path: Path) -> None:
    """Only what is listed, and only in the listed way; what would open the repository is refused."""
    read, write = tmp_path / "read", tmp_path / "write"
    for folder in (read, write):
        folder.mkdir()
        (folder / "file").write_text("content")
    room = sandbox.room_in(repository_folder, f'read = ["{read}"]\nwrite = ["{write}"]')
    done = sandbox.act(room, f"cat {read}/file; echo x > {read}/new; echo x > {write}/new")
    assert done.stdout == "content"
    assert (not (read / "new").exists(), (write / "new").exists()) == (True, True)
    for line in (
        f'read = ["{repository_folder}"]',
        f'write = ["{repository_folder}/.git/x"]',
        'write = ["x"]',
        'read = ["/"]',
    ):
        with pytest.raises(InvalidInput):
            sandbox.room_in(repository_folder, line)


def test_signals_reach_the_agent_and_a_kill_ends_everything(repository_folder: Path, tmp_path: Path) -> None:
    """SIGINT is the agent's to handle; without its launcher nothing of a box lives."""
    room = sandbox.room_in(repository_folder)
    script = "trap 'echo stopped; exit 7' INT; echo ready; while :; do sleep 0.1; done"
    command = room.agent_command(("/bin/sh", "-c", script), {})
    with subprocess.Popen(command.argv, cwd=command.cwd, env=dict(command.env), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == b"stopped\n"
        assert process.wait() == 7
    command = room.agent_command(("/bin/sh", "-c", "echo ready; sleep 600.5 & sleep 600.25"), {})
    with subprocess.Popen(command.argv, cwd=command.cwd, env=dict(command.env), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        # killed earlier, its shell could still start one while we look
        _wait_until(lambda: _running("600.25") and _running("600.5"))
        process.kill()
    _wait_until(lambda: not _running("600.25") and not _running("600.5"))


def _wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300.0
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _running(word: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in path.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False
