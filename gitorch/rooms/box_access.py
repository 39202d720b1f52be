"""Boxes for the programs of rooms: agents, preparations, checks, and gitorch's own git on what an agent made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from gitorch.config import SandboxSettings
from gitorch.executors.protocol import STDIN_FILE
from gitorch.rooms.private_repository import READ_ONLY, PrivateRepository
from gitorch.rooms.protocol import Command
from gitorch.rooms.sandbox import entry, home, host_programs, host_rules, launcher, seccomp
from gitorch.rooms.sandbox.bubblewrap import Bind, Box, arguments
from gitorch.rooms.sandbox.logins import Login
from gitorch.rooms.sandbox.probing import BoxSupport

IMPORT_SECONDS = 300
IMPORT_BYTES = 4 << 30
"""The longest and largest import of an attempt's commits."""

_SOCKET_FOLDER = "/run/gitorch"
_ENTRY = "/run/gitorch-entry.py"
# they name folders of the user's HOME, configuration of the user's git, or things outside of the box
_DROPPED = ("TMPDIR", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "CODEX_SQLITE_HOME", "CARGO_HOME", "GOPATH", "SSH_AUTH_SOCK")
_DROPPED_PREFIXES = ("XDG_", "GIT_CONFIG", "DBUS_")


USER_HOOKS = "/run/gitorch-hooks"
"""Where the user's own git hooks are in a box."""


class BoxPaths(msgspec.Struct, frozen=True, kw_only=True):
    """What a room's box is made of: the worktree, its private repository, HOME, and gitorch's own folder for it.

    `objects` is where the private repository borrows its history from, `user_hooks` the folder of the user's git hooks.
    """

    directory: Path
    private: PrivateRepository
    objects: Path
    home: Path
    folder: Path
    user_hooks: Path

    @property
    def hooks_in_box(self) -> str:
        """Return where the user's git hooks are in the box: in the worktree, an agent could have put a link there."""
        path = Path(os.path.normpath(self.user_hooks))
        if path.is_relative_to(self.directory):
            return _text(path)
        return USER_HOOKS if path.is_dir() else ""

    @property
    def temporary(self) -> Path:
        """Return its own folder for temporary files, where /tmp is everybody's."""
        return self.folder / "tmp"

    @property
    def log(self) -> Path:
        """Return the file with the decisions about its network."""
        return self.folder / "network.log"


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A program of a room: its arguments and its environment, the hosts and what else it may reach.

    `keys` is the service whose keys in `env` stay outside, as `OutsideKeys` has it. With `only_reads`, it cannot write
    the worktree and its repository. It starts in `folder` (None: the worktree). With `hints`, its output ends with a
    line about hosts that were refused, if it fails.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    allowed: Sequence[str]
    login: Login = Login()
    keys: Mapping[str, object] | None = None
    folder: Path | None = None
    hints: bool = False
    only_reads: bool = False


class Confinement(Protocol):
    """How the programs of rooms are confined on this machine, for one repository."""

    @property
    def has_mounts(self) -> bool:
        """Return whether a program sees another `.git` than the host does, in the same place."""

    def user_hooks(self, paths: BoxPaths) -> str:
        """Return where a program finds the user's git hooks; empty where there are none."""

    def command(self, paths: BoxPaths, program: Program) -> Command:
        """Return how to run a program in a room."""

    def git(self, paths: BoxPaths, *, may_write: bool) -> tuple[str, ...]:
        """Return the words that start a program of the host's git on a private repository, without a network.

        The program and its arguments follow. Its output and its time are limited.
        """


class Boxes(msgspec.Struct, frozen=True, kw_only=True):
    """Boxes of bubblewrap. `hidden` are folders that no tool's path may expose."""

    settings: SandboxSettings
    support: BoxSupport
    hidden: tuple[Path, ...]

    @property
    def has_mounts(self) -> bool:
        """Return True."""
        return True

    def user_hooks(self, paths: BoxPaths) -> str:
        """Return where the user's git hooks are in the box."""
        return paths.hooks_in_box

    def command(self, paths: BoxPaths, program: Program) -> Command:
        """Return how to run a program in a room's box."""
        is_filtered = self.settings.network == "on"
        folder = program.folder or paths.directory
        egress = {
            "folder": _text(_socket_folder(paths)),
            "log": _text(paths.log),
            "hosts": list(program.allowed),
            "keys": program.keys,
        }
        words = [word.replace(STDIN_FILE, launcher.BRIEF) for word in program.argv]
        if is_filtered:
            ports = ",".join(map(str, host_rules.loopback_ports(program.allowed)))
            words = [
                host_programs.interpreter(),
                "-I",
                "-S",
                _ENTRY,
                f"{_SOCKET_FOLDER}/proxy.sock",
                ports,
                "--",
                *words,
            ]
        start = self._launch(
            self._box(paths, program, folder), network=egress if is_filtered else None, hints=program.hints
        )
        env = box_environment(program.env, paths.home)
        return Command((*start, *brief_words(program.argv), "--", *words), folder, env)

    def _box(self, paths: BoxPaths, program: Program, folder: Path) -> Box:
        """Return what a program in a room can read and write; its working directory is `folder`."""
        env, login = program.env, program.login
        visible = (paths.directory, paths.private.git_dir, paths.home)
        tools = host_programs.tools(program.argv, env, mounted=visible, hidden=self.hidden)
        system, links = host_programs.system(shares_network=self.settings.network == "open")
        network = ((_text(_socket_folder(paths)), _SOCKET_FOLDER), (entry.__file__, _ENTRY))
        files = _same([paths.private.git_dir, paths.directory])
        return Box(
            read=(
                *system,
                *self._hooks(paths),
                *_same(tools),
                *_same(readable(self.settings)),
                *(network if self.settings.network == "on" else ()),
                *_same([paths.objects]),
            ),
            links=links,
            write=(
                *_same(outermost(expanded(self.settings.write))),
                *_same([paths.home]),
                *(() if program.only_reads else files),
                *home.in_home(outermost(expanded(self.settings.write)), env, paths.home),
                *login.write,
            ),
            protect=(
                *(files if program.only_reads else ()),
                *_protected(paths),
                *home.in_home(readable(self.settings), env, paths.home),
                *login.read,
            ),
            folder=_text(folder),
            shares_network=self.settings.network == "open",
            own_user=self.support.own_user,
            program=self.support.program,
        )

    def git(self, paths: BoxPaths, *, may_write: bool) -> tuple[str, ...]:
        """Return the words that start a program of the host's git in a box with the private repository."""
        system, links = host_programs.system(shares_network=False)
        private = _same([paths.private.git_dir])
        box = Box(
            read=(*system, *_same([paths.objects]), *(() if may_write else private)),
            write=private if may_write else (),
            protect=tuple(
                bind for bind in _protected(paths) if may_write and bind[1] != _text(paths.directory / ".git")
            ),
            links=links,
            folder="/",
            own_user=self.support.own_user,
            program=self.support.program,
        )
        return (*self._launch(box, seconds=IMPORT_SECONDS, output_bytes=IMPORT_BYTES), "--")

    def _hooks(self, paths: BoxPaths) -> tuple[Bind, ...]:
        return ((_text(paths.user_hooks), USER_HOOKS),) if paths.hooks_in_box == USER_HOOKS else ()

    def _launch(
        self,
        box: Box,
        *,
        network: Mapping[str, object] | None = None,
        seconds: int = 0,
        output_bytes: int = 0,
        hints: bool = False,
    ) -> tuple[str, ...]:
        settings = {
            "bwrap": arguments(box),
            "confine": None,
            "filter": seccomp.program(os.uname().machine).hex(),
            "network": network,
            "seconds": seconds,
            "output_bytes": output_bytes,
            "hints": hints,
        }
        return host_programs.interpreter(), "-I", "-S", launcher.__file__, json.dumps(settings)


def brief_words(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the words by which the launcher learns that a program reads its brief as a file."""
    return ("--brief", STDIN_FILE) if any(STDIN_FILE in word for word in argv) else ()


def box_environment(env: Mapping[str, str], own_home: Path) -> dict[str, str]:
    """Return an environment for a box: its own HOME, and no folders or sockets that do not exist in it."""
    passed = {
        name: value for name, value in env.items() if name not in _DROPPED and not name.startswith(_DROPPED_PREFIXES)
    }
    # a package's install step must not set hooks in a repository whose configuration is read-only
    settings = {"HOME": _text(own_home), "SHELL": "/bin/sh", "HUSKY": "0"}
    return {**host_programs.tool_variables(env), **passed, **settings, **_java_home(env, own_home)}


def _java_home(env: Mapping[str, str], own_home: Path) -> dict[str, str]:
    """Return what leads tools in Java to their folders in a HOME: Java takes the user's from the list of accounts."""
    repository = f"-Dmaven.repo.local={_text(own_home / '.m2/repository')}"
    return {
        "GRADLE_USER_HOME": _text(own_home / ".gradle"),
        "MAVEN_OPTS": " ".join(filter(None, (env.get("MAVEN_OPTS", ""), repository))),
    }


def _protected(paths: BoxPaths) -> tuple[Bind, ...]:
    read_only = [paths.private.git_dir / name for name in READ_ONLY]
    return (*_same(read_only), (_text(paths.private.link), _text(paths.directory / ".git")))


def _socket_folder(paths: BoxPaths) -> Path:
    return paths.folder / "network"


def readable(settings: SandboxSettings) -> list[Path]:
    """Return `sandbox.read` without what `sandbox.write` opens anyway: an agent could have put a link there."""
    writable = expanded(settings.write)
    return [path for path in expanded(settings.read) if not any(map(path.is_relative_to, writable))]


def expanded(paths: Iterable[str]) -> list[Path]:
    """Return the paths that exist, with `~` filled in."""
    return [path for text in paths if (path := Path(text).expanduser()).exists()]


def outermost(paths: Sequence[Path]) -> list[Path]:
    """Return the paths that lie in no other one."""
    return [path for path in paths if not any(path != other and path.is_relative_to(other) for other in paths)]


def _same(paths: Iterable[Path]) -> tuple[Bind, ...]:
    return tuple((_text(path), _text(path)) for path in paths)


def _text(path: Path) -> str:
    return os.fspath(path)
