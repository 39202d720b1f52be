"""What a user's own commands find in a box: tools of HOME, virtual environments, folders that the settings open."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitorch.rooms.protocol import Room
from tests.support import sandbox

LINE = "tool of the user"


@pytest.fixture
def home() -> Path:
    return Path(os.environ["HOME"])


def program(path: Path, text: str = f"#!/bin/sh\necho '{LINE}'\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def check(room: Room, line: str) -> subprocess.CompletedProcess[str]:
    """Run a check's command line, as the configuration has it."""
    return sandbox.execute(room.check_command(("/bin/sh", "-c", f"exec 2>&1\n{line}")))


def on_path(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([*map(str, folders), os.environ["PATH"]]))


def test_a_tool_that_is_installed_apart(repository_folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link in ~/.local/bin, as pipx and uv make it, leads to a program elsewhere in HOME."""
    target = program(home / ".somewhere/tool/bin/tool")
    (home / ".local/bin").mkdir(parents=True)
    (home / ".local/bin/tool").symlink_to(target)
    on_path(monkeypatch, home / ".local/bin")
    room = sandbox.room_in(repository_folder)
    assert check(room, "tool").stdout == f"{LINE}\n"
    assert check(room, "sh -c 'env tool' && true").stdout == f"{LINE}\n"


def test_a_folder_on_path_that_cannot_be_looked_at(repository_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as missing, whatever the system says: such as another user's, or a name that is too long."""
    on_path(monkeypatch, Path("/", 300 * "x"), Path("/root/.tools/bin"))
    assert check(sandbox.room_in(repository_folder), f"echo {LINE}; ls /{300 * 'x'}").stdout.startswith(f"{LINE}\n")


def test_an_environment_in_the_checkout(repository_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pytest -q` of an active environment in the checkout runs; the rest of the checkout is not there."""
    environment = repository_folder / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    program(environment / "bin" / "pytest", f"#!{environment}/bin/python\nimport sys; print(sys.prefix)\n")
    (repository_folder / "secret").write_text("secret")
    on_path(monkeypatch, environment / "bin")
    monkeypatch.setenv("VIRTUAL_ENV", str(environment))
    room = sandbox.room_in(repository_folder)
    assert check(room, "pytest -q").stdout == f"{environment}\n"
    assert check(room, f"touch {environment}/evil").returncode != 0
    assert check(room, f"ls {repository_folder}").stdout.split() == []


def test_an_environment_by_its_path(repository_folder: Path) -> None:
    """A check that names a program by its path finds it, with its environment, wherever the path is in the line."""
    environment = repository_folder / "venvs" / "a"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    room = sandbox.room_in(repository_folder)
    line = f"true && A=b {environment}/bin/python -c 'import sys; print(sys.prefix)'; true"
    assert check(room, line).stdout == f"{environment}\n"


def test_a_line_may_name_devices_and_folders_of_its_own(repository_folder: Path) -> None:
    """`2>/dev/null` and `cd /tmp`: the box has its own, and the machine's do not take their place."""
    room = sandbox.room_in(repository_folder)
    line = (
        "ls nowhere 2>/dev/null; cat </dev/null && head -c 1 /dev/zero >/dev/null && cd /tmp && touch /tmp/mine && "
        "touch /dev/shm/mine /var/tmp/mine && test -r /proc/self/status && ls /tmp /dev/shm && echo fine"
    )
    assert check(room, line).stdout.split()[-1] == "fine"
    assert "mine" in check(room, "touch /tmp/mine && ls /tmp").stdout
    assert not Path("/tmp/mine").exists()


def test_packages_of_the_user(repository_folder: Path, home: Path) -> None:
    """`pip install --user` puts packages into HOME."""
    python = Path("/usr/bin/python3")  # the tests' own is in an environment, which ignores them
    if not python.exists():
        pytest.skip("the system has no Python")
    version = subprocess.check_output([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], text=True)
    packages = home / ".local/lib" / f"python{version.strip()}" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "mine.py").write_text(f"print({LINE!r})\n")
    room = sandbox.room_in(repository_folder)
    assert check(room, f"{python} -c 'import mine'").stdout == f"{LINE}\n"


def test_toolchains_are_found(repository_folder: Path, home: Path) -> None:
    """rustup looks for its toolchains in HOME unless a variable names their folder."""
    (home / ".rustup/toolchains/stable").mkdir(parents=True)
    room = sandbox.room_in(repository_folder)
    assert check(room, "ls $RUSTUP_HOME/toolchains").stdout == "stable\n"


@pytest.mark.parametrize("setting", ["read", "write"])
def test_a_folder_of_home_is_where_programs_look_for_it(repository_folder: Path, home: Path, setting: str) -> None:
    """`sandbox.read = ["~/.cache/x"]` is at its own path and in the HOME of the box, whatever links an agent left."""
    cache = home / ".cache/x"
    cache.mkdir(parents=True)
    (cache / "file").write_text(LINE)
    sandbox.act(sandbox.room_in(repository_folder), "mkdir $HOME/other; ln -s $HOME/other $HOME/.cache")
    room = sandbox.room_in(repository_folder, f'{setting} = ["~/.cache/x"]')
    assert check(room, f"cat $HOME/.cache/x/file {cache}/file").stdout == LINE * 2
    wrote = check(room, "echo new > $HOME/.cache/x/new")
    assert (wrote.returncode == 0, (cache / "new").exists()) == (setting == "write",) * 2
    assert check(room, "ls $HOME/other").stdout == ""


def test_a_refused_host_is_named_in_the_output(repository_folder: Path) -> None:
    """A check or an install step that fails for want of the network says which setting allows it."""
    room = sandbox.room_in(repository_folder)
    script = "python3 -c \"import urllib.request as u; u.urlopen('http://registry.example/x')\" || exit 3"
    result = check(room, script)
    assert result.returncode == 3
    assert result.stdout.splitlines()[-1] == (
        'gitorch: the sandbox refused a connection; to allow it: sandbox.hosts = ["registry.example:80"]'
    )
    assert "gitorch:" not in check(room, f"{script.replace('exit 3', 'true')}").stdout
