"""More commands that are killed at each of their steps: those of the queue, of plans, of verdicts and of upkeep."""

from __future__ import annotations

import functools

from gitorch.model import queue_order
from gitorch.storage.tasks import Store
from tests.faults.kill_points import LEFT, Operation
from tests.support.cli import Cli, does, saved
from tests.support.git import commit, git

Facts = tuple[object, ...]

_GOAL = "1. Add a page\n2. Fix the form"
_PLAN = "1-add-a-page-2-fix-the-form"
_HOOK = "#!/bin/sh\necho mine\n"
_TASK = 'id = "{0}"\ntitle = "{0}"\nprompt = "{0}"\n'


def _queued(cli: Cli) -> None:
    cli.queue(does("One", saved("one.txt", "1"), id="one"), does("Two", saved("two.txt", "2"), id="two"))


def _branched(cli: Cli) -> None:
    """A branch of the user's, with one commit."""
    git("checkout", "--quiet", "-b", "work", cwd=cli.folder)
    commit(cli.folder, "Work\n", {"work.txt": "w\n"})
    git("checkout", "--quiet", "main", cwd=cli.folder)


def _adopted(cli: Cli) -> None:
    _branched(cli)
    cli("adopt", "work")


def _undone(cli: Cli) -> None:
    _adopted(cli)
    cli("approve", "work", "--force")
    cli("merge")
    cli("undo")


def _failed(cli: Cli) -> None:
    """A task whose agent failed after a commit, and a file in its worktree that nobody has committed."""
    cli.queue(does("One", saved("one.txt", "1"), "exit 3", id="one"))
    cli.run(ok=6)
    (cli.folder.parent / "repo.orch" / "one" / "left.txt").write_text(LEFT)


def _planned(cli: Cli) -> None:
    _queued(cli)
    cli("plan", "new", "--heuristic", _GOAL)


def _edited(cli: Cli) -> None:
    _planned(cli)
    tasks = "".join(f"[[task]]\n{_TASK.format(name)}" for name in ("left", "right"))
    (cli.folder.parent / "plan.toml").write_text(f'goal = """{_GOAL}"""\n{tasks}')


def _remote(cli: Cli) -> None:
    """A remote beside the repository, and a note here."""
    _adopted(cli)
    cli("approve", "work", "--force")
    git("init", "--quiet", "--bare", "../remote.git", cwd=cli.folder)
    git("remote", "add", "origin", "../remote.git", cwd=cli.folder)


def _noted_elsewhere(cli: Cli) -> None:
    """A remote that has the note of somebody else on the same commit."""
    _remote(cli)
    git("clone", "--quiet", str(cli.folder), "../other", cwd=cli.folder)
    other = Cli(cli.folder.parent / "other")
    git("checkout", "--quiet", "-b", "work", "origin/work", cwd=other.folder)
    git("checkout", "--quiet", "main", cwd=other.folder)
    git("remote", "set-url", "origin", "../remote.git", cwd=other.folder)
    other("adopt", "work", "--base", "main")
    other("reject", "work", "-m", "not like this")
    other("notes", "push")


def _hooked(cli: Cli) -> None:
    """A hook of the user's, which gitorch's runs."""
    _queued(cli)
    _with_own_hook(cli)
    cli("hooks", "install")


def _with_own_hook(cli: Cli) -> None:
    hook = cli.folder / ".git/hooks/pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(_HOOK)
    hook.chmod(0o755)


def _to_install(cli: Cli) -> None:
    _queued(cli)
    _with_own_hook(cli)


def _to_uninstall(cli: Cli) -> None:
    _failed(cli)
    cli("hooks", "install")


def _titles(cli: Cli) -> list[str]:
    return [task["title"] for task in cli.tasks().values()]


def _places(cli: Cli) -> list[str]:
    """Return the tasks in the order of the queue, once a command has settled what was killed."""
    cli.states()
    return [task.id for task in queue_order.in_order(Store(cli.folder / ".git/gitorch").load().values())]


def _comments(cli: Cli) -> list[str]:
    return [comment["text"] for task in cli.tasks().values() for comment in task["comments"]]


def _plans(cli: Cli) -> dict[str, list[str]]:
    """Return the tasks of each plan."""
    names = [plan["id"] for plan in cli.json("plan", "list")["plans"]]
    return {name: [task["id"] for task in cli.json("plan", "show", name)["plan"]["tasks"]] for name in names}


def _context(cli: Cli) -> list[str]:
    return [note["text"] for note in cli.json("context", "list")["notes"]]


def _attempts(cli: Cli) -> Facts:
    """Return states, and where the commits of earlier attempts are kept."""
    return cli.states(), git("for-each-ref", "--format=%(refname)", "refs/gitorch/attempts", cwd=cli.folder).split()


def _answers(cli: Cli) -> Facts:
    """Return states, and what the next attempt tells the agent."""
    tasks = Store(cli.folder / ".git/gitorch").load().values()
    return cli.states(), [task.answer for task in tasks]


def _setting(cli: Cli) -> object:
    return cli("config", "get", "run.retries").text.strip()


def _written(name: str, cli: Cli) -> bool:
    return (cli.folder / name).exists()


def _hooks(cli: Cli) -> Facts:
    """Return which hooks are installed, and what the user's own one holds."""
    hooks = {hook["name"]: hook["state"] for hook in cli.json("hooks", "status")["hooks"]}
    own = [path.name for path in (cli.folder / ".git/hooks").iterdir() if path.read_text() == _HOOK]
    return hooks, own == ["pre-push"]


def _remote_notes(cli: Cli) -> bool:
    """Return whether the remote has the notes that are here."""
    here, there = (
        git("for-each-ref", "refs/notes/gitorch", cwd=cli.folder.parent / at) for at in ("repo", "remote.git")
    )
    return here == there


def _notes(cli: Cli) -> list[str]:
    """Return which verdicts are on the commit."""
    lines = git("notes", "--ref=gitorch", "show", "work", cwd=cli.folder)
    return [verdict for verdict in ("approve", "reject") if f'"verdict":"{verdict}","comments"' in lines]


def _preview(cli: Cli) -> str:
    """Return the files of the worktree where tasks are tried out."""
    folder = cli.folder.parent / "repo.orch" / "_preview"
    if not (folder / ".git").exists():
        return ""
    return git("ls-files", "work.txt", cwd=folder) + git("status", "--porcelain", cwd=folder)


def _remains(cli: Cli) -> list[str]:
    """Return what is there of gitorch, but for branches, notes and what no branch has."""
    folder = cli.folder
    paths = (folder / ".git/gitorch", folder.parent / "repo.orch", *(folder / ".git/hooks").glob("p*"))
    refs = git("for-each-ref", "--format=%(refname)", "refs/gitorch", cwd=folder).split()
    return [path.name for path in paths if path.exists()] + [ref for ref in refs if "/rescue/" not in ref]


TWO = {"one": "queued", "two": "queued"}
_operation = functools.partial(Operation, samples=1)

MORE: dict[str, Operation] = {
    "edit": _operation(prepare=_queued, words=("edit", "two", "--title", "Other"), sees=_titles, ends=["One", "Other"]),
    "move": _operation(prepare=_queued, words=("move", "two", "--first"), sees=_places, ends=["two", "one"]),
    "submit of a goal": _operation(
        prepare=_queued,
        words=("submit", "-d", _GOAL),
        ends={**TWO, "add-a-page": "queued", "fix-the-form": "queued"},
    ),
    "plan new": _operation(
        prepare=_queued,
        words=("plan", "new", "--heuristic", _GOAL),
        sees=_plans,
        atomic=False,
        ends={_PLAN: ["add-a-page", "fix-the-form"]},
    ),
    "plan split": _operation(
        prepare=_planned,
        words=("plan", "split", _PLAN, "add-a-page", "Left", "Right"),
        sees=_plans,
        ends={_PLAN: ["left", "right", "fix-the-form"]},
    ),
    "plan edit": _operation(
        prepare=_edited,
        words=("plan", "edit", _PLAN, "-F", "../plan.toml"),
        sees=_plans,
        ends={_PLAN: ["left", "right"]},
    ),
    "plan approve": _operation(
        prepare=_planned,
        words=("plan", "approve", _PLAN),
        ends={**TWO, "add-a-page": "queued", "fix-the-form": "queued"},
    ),
    "plan drop": _operation(prepare=_planned, words=("plan", "drop", "--yes", _PLAN), sees=_plans, ends={}),
    "adopt": _operation(prepare=_branched, words=("adopt", "work"), ends={"work": "finished"}),
    "resume": _operation(
        prepare=_failed,
        words=("resume", "one", "-m", "go on"),
        sees=_answers,
        ends=({"one": "queued"}, ["go on"]),
    ),
    "retry": _operation(prepare=_failed, words=("retry", "one"), sees=_attempts, ends=({"one": "queued"}, [])),
    "comment": _operation(
        prepare=_adopted, words=("comment", "work", "work.txt:1", "-m", "why"), sees=_comments, ends=["why"]
    ),
    "reject": _operation(prepare=_adopted, words=("reject", "work"), ends={"work": "rejected"}),
    "redo": _operation(prepare=_undone, words=("redo",), ends={"work": "merged"}),
    "preview": _operation(prepare=_adopted, words=("preview", "work"), sees=_preview, ends="work.txt", atomic=False),
    "context add": _operation(prepare=_queued, words=("context", "add", "remember"), sees=_context, ends=["remember"]),
    "notes push": _operation(prepare=_remote, words=("notes", "push"), sees=_remote_notes, ends=True),
    "notes fetch": _operation(
        prepare=_noted_elsewhere, words=("notes", "fetch"), sees=_notes, ends=["approve", "reject"]
    ),
    "config set": _operation(
        prepare=_queued,
        words=("config", "set", "run.retries", "2"),
        sees=_setting,
        ends="2",
        changes=("file .orchestrate.toml",),
    ),
    "init": _operation(
        prepare=_queued,
        words=("init", "--no-try"),
        sees=functools.partial(_written, ".orchestrate.toml"),
        ends=True,
        changes=("file .orchestrate.toml",),
    ),
    "hooks install": _operation(
        prepare=_to_install,
        words=("hooks", "install"),
        sees=_hooks,
        ends=({"post-rewrite": "installed", "pre-push": "installed"}, False),
        atomic=False,
        changes=("hooks/",),
    ),
    "hooks remove": _operation(
        prepare=_hooked,
        words=("hooks", "remove"),
        sees=_hooks,
        ends=({"post-rewrite": "absent", "pre-push": "absent"}, True),
        atomic=False,
        changes=("hooks/",),
    ),
    "uninstall": _operation(
        prepare=_to_uninstall,
        words=("uninstall", "--yes"),
        sees=_remains,
        ends=[],
        atomic=False,
        changes=("hooks/",),
        removes_state=True,
    ),
}
