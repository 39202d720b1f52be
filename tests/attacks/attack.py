"""What an attack is, the victims it has, and the ways in which a hit shows.

Each script gets the folders of its victims in the environment, as an agent knows or guesses them: `REPO` (the user's
checkout), `COMMON` (its git folder), `WT` (the attacker's worktree), `OTHER` (another task's worktree), `SIDE` (a
linked worktree of the user's), `VICTIM` (the user's HOME), `STATE` (gitorch's state), `OUTSIDE` (another folder of the
user's), `BASE` (the commit on which the attacker's branch starts), `ID` (the attack), and `PORT`, `SOCKET`, `ABSTRACT`
and `PID` of a service of the user's.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from gitorch.model.naming import TaskId
from gitorch.model.task import Task
from gitorch.storage.tasks import Store
from tests.support.git import git

Fate = Literal["hits", "misses", "refused", "ignored"]
"""What comes of an attack without a sandbox. `misses`: it only reaches the agent's own repository. `refused`: a hook or
gitorch refuses it. `ignored`: the file changes, and gitorch believes nothing of it."""

WARNED = "warned"
"""Told only by what `run` and `status` say from the start: there is no sandbox, or which. Reading leaves no trace."""

FAILED = "failed"
"""Told by the end of the run: it fails, and says why."""


class World(msgspec.Struct, kw_only=True):
    """The victims of a night of attacks: their folders, how they were before, and what the attacker printed."""

    top: Path
    refs: Mapping[str, str]
    objects: Mapping[str, str]
    worktree: Path
    service: Mapping[str, str] = {}
    said: str = ""
    attack: str = ""

    @property
    def repo(self) -> Path:
        return self.top / "repo"

    @property
    def common(self) -> Path:
        return self.repo / ".git"

    @property
    def state(self) -> Path:
        return self.common / "gitorch"

    @property
    def other(self) -> Path:
        return self.top / "repo.orch" / "other"

    @property
    def side(self) -> Path:
        return self.top / "side"

    @property
    def home(self) -> Path:
        return self.top / "home"

    @property
    def outside(self) -> Path:
        return self.top / "outside"

    @property
    def places(self) -> dict[str, str]:
        """Return the folders by the variables that name them in a script."""
        return {
            "REPO": str(self.repo),
            "COMMON": str(self.common),
            "OTHER": str(self.other),
            "SIDE": str(self.side),
            **{f"SIDE{number}": f"{self.side}{number}" for number in range(2, 6)},
            "VICTIM": str(self.home),
            "STATE": str(self.state),
            "OUTSIDE": str(self.outside),
        }

    def ref(self, name: str) -> str:
        return git("rev-parse", "--verify", "--quiet", name, cwd=self.repo, ok=range(256))

    def tasks(self) -> Mapping[TaskId, Task]:
        """Return what gitorch takes for true."""
        return Store(self.state).load()


Hit = Callable[[World], bool]


class Attack(msgspec.Struct, frozen=True, kw_only=True):
    """One attack. `night`: attacks of the same night follow each other in one room, and must not disturb each other.

    `private` and `off` are its fates without a sandbox, `landlock` under Landlock; in a box all miss. `told` is how the
    line begins that tells of a hit there. `certain`: it hits in a bare worktree on every machine; where it may not, its
    control may miss. `ruins`: afterwards the attacker's own repository is no use, so that it is the night's last.
    """

    id: str
    what: str
    script: str
    hit: Hit
    private: Fate
    off: Fate
    landlock: Fate = "misses"
    told: str = WARNED
    alarm: str = ""
    """How the refusal of a hook begins, where it is not `told`."""

    night: str = "a"
    certain: bool = True
    ruins: bool = False

    def fate(self, mode: str) -> Fate:
        fates: Mapping[str, Fate] = {"bwrap": "misses", "landlock": self.landlock, "private": self.private}
        return fates.get(mode, self.off)


def by_path(id: str, what: str, script: str, hit: Hit, told: str, **more: Any) -> Attack:
    """Return an attack on a folder that the agent names by its path: without a sandbox it hits, and is told."""
    return Attack(id=id, what=what, script=script, hit=hit, told=told, private="hits", off="hits", **more)


def by_git(id: str, what: str, script: str, hit: Hit, told: str, **more: Any) -> Attack:
    """Return an attack through the agent's own git, which no hook sees: a private repository keeps it from others."""
    return Attack(id=id, what=what, script=script, hit=hit, told=told, private="misses", off="hits", **more)


def by_ref(id: str, what: str, script: str, hit: Hit, **more: Any) -> Attack:
    """Return an attack that moves a ref through the agent's own git: hooks refuse it, if there is nothing better."""
    return Attack(id=id, what=what, script=script, hit=hit, private="misses", off="refused", **more)


def reading(id: str, what: str, script: str, word: str, **more: Any) -> Attack:
    """Return an attack that prints a secret: it leaves no trace, so that only the standing warning tells."""
    return Attack(id=id, what=what, script=script, hit=said(word), **{"private": "hits", "off": "hits"} | more)


def moved(ref: str) -> Hit:
    """Return whether a ref is not as it was."""
    return lambda world: world.ref(ref) != world.refs.get(ref, "")


def said(*words: str) -> Hit:
    """Return whether the attacker could print a secret."""
    return lambda world: any(word in world.said for word in words)


def holds(place: Callable[[World], Path], text: str) -> Hit:
    """Return whether a file holds this text."""

    def hit(world: World) -> bool:
        with contextlib.suppress(OSError):
            return text in place(world).read_text("utf-8", "replace")
        return False

    return hit


def there(place: Callable[[World], Path]) -> Hit:
    """Return whether there is something that was not."""
    return lambda world: os.path.lexists(place(world))


def gone(place: Callable[[World], Path]) -> Hit:
    """Return whether something is missing."""
    return lambda world: not os.path.lexists(place(world))


def linked(place: Callable[[World], Path]) -> Hit:
    """Return whether a link is in a place."""
    return lambda world: place(world).is_symlink()


def mode(place: Callable[[World], Path], bits: int) -> Hit:
    """Return whether a file or folder has exactly these permissions."""
    return lambda world: place(world).stat().st_mode & 0o7777 == bits


def lists(*words: str, text: str, folder: Callable[[World], Path] = lambda world: world.repo) -> Hit:
    """Return whether git prints a text."""
    return lambda world: text in git(*words, cwd=folder(world), ok=range(256))


def proof(world: World) -> Path:
    """Return the file that code of an attacker makes when somebody else runs it."""
    return world.outside / f"proof-{world.attack}"


ran = there(proof)
"""Whether code of the attacker ran when the user, or gitorch, used git."""


def lost(name: str) -> Hit:
    """Return whether one of the objects that only this repository has cannot be read any more."""
    return lambda world: git("cat-file", "-p", world.objects[name], cwd=world.repo, ok=range(256)) == ""


def task_is(task: str, state: str) -> Hit:
    """Return whether gitorch believes this of a task."""
    return lambda world: task in world.tasks() and world.tasks()[TaskId(task)].state == state


def appended(name: str, text: str) -> Hit:
    """Return whether a file of gitorch's state holds a text."""
    return holds(lambda world: world.state / name, text)


def encoded(script: str) -> str:
    """Return a script of Python as a word of a shell, with nothing left to quote."""
    return f"python3 -c {json.dumps(f'exec(bytes.fromhex({script.encode().hex()!r}))')}"
