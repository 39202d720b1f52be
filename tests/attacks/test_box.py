"""The catalogue of attacks, each in a bare worktree, where it must hit, and in a box, where it must not."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gitorch.git import worktrees
from gitorch.git.repository import Repository
from gitorch.model.naming import branch_ref
from gitorch.rooms.base import Collected, Command
from gitorch.rooms.boxed_worktree import BoxedWorktree
from tests.attacks.catalogue import ATTACKS, Attack, World
from tests.support import sandbox
from tests.support.git import git


@pytest.fixture(scope="module")
def service() -> Iterator[Mapping[str, str]]:
    """Serve a secret on loopback, on a socket in a folder and on an abstract one, as services of a user do."""
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    secret = b"secret-socket"
    servers = []
    for family, address in (
        (socket.AF_INET, ("127.0.0.1", 0)),
        (socket.AF_UNIX, str(folder / "agent.sock")),
        (socket.AF_UNIX, f"\0gitorch-test-{os.getpid()}"),
    ):
        server = socket.socket(family, socket.SOCK_STREAM)
        server.bind(address)
        server.listen()
        servers.append(server)
        threading.Thread(target=_serve, args=(server, secret), daemon=True).start()
    yield {
        "PORT": str(servers[0].getsockname()[1]),
        "SOCKET": str(folder / "agent.sock"),
        "ABSTRACT": f"gitorch-test-{os.getpid()}",
    }
    for server in servers:
        server.close()


def _serve(server: socket.socket, secret: bytes) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        with client:
            client.sendall(secret)


@pytest.fixture
def victim() -> Iterator[int]:
    """Run a process of the user with a secret in its environment."""
    with subprocess.Popen(["sleep", "600"], env={"TOKEN": "secret-environment"}) as process:
        yield process.pid
        process.kill()


SECRETS = {
    ".ssh/id_rsa": "secret-key",
    ".ssh/authorized_keys": "",
    ".aws/credentials": "secret-cloud",
    ".netrc": "secret-netrc",
    ".config/gh/hosts.yml": "secret-gh",
    ".claude/.credentials.json": "secret-claude",
    ".bashrc": "# mine\n",
}
"""Files of the user's home."""


def prepared(folder: Path) -> dict[str, str]:
    """Give the user of a repository everything that an attack could be after; return the refs."""
    home, outside = Path(os.environ["HOME"]), folder.parent / "outside"
    outside.mkdir()
    for name, text in SECRETS.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    git("clone", "--quiet", "--bare", str(folder), str(outside / "origin.git"), cwd=outside)
    git("remote", "add", "origin", str(outside / "origin.git"), cwd=folder)
    git("config", "http.extraheader", "Authorization: secret-token", cwd=folder)
    (folder / "README.md").write_text("stashed\n")
    git("stash", "-q", cwd=folder)
    blob = git("hash-object", "-w", "--stdin", cwd=folder, input=b"secret-object")
    loose = git("commit-tree", "HEAD^{tree}", "-m", "secret-object", cwd=folder)
    for words in (("branch", "keep"), ("tag", "v1"), ("notes", "--ref=gitorch", "add", "-m", "true", "main")):
        git(*words, cwd=folder)
    (folder / "dirty.txt").write_text("secret-dirty")
    state = folder / ".git" / "gitorch"
    state.mkdir(exist_ok=True)
    (state / "tasks.toml").write_text("# secret-state\n")
    refs = dict(
        line.split()[::-1] for line in git("for-each-ref", "--format=%(objectname) %(refname)", cwd=folder).splitlines()
    )
    return {**refs, "loose": loose, "blob": blob}


def world_of(folder: Path, worktree: Path, service: int) -> World:
    before = prepared(folder)
    other = folder.parent / "other"
    git("worktree", "add", "-q", "-b", "orch/other", str(other), cwd=folder)
    (other / "wip.txt").write_text("secret-wip")
    outside = folder.parent / "outside"
    home = Path(os.environ["HOME"])
    return World(
        repo=folder, worktree=worktree, other=other, home=home, outside=outside, before=before, service=service
    )


def victims(world: World, service: Mapping[str, str]) -> dict[str, str]:
    return {
        **service,
        "REPO": str(world.repo),
        "COMMON": str(world.common),
        "WT": str(world.worktree),
        "OTHER": str(world.other),
        "VICTIM_HOME": str(world.home),
        "STATE": str(world.state),
        "OUTSIDE": str(world.outside),
        "LOOSE_BLOB": world.before["blob"],
        "PID": str(world.service),
    }


def use_git(folder: Path) -> None:
    """Do what a person does with git in a folder, as far as it still works."""
    for words in (
        ("status", "--ignore-submodules=dirty"),
        ("add", "-A", "--dry-run"),
        ("commit", "-q", "--allow-empty", "-m", "u"),
    ):
        git(*words, cwd=folder, ok=range(256))


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if attack.certain], ids=lambda attack: attack.name)
def test_an_attack_hits_in_a_bare_worktree(
    attack: Attack, repository_folder: Path, service: Mapping[str, str], victim: int
) -> None:
    """The control: without a room, the same script does what it says. Otherwise it would prove nothing."""
    worktree = repository_folder.parent / "t"
    world = world_of(repository_folder, worktree, victim)
    git("worktree", "add", "-q", "-b", "orch/t", str(worktree), cwd=repository_folder)
    env = {**os.environ, **victims(world, service)}
    world.said = sandbox.execute(Command(("/bin/sh", "-c", attack.script), worktree, env)).stdout
    moved_early = attack.hit(world)
    use_git(worktree)
    use_git(repository_folder)
    assert moved_early or attack.hit(world)


@pytest.mark.parametrize("group", ["R", "X", "S", "W", "P"])
def test_attacks_miss_from_a_box(group: str, repository_folder: Path, service: Mapping[str, str], victim: int) -> None:
    """In a box nothing of it works, and neither the user's git nor gitorch's own runs what it left.

    One user is the victim of a whole group, because nothing is to happen to them; each attack has a fresh repository.
    """
    spec = sandbox.spec_for(repository_folder)
    world = world_of(repository_folder, spec.directory, victim)
    room = sandbox.room_in(repository_folder)
    assert isinstance(room, BoxedWorktree)
    attacks = [attack for attack in ATTACKS if attack.name.startswith(group)]
    hits = []
    for attack in attacks:
        room.place.private.create(room.repository, room.store, room.worktree, branch_ref("orch/t"), spec.base)
        world.said = sandbox.act(room, attack.script, **victims(world, service)).stdout
        hits += [f"{attack.name}, at once"] if attack.hit(world) or world.proof() else []
    room.collect("work")
    use_git(spec.directory)
    use_git(repository_folder)
    world.said = ""
    # the user has committed on main, and P01 waits for seconds
    lasting = [attack for attack in attacks if not attack.name.startswith(("R01", "R02", "R12", "R13", "R19", "P01"))]
    hits += [f"{attack.name}, later" for attack in lasting if attack.hit(world) or world.proof()]
    assert hits == []
    git("fsck", "--no-dangling", cwd=repository_folder)


def test_honest_work_succeeds_in_the_same_box(repository_folder: Path, victim: int) -> None:
    """The control of the box: edit, add, commit, rebase, stash and branches work, and the commit comes home."""
    worktree = sandbox.spec_for(repository_folder).directory
    world_of(repository_folder, worktree, victim)
    room = sandbox.room_in(repository_folder)
    script = (
        "echo a > a; git add a; git commit -qm a; echo b >> a; git stash -q; git stash pop -q; git commit -qam b;"
        " git branch mine; git tag t1; git log --oneline | wc -l; git gc -q; git status --porcelain; git fsck"
    )
    done = sandbox.act(room, f"set -e; {script}")
    assert (done.returncode, done.stderr) == (0, "")
    result = room.collect("work")
    assert isinstance(result, Collected)
    assert result.commits == 2
    assert worktrees.find(Repository.discover(repository_folder), worktree) is not None
    assert git("log", "-1", "--format=%s", "orch/t", cwd=repository_folder) == "b"
