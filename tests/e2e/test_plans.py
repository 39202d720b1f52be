"""`orchestrate plan` as scripts and agents use it: every subcommand, every format, every way to be refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tomli

from gitorch import services
from gitorch.model.plan import Approval
from gitorch.services.open import open_workspace
from tests.support.cli import Cli, saved, told
from tests.support.model_server import ModelServer
from tests.support.planner import MODEL, NO_MODEL, one_by_one, planned, says, with_model

LABEL = "made by heuristics, not by a model"
STEPS = "1. Add a table\n2. Fix the API\n3. Go live"


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder, NO_MODEL)


@pytest.fixture
def plan(cli: Cli) -> Cli:
    """A repository with the plan `add-a-table-...`: add-a-table, then fix-the-api, then go-live."""
    cli("plan", "new", "--heuristic", STEPS)
    return cli


def shown(cli: Cli, name: str = "1-add", **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = cli.json("plan", "show", name, **options)["plan"]
    return found


def graph(found: dict[str, Any]) -> dict[str, list[str]]:
    return {task["id"]: task["after"] for task in found["tasks"]}


CHAIN = {"add-a-table": [], "fix-the-api": ["add-a-table"], "go-live": ["fix-the-api"]}


# ------------------------------------------------------------------------------------------------ made by heuristics


def test_without_a_model_a_plan_is_made_by_heuristics_and_says_so(cli: Cli) -> None:
    """The label stands in the answer, the reason in the narration, the next command last; nothing is queued."""
    with cli.untouched():
        said = cli("plan", "Create a blog platform")
    assert LABEL in said.text
    assert "Phase 1" in said.text
    assert "design-the-data-model" in said.text
    assert "no model is available" in said.stderr
    assert "`claude` cannot be started" in said.stderr or "/nonexistent/claude" in said.stderr
    assert said.stderr.splitlines()[-1] == "next: orchestrate plan approve create-a-blog-platform"
    assert cli.tasks() == {}
    found = shown(cli, "create")
    assert (found["made_by"], found["model"], found["agent"], found["cost"]) == (LABEL, None, None, None)
    assert found["state"] == "draft"
    assert found["phases"][0] == ["design-the-data-model"]
    assert found["critical_path"][0] == "design-the-data-model"


def test_a_goal_without_parts_stays_one_task_and_says_so(cli: Cli) -> None:
    """Nothing is invented for a goal that names no parts, and the way on is told; one with parts needs no words."""
    assert "stays one task: split it yourself" in cli("plan", "--heuristic", "Fix the parser").stderr
    assert "stays one task" not in cli("plan", "--heuristic", "Add a, b and c").stderr


def test_heuristics_can_be_asked_for(cli: Cli) -> None:
    """With --heuristic nobody is asked and nothing is warned of; constraints reach the prompts."""
    said = cli("plan", "--heuristic", "--constraint", "no new dependency", "Add a, b and c")
    assert "no model" not in said.stderr
    assert all("no new dependency" in task["prompt"] for task in shown(cli, "add-a")["tasks"])


_GOALS = (
    (["list all users"], "list all users"),
    (["--", "list", "all", "users"], "list all users"),
    (["Build", "it"], "Build it"),
    (["--heuristic", "list of users"], "list of users"),
    (["new", "edit", "the", "readme"], "edit the readme"),
    (["-q", "Build it"], "Build it"),
)


def test_what_is_no_command_is_a_goal(cli: Cli) -> None:
    """A goal is told from a subcommand by its first word; -- and `new` always make it one."""
    for words, _ in _GOALS:
        cli("plan", *words)
    found = cli.json("plan", "list")["plans"]
    assert [one["goal"] for one in found] == [goal for _, goal in _GOALS]


def test_a_goal_comes_from_standard_input(cli: Cli) -> None:
    """`plan -` reads the goal; without any goal, and nobody to ask, there is help or an error."""
    cli("plan", "-", input="Add ünïcode 🚀 `;`".encode())
    assert cli.json("plan", "list")["plans"][0]["goal"] == "Add ünïcode 🚀 `;`"
    assert "GOAL | COMMAND" in cli("plan").text
    assert cli.error("plan", "new", exit=2)["code"] == "empty-goal"
    assert cli.error("plan", "-", exit=2, input=b"\xff")["code"] == "not-utf8"


_REFUSED: list[tuple[tuple[str, ...], int, str]] = [
    (("--agent", "nobody", "Build it"), 2, "unknown-agent"),
    (("--agent", "sh", "Build it"), 2, "no-planner"),
    (("--heuristic", "x" * 20_001), 2, "too-long"),
    (("show", "nothing"), 3, "no-such-plan"),
    (("continue", "../../etc"), 3, "no-such-plan"),
    (("approve", "nothing"), 3, "no-such-plan"),
    (("drop", "nothing", "--yes"), 3, "no-such-plan"),
    (("lists",), 2, "no-such-command"),
    (("aprove",), 2, "no-such-command"),
    (("list", "all", "users"), 2, "usage"),
]


def test_what_cannot_be_planned_is_refused(cli: Cli) -> None:
    """Wrong agents, goals, names and misspelt commands fail in words, and leave no plan behind."""
    assert [refused(cli, *words, exit=exit) for words, exit, _ in _REFUSED] == [code for _, _, code in _REFUSED]
    cli.error("plan", "--agent", "claude", "Build it", exit=4)
    cli.error("execute-plan", "nothing", exit=3)
    assert cli.error("plan", "list", "all", "users", exit=2)["fix"] == [
        'orchestrate plan -- "list all users"   if it is a goal'
    ]
    assert cli.json("plan", "list")["plans"] == []


# ------------------------------------------------------------------------------------------------------- the edits


def test_every_edit_has_a_command(plan: Cli) -> None:
    """add, modify, split, link, unlink, order and remove do what they say, and say what they did."""
    name = "1-add"
    assert graph(shown(plan)) == CHAIN
    said = plan(
        "plan", "add", name, "Write", "a client", "--after", "fix", "--before", "go", "--accept", "it works",
        "--size", "large", "--role", "llm-architect", "--agent", "codex", "-p", "high", "--paths", "src/**",
    )  # fmt: skip
    assert "added write-a-client" in said.stderr
    found = shown(plan)
    assert graph(found) == {**CHAIN, "go-live": ["fix-the-api", "write-a-client"], "write-a-client": ["fix-the-api"]}
    assert found["tasks"][-1] == {
        "id": "write-a-client", "title": "Write a client", "prompt": "Write a client", "role": "llm-architect",
        "agent": "codex", "priority": "high", "after": ["fix-the-api"], "paths": ["src/**"],
        "acceptance": ["it works"], "size": "large",
    }  # fmt: skip
    plan("plan", "modify", name, "write", "--id", "client", "--title", "A client", "--size", "small")
    plan("plan", "split", name, "2", "Read endpoints", "Write endpoints; with care", "--chain")
    found = shown(plan)
    assert graph(found) == {
        "add-a-table": [],
        "read-endpoints": ["add-a-table"],
        "write-endpoints-with-care": ["add-a-table", "read-endpoints"],
        "go-live": ["write-endpoints-with-care", "client"],
        "client": ["write-endpoints-with-care"],
    }
    assert "Fix the API" in found["tasks"][1]["prompt"]
    plan("plan", "link", name, "client", "read", "add-a")
    plan("plan", "unlink", name, "client", "write-e")
    plan("plan", "order", name, "client", "go-live")
    found = shown(plan)
    assert list(graph(found))[:2] == ["client", "go-live"]
    assert graph(found)["client"] == ["read-endpoints", "add-a-table"]
    plan("plan", "remove", name, "read", "client")
    found = shown(plan)
    assert graph(found) == {
        "go-live": ["write-endpoints-with-care", "add-a-table"],
        "add-a-table": [],
        "write-endpoints-with-care": ["add-a-table"],
    }
    assert found["history"][-1]["what"] == "removed read-endpoints, client"
    assert plan.tasks() == {}


_IMPOSSIBLE: list[tuple[tuple[str, ...], int, str]] = [
    (("remove", "go-die"), 3, "no-such-task"),
    (("link", "add", "go"), 2, "cycle"),
    (("link", "add", "add"), 2, "cycle"),
    (("link", "go", "fix"), 2, "linked"),
    (("unlink", "go", "add"), 2, "not-linked"),
    (("add", "x", "--after", "y"), 3, "no-such-task"),
    (("add", "x", "--id", "go-live"), 2, "duplicate-id"),
    (("add", "x", "--id", "../x"), 2, "task-id"),
    (("add", "x", "--role", "wizard"), 2, "unknown-role"),
    (("add", "x", "--agent", "wizard"), 2, "unknown-agent"),
    (("add", "x", "--paths", "../x"), 2, "path"),
    (("add", "evil\x1b[2J"), 2, "control-characters"),
    (("add", " "), 2, "empty-prompt"),
    (("add",), 2, "usage"),
    (("modify", "go"), 2, "usage"),
    (("modify", "go", "--title", ""), 2, "empty-title"),
    (("split", "go", "one"), 2, "split"),
    (("order", "go", "go"), 2, "duplicate-id"),
    (("take",), 5, "no-proposal"),
    (("discuss", "smaller"), 4, "no-model"),
    (("discuss",), 2, "usage"),
]


def refused(cli: Cli, *words: str, exit: int, **options: Any) -> str:
    """Return the code of the error with which `plan WORDS` fails."""
    found = cli.json("plan", *words, ok=exit, **options)
    assert found["exit"] == exit
    return str(found["code"])


def test_an_edit_that_cannot_be_changes_nothing(plan: Cli) -> None:
    """Each impossible edit fails with its exit code and a code of its own, and the plan is the same afterwards."""
    before = shown(plan)
    told = [refused(plan, verb, "1-add", *rest, exit=exit) for (verb, *rest), exit, _ in _IMPOSSIBLE]
    assert told == [code for _, _, code in _IMPOSSIBLE]
    assert shown(plan) == before


def test_edits_at_the_same_time_all_count(plan: Cli) -> None:
    """Eight commands that add a task at once add eight."""
    command = [str(word) for word in ("plan", "add", "1-add", "Same words", "-q")]
    started = [plan.start(*command) for _ in range(8)]
    handles = [one.__enter__() for one in started]
    codes = [handle.end().code for handle in handles]
    assert codes == [0] * 8
    assert {f"same-words-{n}" for n in range(2, 9)} < set(graph(shown(plan)))


# --------------------------------------------------------------------------------------------------- show and edit


def test_a_plan_is_shown_in_every_format(plan: Cli) -> None:
    """Tree, Mermaid, DOT, JSON and TOML hold the same tasks and edges; one task is shown by itself."""
    tree = plan("plan", "show", "1-add").text.partition("not approved")[2]
    assert tree.index("Phase 1") < tree.index("add-a-table") < tree.index("Phase 2") < tree.index("fix-the-api")
    mermaid = plan("plan", "show", "1-add", "--format", "mermaid").text
    assert mermaid.startswith("flowchart LR\n")
    assert "  t1 --> t2\n  t2 --> t3" in mermaid
    dot = plan("plan", "show", "1-add", "--format", "dot").text
    assert dot.startswith("digraph plan {")
    assert '  "add-a-table" -> "fix-the-api";' in dot
    assert plan("plan", "show", "1-add", "--format", "json").json["plan"] == shown(plan)
    document = tomli.loads(plan("plan", "show", "1-add", "--format", "toml").text)
    assert document["goal"] == STEPS
    assert [task["id"] for task in document["task"]] == list(CHAIN)
    page = plan("plan", "show", "1-add", "go").text
    assert "go-live" in page
    assert "After     fix-the-api" in page
    assert plan.json("plan", "show", "1-add", "3")["task"]["id"] == "go-live"
    plan.error("plan", "show", "1-add", "nobody", exit=3)


def test_toml_goes_out_and_comes_back(plan: Cli, tmp_path: Path) -> None:
    """What `show --format toml` prints is taken by `edit -F` unchanged, and changed where it was changed."""
    text = plan("plan", "show", "1-add", "--format", "toml").text
    before = shown(plan)
    plan("plan", "edit", "1-add", "-F", "-", input=text.encode())
    assert {**shown(plan), "history": 0, "revision": 0} == {**before, "history": 0, "revision": 0}
    (tmp_path / "p.toml").write_text(text.replace('goal = """', 'goal = """\nAbove all: '), "utf-8")
    plan("plan", "edit", "1-add", "-F", str(tmp_path / "p.toml"))
    assert shown(plan)["goal"].startswith("Above all: ")


_NO_PLANS = [
    ("goal = 1", "plan-invalid"),
    ("[[task]]\nid = 'a'", "plan-invalid"),
    ("[[task]]\nid='a'\ntitle='A'\nprompt='x'\nafter=['b']", "unknown-dependency"),
    ("[[task]]\nid='a'\ntitle='A'\nprompt='x'\nrole='wizard'", "unknown-role"),
    ("goals = 'x'", "plan-invalid"),
    ("= 1", "toml-syntax"),
    ("task = 3", "plan-invalid"),
]


def test_an_edit_that_is_no_plan_is_refused(plan: Cli) -> None:
    """TOML that is not a plan changes nothing, and the error says what is wrong with it."""
    before = shown(plan)
    told = [refused(plan, "edit", "1-add", "-F", "-", exit=2, input=text.encode()) for text, _ in _NO_PLANS]
    assert told == [code for _, code in _NO_PLANS]
    assert shown(plan) == before
    plan.error("plan", "edit", "1-add", "-F", "missing.toml", exit=2)


def editor(folder: Path, script: str) -> str:
    """Return the name of an editor that does `script` with its file `$1`."""
    path = folder / f"editor-{len(list(folder.iterdir()))}"
    path.write_text(f"#!/bin/sh -e\n{script}\n", "utf-8")
    path.chmod(0o755)
    return str(path)


def test_the_editor_edits_a_plan(plan: Cli, tmp_path: Path) -> None:
    """$EDITOR gets TOML; what it leaves is the plan. A wrong text is kept, and the next edit begins with it."""
    assert plan.error("plan", "edit", "1-add", exit=9)["fix"] == [f"orchestrate plan edit {shown(plan)['id']} -F FILE"]
    good = editor(tmp_path, "sed -i 's/Go live/Ship it/' \"$1\"")
    plan("plan", "edit", "1-add", env={"EDITOR": good})
    assert shown(plan)["tasks"][2]["title"] == "Ship it"
    assert "nothing was changed" in plan("plan", "edit", "1-add", env={"EDITOR": "true"}).text
    bad = editor(tmp_path, 'sed -i \'s/^size/sise/\' "$1"; echo \'role = "x"\' >> "$1"')
    failed = plan("plan", "edit", "1-add", ok=2, env={"EDITOR": bad})
    assert "your text is kept" in failed.stderr
    mended = editor(tmp_path, 'grep -q \'role = "x"\' "$1"; sed -i \'$d; s/^sise/size/\' "$1"')
    plan("plan", "edit", "1-add", env={"EDITOR": mended})
    plan("plan", "edit", "1-add", ok=2, env={"EDITOR": bad})
    assert "is still in" in plan("plan", "edit", "1-add", env={"EDITOR": "true"}).text
    assert "nothing was changed" in plan("plan", "edit", "1-add", env={"EDITOR": editor(tmp_path, ': > "$1"')}).text
    assert "nothing was changed" in plan("plan", "edit", "1-add", env={"EDITOR": "true"}).text


# --------------------------------------------------------------------------------------------------------- approval


def test_approval_queues_the_plan_whole(plan: Cli) -> None:
    """Tasks come with their dependencies under names of their own, told what they are part of; the plan is closed."""
    plan.queue({"id": "fix-the-api", "prompt": "Something else"})
    plan("plan", "modify", "1-add", "fix", "--accept", "all green", "--agent", "codex", "-p", "high")
    assert plan.error("execute-plan", "1-add", exit=5)["fix"][0].startswith("orchestrate plan approve 1-add")
    answer = plan.json("plan", "approve", "1-add")
    assert [task["id"] for task in answer["tasks"]] == ["add-a-table", "fix-the-api-2", "go-live"]
    assert answer["plan"]["state"] == "approved"
    tasks = plan.tasks()
    assert {name: task["after"] for name, task in tasks.items()} == {
        "fix-the-api": [],
        "add-a-table": [],
        "fix-the-api-2": ["add-a-table"],
        "go-live": ["fix-the-api-2"],
    }
    assert (tasks["fix-the-api-2"]["agent"], tasks["fix-the-api-2"]["priority"]) == ("codex", "high")
    fixing = services.lookup.find_task(open_workspace(plan.folder), "fix-the-api-2")
    assert (fixing.spec.prompt, fixing.spec.acceptance, fixing.spec.goal) == ("Fix the API", ("all green",), STEPS)
    brief = plan("task", "fix-the-api-2", "--brief").text
    assert brief.index(STEPS) < brief.index("# Task: Fix the API") < brief.index("- all green")
    other = b"[[task]]\nid='a'\ntitle='A'\nprompt='x'"
    for verb, *rest in (("approve",), ("add", "x"), ("remove", "go"), ("edit", "-F", "-")):
        assert refused(plan, verb, "1-add", *rest, exit=5, input=other) == "plan-approved"
    assert len(plan.tasks()) == 4
    assert plan.json("plan", "list")["plans"][0]["state"] == "approved"


def test_a_plan_without_tasks_cannot_be_approved(plan: Cli) -> None:
    """Where everything was removed there is nothing to agree to."""
    plan("plan", "remove", "1-add", "1", "2", "3")
    assert "no tasks yet" in plan("plan", "show", "1-add").text
    assert plan.error("plan", "approve", "1-add", exit=2)["code"] == "empty-plan"


def test_approval_is_all_or_nothing(plan: Cli) -> None:
    """When the tasks cannot be queued the plan is still a draft, and nothing is in the queue."""
    subprocess.run(["git", "branch", "orch"], cwd=plan.folder, check=True)
    assert plan.error("plan", "approve", "1-add", exit=5)["code"] == "branch-prefix"
    assert plan.tasks() == {}
    assert shown(plan)["state"] == "draft"


def test_an_agent_cannot_approve(plan: Cli) -> None:
    """Inside of an attempt a plan can be read, and neither changed nor approved nor dropped nor drawn up."""
    env = {"GITORCH_TASK": "some-task"}
    plan("plan", "show", "1-add", env=env)
    for words in (("approve", "1-add"), ("drop", "1-add", "--yes"), ("add", "1-add", "One more")):
        assert plan.error("plan", *words, exit=5, env=env)["code"] == "inside-agent"
    assert plan.error("plan", "Build it", exit=5, env=env)["code"] == "inside-agent"
    assert plan.tasks() == {}


@pytest.mark.parametrize("queued", [False, True])
def test_an_approval_that_was_cut_short_is_settled(plan: Cli, queued: bool) -> None:
    """After a crash between the plan and the queue the plan is approved if its tasks are there, and else a draft."""
    opened = open_workspace(plan.folder)
    session = services.plan_approval.find_plan(opened, "1-add")
    approval = Approval(approved_at=session.created, tasks=())  # type: ignore[arg-type]
    tasks = services.plan_approval.tasks_of(opened, session.plan, approval.approved_at)
    approval = msgspec.structs.replace(approval, tasks=tuple(task.id for task in tasks))
    services.plan_approval.plan_store(opened).save(msgspec.structs.replace(session, approval=approval))
    if queued:
        services.submit.submit(opened, tasks)
    assert plan.json("plan", "list")["plans"][0]["state"] == ("approved" if queued else "draft")
    plan("plan", "approve", "1-add", ok=5 if queued else 0)
    assert sorted(plan.tasks()) == sorted(CHAIN)


def test_an_approval_is_taken_back_and_the_plan_goes_on(plan: Cli) -> None:
    """`undo` makes a draft of the plan again and says so; what was changed is approved anew, and not by `redo`."""
    plan("plan", "approve", "1-add")
    answer = plan("undo")
    assert answer.text.splitlines()[1:] == [
        *(f"{name}  removed" for name in CHAIN),
        f"plan {shown(plan)['id']}  not approved",
    ]
    assert f"change the plan: orchestrate plan continue {shown(plan)['id']}" in answer.stderr
    assert (plan.tasks(), shown(plan)["state"]) == ({}, "draft")
    assert plan.json("redo")["plan"] == {"id": shown(plan)["id"], "state": "approved"}
    assert plan.json("undo")["plan"] == {"id": shown(plan)["id"], "state": "draft"}
    plan("plan", "remove", "1-add", "go")
    error = plan.error("redo", exit=5)
    assert (error["code"], error["fix"]) == ("undo-refused", [f"orchestrate plan approve {shown(plan)['id']}"])
    assert plan.json("undo", "--list")["undone"][0]["possible"] is False
    plan("plan", "approve", "1-add")
    assert sorted(plan.tasks()) == ["add-a-table", "fix-the-api"]
    assert [step["what"] for step in shown(plan)["history"]][-6:] == [
        "approved: 3 tasks queued",
        "the approval was undone: 3 tasks removed from the queue",
        "approved again: 3 tasks queued",
        "the approval was undone: 3 tasks removed from the queue",
        "removed go-live",
        "approved: 2 tasks queued",
    ]


def test_a_plan_that_has_changed_since_is_not_approved(plan: Cli) -> None:
    """Whoever agreed to a plan agreed to that one: a change in the meantime is refused."""
    opened = open_workspace(plan.folder)
    seen = services.plan_approval.find_plan(opened, "1-add")
    plan("plan", "add", "1-add", "Sneak this in")
    with pytest.raises(Exception, match="has changed since you saw it"):
        services.plan_approval.approve_plan(opened, seen)
    assert plan.tasks() == {}


def test_approve_and_run(cli: Cli) -> None:
    """`plan approve --run` goes straight on into a run, in the order of the plan."""
    text = "".join(
        f"[[task]]\nid = '{name}'\ntitle = '{name}'\nprompt = {json.dumps(told(name, script))}\nafter = {after}\n"
        for name, script, after in [
            ("one", saved("one", "1"), []),
            ("two", "test -f one; " + saved("two", "2"), ["one"]),
        ]
    )
    cli("plan", "--heuristic", "Do it")
    cli("plan", "edit", "do-it", "-F", "-", input=text.encode())
    cli("plan", "approve", "do-it", "--run")
    assert cli.states() == {"one": "finished", "two": "finished"}


def test_the_seeds_spellings_work(plan: Cli) -> None:
    """plan-list, plan-continue and execute-plan are understood, and not in the help."""
    assert plan("plan-list").text == plan("plan", "list").text
    assert plan("plan-continue", "1-add").text == plan("plan", "continue", "1-add").text
    plan("plan", "remove", "1-add", "2", "3")
    plan("plan", "modify", "1-add", "1", "--prompt", told("x", saved("x", "1")))
    plan("plan", "approve", "1-add")
    plan("execute-plan", "1-add", "-m", "1")
    assert plan.states() == {"add-a-table": "finished"}
    assert "execute-plan" not in plan("-h").text


def test_plans_can_be_dropped(plan: Cli) -> None:
    """Dropping asks first, and says where the plan is kept."""
    assert plan.error("plan", "drop", "1-add", exit=9)["code"] == "answer-needed"
    kept = plan.json("plan", "drop", "1-add", "--yes")["kept"]
    assert Path(kept, "000001.json").exists()
    assert plan.json("plan", "list")["plans"] == []
    assert "no plans" in plan("plan", "list").text


def test_names_of_plans_and_their_tasks_are_completed(plan: Cli) -> None:
    """The shell completes plan ids, and the tasks of the plan that was named."""

    def completed(words: str) -> list[str]:
        env = {"_ORCHESTRATE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()))}
        code = "from gitorch.cli.main import orchestrate; orchestrate(prog_name='orchestrate')"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=plan.folder,
            env={**plan.environment, **env},
            capture_output=True,
            text=True,
        )
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    name = shown(plan)["id"]
    assert completed("orchestrate plan show ") == [name]
    assert completed(f"orchestrate plan link {name} ") == list(CHAIN)


# -------------------------------------------------------------------------------------------------- submit --decompose


def test_submit_decompose_plans_and_queues(cli: Cli) -> None:
    """The seed's non-interactive way: one command from a goal to queued tasks, with its dependencies and options."""
    cli.queue({"id": "first", "prompt": "First"})
    answer = cli.json("submit", "-d", "Create a blog platform", "-p", "high", "-a", "sh", "--after", "first")
    assert answer["plan"] == "create-a-blog-platform"
    tasks = cli.tasks()
    assert tasks["design-the-data-model"]["after"] == ["first"]
    assert tasks["build-the-api-endpoints"]["after"] == ["design-the-data-model"]
    assert {task["priority"] for name, task in tasks.items() if name != "first"} == {"high"}
    assert shown(cli, "create")["state"] == "approved"
    said = cli("submit", "--decompose", "Add a, b and c")
    assert f"plan add-a-b-and-c: {LABEL}" in said.stderr
    assert "no model is available" in said.stderr


def test_submit_decompose_is_taken_back_to_a_plan(cli: Cli) -> None:
    """Undo of `submit -d` leaves its plan as a draft, and redo brings the tasks with the options they were given."""
    cli("submit", "-d", "Add a, b and c", "-p", "high")
    tasks = cli.tasks()
    assert cli.json("undo")["plan"] == {"id": "add-a-b-and-c", "state": "draft"}
    assert (cli.tasks(), shown(cli, "add-a")["state"]) == ({}, "draft")
    cli("redo")
    assert (cli.tasks(), shown(cli, "add-a")["state"]) == (tasks, "approved")
    assert {task["priority"] for task in tasks.values()} == {"high"}


def test_submit_decompose_refuses_before_it_plans(cli: Cli) -> None:
    """Wrong options leave no plan; with -n the plan stays, and nothing is queued."""
    cli.error("submit", "-d", "Add a, b and c", "-a", "nobody", exit=2)
    cli.error("submit", "-d", "Add a, b and c", "--after", "nobody", exit=3)
    cli.error("submit", "-d", "Add a, b and c", "-F", "x.toml", exit=2)
    assert cli.json("plan", "list")["plans"] == []
    said = cli("submit", "-n", "-d", "Add a, b and c")
    assert said.stderr.splitlines()[-1] == "next: orchestrate plan approve add-a-b-and-c"
    assert cli.tasks() == {}
    assert shown(cli, "add-a")["state"] == "draft"


# ------------------------------------------------------------------------------------------------------ with a model

FIRST = says(planned("schema"), planned("api", "schema"))
SECOND = says(planned("schema", size="large"), planned("docs", "schema"), reply="Docs instead of an API.")


def test_a_model_draws_up_a_plan_and_its_cost_is_kept(cli: Cli) -> None:
    """Which model, tokens and dollars are said, and stored with the plan."""
    with ModelServer(one_by_one(FIRST)) as server:
        cli.configure(with_model(server))
        said = cli("plan", "Build an API", "--constraint", "in Go")
        assert "in Go" in server.requests[0].prompt
    assert "asking claude ..." in said.stderr
    assert f"{MODEL}: 1k tokens in, 300 out, $" in said.stderr
    assert MODEL in said.text
    found = shown(cli, "build")
    assert (found["made_by"], found["model"], found["agent"]) == (MODEL, MODEL, "claude")
    assert (found["cost"]["input_tokens"], found["cost"]["output_tokens"]) == (1200, 300)
    assert found["cost"]["usd"] > 0
    assert graph(found) == {"schema": [], "api": ["schema"]}
    assert found["conversation"][-1]["text"] == "First the schema, then the API."


def test_a_discussion_shows_the_difference_before_it_is_taken(cli: Cli) -> None:
    """Where nobody can be asked the proposal waits (exit 9) for take or leave; --yes takes it; the cost adds up."""
    with ModelServer(one_by_one(FIRST, SECOND)) as server:
        cli.configure(with_model(server))
        cli("plan", "Build an API")
        said = cli("plan", "discuss", "build", "no API,", "it's only docs", ok=9)
        assert "it's only docs" in server.requests[-1].last_text
        for line in ("+ docs  Do docs  after schema", "- api  Do api", "~ schema  size: small → large"):
            assert line in said.text
        assert "Docs instead of an API." in said.text
        assert said.stderr.splitlines()[-1] == "next: orchestrate plan take build-an-api"
        found = shown(cli, "build")
        assert graph(found) == {"schema": [], "api": ["schema"]}
        assert [task["id"] for task in found["proposal"]["added"]] == ["docs"]
        assert found["cost"]["input_tokens"] == 2400
        cli("plan", "leave", "build")
        cli.error("plan", "take", "build", exit=5)
        answer = cli.json("plan", "discuss", "build", "again", ok=9)
        assert (answer["taken"], answer["changes"]["removed"]) == (False, ["api"])
        cli("plan", "take", "build")
        assert graph(shown(cli, "build")) == {"schema": [], "docs": ["schema"]}
        same = cli.json("plan", "discuss", "build", "fine?")
        assert same["changes"] == {"added": [], "removed": [], "changed": [], "reordered": False}
        cli("plan", "add", "build", "More")
        assert cli.json("plan", "discuss", "build", "less", "--yes")["taken"] is True
        assert graph(shown(cli, "build")) == {"schema": [], "docs": ["schema"]}


def test_a_change_in_between_withdraws_the_proposal(cli: Cli) -> None:
    """A proposal is for the plan that was discussed: when that changes there is nothing left to take."""
    with ModelServer(one_by_one(FIRST, SECOND)) as server:
        cli.configure(with_model(server))
        cli("plan", "Build an API")
        cli("plan", "discuss", "build", "smaller", ok=9)
    cli("plan", "add", "build", "More")
    assert cli.error("plan", "take", "build", exit=5)["code"] == "no-proposal"


@pytest.mark.parametrize(
    "tasks",
    [
        [planned("a", "b"), planned("b", "a")],
        [planned(f"t{at}") for at in range(500)],
        [planned("../../etc/passwd")],
        [planned("a", title="\x1b]0;owned\x07")],
    ],
    ids=["cycle", "500 tasks", "path as id", "escape codes"],
)
def test_a_hostile_plan_is_refused_and_leaves_nothing(cli: Cli, tasks: list[dict[str, Any]]) -> None:
    """A model that insists on an impossible plan ends in an error in words: no plan, no task, no escape code."""
    with ModelServer(one_by_one(says(*tasks))) as server:
        cli.configure(with_model(server))
        found = cli.error("plan", "Build an API", exit=6)
        assert found["code"] == "plan-invalid"
        said = cli("plan", "Build an API", ok=6)
        assert "\x1b]" not in said.stderr
    assert cli.json("plan", "list")["plans"] == []
    assert cli.tasks() == {}


def test_words_of_a_model_do_not_reach_the_terminal_raw(cli: Cli) -> None:
    """A reply may hold anything: it is shown escaped, in text and in JSON, and kept as it is."""
    reply = "\x1b]0;owned\x07 \u202e"
    with ModelServer(one_by_one(FIRST, says(planned("docs", title="a\u202eb"), reply=reply))) as server:
        cli.configure(with_model(server))
        cli("plan", "Build an API")
        said = cli("plan", "discuss", "build", "?", ok=9)
        shown_again = cli("plan", "show", "build", "--json").text + cli("plan", "take", "build").text
        shown_again += "".join(cli("plan", "show", "build", "--format", f).text for f in ("toml", "dot", "mermaid"))
    for text in (said.text, said.stderr, shown_again):
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert shown(cli, "build")["conversation"][-1]["text"] == reply


def test_a_plan_is_drawn_up_by_the_agent_that_is_named(cli: Cli) -> None:
    """--agent decides; a plan made by heuristics may be discussed with a model, and then it is the model's."""
    with ModelServer(one_by_one(SECOND)) as server:
        cli.configure(with_model(server))
        cli("plan", "--heuristic", "Build an API")
        assert server.requests == ()
        cli("plan", "discuss", "build", "smaller", "--agent", "claude", "--yes")
        assert shown(cli, "build")["made_by"] == MODEL
        cli.error("plan", "discuss", "build", "smaller", "--agent", "sh", exit=2)
    cli("plan", "approve", "build")
    assert cli.error("plan", "discuss", "build", "x", exit=5)["code"] == "plan-approved"
