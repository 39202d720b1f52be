"""The files that start programs, and what counts as a change of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitorch.git.repository import Repository
from gitorch.services.change_watch import startup_files

NOWHERE = Repository(Path("/nonexistent"), None, None)


def test_files_folders_and_links_are_compared(tmp_path: Path) -> None:
    """A file by its content, a folder by its files, a link by its target, a large file by its size and times."""
    environment = {"HOME": str(tmp_path)}
    (tmp_path / ".bashrc").write_text("a")
    (tmp_path / ".local/bin/deep").mkdir(parents=True)
    (tmp_path / ".local/bin/deep/tool").write_text("a")
    (tmp_path / "mine").write_bytes(b"a" * (1 << 21))
    before = startup_files.states(NOWHERE, environment, ["~/mine"])
    assert {path.removeprefix(f"{tmp_path}/") for path in before if path.startswith(str(tmp_path))} >= {
        ".bashrc",
        ".local/bin/deep/tool",
        "mine",
    }
    (tmp_path / ".bashrc").write_text("a")
    assert startup_files.states(NOWHERE, environment, ["~/mine"]) == before
    (tmp_path / ".bashrc").write_text("b")
    (tmp_path / ".zshrc").symlink_to(".bashrc")
    (tmp_path / "mine").write_bytes(b"b" * (1 << 21))
    after = startup_files.states(NOWHERE, environment, ["~/mine"])
    in_box = startup_files.states(NOWHERE, environment, ["~/mine"], is_reachable=False)
    in_home = [Path(name).name for name in in_box if name.startswith(str(tmp_path))]
    assert in_home == ["mine"], "agents in a box cannot reach the others"
    changed = {Path(name).name for name in before | after if before.get(name) != after.get(name)}
    assert changed == {".bashrc", ".zshrc", "mine"}


def test_what_nobody_can_read_is_no_error(tmp_path: Path) -> None:
    """A folder in the place of a file, and a file that this user may not read."""
    (tmp_path / ".profile").write_text("a")
    (tmp_path / ".profile").chmod(0)
    (tmp_path / ".bashrc").mkdir()
    assert [
        Path(path).name
        for path in startup_files.states(NOWHERE, {"HOME": str(tmp_path)})
        if path.startswith(str(tmp_path))
    ] == [".profile"]
    assert startup_files.states(NOWHERE, {}, ["/nonexistent/a"]).get("/nonexistent/a") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's programs can change the permissions of devices")
def test_the_modes_of_devices_are_compared(tmp_path: Path) -> None:
    """A box has the machine's own /dev/null, and an agent of root's may change its permissions for everybody."""
    states = startup_files.states(NOWHERE, {"HOME": str(tmp_path)}, is_reachable=False)
    assert states["mode of /dev/null"] == f"{Path('/dev/null').stat().st_mode & 0o7777:o}"


def test_what_starts_programs_later_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of `at`, timers of systemd, and for root the machine's own files; not what connections of ssh write."""
    home, jobs, machine = tmp_path / "home", tmp_path / "jobs", tmp_path / "etc"
    for folder in (home / ".ssh", jobs, machine, tmp_path / "run" / "systemd" / "transient"):
        folder.mkdir(parents=True)
    monkeypatch.setattr(startup_files, "_JOB_FOLDERS", (str(tmp_path / "missing"), str(jobs)))
    monkeypatch.setattr(startup_files, "_OF_THE_MACHINE", (machine,))
    environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    before = startup_files.states(NOWHERE, environment)
    (jobs / "a00001").touch()
    (machine / "profile").touch()
    for name in (".ssh/known_hosts", ".ssh/known_hosts.old", ".ssh/id_ed25519"):
        (home / name).touch()
    for name in ("a.timer", "app-editor.scope"):
        (tmp_path / "run" / "systemd" / "transient" / name).touch()
    after = startup_files.states(NOWHERE, environment)
    changed = {Path(name).name for name in before | after if before.get(name) != after.get(name)}
    assert changed - {"profile"} == {"your jobs of at", "id_ed25519", "a.timer"}
    assert ("profile" in changed) == (os.geteuid() == 0)
    in_box = startup_files.states(NOWHERE, environment, is_reachable=False)
    assert not any(name.startswith((str(tmp_path), "your ")) for name in in_box)
