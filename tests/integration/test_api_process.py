"""The `api` agent as a process, against a scripted Messages API on loopback."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from uuid import uuid4

import msgspec
import pytest

from gitorch.agents.api.adapter import Api
from gitorch.agents.api.session import INTERRUPTED
from gitorch.agents.api.tools import EDITOR
from gitorch.model.outcome import ExitReason
from tests.support.api import KEY, ROOT, SETTINGS, Place, alive, cached, finished, until
from tests.support.model_server import Call, Hang, ModelRequest, ModelServer, Say, Shell, Tokens, Turn, script


def test_it_edits_and_commits_in_its_worktree(place: Place) -> None:
    """A whole task: the shell and the editor work in the worktree, the commit is on its branch, the outcome adds up."""
    prompt = 'Fix `it`; don\'t "break" $THIS\r\n\n  ünïcode 🚀 \t\n\n'
    turns: list[Turn] = [
        Shell("echo one > a.txt; pwd", tokens=Tokens(1000, 0, 100)),
        Call(
            EDITOR, {"command": "str_replace", "path": "a.txt", "old_str": "one", "new_str": "two ✓"}, text="Editing."
        ),
        Shell("git add -A && git commit -qm 'a change'", tokens=Tokens(100, 5000, 50)),
        Say("All done.", thinking="hm", tokens=Tokens(10, 0, 5)),
    ]
    with ModelServer(script(*turns)) as server:
        done = place.run(server.url, prompt)
    assert (done.exit_code, done.stderr) == (0, "")
    assert place.git(place.worktree, "log", "--format=%s", "orch/t") == "a change\nstart"
    assert place.git(place.worktree, "show", "orch/t:a.txt") == "two ✓"
    assert place.git(place.worktree, "status", "--porcelain") == ""
    first, *_, last = server.requests
    assert first.body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": prompt, "cache_control": {"type": "ephemeral"}}]}
    ]
    assert [message["role"] for message in last.body["messages"]] == ["user", "assistant"] * 3 + ["user"]
    assert last.results[0] == str(place.worktree)
    assert all(request.stream and 3 <= cached(request) <= 4 for request in server.requests)
    assert done.outcome.ending is ExitReason.COMPLETED
    assert done.outcome.summary == "All done."
    assert done.outcome.session == done.result["session_id"]
    usage = done.outcome.usage
    assert usage is not None
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.turns) == (6120, 5000, 160, 4)
    assert usage.usd == pytest.approx((1120 * 2 + 5000 * 0.2 + 160 * 10) / 1e6)


def test_its_events_are_what_a_person_is_shown(place: Place) -> None:
    """Each line is one JSON object; words, thoughts, calls, results and the end come out in order."""
    turns = (
        Shell("echo hello", text="First."),
        Call(EDITOR, {"command": "view", "path": "../x"}),
        Say("Bye.", thinking="hm"),
    )
    with ModelServer(script(*turns)) as server:
        done = place.run(server.url, "x")
    shown = [(event.kind, event.tool, event.text) for line in done.raw.splitlines() for event in Api().events(line)]
    refusal = next(text for _, _, text in shown if "outside of the worktree" in text)
    assert shown == [
        ("text", "", "First."),
        ("tool", "bash", "echo hello"),
        ("result", "", "hello"),
        ("tool", EDITOR, "view ../x"),
        ("result", "", refusal),
        ("thinking", "", "hm"),
        ("text", "", "Bye."),
        ("end", "", ""),
    ]
    assert [event["type"] for event in done.events] == ["system", *["assistant", "user"] * 2, "assistant", "result"]


def test_a_key_of_one_letter_does_not_redact_every_word(place: Place) -> None:
    """Its events, its tools and their environment are as with any other key; that it is not hidden is said."""
    with ModelServer(script(Shell("echo a banana"), Say("All done."))) as server:
        done = place.run(server.url, "x", ANTHROPIC_API_KEY="a")
    assert done.outcome.summary == "All done."
    assert "a banana" in server.requests[1].results[0]
    assert done.stderr == "the key in ANTHROPIC_API_KEY is too short, or a plain word: it is not redacted\n"
    assert all("type" in event for event in done.events)


def test_the_key_is_nowhere_but_in_the_request(place: Place) -> None:
    """The tools do not have it, no file and no event holds it; a variable of another name works like the usual one."""
    (place.folder / "home/.secret").write_text(KEY)
    turns = (
        Shell("env; cat ~/.secret; echo; cat /proc/$PPID/environ | tr '\\0' '\\n'; echo"),
        Shell("echo $ANTHROPIC_BASE_URL$COPY-; git status --porcelain"),
        Say(f"it is {KEY}"),
    )
    settings = msgspec.structs.replace(SETTINGS, key={"env": "WORK_KEY"})
    request = place.request("x", session=str(uuid4()))
    with ModelServer(script(*turns)) as server:
        keys = {"ANTHROPIC_API_KEY": "another", "WORK_KEY": KEY, "COPY": KEY}
        # a fork has its keys from a socket, and not in /proc
        done = finished(place.start(server.url, request, settings, fresh_interpreter=True, env=keys))
    assert done.outcome.ending is ExitReason.COMPLETED
    assert {each.headers["authorization"] for each in server.requests} == {f"Bearer {KEY}"}
    assert KEY not in msgspec.json.encode([each.body["messages"] for each in server.requests[:-1]]).decode()
    assert "[redacted]" in server.requests[1].results[0]
    assert server.requests[2].results[1] == "-"
    assert KEY.encode() not in done.raw
    assert KEY not in " ".join(Api().launch(settings, request).argv)
    (place.folder / "home/.secret").unlink()
    holding = [path for path in place.folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert holding == []


def test_a_session_goes_on_after_kill_9_in_the_middle_of_a_call(place: Place) -> None:
    """The interrupted call is answered as such, what was done before is known, and the killed command is dead."""
    session, marker = str(uuid4()), f"86400.{uuid4().int % 10**9}"

    def brain(request: ModelRequest) -> Turn:
        if request.conversation[-1] == ("user", "go on"):
            return Say("resumed")
        return script(Shell("echo before"), Shell(f"touch started; sleep {marker}"))(request)

    with ModelServer(brain) as server:
        process = place.start(server.url, place.request("begin", session=session))
        assert until(lambda: (place.worktree / "started").exists())
        process.kill()
        killed = finished(process)
        assert until(lambda: alive(marker) == [])
        again = place.run(server.url, "go on", session=session, resume=True)
    assert killed.outcome.ending is ExitReason.LOST
    assert killed.outcome.session == session
    assert killed.outcome.usage is not None
    assert killed.outcome.usage.turns == 2
    assert again.outcome.ending is ExitReason.COMPLETED
    assert again.outcome.summary == "resumed"
    *_, last = server.requests
    assert last.conversation[0] == ("user", "begin")
    assert last.results == ("before", INTERRUPTED)
    assert last.conversation[-1] == ("user", "go on")
    file = place.sessions / f"{session}.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(place.sessions) == [file.name]


def test_sigterm_ends_it_with_a_result_and_leaves_nothing_behind(place: Place) -> None:
    """Exit 143, a result that says so, and no process of the tools alive, one in a session of its own included."""
    marker = f"86400.{uuid4().int % 10**9}"
    command = f"(setsid sleep {marker} &) ; sleep {marker} & touch started; sleep {marker}"
    with ModelServer(script(Shell(command))) as server:
        process = place.start(server.url, place.request("x", session=str(uuid4())))
        assert until(lambda: (place.worktree / "started").exists())
        assert len(alive(marker)) >= 2
        process.send_signal(signal.SIGTERM)
        done = finished(process)
    assert done.exit_code == 143
    assert (done.result["subtype"], done.result["is_error"]) == ("error_during_execution", True)
    assert done.outcome.ending is ExitReason.STOPPED
    assert alive(marker) == []


@pytest.mark.parametrize("when", ["starting", "asking"])
def test_sigterm_ends_it_with_a_result_whatever_it_does(place: Place, when: str) -> None:
    """While it still loads the SDK, and while it waits for a reply that does not come."""
    with ModelServer(script(Hang())) as server:
        process = place.start(
            server.url, place.request("x", session=str(uuid4())), fresh_interpreter=when == "starting"
        )
        assert process.stdout is not None
        assert b"init" in process.stdout.readline()
        if when == "asking":
            server.wait_for(1)
        process.send_signal(signal.SIGTERM)
        done = finished(process)
    assert done.exit_code == 143
    assert done.outcome.ending is ExitReason.STOPPED


def test_it_ends_when_nobody_reads_its_events(place: Place) -> None:
    """Its parent is dead: it stops the work, quietly, instead of going on unseen."""
    with ModelServer(script(Shell("echo x >> runs"))) as server:
        process = place.start(server.url, place.request("x", session=str(uuid4())))
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait(300) != 0
    assert len(server.requests) <= 1


def test_what_the_tools_left_running_ends_with_a_success_too(place: Place) -> None:
    """A server that the model started in the background does not outlive the execution."""
    marker = f"86400.{uuid4().int % 10**9}"
    with ModelServer(script(Shell(f"(setsid sleep {marker} &); echo started"), Say("done"))) as server:
        assert place.run(server.url, "x").outcome.ending is ExitReason.COMPLETED
    assert alive(marker) == []


def test_modules_in_the_worktree_are_not_imported(place: Place) -> None:
    """A repository with a `json.py` or an `anthropic` of its own must not run code beside the key."""
    for name in ("json", "anthropic", "msgspec", "gitorch", "sitecustomize"):
        (place.worktree / f"{name}.py").write_text("raise SystemExit('imported from the worktree')")
    with ModelServer(script(Say("done"))) as server:
        process = place.start(server.url, place.request("x", session=str(uuid4())), fresh_interpreter=True)
        assert finished(process).outcome.ending is ExitReason.COMPLETED


@pytest.mark.parametrize(
    ("prompt", "budget", "model", "env", "ending", "says"),
    [
        ("x", 1.0, "some-other-model", {}, ExitReason.FAILED, "cannot be enforced"),
        ("x", 0.0, "", {"ANTHROPIC_API_KEY": " "}, ExitReason.UNAUTHENTICATED, "ANTHROPIC_API_KEY is not set"),
        (" \n", 0.0, "", {}, ExitReason.FAILED, "empty"),
        (b"caf\xe9", 0.0, "", {}, ExitReason.FAILED, "not UTF-8"),
        ("x", 0.0, "", {"BASH_TOOL_TIMEOUT_SECONDS": "soon"}, ExitReason.FAILED, "not a number of seconds"),
    ],
)
def test_what_cannot_work_is_refused_at_once(
    place: Place, prompt: str | bytes, budget: float, model: str, env: dict[str, str], ending: ExitReason, says: str
) -> None:
    """A budget that could not be kept, no key, no prompt: exit 2 and an event that says why, before any request."""
    settings = msgspec.structs.replace(SETTINGS, model=model)
    request = place.request(prompt, session=str(uuid4()), budget=budget)
    done = finished(place.start("http://127.0.0.1:9", request, settings, env=env))
    assert done.exit_code == 2
    assert done.outcome.ending is ending
    assert says in done.outcome.reason


def test_a_session_can_only_be_resumed_where_it_is(place: Place) -> None:
    """An unknown session is not silently a new one, and a new one does not overwrite an old one."""
    session = str(uuid4())
    lost = place.run("http://127.0.0.1:9", "x", session=session, resume=True)
    assert (lost.exit_code, lost.outcome.ending) == (2, ExitReason.NO_SESSION)
    assert "no conversation with session" in lost.outcome.reason
    place.sessions.mkdir(parents=True, exist_ok=True)
    (place.sessions / f"{session}.json").write_text("{")
    assert "exists already" in place.run("http://127.0.0.1:9", "x", session=session).outcome.reason
    assert "cannot be read" in place.run("http://127.0.0.1:9", "x", session=session, resume=True).outcome.reason
    assert (place.sessions / f"{session}.json").read_text() == "{"
    assert place.run("http://127.0.0.1:9", "x", session="../evil").outcome.ending is ExitReason.FAILED


def test_the_adapter_does_not_import_the_sdk() -> None:
    """`status` and completion load the registry of agents; the SDK alone takes two seconds."""
    program = (
        "import sys; import gitorch.agents.api.adapter, gitorch.agents.api.process; print('anthropic' in sys.modules)"
    )
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
