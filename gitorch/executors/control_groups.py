"""Whether the kernel limits what programs use here: in control groups of our own, or in scopes that systemd makes."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec

from gitorch.executors import control_group
from gitorch.executors.probe import probe

_PROBE_SECONDS = 10.0
_CONTROLLERS = ("memory", "pids")


class GroupSupport(msgspec.Struct, frozen=True, kw_only=True):
    """How groups are made here: below `parents`, by controller, or by a program that starts a supervisor in a scope.

    `variables` are what that program needs in its environment. `name` is for people. `problem` says why there are none,
    `fix` which command changes that.
    """

    name: str = ""
    parents: Mapping[str, str] = {}
    scope: tuple[str, ...] = ()
    variables: Mapping[str, str] = {}
    problem: str = ""
    fix: str = ""

    @property
    def order(self) -> Mapping[str, str] | str:
        """What a supervisor is told: see `control_group.of`."""
        return "scope" if self.scope else self.parents


@cache
def support() -> GroupSupport:
    """Return how groups are made here. A scope is tried; of other groups, each supervisor finds out by itself."""
    if sys.platform != "linux":
        return GroupSupport(problem="control groups exist only on Linux")
    if Path("/run/systemd/system").is_dir():
        return _in_scopes()
    return _directly(Path("/proc/self/mountinfo").read_text("utf-8"), Path("/proc/self/cgroup").read_text("utf-8"))


def tried() -> GroupSupport:
    """Return how groups are made here, found out by making one."""
    group = support()
    return group if group.problem or group.scope else _tried(group)


def _tried(group: GroupSupport) -> GroupSupport:
    argv = (sys.executable, "-I", "-S", control_group.__file__, json.dumps(group.order))
    result = probe((*group.scope, *argv), {"PATH": "/usr/bin:/bin", **group.variables}, _PROBE_SECONDS)
    if result.exit_code == 0:
        return group
    lines = result.stderr.strip().splitlines() or ["it could not be tried"]
    return GroupSupport(problem=f"{group.name}: {lines[-1]}")


def _in_scopes() -> GroupSupport:
    program = shutil.which("systemd-run")
    if program is None or not Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return GroupSupport(problem="systemd does not use version 2 of control groups here")
    user = os.getuid()
    if user and not _outlives_logins(user):
        # everything in the scopes of a user ends with the last login, and a night should not
        problem = "systemd ends the scopes of a user with the last login"
        return GroupSupport(problem=problem, fix="loginctl enable-linger")
    own = ("--user",) if user else ()
    return _tried(
        GroupSupport(
            name="scopes of systemd",
            scope=(program, *own, "--scope", "--quiet", "--collect", "-p", "Delegate=memory pids", "--"),
            variables={"XDG_RUNTIME_DIR": os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{user}"} if user else {},
        )
    )


def _outlives_logins(user: int) -> bool:
    if f"/user@{user}.service/" in Path("/proc/self/cgroup").read_text("utf-8"):
        return True  # this run itself ends with the last login
    return Path("/var/lib/systemd/linger", pwd.getpwuid(user).pw_name).exists()


def _directly(mounts: str, own_groups: str) -> GroupSupport:
    own = {}
    for line in own_groups.splitlines():
        _, controllers, path = line.split(":", 2)
        own.update(dict.fromkeys(controllers.split(","), path))
    folders = {
        name: Path(mount) / os.path.relpath(own[name], root)
        for name, root, mount in _hierarchies(mounts)
        if name in own and (root == "/" or f"{own[name]}/".startswith(f"{root}/"))
    }
    if all(name in folders for name in _CONTROLLERS):
        parents = {name: str(folders[name]) for name in _CONTROLLERS}
        closed = [parent for parent in parents.values() if not os.access(parent, os.W_OK)]
        if closed:
            return GroupSupport(problem=f"{closed[0]} is not writable")
        return GroupSupport(name="control groups (version 1)", parents=parents)
    if "" not in folders:
        return GroupSupport(problem="no control groups are mounted")
    return _below(folders[""])


def _hierarchies(mounts: str) -> Iterator[tuple[str, str, str]]:
    """Yield each controller with its root and its mount point; version 2 has none and an empty name."""
    for line in mounts.splitlines():
        fields, _, source = line.partition(" - ")
        root, mount = fields.split()[3:5]
        kind, _, options = source.split(" ", 2)
        if kind == "cgroup2":
            yield "", root, mount
        elif kind == "cgroup":
            for name in options.split(","):
                if name in _CONTROLLERS:
                    yield name, root, mount


def _below(own: Path) -> GroupSupport:
    """Return how groups of version 2 are made below a group that has this process."""
    control = own / "cgroup.subtree_control"
    try:
        missing = set(_CONTROLLERS) - set(control.read_text("ascii").split())
        if missing:
            # only the machine's own group may have processes and groups at once; the kernel refuses for any other
            control.write_text(" ".join(f"+{name}" for name in sorted(missing)), "ascii")
    except OSError as error:
        return GroupSupport(problem=f"{own} cannot be divided: {error.strerror}")
    return GroupSupport(name="control groups (version 2)", parents=dict.fromkeys(_CONTROLLERS, str(own)))
