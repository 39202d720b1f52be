"""What lies in examples/ works as it stands there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
import tomli

from gitorch.model.review.viewer_comments import read_viewer_comments
from gitorch.model.task import Comment
from tests.support import forkserver
from tests.support.cli import ROOT, Cli
from tests.support.git import commit, git
from tests.support.model_server import ModelRequest, ModelServer, Say, Turn, commit_file

EXAMPLES = ROOT / "examples"

_SCRIPT = """\
agent = "script"
[agents.script]
kind = "command"
command = ["/bin/sh", "-c", "mkdir -p web; echo x > web/{task}.txt; git add -A; git commit -q -m 'Work on {task}'"]
"""


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    """A person whose own agent is a script, in a repository that has taken over the example of command agents."""
    content = (EXAMPLES / "command-agent.toml").read_text("utf-8")
    commit(repository_folder, "Add command agents\n", {".orchestrate.toml": content, "b.py": "import sys\nimport os\n"})
    cli = Cli(repository_folder, _SCRIPT)
    cli("config", "trust", "--yes")
    return cli


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_comments_of_hunk_are_read(tmp_path: Path) -> None:
    """The extension for hunk writes each comment that is saved in a form that `diff --viewer` reads."""
    notes = [
        {"filePath": "a.py", "line": 3, "side": "new", "body": "must: shorter\nplease"},
        {"filePath": "b c.py", "line": 7, "side": "old", "body": "why?"},
    ]
    script = (
        f"import extend from {json.dumps((EXAMPLES / 'gitorch-comments.mjs').as_uri())};\n"
        f"extend({{ on: (event, save) => event === 'note_created' && {json.dumps(notes)}.forEach("
        "(note) => save({ note })) });\n"
    )
    output = tmp_path / "comments"
    run = partial(subprocess.run, ["node", "--input-type=module", "-e", script], check=True, timeout=60)
    run(env={"PATH": os.environ["PATH"], "COMMENTS": str(output)})
    assert read_viewer_comments(output.read_text("utf-8")) == [
        Comment(text="must: shorter\nplease", file="a.py", line=3),
        Comment(text="why?", file="b c.py", line=7, is_old=True),
    ]
    run(env={"PATH": os.environ["PATH"]})


def test_the_night_runs_as_one_file(cli: Cli) -> None:
    """The tasks of examples/night.toml are queued with their order, and a command agent does its part."""
    wanted = tomli.loads((EXAMPLES / "night.toml").read_text("utf-8"))["task"]
    tasks = cli.json("submit", "-F", str(EXAMPLES / "night.toml"))["tasks"]
    assert [task["title"] for task in tasks] == [task["title"] for task in wanted]
    assert tasks[1]["after"] == ["add-a-users-table"]
    cli.run()
    assert set(cli.states().values()) == {"finished"}
    below, above = cli.tasks()["add-a-users-table"], cli.tasks()["add-a-login-page"]
    assert above["base"] == below["tip"]
    assert git("show", "orch/sort-the-imports:b.py", cwd=cli.folder) == "import os\nimport sys"


# what the scripted agent does for every task: a file, a note for the others, and a handoff
_WORKER = (
    """\
agent = "script"
[agents.script]
kind = "command"
command = ["/bin/sh", "-ec", """
    + """'''
mkdir -p work; echo $(wc -l < {prompt_file}) >> work/{task}.txt
git add -A; git commit -q -m "Work on {task}"
orchestrate context add "the files of {task} are in work/" > /dev/null
printf '## Done\\nA file.\\n## Decided\\nIts name is {task}.txt.\\n'
''']
"""
)


class Person:
    """Somebody with a shell in a repository of their own, who runs the examples as they stand."""

    def __init__(self, folder: Path, config: str = _WORKER) -> None:
        self.cli = Cli(folder, config)
        programs = folder.parent / "bin"
        programs.mkdir()
        forkserver.server().install(programs)
        # nobody is logged in, whatever this machine has
        self.environment = {**self.cli.environment, "PATH": f"{programs}:/usr/bin:/bin", "UNTIL": ""}

    def run(self, name: str, **environment: str) -> str:
        """Run an example to its end, as `sh examples/NAME` does; return what it printed."""
        done = subprocess.run(
            ["/bin/sh", str(EXAMPLES / name)],
            cwd=self.cli.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{name}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def log(self, branch: str) -> list[str]:
        return git("log", "--format=%s", f"main..{branch}", cwd=self.cli.folder).splitlines()


@pytest.fixture
def person(repository_folder: Path) -> Person:
    return Person(repository_folder)


def test_a_web_application(person: Person) -> None:
    """The plan that a person changed is what runs: split parts in parallel, each after what it waits for."""
    with person.cli.untouched():
        said = person.run("01-web-application.sh")
    tasks = person.cli.tasks()
    assert {task["state"] for task in tasks.values()} == {"merged"}
    assert tasks["endpoints"]["after"] == ["database"]
    for name in ("build-the-task-list-in-react", "build-the-task-form-in-react"):
        assert (tasks[name]["after"], tasks[name]["role"]) == (["endpoints"], "frontend-ui-engineer")
    assert "Build a task management app with React frontend and FastAPI backend" in said  # the goal, in the brief
    assert {f"Work on {name}" for name in tasks} == set(person.log("orch/integration"))


def test_a_data_pipeline(person: Person) -> None:
    """A goal becomes tasks of several specialists that run in their order; one is added by hand, with its context."""
    with person.cli.untouched():
        person.run("02-data-pipeline.sh")
    tasks = person.cli.tasks()
    assert {task["state"] for task in tasks.values()} == {"finished"}
    assert len({task["role"] for task in tasks.values()}) >= 4
    assert tasks["set-up-s3-events-and-lambda-triggers"]["role"] == "aws-cloud-architect"
    assert "sales-raw" in person.cli("task", "set-up-s3", "--brief").text


def test_a_machine_learning_system(person: Person) -> None:
    """A plan runs as soon as it is approved; its picture, its tasks and what they hand over can be looked at."""
    with person.cli.untouched():
        said = person.run("03-machine-learning.sh")
    tasks = person.cli.tasks()
    assert {task["state"] for task in tasks.values()} == {"finished"}
    assert tasks["churn-model-training"]["base"] == tasks["churn-analysis"]["tip"]
    assert "flowchart" in said or "graph" in said
    assert "Its name is churn-model-training.txt." in said
    assert "The metric is compared with a baseline" in person.cli("task", "churn-model-training", "--brief").text


def test_microservices(person: Person) -> None:
    """Phases hold by dependencies; notes reach everybody, and handoffs of all depths the one that joins the work."""
    with person.cli.untouched():
        said = person.run("04-microservices.sh")
    assert {task["state"] for task in person.cli.tasks().values()} == {"finished"}
    notes = person.cli.json("context", "list")["notes"]
    assert len(notes) == 6
    assert notes[0]["text"].startswith("Each service has its own database")
    brief = said[said.index("# Task: Put an API gateway") :]
    for name in ("extract-the-user-service", "extract-the-order-service", "design-the-service-contracts"):
        assert f"Its name is {name}.txt." in brief
    assert brief.index("## extract-the-user") < brief.index("## design-the-service")


def test_a_quick_feature(person: Person) -> None:
    """A role by `--agent`, a second attempt with the reviewer's words, and the merge of both attempts' commits."""
    with person.cli.untouched():
        person.run("05-quick-feature.sh")
    (task,) = person.cli.tasks().values()
    assert (task["role"], task["priority"], task["attempts"]) == ("backend-systems-engineer", "high", 2)
    assert person.log("orch/integration") == [f"Work on {task['id']}"] * 2


@pytest.mark.usefixtures("forked_api")
def test_a_quick_feature_in_api_mode(repository_folder: Path) -> None:
    """`USE_API_MODE=true` sends the same example to the Anthropic API, here a scripted one, without any program."""

    def model(request: ModelRequest) -> Turn:
        words = [text for role, text in request.conversation if role == "user"]
        name = "again.txt" if any("register a client" in text for text in words) else "oauth.txt"
        return commit_file(name, "x", f"Add {name}") if request.step == 0 else Say("## Done\nIt.")

    with ModelServer(model) as server:
        person = Person(repository_folder, "")
        keys = {"ANTHROPIC_API_KEY": "dummy-key-of-the-tests", "ANTHROPIC_BASE_URL": server.url}
        person.run("05-quick-feature.sh", USE_API_MODE="true", **keys)
        assert server.requests
    (task,) = person.cli.tasks().values()
    assert (task["attempt"]["agent"], task["state"]) == ("api", "merged")
    assert person.log("orch/integration") == ["Add again.txt", "Add oauth.txt"]


def test_an_overnight_session(person: Person) -> None:
    """A weekend's plan and an urgent fix are merged on Monday; the fix took its turn first."""
    with person.cli.untouched():
        # the example's own `git status` would refresh the index
        said = person.run("06-overnight.sh", GIT_OPTIONAL_LOCKS="0")
    tasks = person.cli.tasks()
    assert {task["state"] for task in tasks.values()} == {"merged"}
    urgent = next(task for name, task in tasks.items() if name.startswith("urgent"))
    assert urgent["attempt"]["started"] == min(task["attempt"]["started"] for task in tasks.values())
    assert "work/audit-log.txt" in said


def test_every_example_file_is_run_by_a_test() -> None:
    """A new example needs a test of its own here; scripts say in their first lines what they show.

    Those of `remote` are tested where `worker` is.
    """
    scripts = sorted(path.name for path in EXAMPLES.glob("*.sh"))
    text = Path(__file__).read_text("utf-8")
    assert len(scripts) == 6
    assert [name for name in scripts if f'run("{name}"' not in text] == []
    assert {path.name for path in EXAMPLES.iterdir()} == {
        *("night.toml", "command-agent.toml", "remote", "gitorch-comments.mjs"),
        *scripts,
    }
    for name in scripts:
        assert (EXAMPLES / name).read_text("utf-8").startswith(f"#!/bin/sh\n# Example {int(name[:2])}: ")
