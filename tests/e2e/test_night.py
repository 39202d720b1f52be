"""A night, end to end, through the command line: the real `claude` and `codex`, the API agent and a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import real, sandbox
from tests.support.cli import Cli
from tests.support.git import git, run
from tests.support.model_server import (
    ModelRequest,
    ModelServer,
    Say,
    Shell,
    Tokens,
    Turn,
    commit_file,
    write_file,
)

FILES = 3_000
UNA = "Una User <una@example.com>"

USERS = "CREATE TABLE users (id INTEGER PRIMARY KEY);\n"
LOGIN = "<form>🦀</form>\n"
MAIL = "def greet():\n    return 'hello'\n"

# what `ruff` does for this task: a small tool, as a person would configure one
SORTER = """\
#!/bin/sh
sort -o imports.py imports.py && git commit -qam 'Sort the imports'
"""


@pytest.fixture(scope="session")
def _large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a repository with a few thousand files once: one commit by `git fast-import`, packed."""
    folder = tmp_path_factory.mktemp("large") / "bare.git"
    stream = [b"feature done\nblob\nmark :1\ndata 6\nhello\n\n"]
    stream.append(b"commit refs/heads/main\ncommitter Una User <una@example.com> 1700000000 +0000\ndata 5\nStart\n")
    stream += [b"M 100644 :1 src/package%d/module%d.py\n" % (at % 60, at) for at in range(FILES)]
    stream.append(b"M 100644 inline imports.py\ndata 18\nimport b\nimport a\n\n")
    stream.append(b"M 100755 inline tools/sort\ndata %d\n%s\ndone\n" % (len(SORTER), SORTER.encode()))
    git("init", "--quiet", "--bare", "--initial-branch=main", str(folder), cwd=folder.parent)
    run("fast-import", "--quiet", "--done", cwd=folder, input=b"".join(stream))
    return folder


@pytest.fixture
def shop(tmp_path: Path, _large: Path) -> Path:
    """A clone of it as a person leaves it in the evening: a stash, edits staged and not, a hook, a tag, a remote."""
    folder = tmp_path / "shop"
    git("clone", "--quiet", str(_large), str(folder), cwd=tmp_path)
    (folder / "imports.py").write_text("stashed\n")
    git("stash", cwd=folder)
    git("tag", "v1", cwd=folder)
    git("branch", "other", cwd=folder)
    (folder / "src" / "package1" / "module1.py").write_text("staged\n")
    git("add", "src/package1", cwd=folder)
    (folder / "src" / "package2" / "module2.py").write_text("edited\n")
    (folder / "untracked.txt").write_text("untracked\n")
    hook = folder / ".git" / "hooks" / "post-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 0\n")
    hook.chmod(0o755)
    return folder


def configured(server: ModelServer) -> str:
    """Return a person's configuration in which all agents talk to `server` alone."""
    claude, codex = real.claude_settings(server), real.codex_settings(server)
    words = "\n".join(
        [
            "[agents.claude]",
            f"path = {json.dumps(claude.path)}",
            f"model = {json.dumps(claude.model)}",
            "[agents.claude.env]",
            *(f"{name} = {json.dumps(value)}" for name, value in claude.env.items()),
            "[agents.codex]",
            f"path = {json.dumps(codex.path)}",
            f"model = {json.dumps(codex.model)}",
            f"args = {json.dumps(list(codex.args))}",
            "[agents.codex.env]",
            *(f"{name} = {json.dumps(value)}" for name, value in codex.env.items()),
            "[agents.api]",
            'model = "claude-sonnet-5"',
            "[agents.api.env]",
            f'ANTHROPIC_BASE_URL = "{server.url}"',
            f'ANTHROPIC_API_KEY = "{real.KEY}"',
            "[agents.ruff]",
            'kind = "command"',
            'command = ["tools/sort"]',
        ]
    )
    return words + "\n"


def person(folder: Path, server: ModelServer) -> Cli:
    """Return the command line of a person whose home is empty and whose agents talk to `server`."""
    cli = Cli(folder, configured(server), CODEX_HOME=str(folder.parent / "codex-home"))
    (folder.parent / "codex-home").mkdir(exist_ok=True)
    return cli


def model(request: ModelRequest) -> Turn:
    """Do what each task of the night needs, in whatever shell the agent offers."""
    prompt = request.prompt
    if "# Task: Add a users table" in prompt:
        steps: list[Turn] = [
            commit_file("users.sql", USERS, "Add a users table"),
            Say("A table.", Tokens(1000, 0, 500)),
        ]
    elif "# Task: Add a login page" in prompt:
        proof = Shell("test -f users.sql && " + write_file("login.html", LOGIN).command)
        steps = [proof, Shell("git add -A && git commit -qm 'Add a login page'"), Say("A page.", Tokens(2000, 0, 50))]
    else:
        steps = [write_file("mail.py", MAIL), Say("A module, not committed.", Tokens(3000, 0, 70))]
    return steps[min(request.turn, len(steps) - 1)]


def notes(cli: Cli, name: str) -> list[dict[str, Any]]:
    """Return the lines of a commit's note, read by plain git."""
    text = git("notes", "--ref=gitorch", "show", name, cwd=cli.folder)
    return [json.loads(line) for line in text.splitlines()]


def trailers(cli: Cli, name: str) -> dict[str, str]:
    """Return the trailers of a commit's message, read by plain git."""
    lines = git("log", "-1", "--format=%(trailers:only,unfold)", name, cwd=cli.folder).splitlines()
    return dict(line.split(": ", 1) for line in lines)


def tree(cli: Cli, name: str, *paths: str) -> dict[str, str]:
    """Return files of a commit."""
    return {path: git("show", f"{name}:{path}", cwd=cli.folder) + "\n" for path in paths}


@pytest.mark.real_agents
@pytest.mark.parametrize("mode", ["off", "bwrap"])
def test_a_night_end_to_end(shop: Path, mode: str, request: pytest.FixtureRequest) -> None:
    """The eleven commands with four agents: exact trees, notes, trailers and costs; the checkout untouched."""
    if mode == "off":
        request.getfixturevalue("forked_api")
    with ModelServer(model) as server:
        cli = person(shop, server)
        commit_of = git("rev-parse", "HEAD", cwd=shop)
        cli.environment["GITORCH_SANDBOX_MODE"] = mode
        cli.configure(f'{configured(server)}[checks]\ntest = "test ! -f broken"\n')
        if mode == "bwrap":
            sandbox.require()
        with cli.untouched():
            cli("submit", "Add a users table", "--agent", "claude")
            cli("submit", "Add a login page", "--after", "add-a-users-table", "--agent", "codex")
            cli("submit", "Sort the imports", "--agent", "ruff")
            cli("submit", "Write mails", "--agent", "api")
            *events, summary = cli.run("--max-agents", "3", "--json").stream
            status = cli("status").text
            review = cli("review").text
            diff = cli("diff", "add-a-users-table").text
            tasks = cli.tasks()
            cli("approve", *tasks)
            dry = cli.json("merge", "--dry-run")
            assert git("for-each-ref", "refs/heads/orch/integration", cwd=shop) == ""
            merged = cli.json("merge")
            log = git("log", "--reverse", "--format=%H %s", f"{commit_of}..orch/integration", cwd=shop).splitlines()
            note = git("notes", "--ref=gitorch", "show", "orch/integration", cwd=shop)
    assert {name: task["state"] for name, task in tasks.items()} == dict.fromkeys(tasks, "finished")
    assert summary["tasks"] == {"finished": 4}
    _assert_branches(cli, tasks, commit_of)
    _assert_accounts(tasks)
    _assert_notes_of_attempts(cli, tasks)
    moves = [(event["task"]["id"], event["task"]["state"]) for event in events]
    assert moves.index(("add-a-users-table", "finished")) < moves.index(("add-a-login-page", "running"))
    assert all(name in status and name in review for name in tasks)
    assert "+" + USERS.strip() in diff
    assert [one["id"] for one in dry["merged"]] == [one["id"] for one in merged["merged"]]
    _assert_merged(cli, tasks, merged, log, note)


def _assert_branches(cli: Cli, tasks: dict[str, dict[str, Any]], start: str) -> None:
    users, login, imports, mail = tasks.values()
    assert (users["base"], imports["base"], mail["base"]) == (start,) * 3
    assert login["base"] == users["tip"]
    changes = {
        name: git("diff", "--name-status", task["base"], f"orch/{name}", cwd=cli.folder) for name, task in tasks.items()
    }
    assert changes == {
        "add-a-users-table": "A\tusers.sql",
        "add-a-login-page": "A\tlogin.html",
        "sort-the-imports": "M\timports.py",
        "write-mails": "A\tmail.py",
    }
    assert tree(cli, "orch/add-a-login-page", "users.sql", "login.html") == {"users.sql": USERS, "login.html": LOGIN}
    assert tree(cli, "orch/sort-the-imports", "imports.py") == {"imports.py": "import a\nimport b\n"}
    assert tree(cli, "orch/write-mails", "mail.py") == {"mail.py": MAIL}
    for name, task in tasks.items():
        assert trailers(cli, f"orch/{name}") == {"Task": name, "Agent": task["agent"]}
        assert git("log", "--format=%an <%ae>", f"{task['base']}..orch/{name}", cwd=cli.folder) == UNA
        assert git("status", "--porcelain", cwd=Path(task["worktree"])) == ""


def _assert_accounts(tasks: dict[str, dict[str, Any]]) -> None:
    users, login, imports, mail = tasks.values()
    assert all(task["attempt"]["ending"] == "completed" for task in tasks.values())
    assert all(task["checks"]["passed"] for task in tasks.values())
    sessions = [task["attempt"]["session"] for task in (users, login, mail)]
    assert len({session for session in sessions if session}) == 3
    assert users["cost"]["usd"] > 0
    assert mail["cost"]["usd"] > 0
    assert (users["cost"]["output_tokens"], mail["cost"]["output_tokens"]) == (505, 75)
    assert login["cost"]["output_tokens"] == 60
    assert imports["cost"] is None
    assert "A table." in users["attempt"]["summary"]


def _assert_notes_of_attempts(cli: Cli, tasks: dict[str, dict[str, Any]]) -> None:
    for name, task in tasks.items():
        lines = notes(cli, task["tip"])
        (attempt,) = [line for line in lines if line["kind"] == "attempt"]
        wanted = {"task": name, "number": 1, "agent": task["agent"], "base": task["base"], "exit": "completed", "v": 1}
        assert {key: attempt[key] for key in wanted} == wanted
        assert attempt["session"] == task["attempt"]["session"]
        assert (attempt["usage"] is None) == (task["agent"] == "ruff")
        assert attempt["seconds"] > 0
        assert attempt["started"]
        (check,) = [line for line in lines if line["kind"] == "check"]
        assert (check["name"], check["exit_code"], check["command"]) == ("test", 0, "test ! -f broken")
        assert check["tree"] == git("rev-parse", f"{task['tip']}^{{tree}}", cwd=cli.folder)
        (verdict,) = [line for line in lines if line["kind"] == "verdict"]
        assert (verdict["verdict"], verdict["who"]) == ("approve", UNA)


def _assert_merged(
    cli: Cli, tasks: dict[str, dict[str, Any]], merged: dict[str, Any], log: list[str], note: str
) -> None:
    order = [one["id"] for one in merged["merged"]]
    assert sorted(order) == sorted(tasks)
    assert order.index("add-a-users-table") < order.index("add-a-login-page")
    assert [line.partition(" ")[0] for line in log] == [
        pair["new"] for one in merged["merged"] for pair in one["commits"]
    ]
    wanted = {"users.sql": USERS, "login.html": LOGIN, "mail.py": MAIL}
    assert tree(cli, "orch/integration", *wanted) == wanted
    count = len(git("ls-tree", "-r", "--name-only", "orch/integration", cwd=cli.folder).splitlines())
    assert count == FILES + 2 + 3
    kinds = [json.loads(line)["kind"] for line in note.splitlines()]
    assert {"attempt", "check", "verdict", "merged"} <= set(kinds)
    for one in merged["merged"]:
        for pair in one["commits"]:
            (line,) = [line for line in notes(cli, pair["new"]) if line["kind"] == "merged"]
            assert (line["task"], line["commit"], line["integration"]) == (one["id"], pair["old"], "orch/integration")
    assert set(cli.states().values()) == {"merged"}


HOSTILE = "Fix `this`; \"and\" 'that' $(id) && | > < * ? \\ \t ünïcode 🦀\n\nmore\r\nlines  \n\x7f end;"


@pytest.mark.real_agents
@pytest.mark.parametrize("agent", ["claude", "codex", "api"])
def test_a_prompt_arrives_byte_for_byte(repository_folder: Path, agent: str, request: pytest.FixtureRequest) -> None:
    """Backticks, `;`, quotes, emoji and line ends of every kind reach the model as they were typed."""
    if agent == "api":
        request.getfixturevalue("forked_api")
    with ModelServer(lambda request: write_file("a.txt", "a") if request.turn == 0 else Say("ok")) as server:
        cli = person(repository_folder, server)
        (task,) = cli.json("submit", HOSTILE, "--agent", agent)["tasks"]
        cli.run()
        first = server.requests[0]
    assert HOSTILE in first.prompt
    assert cli.json("task", task["id"])["task"]["prompt"] == HOSTILE
    assert cli.states() == {task["id"]: "finished"}


@pytest.mark.real_agents
@pytest.mark.parametrize("mode", ["off", "bwrap"])
def test_a_failing_check_goes_back_to_the_same_session(repository_folder: Path, mode: str) -> None:
    """A check's output goes back into claude's session, which mends it; so do a reviewer's words, numbered."""

    def brain(request: ModelRequest) -> Turn:
        if "These checks fail" in request.last_text:
            return write_file("answer.txt", "42\n")
        if "sent it back" in request.last_text:
            return write_file("answer.txt", "42, and why\n")
        return write_file("answer.txt", "41\n") if request.turn == 0 else Say("done")

    with ModelServer(brain) as server:
        cli = person(repository_folder, server)
        check = '[checks]\ntest = "echo it says $(cat answer.txt); grep -q 42 answer.txt"\n'
        cli.environment["GITORCH_SANDBOX_MODE"] = mode
        cli.configure(f"{configured(server)}{check}")
        if mode == "bwrap":
            sandbox.require()
        cli("submit", "Answer", "--agent", "claude")
        cli.run()
        (task,) = cli.tasks().values()
        asked = [request for request in server.requests if "These checks fail" in request.last_text]
        first = len(server.requests)
        cli("comment", "answer", "answer.txt:1", "-m", "Say `why`; 🦀")
        cli("revise", "answer", "-m", 'Not "enough"')
        cli.run()
        second = server.requests[first]
        (revised,) = cli.tasks().values()
    assert (task["state"], task["checks"]["passed"], task["attempts"]) == ("finished", True, 1)
    assert task["attempt"]["round"] == 2
    assert "it says 41" in asked[0].last_text
    assert "# Task: Answer" in asked[0].prompt
    assert "Comment 1. `answer.txt:1`: Say `why`; 🦀" in second.last_text
    assert 'Comment 2. Not "enough"' in second.last_text
    assert "# Task: Answer" in second.prompt
    assert revised["attempt"]["resumed"] is True
    assert (revised["attempts"], revised["checks"]["passed"]) == (2, True)
    assert git("log", "--format=%s", f"{revised['base']}..orch/answer", cwd=cli.folder).splitlines() == ["Answer"] * 3
    assert tree(cli, "orch/answer", "answer.txt") == {"answer.txt": "42, and why\n"}


@pytest.mark.real_agents
@pytest.mark.parametrize("agent", ["claude", "codex", "api"])
def test_a_logged_out_agent_is_exit_4_before_anything_is_made(repository_folder: Path, agent: str) -> None:
    """Without a login nothing is begun: exit 4 with the command that helps, no worktree, no branch, no attempt."""
    path = "" if agent == "api" else f'path = "{real.binary(agent)}"\n'
    home = repository_folder.parent / "codex-home"
    home.mkdir()
    cli = Cli(repository_folder, f"[agents.{agent}]\n{path}", CODEX_HOME=str(home))
    cli("submit", "Work", "--agent", agent)
    with cli.untouched():
        found = cli.error("run", exit=4)
    assert found["code"] == "agent-login"
    assert found["fix"]
    (task,) = cli.tasks().values()
    assert (task["state"], task["attempts"], task["branch"]) == ("queued", 0, None)
    assert git("for-each-ref", "refs/heads/orch", "refs/gitorch", cwd=cli.folder) == ""
    assert not (repository_folder.parent / "repo.orch").exists()
