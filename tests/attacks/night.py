"""Nights of attacks: one agent that makes many of them in turn, in a room of one kind, and what came of each."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from gitorch.services.merging.pending_refresh import LOCK
from tests.attacks.attack import FAILED, WARNED, Attack, World
from tests.attacks.victims import SIDES, use_git
from tests.support.cli import Answer, Cli, does

CONFIG = """\
agent = "sh"
[agents.sh]
kind = "command"
command = ["/bin/sh", "-c", "sed -n '/^#!do$/,/^#!end$/p' | exec /bin/sh"]
[run]
retries = 0
[sandbox]
watch = ["~/.myrc"]
"""

# each attack begins in the worktree, on the branch, at its base
_START = """\
WT=$PWD; BASE=$(git rev-parse HEAD); BRANCH=$(git symbolic-ref HEAD); export WT BASE BRANCH
begin() {
    cd "$WT"; export ID=$1
    git symbolic-ref HEAD "$BRANCH"; git reset -q --hard "$BASE"; git clean -qfdx
    echo; echo "@begin $1 $(git rev-parse -q --verify HEAD)"
} 2>/dev/null
"""
_MARK = re.compile(r"^@begin (\S+) ?(\S*)$", re.MULTILINE)


def script_of(world: World, attacks: Iterable[Attack]) -> str:
    """Return the script that makes attacks one after another."""
    variables = {**world.places, **world.service, "LOOSE_BLOB": world.objects["secret-object"]}
    variables |= {f"{name.upper()}_BLOB": world.objects[name] for name in ("first", "second", "third")}
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    return exports + _START + "".join(f"begin {attack.id}; ( {attack.script} ) </dev/null 2>&1\n" for attack in attacks)


class Came(msgspec.Struct, kw_only=True):
    """What came of a night: which attacks hit, and everything that gitorch said."""

    hits: set[str]
    broken: set[str]
    """Attacks that began in a room where git did not work: they prove nothing."""
    moved: list[str]
    alarms: list[str]
    answer: Answer
    said: str


def bare(world: World, attack: Attack) -> bool:
    """Make an attack in a worktree that nobody guards; return whether it hit, at once or when the user used git."""
    script = script_of(world, [attack])
    done = subprocess.run(
        ("/bin/sh", "-c", script), cwd=world.worktree, capture_output=True, timeout=60, check=False, env=os.environ
    )
    world.attack, world.said = attack.id, done.stdout.decode(errors="replace")
    _settle(world)
    if attack.hit(world):
        return True
    _work(world)
    return attack.hit(world)


def spend(world: World, mode: str, attacks: Sequence[Attack]) -> Came:
    """Let an agent make attacks in a run whose rooms are of a kind; then use git as the user does."""
    cli = Cli(world.repo, CONFIG, GITORCH_SANDBOX_MODE=mode)
    cli.queue(does("Night", script_of(world, attacks), "true", id="night"))
    # asking `status` costs a tenth of a night
    before = _beliefs(world) if any(attack.fate(mode) == "ignored" for attack in attacks) else None
    answer = cli("run", "--json", ok=range(256))
    output = _output(world)
    said = dict(_parts(output))
    hits = {attack.id for attack in attacks if _hit(world, attack, said.get(attack.id, ""), mode, before)}
    moved = answer.stream[-1].get("moved", []) if answer.stdout else []
    alarms = _alarms(cli)
    _work(world)
    hits |= {attack.id for attack in attacks if attack.id not in hits and _ran(world, attack)}
    starts = dict(_MARK.findall(output))
    base = starts.get(attacks[0].id, "")
    # with the repository, its output may be gone
    unread = {attack.id for attack in attacks if attack.ruins and mode != "bwrap" and not base}
    broken = {attack.id for attack in attacks if not base or starts.get(attack.id) != base} - unread
    return Came(hits=hits, broken=broken, moved=moved, alarms=alarms, answer=answer, said=output)


def verify(world: World, mode: str, attacks: Sequence[Attack], came: Came) -> None:
    """Check that each attack came to its fate, and that each hit is told."""
    assert came.broken == set(), (came.broken, came.said)
    fates = {attack.id: attack.fate(mode) for attack in attacks}
    assert came.hits == {name for name, fate in fates.items() if fate == "hits"}, (came.moved, came.said)
    untold = [
        attack.id for attack in attacks if fates[attack.id] != "misses" and not _is_told(attack, came, mode, world)
    ]
    assert untold == [], (untold, came.moved)


def _is_told(attack: Attack, came: Came, mode: str, world: World) -> bool:
    if attack.told == WARNED:
        warning = "a Landlock sandbox hides no names: " if mode == "landlock" else "no sandbox: "
        return warning in came.answer.stderr or warning in came.answer.text
    if attack.told == FAILED:
        return came.answer.code not in (0, 130) and (bool(came.moved) or "gitorch/error/1" in came.answer.text)
    lines = came.alarms if attack.fate(mode) == "refused" else came.moved
    told = (attack.alarm or attack.told) if attack.fate(mode) == "refused" else attack.told
    told = told.format(**{name.lower(): place for name, place in world.places.items()})
    start, _, middle = told.partition("*")
    return any(line.startswith(start) and middle in line for line in lines)


def _work(world: World) -> None:
    """Do what the user does with git, in each worktree that is left."""
    sides = (world.top / name for name in SIDES)
    for folder in (world.repo, *sides, world.other, world.worktree):
        if folder.is_dir():
            use_git(folder)


def _settle(world: World) -> None:
    """Wait for what a command has started in the background."""
    with contextlib.suppress(OSError), (world.state / LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)


def _hit(world: World, attack: Attack, said: str, mode: str, before: object) -> bool:
    world.attack, world.said = attack.id, said
    if attack.fate(mode) == "ignored":
        return _beliefs(world) != before
    return attack.hit(world)


def _ran(world: World, attack: Attack) -> bool:
    return (world.outside / f"proof-{attack.id}").exists()


def _beliefs(world: World) -> object:
    """Return what gitorch takes for true of the tasks that were there before."""
    tasks = _tasks(Cli(world.repo, CONFIG))
    names = ("state", "tip", "branch", "checks", "attempts", "reason")
    return {name: [task[key] for key in names] for name, task in tasks.items() if name != "night"}


def _output(world: World) -> str:
    file = world.state / "attempts" / "night" / "1" / "agent-1" / "stdout"
    return file.read_text("utf-8", "replace") if file.exists() else ""


def _parts(output: str) -> Iterator[tuple[str, str]]:
    """Yield what each attack printed."""
    for part in output.split("\n@begin ")[1:]:
        head, _, said = part.partition("\n")
        yield head.split(" ")[0], said


def _alarms(cli: Cli) -> list[str]:
    attempt = _tasks(cli).get("night", {}).get("attempt") or {}
    return list(attempt.get("alarms", ()))


def _tasks(cli: Cli) -> dict[str, dict[str, Any]]:
    """Return what `status` says; nothing where it refuses, as in a repository that is gone."""
    answer = cli("status", "--json", ok=(0, 3, 4, 5))
    return {} if answer.code else {task["id"]: task for task in answer.json["tasks"]}
