"""The `api` agent as it runs: its process, its loop and its adapter, against a scripted Messages API on loopback."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from uuid import uuid4

import msgspec
import psutil
import pytest

from gitorch.agents.api import Api
from gitorch.agents.api_bash import Shell as BashShell
from gitorch.agents.api_bash import tool_environment
from gitorch.agents.api_calls import End, Limits
from gitorch.agents.api_files import Files
from gitorch.agents.api_loop import Loop
from gitorch.agents.api_prices import Tokens as Tokens4
from gitorch.agents.api_prices import dollars, tokens_of
from gitorch.agents.api_session import INTERRUPTED, begin, resume
from gitorch.agents.api_tools import EDITOR, Tools
from gitorch.agents.api_wire import connect, retry_after
from gitorch.agents.protocol import Launch, Request
from gitorch.config import AgentSettings
from gitorch.errors import InvalidInput, SetupNeeded
from gitorch.model.outcome import Ending, Exit, Outcome
from tests.support.model_server import (
    Brain,
    Call,
    Drop,
    Fault,
    Hang,
    ModelRequest,
    ModelServer,
    Say,
    Shell,
    StreamFault,
    Tokens,
    Turn,
    script,
)

Json: TypeAlias = dict[str, Any]

KEY = "sk-ant-test-0123456789-not-a-real-key"
ROOT = Path(__file__).parents[2]
SETTINGS = AgentSettings(kind="api", model="claude-sonnet-5", args=("--retry-seconds", "0.01"))
IDENTITY = {
    f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "A"), ("EMAIL", "a@b"))
}


class Finished(NamedTuple):
    """An execution that is over."""

    exit_code: int
    events: list[Json]
    outcome: Outcome
    raw: bytes
    stderr: str

    @property
    def result(self) -> Json:
        return self.events[-1]


class Place:
    """A repository with a linked worktree, and the environment of an agent in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = folder / "repository"
        self.worktree = folder / "work tree"
        home = folder / "home"
        home.mkdir()
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT), **IDENTITY}
        self.git(folder, "init", "-q", "-b", "main", "repository")
        self.git(self.repository, "commit", "-q", "--allow-empty", "-m", "start")
        self.git(self.repository, "worktree", "add", "-q", "-b", "orch/t", str(self.worktree))

    def git(self, where: Path, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=where, env=self.env, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    @property
    def sessions(self) -> Path:
        return self.repository / ".git/gitorch/sessions"

    def request(self, prompt: str | bytes, *, session: str, resume: bool = False, budget: float = 0.0) -> Request:
        brief = self.folder / f"prompt-{uuid4()}"
        brief.write_bytes(prompt.encode() if isinstance(prompt, str) else prompt)
        return Request(
            task="t",
            worktree=self.worktree,
            common_dir=self.repository / ".git",
            folder=self.folder,
            prompt_file=brief,
            session=session,
            resume=resume,
            budget=budget,
        )

    def start(
        self, url: str, request: Request, settings: AgentSettings = SETTINGS, **env: str
    ) -> subprocess.Popen[bytes]:
        launch = Api().launch(settings, request)
        assert launch.stdin is not None
        with launch.stdin.open("rb") as prompt:
            return subprocess.Popen(
                launch.argv,
                cwd=self.worktree,
                env={**self.env, "ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": KEY, **env},
                stdin=prompt,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )

    def run(
        self,
        url: str,
        prompt: str | bytes,
        *,
        settings: AgentSettings = SETTINGS,
        session: str = "",
        resume: bool = False,
        budget: float = 0.0,
        **env: str,
    ) -> Finished:
        request = self.request(prompt, session=session or str(uuid4()), resume=resume, budget=budget)
        return finished(self.start(url, request, settings, **env))


def finished(process: subprocess.Popen[bytes]) -> Finished:
    raw, errors = process.communicate(timeout=300)
    lines = raw.splitlines()
    ended = Exit(cause="exited", exit_code=process.returncode)
    outcome = Api().outcome(lines, errors.decode(), ended)
    return Finished(process.returncode, [msgspec.json.decode(line) for line in lines], outcome, raw, errors.decode())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def cached(request: ModelRequest) -> int:
    """Return how many cache breakpoints a request has."""
    return msgspec.json.encode(request.body).count(b'"cache_control"')


def alive(marker: str) -> list[int]:
    """Return the processes that have `marker` among their arguments."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if marker in (process.info["cmdline"] or ()) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def until(condition: Callable[[], bool], *, seconds: float = 300.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


# --- the process ----------------------------------------------------------------------------------------------------


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
    assert done.outcome.ending is Ending.COMPLETED
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
        done = finished(place.start(server.url, request, settings, ANTHROPIC_API_KEY="another", WORK_KEY=KEY, COPY=KEY))
    assert done.outcome.ending is Ending.COMPLETED
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
    assert killed.outcome.ending is Ending.LOST
    assert killed.outcome.session == session
    assert killed.outcome.usage is not None
    assert killed.outcome.usage.turns == 2
    assert again.outcome.ending is Ending.COMPLETED
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
    assert done.outcome.ending is Ending.STOPPED
    assert alive(marker) == []


@pytest.mark.parametrize("when", ["starting", "asking"])
def test_sigterm_ends_it_with_a_result_whatever_it_does(place: Place, when: str) -> None:
    """While it still loads the SDK, and while it waits for a reply that does not come."""
    with ModelServer(script(Hang())) as server:
        process = place.start(server.url, place.request("x", session=str(uuid4())))
        assert process.stdout is not None
        assert b"init" in process.stdout.readline()
        if when == "asking":
            server.wait_for(1)
        process.send_signal(signal.SIGTERM)
        done = finished(process)
    assert done.exit_code == 143
    assert done.outcome.ending is Ending.STOPPED


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
        assert place.run(server.url, "x").outcome.ending is Ending.COMPLETED
    assert alive(marker) == []


def test_modules_in_the_worktree_are_not_imported(place: Place) -> None:
    """A repository with a `json.py` or an `anthropic` of its own must not run code beside the key."""
    for name in ("json", "anthropic", "msgspec", "gitorch", "sitecustomize"):
        (place.worktree / f"{name}.py").write_text("raise SystemExit('imported from the worktree')")
    with ModelServer(script(Say("done"))) as server:
        assert place.run(server.url, "x").outcome.ending is Ending.COMPLETED


@pytest.mark.parametrize(
    ("prompt", "budget", "model", "env", "ending", "says"),
    [
        ("x", 1.0, "some-other-model", {}, Ending.FAILED, "cannot be kept"),
        ("x", 0.0, "", {"ANTHROPIC_API_KEY": " "}, Ending.UNAUTHENTICATED, "ANTHROPIC_API_KEY is not set"),
        (" \n", 0.0, "", {}, Ending.FAILED, "empty"),
        (b"caf\xe9", 0.0, "", {}, Ending.FAILED, "not UTF-8"),
        ("x", 0.0, "", {"BASH_TOOL_TIMEOUT_SECONDS": "soon"}, Ending.FAILED, "no number of seconds"),
    ],
)
def test_what_cannot_work_is_refused_at_once(
    place: Place, prompt: str | bytes, budget: float, model: str, env: dict[str, str], ending: Ending, says: str
) -> None:
    """A budget that could not be kept, no key, no prompt: exit 2 and an event that says why, before any request."""
    settings = msgspec.structs.replace(SETTINGS, model=model)
    request = place.request(prompt, session=str(uuid4()), budget=budget)
    done = finished(place.start("http://127.0.0.1:9", request, settings, **env))
    assert done.exit_code == 2
    assert done.outcome.ending is ending
    assert says in done.outcome.reason


def test_a_session_can_only_be_resumed_where_it_is(place: Place) -> None:
    """An unknown session is not silently a new one, and a new one does not overwrite an old one."""
    session = str(uuid4())
    lost = place.run("http://127.0.0.1:9", "x", session=session, resume=True)
    assert (lost.exit_code, lost.outcome.ending) == (2, Ending.FAILED)
    assert "No conversation found" in lost.outcome.reason
    place.sessions.mkdir(parents=True, exist_ok=True)
    (place.sessions / f"{session}.json").write_text("{")
    assert "exists already" in place.run("http://127.0.0.1:9", "x", session=session).outcome.reason
    assert "cannot be read" in place.run("http://127.0.0.1:9", "x", session=session, resume=True).outcome.reason
    assert (place.sessions / f"{session}.json").read_text() == "{"
    assert place.run("http://127.0.0.1:9", "x", session="../evil").outcome.ending is Ending.FAILED


def test_the_adapter_does_not_import_the_sdk() -> None:
    """`status` and completion load the registry of agents; the SDK alone takes two seconds."""
    program = "import sys; import gitorch.agents.api, gitorch.agents.api_child; print('anthropic' in sys.modules)"
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# --- the loop, in this process: the SDK is loaded once --------------------------------------------------------------


class Ran(NamedTuple):
    """An execution of the loop."""

    end: End
    events: list[Json]
    loop: Loop
    requests: tuple[ModelRequest, ...]
    outcome: Outcome

    @property
    def retries(self) -> list[Json]:
        return [event for event in self.events if event.get("subtype") == "api_retry"]


@pytest.fixture
def run(place: Place, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    def execute(
        brain: Brain, *, read_seconds: float = 20.0, prompt: str = "x", session: str = "", **limits: Any
    ) -> Ran:
        tools = Tools(
            BashShell(place.worktree, tool_environment(place.env, hidden=()), seconds=300), Files(place.worktree)
        )
        model = limits.pop("model", "claude-sonnet-5")
        opened = resume(place.sessions, session, model) if session else begin(place.sessions, str(uuid4()), model)
        events: list[Json] = []
        with ModelServer(brain) as server:
            monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
            stream = connect(key=KEY, token="", read_seconds=read_seconds)
            limits = {"retry_seconds": 0.01, "retries": 3, **limits}
            loop = Loop(Limits(model=model, **limits), stream, tools, opened, events.append)
            try:
                end = loop.run(prompt)
            finally:
                tools.close()
        return Ran(end, events, loop, server.requests, outcome_of(end, loop))

    return execute


def outcome_of(end: End, loop: Loop) -> Outcome:
    """Return how the adapter reads the result that the process would write for `end`."""
    result = {
        "type": "result",
        "is_error": bool(end.error),
        "error": end.error or None,
        "result": end.text,
        "resets_at": end.resets_at,
        "usage": msgspec.to_builtins(loop.caller.tokens),
        "total_cost_usd": loop.caller.usd,
        "num_turns": loop.caller.turns,
    }
    return Api().outcome([msgspec.json.encode(result)], "", Exit(cause="exited", exit_code=1))


def one_by_one(*turns: Turn) -> Brain:
    """Return a brain that plays its turns by the number of requests, whatever is in them; the last one repeats."""
    left = list(turns)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def error(kind: str, message: str) -> Json:
    return {"type": "error", "error": {"type": kind, "message": message}}


SPENT = "You have reached your specified API usage limits. You will regain access on 2027-01-01 at 00:00 UTC."


@pytest.mark.parametrize(
    ("fault", "ending", "name"),
    [
        (Fault(401), Ending.UNAUTHENTICATED, "authentication_failed"),
        (Fault(403), Ending.UNAUTHENTICATED, "authentication_failed"),
        (Fault(402), Ending.UNAUTHENTICATED, "billing_error"),
        (
            Fault(400, error("invalid_request_error", "Your credit balance is too low")),
            Ending.UNAUTHENTICATED,
            "billing_error",
        ),
        (Fault(400), Ending.FAILED, "invalid_request"),
        (Fault(400, error("invalid_request_error", "prompt is too long: 9 > 8")), Ending.FAILED, "prompt_too_long"),
        (Fault(400, error("invalid_request_error", SPENT)), Ending.LIMITED, "rate_limit"),
        (Fault(404), Ending.FAILED, "model_not_found"),
        (Fault(413), Ending.FAILED, "invalid_request"),
        (Fault(429, headers={"retry-after": "3600"}), Ending.LIMITED, "rate_limit"),
        (Fault(529, headers={"x-should-retry": "false"}), Ending.TRANSIENT, "overloaded"),
    ],
)
def test_what_a_second_try_cannot_mend_ends_it_at_once(
    run: Callable[..., Ran], fault: Fault, ending: Ending, name: str
) -> None:
    """One request, no waiting, and the reason is told apart: log in, pay, wait, or mend the request."""
    ran = run(script(fault))
    assert (ran.end.error, ran.end.status, ran.outcome.ending) == (name, fault.status, ending)
    assert len(ran.requests) == 1
    assert ran.retries == []


def test_a_limit_tells_when_it_ends(run: Callable[..., Ran]) -> None:
    """A long `retry-after`, and the date in the words of a spend limit, come out as a time to wait for."""
    hour = run(script(Fault(429, headers={"retry-after": "3600"}))).outcome
    assert hour.resets_at == pytest.approx(time.time() + 3600, abs=60)
    month = run(script(Fault(400, error("invalid_request_error", SPENT)))).outcome
    assert month.resets_at == 1798761600.0


HTML = Fault(200, "<html>gateway</html>", {"content-type": "text/html"})
GARBLED = Fault(200, 'event: message_start\ndata: {"type": "mess\n\n', {"content-type": "text/event-stream"})
STARTED = '{"type":"message_start","message":{"id":"m","model":"m","usage":{"input_tokens":7}}}'
CLOSED = Fault(200, f"event: message_start\ndata: {STARTED}\n\n", {"content-type": "text/event-stream"})


@pytest.mark.parametrize(
    "fault",
    [
        Fault(500),
        Fault(503),
        Fault(529),
        Fault(408),
        Fault(429),
        Fault(429, headers={"retry-after": "0.05"}),
        Drop(),
        Drop(midstream=True),
        StreamFault(),
        StreamFault("api_error"),
        Hang(midstream=True),
        Hang(),
        HTML,
        GARBLED,
        CLOSED,
    ],
    ids=repr,
)
def test_what_passes_is_tried_again(run: Callable[..., Ran], fault: Turn) -> None:
    """The same request succeeds at the second try; the retry is an event, and half a reply is never taken for one."""
    ran = run(one_by_one(fault, Say("fine")), read_seconds=3.0 if isinstance(fault, Hang) else 300.0)
    assert (ran.end.subtype, ran.end.text) == ("success", "fine")
    assert [retry["attempt"] for retry in ran.retries] == [1]
    first, second = ran.requests
    assert first.body == second.body
    assert ran.loop.caller.turns == 1


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        (Fault(500), Ending.TRANSIENT),
        (Fault(529), Ending.TRANSIENT),
        (Fault(429), Ending.LIMITED),
        (Drop(), Ending.TRANSIENT),
        (Drop(midstream=True), Ending.TRANSIENT),
        (StreamFault("rate_limit_error"), Ending.LIMITED),
        (HTML, Ending.TRANSIENT),
        (CLOSED, Ending.TRANSIENT),
    ],
    ids=repr,
)
def test_tries_are_bounded(run: Callable[..., Ran], fault: Turn, ending: Ending) -> None:
    """After three retries the execution ends, and says what kind of end it is."""
    ran = run(script(fault))
    assert ran.outcome.ending is ending
    assert len(ran.requests) == 4
    assert [retry["attempt"] for retry in ran.retries] == [1, 2, 3]


def test_tokens_of_a_broken_reply_are_counted(run: Callable[..., Ran]) -> None:
    """A request whose stream breaks has been paid for all the same."""
    ran = run(one_by_one(CLOSED, Say("fine", tokens=Tokens(10, 0, 5))))
    assert (ran.loop.caller.tokens.input_tokens, ran.loop.caller.tokens.output_tokens) == (17, 5)


def test_waits_grow_and_are_capped(run: Callable[..., Ran]) -> None:
    """Each wait is about twice the one before."""
    waits = [retry["retry_delay_ms"] for retry in run(script(Fault(500)), retries=5).retries]
    assert all(1.1 < later / earlier < 3.5 for earlier, later in pairwise(waits))


def test_a_refusal_is_neither_success_nor_failure(run: Callable[..., Ran]) -> None:
    """The model's no ends the execution as declined, and is not kept in the conversation."""
    ran = run(script(Say("I will not.", stop="refusal")))
    assert (ran.outcome.ending, ran.outcome.reason) == (Ending.DECLINED, "I will not.")
    assert ran.loop.caller.stop_reason == "refusal"


def test_a_reply_that_is_cut_off_is_continued_but_not_for_ever(run: Callable[..., Ran]) -> None:
    """Three continuations, then it is an error."""
    ran = run(one_by_one(Say("one", stop="max_tokens"), Say("two")))
    assert ran.end.subtype == "success"
    assert ran.requests[1].conversation[1] == ("assistant", "one")
    assert "cut off" in ran.requests[1].last_text
    endless = run(script(Say("more", stop="max_tokens")))
    assert (endless.outcome.ending, endless.end.error, len(endless.requests)) == (Ending.FAILED, "max_output_tokens", 4)


@pytest.mark.parametrize(
    ("stop", "ending"),
    [
        ("model_context_window_exceeded", Ending.FAILED),
        ("something_new", Ending.LOST),
        ("stop_sequence", Ending.COMPLETED),
    ],
)
def test_only_a_known_stop_is_success(run: Callable[..., Ran], stop: str, ending: Ending) -> None:
    """A stop reason that nobody knows is not taken for the end of the work."""
    assert run(script(Say("x", stop=stop))).outcome.ending is ending


def test_a_pause_goes_on(run: Callable[..., Ran]) -> None:
    """`pause_turn` is answered with the conversation as it stands."""
    ran = run(one_by_one(Say("wait", stop="pause_turn"), Say("done")))
    assert ran.end.subtype == "success"
    assert ran.requests[1].body["messages"][-1]["role"] == "assistant"


def test_turns_and_dollars_are_limited(run: Callable[..., Ran]) -> None:
    """Both limits end the execution as exhausted, after the tools of the last turn have run."""
    turns = run(script(Shell("echo x >> ran")), max_turns=3)
    assert (turns.outcome.ending, turns.end.subtype, len(turns.requests)) == (Ending.EXHAUSTED, "error_max_turns", 3)
    assert len(turns.events) == 6
    spent = run(script(Shell("true", tokens=Tokens(100_000, 0, 10_000))), budget=0.5)
    assert (spent.outcome.ending, spent.end.subtype, len(spent.requests)) == (
        Ending.EXHAUSTED,
        "error_max_budget_usd",
        2,
    )
    assert spent.loop.caller.usd == pytest.approx(0.6)


def test_the_cost_of_an_unknown_model_is_unknown(run: Callable[..., Ran]) -> None:
    """No price is None, not zero dollars."""
    ran = run(script(Say("x")), model="some-other-model")
    assert ran.outcome.usage is not None
    assert ran.outcome.usage.usd is None


def sse(*events: Json) -> Fault:
    body = "".join(f"event: {event['type']}\ndata: {msgspec.json.encode(event).decode()}\n\n" for event in events)
    return Fault(200, body, {"content-type": "text/event-stream"})


def message(stop: str, *blocks: tuple[Json, Sequence[Json]]) -> Fault:
    """Return a reply of blocks, each given by its opening and its deltas."""
    events: list[Json] = [{"type": "message_start", "message": {"id": "m", "model": "m", "usage": {"input_tokens": 1}}}]
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 2}})
    return sse(*events, {"type": "message_stop"})


def call(name: str, raw: str, tool: str = "bash") -> tuple[Json, list[Json]]:
    halves = (raw[: len(raw) // 2], raw[len(raw) // 2 :])
    block = {"type": "tool_use", "id": name, "name": tool, "input": {}}
    return block, [{"type": "input_json_delta", "partial_json": half} for half in halves]


def test_parallel_calls_are_answered_in_one_message(run: Callable[..., Ran]) -> None:
    """The API wants the results of all calls of a message together, in their order."""
    calls = message(
        "tool_use", call("a", '{"command": "echo 1"}'), call("b", '{"command": "exit 3"}'), call("c", "{}", "x")
    )
    ran = run(one_by_one(calls, Say("done")))
    assert ran.end.subtype == "success"
    _, _, answers = ran.requests[1].body["messages"]
    assert [(block["tool_use_id"], block["is_error"]) for block in answers["content"]] == [
        ("a", False),
        ("b", False),
        ("c", True),
    ]


@pytest.mark.parametrize(
    "raw", ['{"command": "touch ran', '{"command": "touch \\ud800ran"}', '["touch ran"]', "nonsense"]
)
def test_a_call_with_unusable_arguments_is_not_run(run: Callable[..., Ran], place: Place, raw: str) -> None:
    """Half a JSON object, lone surrogates or no object at all: the model is told, nothing is run, nothing breaks."""
    ran = run(one_by_one(message("tool_use", call("a", raw)), Say("done")))
    assert ran.end.subtype == "success"
    assert "not a JSON object" in ran.requests[1].results[0]
    assert os.listdir(place.worktree) == [".git"]


def test_a_call_that_the_output_limit_cut_is_not_run(run: Callable[..., Ran], place: Place) -> None:
    """Even when its arguments happen to parse; the whole call before it is run, and the model is told."""
    cut = message("max_tokens", call("a", '{"command": "touch whole"}'), call("b", '{"command": "touch cut"}'))
    ran = run(one_by_one(cut, Say("done")))
    assert ran.end.subtype == "success"
    assert sorted(os.listdir(place.worktree)) == [".git", "whole"]
    assert "call in it was lost" in ran.requests[1].conversation[-1][1]
    alone = run(one_by_one(message("max_tokens", call("b", '{"command": "touch c')), Say("done")))
    assert "call in it was lost" in alone.requests[1].last_text
    assert [part["role"] for part in alone.requests[1].body["messages"]] == ["user", "user"]


def test_thoughts_go_back_unchanged_and_only_to_their_model(run: Callable[..., Ran]) -> None:
    """A signed thought is part of the conversation; a cut one is not; another model gets none."""
    signed = ({"type": "thinking", "thinking": "", "signature": ""}, [
        {"type": "thinking_delta", "thinking": "because ✓"}, {"type": "signature_delta", "signature": "c2ln"},
    ])  # fmt: skip
    unsigned = ({"type": "thinking", "thinking": "", "signature": ""}, [{"type": "thinking_delta", "thinking": "cut"}])
    empty: tuple[Json, list[Json]] = ({"type": "text", "text": ""}, [])
    ran = run(one_by_one(message("tool_use", signed, unsigned, empty, call("a", '{"command": "true"}')), Say("done")))
    sent = ran.requests[1].body["messages"][1]["content"]
    assert sent[0] == {"type": "thinking", "thinking": "because ✓", "signature": "c2ln"}
    assert [block["type"] for block in sent] == ["thinking", "tool_use"]
    session = ran.loop.session.id
    other = run(script(Say("done")), session=session, model="claude-opus-5-5")
    assert [block["type"] for block in other.requests[0].body["messages"][1]["content"]] == ["tool_use"]


def test_nothing_that_the_model_says_breaks_the_next_request(run: Callable[..., Ran]) -> None:
    """Lone surrogates in words, an empty reply and binary output are all sent back in a form that can be sent."""
    odd = sse(
        {"type": "message_start", "message": {"id": "m", "model": "m", "usage": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "a"}},
        {"type": "something_new", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
        {"type": "message_stop"},
    )
    assert isinstance(odd.body, str)
    surrogate = Fault(200, odd.body.replace('"a"', '"\\ud800"'), odd.headers)
    ran = run(one_by_one(surrogate))
    assert ran.end.text == "?"
    session = ran.loop.session.id
    again = run(one_by_one(message("end_turn")), session=session, prompt="more")
    assert again.end.subtype == "success"
    last = run(one_by_one(Shell(r"printf '\xff\x00\x1b'"), Say("done")), session=session, prompt="and more")
    assert last.end.subtype == "success"
    assert last.requests[1].results == ("\ufffd\0\x1b",)


@pytest.mark.parametrize("path", ["../escaped", "/tmp/escaped-by-the-api-agent", "link/escaped", ".git"])
def test_the_editor_of_a_real_execution_stays_inside(run: Callable[..., Ran], place: Place, path: str) -> None:
    """The paths that the model names go through the same confinement."""
    (place.worktree / "link").symlink_to("..")
    before = (place.worktree / ".git").read_text()
    ran = run(script(Call(EDITOR, {"command": "create", "path": path, "file_text": "x"}), Say("done")))
    assert ran.requests[1].results[0].startswith("Error: ")
    assert not (place.folder / "escaped").exists()
    assert not Path("/tmp/escaped-by-the-api-agent").exists()
    assert (place.worktree / ".git").read_text() == before


# --- the adapter ----------------------------------------------------------------------------------------------------


def test_without_a_key_it_says_what_to_do() -> None:
    """A missing key is a setup error with the command that mends it; a present one is a version."""
    settings = AgentSettings(kind="api")
    for environment in ({"ANTHROPIC_API_KEY": "k"}, {"ANTHROPIC_AUTH_TOKEN": "t"}):
        assert Api().judge(settings, environment, ()).startswith("anthropic 2")
    for environment in ({}, {"ANTHROPIC_API_KEY": "  "}):
        with pytest.raises(SetupNeeded) as caught:
            Api().judge(settings, environment, ())
        assert (caught.value.code, caught.value.fix) == ("agent-login", ("export ANTHROPIC_API_KEY=...",))
    named = AgentSettings(kind="api", key={"env": "WORK_KEY"})
    assert Api().judge(named, {"WORK_KEY": "k"}, ())
    with pytest.raises(SetupNeeded, match="WORK_KEY must be set"):
        Api().judge(named, {"ANTHROPIC_API_KEY": "k"}, ())
    for wrong in ({"command": "pass show key"}, {"env": ""}):
        with pytest.raises(InvalidInput):
            Api().judge(AgentSettings(kind="api", key=wrong), {"ANTHROPIC_API_KEY": "k"}, ())


def test_prices_are_those_of_the_model_and_of_nothing_else() -> None:
    """By exact name, with or without a date; a long prompt costs more where the price list says so."""
    million = Tokens4(input_tokens=10**6)
    assert dollars("claude-sonnet-4-5-20250929", million) == 3.0
    assert dollars("claude-opus-5-5", Tokens4(cache_creation_input_tokens=10**6, output_tokens=10**6)) == 25.0
    assert dollars("claude-haiku-5-5", million) == 0.5
    assert dollars("claude-haiku-5-5", Tokens4(input_tokens=100_000)) == pytest.approx(0.01)
    for unknown in ("claude-opus-5-6", "claude-sonnet-5-mini", "gpt-5", ""):
        assert dollars(unknown, million) is None
    assert tokens_of({"input_tokens": 3, "cache_read_input_tokens": None, "output_tokens": "x"}) == Tokens4(
        input_tokens=3
    )


def test_a_wait_is_read_in_every_form_of_the_header() -> None:
    """Milliseconds, seconds and a date; nonsense is no wait."""
    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}, 0) == 1.5
    assert retry_after({"retry-after": "7"}, 0) == 7.0
    assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:02:00 GMT"}, 100) == 20.0
    assert retry_after({"retry-after": "-5"}, 0) == 0.0
    assert retry_after({"retry-after": "soon"}, 0) is None
    assert retry_after({}, 0) is None


def test_the_command_line_says_all_that_was_asked(place: Place) -> None:
    """Session, resume, budget, the user's own arguments; and the prompt comes from its file."""
    request = place.request("x", session="s-1", resume=True, budget=1.5)
    launch: Launch = Api().launch(AgentSettings(kind="api", args=("--max-turns", "7")), request)
    given = list(launch.argv)
    assert given[1:4] == ["-P", "-m", "gitorch.agents.api_child"]
    assert launch.stdin == request.prompt_file
    assert "--resume" in given
    assert given[-2:] == ["--max-turns", "7"]
    for flag, value in (("--session", "s-1"), ("--budget", "1.5"), ("--model", "claude-sonnet-5")):
        assert given[given.index(flag) + 1] == value


@pytest.mark.parametrize(
    ("ended", "ending"),
    [
        (Exit(cause="exited", exit_code=0), Ending.LOST),
        (Exit(cause="exited", exit_code=1), Ending.LOST),
        (Exit(cause="failed-to-start", message="no such file"), Ending.FAILED),
        (Exit(cause="timeout", signal=9), Ending.STOPPED),
        (Exit(cause="idle", signal=9), Ending.STOPPED),
        (Exit(cause="stopped", exit_code=143), Ending.STOPPED),
        (Exit(cause="lost"), Ending.LOST),
    ],
)
@pytest.mark.parametrize("lines", [[b"{}"], [b"", b"[]", b"{", b'{"type":"result","is_error":0}', b"\xff"]])
def test_without_a_final_event_nothing_is_a_success(ended: Exit, ending: Ending, lines: list[bytes]) -> None:
    """Whatever the exit code says, and whatever else is in the stream."""
    outcome = Api().outcome(lines, "Traceback\nValueError: x\n", ended)
    assert outcome.ending is ending
    assert outcome.reason


def test_a_process_that_said_nothing_but_an_error_failed() -> None:
    """A wrong argument, for example: the same call would fail again."""
    outcome = Api().outcome([], "usage: ...\nerror: unknown --flag", Exit(cause="exited", exit_code=2))
    assert (outcome.ending, "--flag" in outcome.reason) == (Ending.FAILED, True)


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{", b"{}", b"\xff", b'{"type":"user"}', b'{"type":"assistant","message":7}']
)
def test_a_line_that_makes_no_sense_shows_nothing(line: bytes) -> None:
    """Whatever is in the stream, reading it raises nothing."""
    assert list(Api().events(line)) == []


def test_the_last_result_counts() -> None:
    """Lines that do not parse are skipped, and so is a line that only looks like a result."""
    lines = [
        b'{"type":"assistant","message":{"content":[{"type":"text","text":"{\\"type\\":\\"result\\"}"}]}}',
        b'{"type":"result","is_error":true,"error":"server_error","result":"first"}',
        b'{"type":"res',
        b'{"type":"result","is_error":false,"result":"last","session_id":"s"}',
    ]
    outcome = Api().outcome(lines, "", Exit(cause="exited", exit_code=0))
    assert (outcome.ending, outcome.summary, outcome.session) == (Ending.COMPLETED, "last", "s")
