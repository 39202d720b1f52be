"""Programs of rooms under Landlock, where boxes cannot be made: the same paths and hosts, without namespaces or mounts.

What a box shows in another place (the worktree's `.git`, files of the user's HOME) is here a file or a link that is put
there before the program starts. What Landlock leaves open, a stricter filter of system calls closes as far as it can.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from gitorch.config import SandboxSettings
from gitorch.rooms.box_access import (
    IMPORT_BYTES,
    IMPORT_SECONDS,
    BoxPaths,
    Program,
    box_environment,
    brief_words,
    expanded,
    outermost,
    readable,
)
from gitorch.rooms.private_repository import READ_ONLY
from gitorch.rooms.protocol import Command
from gitorch.rooms.sandbox import home, host_programs, host_rules, launcher, seccomp
from gitorch.rooms.sandbox.reach import Reach

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

    def user_hooks(self, paths: BoxPaths) -> str:
        """Return the folder of the user's git hooks."""
        path = Path(os.path.normpath(paths.user_hooks))
        return os.fspath(path) if path.is_dir() else ""

    def command(self, paths: BoxPaths, program: Program) -> Command:
        """Return how to run a program in a room under Landlock."""
        paths.temporary.mkdir(parents=True, exist_ok=True)
        home.link((*program.login.read, *program.login.write))
        home.link(home.in_home((*self._writable, *readable(self.settings)), program.env, paths.home))
        is_filtered = self.settings.network == "on"
        folder = program.folder or paths.directory
        network = {
            "folder": None,
            "log": os.fspath(paths.log),
            "hosts": list(program.allowed),
            "keys": program.keys,
        }
        start = self._launch(
            self._reach(paths, program), folder, network=network if is_filtered else None, hints=program.hints
        )
        env = box_environment(program.env, paths.home) | _temporary(paths) | _NO_SYSTEM_SETTINGS
        return Command((*start, *brief_words(program.argv), "--", *program.argv), folder, env)

    def _reach(self, paths: BoxPaths, program: Program) -> Reach:
        """Return what a program in a room reaches; of this machine's ports, those that the proxy would allow."""
        login, only_reads = program.login, program.only_reads
        ports = host_rules.loopback_ports(program.allowed)
        files: tuple[Path, ...] = (paths.private.git_dir, paths.directory)
        hooks = self.user_hooks(paths)
        system, _ = host_programs.system(shares_network=self.settings.network == "open")
        return Reach(
            read=_real(
                [
                    *(source for source, _ in (*system, *login.read)),
                    *host_programs.tools(program.argv, program.env, mounted=(*files, paths.home), hidden=self.hidden),
                    *readable(self.settings),
                    *(paths.objects, Path("/proc")),
                    *([hooks] if hooks else []),
                    *(files if only_reads else ()),
                ]
            ),
            write=_real(
                [
                    *(*self._writable, paths.home, paths.temporary),
                    *(source for source, _ in login.write),
                    *(() if only_reads else files),
                ]
            ),
            listed=_real([host_programs.python()[-1].parent]),
            protect=_real([paths.private.git_dir / name for name in READ_ONLY]),
            ports={"on": ports, "open": None, "off": ()}[self.settings.network],
        )

    @property
    def _writable(self) -> list[Path]:
        return outermost(expanded(self.settings.write))

    def git(self, paths: BoxPaths, *, may_write: bool) -> tuple[str, ...]:
        """Return the words that start a program of the host's git under Landlock, with the private repository."""
        system, _ = host_programs.system(shares_network=False)
        private = paths.private.git_dir
        reach = Reach(
            read=_real([*(source for source, _ in system), paths.objects, private]),
            write=_real([private] if may_write else []),
        )
        start = self._launch(reach, private, seconds=IMPORT_SECONDS, output_bytes=IMPORT_BYTES)
        return (*start, "--", "env", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")

    def _launch(
        self,
        reach: Reach,
        folder: Path,
        *,
        network: Mapping[str, object] | None = None,
        seconds: int = 0,
        output_bytes: int = 0,
        hints: bool = False,
    ) -> tuple[str, ...]:
        program = seccomp.program(os.uname().machine, without_namespaces=True, shares_network=reach.ports is None)
        rules = {"read": reach.read, "write": reach.write, "list": reach.listed, "devices": _DEVICES, "ports": None}
        settings = {
            "bwrap": None,
            "confine": rules,
            "cwd": os.fspath(folder),
            "filter": program.hex(),
            "ports": reach.ports,
            "network": network,
            "seconds": seconds,
            "output_bytes": output_bytes,
            "hints": hints,
        }
        return host_programs.interpreter(), "-I", "-S", launcher.__file__, json.dumps(settings)


def _temporary(paths: BoxPaths) -> dict[str, str]:
    """Return what leads programs to the room's own folder for temporary files; /tmp is everybody's."""
    names = ("TMPDIR", "TMP", "TEMP", "CLAUDE_CODE_TMPDIR")
    return dict.fromkeys(names, os.fspath(paths.temporary)) | {"TMPPREFIX": os.fspath(paths.temporary / "zsh")}


def _real(paths: Iterable[str | os.PathLike[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(os.path.realpath(path) for path in paths))
