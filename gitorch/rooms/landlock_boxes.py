"""Programs of rooms under Landlock, where boxes cannot be made: the same paths and hosts, without namespaces or mounts.

What a box shows in another place (the worktree's `.git`, files of the user's HOME) is here a file or a link that is put
there before the program starts. What Landlock leaves open, a stricter filter of system calls closes as far as it can.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.config import SandboxSettings
from gitorch.executors.base import STDIN_FILE
from gitorch.rooms.base import Command
from gitorch.rooms.boxes import (
    IMPORT_BYTES,
    IMPORT_SECONDS,
    Place,
    box_environment,
    expanded,
    outermost,
    readable,
)
from gitorch.rooms.sandbox import home, host, hosts, launcher, seccomp
from gitorch.rooms.sandbox.logins import Login

_NO_SYSTEM_SETTINGS = {"GIT_CONFIG_NOSYSTEM": "1"}
"""For git, which ends when it may not read a file of settings that exists."""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


class LandlockBoxes(msgspec.Struct, frozen=True, kw_only=True):
    """A `Confinement` by Landlock. `hidden` are folders that no tool's path may expose."""

    settings: SandboxSettings
    hidden: tuple[Path, ...]

    @property
    def has_mounts(self) -> bool:
        """Return False: what is in a place is there for everybody."""
        return False

    def user_hooks(self, place: Place) -> str:
        """Return the folder of the user's git hooks."""
        path = Path(os.path.normpath(place.user_hooks))
        return os.fspath(path) if path.is_dir() else ""

    def command(
        self,
        place: Place,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        allowed: Sequence[str],
        login: Login = Login(),  # noqa: B008 (it is frozen)
        keys: Mapping[str, object] | None = None,
        folder: Path | None = None,
        hints: bool = False,
        only_reads: bool = False,
    ) -> Command:
        """Return how to run a program in a room under Landlock."""
        place.temporary.mkdir(parents=True, exist_ok=True)
        writable = outermost(expanded(self.settings.write))
        home.link((*login.read, *login.write))
        home.link(home.in_home((*writable, *readable(self.settings)), env, place.home))
        files: tuple[Path, ...] = (place.private.git_dir, place.directory)
        tools = host.tools(argv, env, inside=(*files, place.home), hidden=self.hidden)
        hooks = self.user_hooks(place)
        system, _ = host.system(shares_network=self.settings.network == "open")
        read: list[str | os.PathLike[str]] = [
            *(source for source, _ in (*system, *login.read)),
            *(*tools, *readable(self.settings), place.objects),
            *([hooks] if hooks else []),
            *(files if only_reads else ()),
            "/proc",
        ]
        write: list[str | os.PathLike[str]] = [
            *writable,
            place.home,
            place.temporary,
            *(source for source, _ in login.write),
        ]
        network = {"folder": None, "log": os.fspath(place.log), "hosts": list(allowed), "keys": keys}
        start = self._launch(
            read,
            [*write, *(() if only_reads else files)],
            folder or place.directory,
            ports=hosts.loopback_ports(allowed),
            network=network if self.settings.network == "on" else None,
            hints=hints,
        )
        brief = ["--brief", STDIN_FILE] if any(STDIN_FILE in word for word in argv) else []
        environment = box_environment(env, place.home) | _temporary(place) | _NO_SYSTEM_SETTINGS
        return Command((*start, *brief, "--", *argv), folder or place.directory, environment)

    def git(self, place: Place, *, may_write: bool) -> tuple[str, ...]:
        """Return the words that start a program of the host's git under Landlock, with the private repository."""
        system, _ = host.system(shares_network=False)
        private: list[str | os.PathLike[str]] = [place.private.git_dir]
        return (
            *self._launch(
                [*(source for source, _ in system), place.objects, *private],
                private if may_write else [],
                place.private.git_dir,
                is_alone=True,
                seconds=IMPORT_SECONDS,
                output_bytes=IMPORT_BYTES,
            ),
            *("--", "env", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null"),
        )

    def _launch(
        self,
        read: Iterable[str | os.PathLike[str]],
        write: Iterable[str | os.PathLike[str]],
        folder: Path,
        *,
        ports: Sequence[int] = (),
        network: Mapping[str, object] | None = None,
        is_alone: bool = False,
        seconds: int = 0,
        output_bytes: int = 0,
        hints: bool = False,
    ) -> tuple[str, ...]:
        shares_network = self.settings.network == "open" and not is_alone
        program = seccomp.program(os.uname().machine, without_namespaces=True, shares_network=shares_network)
        settings = {
            "bwrap": None,
            "confine": {
                "read": _real(read),
                "write": _real(write),
                "list": _real([] if is_alone else [host.python()[-1].parent]),
                "devices": _DEVICES,
                "ports": None,
            },
            "cwd": os.fspath(folder),
            "filter": program.hex(),
            "ports": None if shares_network else ports,
            "network": network,
            "seconds": seconds,
            "output_bytes": output_bytes,
            "hints": hints,
        }
        return host.interpreter(), "-I", "-S", launcher.__file__, json.dumps(settings)


def _temporary(place: Place) -> dict[str, str]:
    """Return what leads programs to the room's own folder for temporary files; /tmp is everybody's."""
    names = ("TMPDIR", "TMP", "TEMP", "CLAUDE_CODE_TMPDIR")
    return dict.fromkeys(names, os.fspath(place.temporary)) | {"TMPPREFIX": os.fspath(place.temporary / "zsh")}


def _real(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    return list(dict.fromkeys(os.path.realpath(path) for path in paths))
