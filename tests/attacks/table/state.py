"""Attacks on gitorch: its state, its records, its commands and its processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gitorch.model.naming import TaskId
from gitorch.model.task import State
from tests.attacks.attack import Attack, Hit, World, appended, encoded, gone, task_is, there
from tests.support.git import git

_APPROVED = task_is("other", state="approved")


def _state(name: str) -> Callable[[World], Path]:
    return lambda world: world.state / name


def _ignored(id: str, what: str, script: str, hit: Hit, told: str, night: str) -> Attack:
    """Return an attack that changes a file of the state, of which gitorch believes nothing."""
    return Attack(id=id, what=what, script=script, hit=hit, told=told, private="ignored", off="ignored", night=night)


def _refused(id: str, what: str, script: str, hit: Hit = _APPROVED, night: str = "commands") -> Attack:
    """Return a command of a person's, given by an agent: gitorch refuses it."""
    return Attack(id=id, what=what, script=script, hit=hit, night=night, private="misses", off="misses")


def _merged(world: World) -> bool:
    return git("log", "--format=%s", "orch/integration", cwd=world.repo, ok=range(256)).find("other.txt") >= 0


def _undone(world: World) -> bool:
    return world.tasks()[TaskId("done")].state is not State.MERGED


FILES = (
    _ignored(
        "T01",
        "approve a task in the task file",
        "sed -i 's/state = .finished./state = \"approved\"/' $STATE/tasks.toml",
        appended("tasks.toml", 'state = "approved"'),
        "tasks.toml was changed by another program",
        night="t1",
    ),
    _ignored(
        "T02",
        "empty the task file",
        ": > $STATE/tasks.toml",
        lambda world: (world.state / "tasks.toml").stat().st_size == 0,
        "tasks.toml was changed by another program",
        night="t2",
    ),
    _ignored(
        "T03",
        "remove the task file",
        "rm -f $STATE/tasks.toml",
        gone(_state("tasks.toml")),
        "tasks.toml was changed by another program",
        night="t3",
    ),
    _ignored(
        "T04",
        "an operation that nobody made",
        'echo \'{"kind":"evil"}\' >> $STATE/operations.jsonl',
        appended("operations.jsonl", '\n{"kind":"evil"}'),
        "{state}/operations.jsonl changed",
        night="t1",
    ),
    _ignored(
        "T05",
        "a journal that nobody wrote",
        "echo '{\"evil\":1}' > $STATE/journal/000000000999.jsonl",
        appended("journal/000000000999.jsonl", "evil"),
        "tasks.toml was changed by another program",
        night="t4",
    ),
    _ignored(
        "T06",
        "a verdict that nobody gave",
        'echo \'{"task":"other","verdict":"approve"}\' >> $STATE/verdicts.jsonl',
        appended("verdicts.jsonl", "approve"),
        "warned",
        night="t1",
    ),
    _ignored(
        "T07",
        "the end of an execution",
        'echo \'{"cause":"exited","exit_code":0}\' > $STATE/attempts/other/1/agent-1/exit.json',
        appended("attempts/other/1/agent-1/exit.json", '{"cause":"exited","exit_code":0}'),
        "warned",
        night="t1",
    ),
    _ignored(
        "T08",
        "an execution of its own",
        'mkdir -p $STATE/attempts/night/2/agent-1; echo \'{"cause":"exited"}\' > $STATE/attempts/night/2/agent-1/exit.json',
        appended("attempts/night/2/agent-1/exit.json", "exited"),
        "warned",
        night="t1",
    ),
    _ignored(
        "T09",
        "hide what moved",
        "echo '{\"number\":1}' >> $STATE/moved.jsonl; rm -f $REPO/run.sh",
        appended("moved.jsonl", "number"),
        "file run.sh changed",
        night="t1",
    ),
    _ignored(
        "T10",
        "say that gitorch moved it",
        'echo \'{"refs/tags/v3":["",""]}\' >> $STATE/own.jsonl; rm -f $COMMON/refs/tags/v3',
        appended("own.jsonl", "v3"),
        "refs/tags/v3 disappeared",
        night="t1",
    ),
    _ignored(
        "T11",
        "a plan",
        "mkdir -p $STATE/plans/evil; cp $STATE/plans/*/000001.json $STATE/plans/evil/000001.json",
        there(_state("plans/evil")),
        "{state}/plans/evil/000001.json appeared",
        night="t1",
    ),
    _ignored(
        "T12",
        "what a plan says",
        "sed -i 's/logout/evil/g' $STATE/plans/add-a-login-page-and-a-logout-button/*.json",
        appended("plans/add-a-login-page-and-a-logout-button/000001.json", "evil"),
        "{state}/plans/add-a-login-page-and-a-logout-button/000001.json changed",
        night="t4",
    ),
    _ignored(
        "T13",
        "say that a person saw the branch",
        "echo evil > $STATE/reviewed/other",
        appended("reviewed/other", "evil"),
        "warned",
        night="t1",
    ),
    _ignored(
        "T14",
        "the generation of the state",
        "echo 999 > $STATE/generation",
        appended("generation", "999"),
        "warned",
        night="t5",
    ),
    _ignored(
        "T15",
        "what is in force",
        'echo \'{"mode":"bwrap","network":"off"}\' > $STATE/protection.json',
        appended("protection.json", '"network":"off"'),
        "warned",
        night="t1",
    ),
    _ignored(
        "T16",
        "where the repository is",
        "echo /tmp/evil > $STATE/location",
        appended("location", "evil"),
        "warned",
        night="t5",
    ),
    _ignored(
        "T17",
        "a program in the way of others",
        "echo evil > $STATE/attempts/other/1/bin/orchestrate",
        appended("attempts/other/1/bin/orchestrate", "evil"),
        "warned",
        night="t1",
    ),
    _ignored(
        "T18",
        "the report of another night",
        "echo '<script>evil' > $(ls $STATE/reports/*.html | head -1)",
        lambda world: any(
            file.read_text().startswith("<script>evil") for file in (world.state / "reports").glob("*.html")
        ),
        "warned",
        night="t1",
    ),
    _ignored(
        "T19",
        "the whole state",
        "rm -rf $STATE/tasks.toml* $STATE/journal $STATE/operations.jsonl",
        gone(_state("operations.jsonl")),
        "tasks.toml was changed by another program",
        night="t6",
    ),
    _ignored(
        "T20",
        "a link in the place of the task file",
        "cp $STATE/tasks.toml $OUTSIDE/t; ln -sf $OUTSIDE/t $STATE/tasks.toml",
        lambda world: (world.state / "tasks.toml").is_symlink(),
        "tasks.toml was changed by another program",
        night="t7",
    ),
    _ignored(
        "T21",
        "a lock held",
        "(flock $STATE/tasks.lock sleep 2 &) ; sleep 0.2; touch $OUTSIDE/locked",
        there(lambda world: world.outside / "locked"),
        "warned",
        night="t5",
    ),
    _ignored(
        "T22",
        "notes of gitorch, as objects",
        "N=$(git -C $REPO hash-object -w --stdin < /dev/null); rm -f $COMMON/refs/notes/gitorch",
        gone(lambda world: world.common / "refs/notes/gitorch"),
        "refs/notes/gitorch",
        night="t5",
    ),
)

_APPROVE = "orchestrate approve other --force"
_AS_NOBODY = (
    'env -i PATH="$PATH" HOME="$HOME" XDG_CONFIG_HOME="$XDG_CONFIG_HOME" GIT_CONFIG_GLOBAL="$GIT_CONFIG_GLOBAL"'
)
_FORKED = """
import os, subprocess, time
if os.fork():
    time.sleep(1.5)  # the parent lives on while the detached grandchild tries
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
time.sleep(0.1)
subprocess.run(["orchestrate", "approve", "other", "--force"], cwd=os.environ["REPO"], env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "XDG_CONFIG_HOME": os.environ.get("XDG_CONFIG_HOME", ""), "GIT_CONFIG_GLOBAL": os.environ.get("GIT_CONFIG_GLOBAL", "")})
"""

COMMANDS = (
    _refused("K30", "approve by an alias", f"cd $REPO; {_AS_NOBODY} git -c alias.evil='!{_APPROVE}' evil"),
    _refused(
        "K31",
        "approve in a hook of another repository",
        "git init -q hooked; HOOK=hooked/.git/hooks/pre-commit; echo '#!/bin/sh' > $HOOK; chmod +x $HOOK;"
        ' echo "unset GIT_DIR GIT_INDEX_FILE; exec orchestrate -C $REPO approve other --force" >> $HOOK;'
        f" {_AS_NOBODY} git -C hooked -c core.hooksPath=.git/hooks -c user.name=a -c user.email=b commit -q"
        " --allow-empty -m x",
    ),
    _refused(
        "K32",
        "approve in an editor",
        f'cd $REPO; {_AS_NOBODY} GIT_EDITOR="orchestrate -C $REPO approve other --force; false" git'
        " -c core.hooksPath=/dev/null -c user.name=a -c user.email=b commit --allow-empty",
    ),
    _refused("K33", "approve in a terminal of its own", f"cd $REPO; {_AS_NOBODY} script -qec '{_APPROVE}' /dev/null"),
    _refused(
        "K35",
        "approve by a program that starts others",
        f"cd $REPO; echo other | {_AS_NOBODY} xargs -P 2 -n 1 orchestrate approve --force",
    ),
    _refused(
        "K36",
        "approve from elsewhere, with empty variables",
        f"cd /; {_AS_NOBODY} GITORCH_TASK= GITORCH_EXECUTION= orchestrate -C $REPO approve other --force",
    ),
    _refused("K01", "approve", f"cd $REPO; {_APPROVE}"),
    _refused("K02", "approve with a scrubbed environment", f"cd $REPO; {_AS_NOBODY} {_APPROVE}"),
    _refused("K03", "approve in a session of its own", f"cd $REPO; setsid -w {_AS_NOBODY} {_APPROVE}"),
    _refused("K04", "approve after a double fork", encoded(_FORKED)),
    _refused(
        "K05",
        "approve as the library",
        "cd $REPO; "
        + _AS_NOBODY
        + " "
        + encoded(
            "from gitorch.cli import main; import sys; sys.argv = ['orchestrate', 'approve', 'other', '--force']; main.main()"
        ),
    ),
    _refused("K06", "approve from another task's worktree", f"cd $OTHER; {_AS_NOBODY} {_APPROVE}"),
    _refused(
        "K07",
        "merge",
        f"cd $REPO; {_AS_NOBODY} orchestrate approve other --force; {_AS_NOBODY} orchestrate merge other",
        hit=_merged,
    ),
    _refused(
        "K08",
        "reject",
        f"cd $REPO; {_AS_NOBODY} orchestrate reject other -m no",
        hit=task_is("other", state="rejected"),
    ),
    _refused(
        "K09",
        "send back",
        f"cd $REPO; {_AS_NOBODY} orchestrate revise other -m no",
        hit=lambda world: world.tasks()[TaskId("other")].state is not State.FINISHED,
    ),
    _refused("K10", "undo", f"cd $REPO; {_AS_NOBODY} orchestrate undo", hit=_undone),
    _refused(
        "K11",
        "clean up",
        f"cd $REPO; {_AS_NOBODY} orchestrate cleanup --yes",
        hit=lambda world: "done" not in world.tasks(),
    ),
    _refused(
        "K12",
        "acknowledge what moved",
        f"echo x > $REPO/moved-by-it; cd $REPO; {_AS_NOBODY} orchestrate status --acknowledge && touch $OUTSIDE/acknowledged",
        hit=there(lambda world: world.outside / "acknowledged"),
    ),
    _refused(
        "K13",
        "trust a command",
        f"printf '[checks]\\nx = \"true\"\\n' > $REPO/.orchestrate.toml; cd $REPO; {_AS_NOBODY} orchestrate config trust --yes && touch $OUTSIDE/trusted",
        hit=there(lambda world: world.outside / "trusted"),
        night="config",
    ),
    _refused(
        "K14",
        "approve a plan",
        f"cd $REPO; {_AS_NOBODY} orchestrate plan approve add-a-login-page-and-a-logout-button --no-input",
        hit=lambda world: len(world.tasks()) > 3,
    ),
    _refused(
        "K15",
        "install hooks",
        f"cd $REPO; {_AS_NOBODY} orchestrate hooks install",
        hit=lambda world: any((world.common / "hooks").iterdir()),
    ),
    _refused(
        "K16",
        "take gitorch out",
        f"cd $REPO; {_AS_NOBODY} orchestrate uninstall --yes",
        hit=lambda world: "other" not in world.tasks(),
    ),
)

ATTACKS: tuple[Attack, ...] = (*FILES, *COMMANDS)
