"""How the claude adapter reads streams: captured ones of the real program, and hand-made last lines."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from gitorch.agents.claude.adapter import Claude
from gitorch.agents.protocol import Agent, ProbeResult, Request
from gitorch.config import AgentSettings
from gitorch.errors import SetupNeeded
from gitorch.model.outcome import Event, Exit, ExitReason, Outcome

STREAMS = Path(__file__).parents[1] / "support" / "streams"
SETTINGS = AgentSettings(kind="claude", path="claude")
EXITED = Exit(cause="exited", exit_code=0, started=1.0)
INIT = b'{"type":"system","subtype":"init","session_id":"s-1"}\n'

claude: Agent = Claude()


def captured(name: str) -> list[bytes]:
    """Return the lines of a captured stream."""
    return (STREAMS / f"claude-{name}.jsonl").read_bytes().splitlines(keepends=True)


def line(**fields: Any) -> bytes:
    """Return one line of a stream."""
    return json.dumps(fields).encode() + b"\n"


def failed(text: str, status: int | None = None, **fields: Any) -> bytes:
    """Return a final line of a run that failed."""
    return line(
        type="result",
        subtype="success",
        is_error=True,
        api_error_status=status,
        result=text,
        session_id="s-1",
        **fields,
    )


def synthetic(error: str) -> bytes:
    """Return the assistant event that goes before a failure."""
    return line(type="assistant", error=error, message={"model": "<synthetic>", "content": []})


def judged(*lines: bytes, stderr: str = "", ended: Exit = EXITED) -> Outcome:
    """Return the outcome of a stream."""
    return claude.outcome(lines, stderr, ended)


CAPTURED = [
    ("work", ExitReason.COMPLETED, ""),
    ("denied", ExitReason.COMPLETED, ""),
    ("subagent", ExitReason.COMPLETED, ""),
    ("turns", ExitReason.EXHAUSTED, "Reached maximum number of turns (2)"),
    ("budget", ExitReason.EXHAUSTED, "Reached maximum budget ($1)"),
    ("400", ExitReason.FAILED, "API Error: 400 scripted failure"),
    ("401", ExitReason.UNAUTHENTICATED, "Failed to authenticate. API Error: 401 scripted failure"),
    ("403", ExitReason.UNAUTHENTICATED, "Failed to authenticate. API Error: 403 scripted failure"),
    ("404", ExitReason.SETUP, "issue with the selected model"),
    ("413", ExitReason.TOO_LONG, "Request too large"),
    ("429", ExitReason.LIMITED, "Request rejected (429)"),
    ("500", ExitReason.TRANSIENT, "API Error: 500 scripted failure"),
    ("529", ExitReason.TRANSIENT, "API Error: 529 scripted failure"),
    ("drop", ExitReason.TRANSIENT, "Connection dropped (ECONNRESET)"),
    ("refusal", ExitReason.DECLINED, "can't help with this"),
    ("limit", ExitReason.LIMITED, "You've hit your 5-hour limit"),
    ("logged-out", ExitReason.UNAUTHENTICATED, "Not logged in"),
]


@pytest.mark.parametrize(("name", "ending", "reason"), CAPTURED, ids=[row[0] for row in CAPTURED])
@pytest.mark.parametrize("exit_code", [0, 1])
def test_captured_streams_end_as_the_table_says(name: str, ending: ExitReason, reason: str, exit_code: int) -> None:
    """The ending and its reason come from the final event, whatever the exit code is."""
    outcome = claude.outcome(captured(name), "", Exit(cause="exited", exit_code=exit_code))
    assert outcome.ending is ending
    assert reason in outcome.reason
    assert bool(outcome.reason) is (ending is not ExitReason.COMPLETED)
    assert len(outcome.session) == 36


def test_a_completed_run_tells_its_words_and_usage() -> None:
    """Summary, dollars, tokens and turns are those of the final event."""
    outcome = claude.outcome(captured("work"), "", EXITED)
    assert outcome.summary == "Done: `a.txt` 🦀"
    assert outcome.usage is not None
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens, outcome.usage.turns) == (30, 15, 3)
    assert outcome.usage.usd == pytest.approx(0.000525)


def test_what_subagents_used_counts() -> None:
    """Tokens are those of the whole run, as the dollars are; without the models' tables, those that are told."""
    outcome = claude.outcome(captured("subagent"), "", EXITED)
    assert outcome.usage is not None
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (120, 110)
    usage = {"input_tokens": 1, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 4, "output_tokens": 8}
    plain = judged(line(type="result", subtype="success", is_error=False, usage=usage)).usage
    assert plain is not None
    assert (plain.input_tokens, plain.cached_tokens, plain.output_tokens) == (7, 4, 8)


def test_only_what_an_execution_adds_to_its_session_counts() -> None:
    """Since 2.1.332 the tables and dollars of a resumed session are its totals, and a process may print two results."""
    added = {"model_usage_since_last_result": {"opus": {"inputTokens": 10, "outputTokens": 5, "costUSD": 0.5}}}
    totals = {"modelUsage": {"opus": {"inputTokens": 900, "outputTokens": 90, "costUSD": 9.0}}, "total_cost_usd": 9.0}
    result = line(type="result", subtype="success", is_error=False, num_turns=2, **added, **totals)
    usage = judged(result, result).usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.usd, usage.turns) == (20, 10, 1.0, 4)


def test_refused_tool_calls_are_told() -> None:
    """A run that ends well although it was refused a tool says which call."""
    assert claude.outcome(captured("denied"), "", EXITED).denials == ("Bash: touch b.txt",)


def test_the_reset_time_of_a_limit_is_the_services_own() -> None:
    """`resets_at` is the rate_limit_event's number, and only for LIMITED."""
    assert claude.outcome(captured("limit"), "", EXITED).resets_at == 1800000000
    assert claude.outcome(captured("429"), "", EXITED).resets_at is None


def test_a_warning_before_a_good_end_is_no_limit() -> None:
    """A limit that was only near leaves no trace in the outcome."""
    near = line(
        type="rate_limit_event", rate_limit_info={"status": "allowed_warning", "resetsAt": 5, "utilization": 0.9}
    )
    outcome = judged(INIT, near, line(type="result", subtype="success", is_error=False, result="ok"))
    assert (outcome.ending, outcome.resets_at) == (ExitReason.COMPLETED, None)


ENDINGS = [
    ([failed("Credit balance is too low", 400)], [synthetic("billing_error")], ExitReason.UNAUTHENTICATED),
    ([failed("Prompt is too long", 400, terminal_reason="prompt_too_long")], [], ExitReason.TOO_LONG),
    ([failed("API Error: 503", 503)], [synthetic("server_error")], ExitReason.TRANSIENT),
    ([failed("Repeated 529 Overloaded errors")], [synthetic("overloaded")], ExitReason.TRANSIENT),
    ([failed("Repeated 529 Overloaded errors")], [], ExitReason.TRANSIENT),
    ([failed("Request timed out")], [synthetic("unknown")], ExitReason.TRANSIENT),
    ([failed("API Error: Failed to parse JSON")], [synthetic("unknown")], ExitReason.TRANSIENT),
    ([failed("Organization not allowed", 403)], [synthetic("oauth_org_not_allowed")], ExitReason.UNAUTHENTICATED),
    ([failed("too many output tokens")], [synthetic("max_output_tokens")], ExitReason.LOST),
    ([line(type="result", subtype="success", is_error=False, stop_reason="max_tokens")], [], ExitReason.LOST),
    ([failed("You're out of usage credits", 429)], [synthetic("rate_limit")], ExitReason.UNAUTHENTICATED),
    ([failed("You've hit your monthly spend limit", 429)], [synthetic("rate_limit")], ExitReason.UNAUTHENTICATED),
    ([failed("Reached", terminal_reason="budget_exhausted")], [], ExitReason.EXHAUSTED),
    ([failed("something new", 418)], [synthetic("new_word")], ExitReason.FAILED),
    ([failed("something new")], [], ExitReason.FAILED),
    ([failed("Invalid API key · Please run /login")], [], ExitReason.UNAUTHENTICATED),
    ([failed("OAuth token has expired. Please obtain a new token.")], [], ExitReason.UNAUTHENTICATED),
    ([failed("This organization has been disabled.")], [], ExitReason.UNAUTHENTICATED),
    ([failed('API Error: 403 {"error":{"type":"forbidden","message":"no"}}')], [], ExitReason.UNAUTHENTICATED),
    ([failed('API Error: 500 {"type":"error","error":{"type":"api_error"}}')], [], ExitReason.TRANSIENT),
    ([failed('API Error: 429 {"error":{"type":"rate_limit_error"}}')], [], ExitReason.LIMITED),
    ([failed("You've hit your weekly limit · resets 5pm (UTC)")], [], ExitReason.LIMITED),
    ([failed("Prompt is too long")], [], ExitReason.TOO_LONG),
    ([failed("There's an issue with the selected model (x). It may not exist.")], [], ExitReason.SETUP),
    ([failed("API Error: 400 no")], [], ExitReason.FAILED),
    (
        [line(type="result", subtype="error_max_budget_usd", is_error=True, errors=["Reached"])],
        [],
        ExitReason.EXHAUSTED,
    ),
    ([line(type="result", subtype="error_during_execution", is_error=True)], [], ExitReason.FAILED),
    (
        [line(type="result", subtype="error_during_execution", is_error=True, terminal_reason="aborted_tools")],
        [],
        ExitReason.STOPPED,
    ),
    ([line(type="result", subtype="success")], [], ExitReason.FAILED),
]


@pytest.mark.parametrize(("last", "before", "ending"), ENDINGS)
def test_the_final_event_decides(last: list[bytes], before: list[bytes], ending: ExitReason) -> None:
    """`subtype: success` and exit code 0 are never enough: `is_error` has to be false."""
    assert judged(INIT, *before, *last).ending is ending


TEXTS = [
    ("Limit reached \u00b7 resets 5pm (Etc/Unknown) \u00b7 /upgrade to Max", ExitReason.LIMITED),
    ("5-hour limit reached \u2219 resets 3am", ExitReason.LIMITED),
    ("You've reached your Opus limit. Resets 1pm (UTC)", ExitReason.LIMITED),
    ("You've used 100% of your session limit", ExitReason.LIMITED),
    ("Your limit resets tomorrow at 3am", ExitReason.LIMITED),
    ("API Error (us.anthropic.sonnet): 403 The security token in the request is expired", ExitReason.UNAUTHENTICATED),
    ("Your account has been disabled after an automatic review.", ExitReason.UNAUTHENTICATED),
    ("OAuth session expired and could not be refreshed", ExitReason.UNAUTHENTICATED),
    ("API Error: 407 no", ExitReason.SETUP),
    ("configuration file at /home/u/.claude.json is corrupted", ExitReason.SETUP),
    ("API Error: unable to respond, which appears to violate our Usage Policy", ExitReason.DECLINED),
    ("API Error: fetch failed", ExitReason.TRANSIENT),
    ("API Error: getaddrinfo ENOTFOUND api.example.org", ExitReason.TRANSIENT),
    ("API Error: getaddrinfo EAI_AGAIN api.example.org", ExitReason.TRANSIENT),
    ("API Error: read ECONNRESET", ExitReason.TRANSIENT),
    ("API Error: connect ECONNREFUSED 127.0.0.1:8080", ExitReason.TRANSIENT),
    ("API Error: terminated", ExitReason.TRANSIENT),
    ("API Error: Request was aborted.", ExitReason.TRANSIENT),
    ("API Error: unable to get local issuer certificate", ExitReason.TRANSIENT),
    ("API Error: 400 due to tool use concurrency issues.", ExitReason.FAILED),
]


@pytest.mark.parametrize(("text", "ending"), TEXTS)
def test_the_text_decides_where_no_code_came(text: str, ending: ExitReason) -> None:
    """Gateways, and versions of the program, pass on only words."""
    assert judged(INIT, failed(text, None)).ending is ending


def test_the_last_result_counts() -> None:
    """A `result` in the middle is not the end, and what follows the last one changes nothing."""
    good = line(type="result", subtype="success", is_error=False, result="second")
    after = line(type="system", subtype="task_notification")
    assert judged(INIT, failed("first", 500), good, after).summary == "second"
    assert judged(INIT, good, failed("API Error", 500)).ending is ExitReason.TRANSIENT


def test_an_error_that_was_overcome_does_not_colour_the_end() -> None:
    """The kind of the failure is that of the last assistant event, and a subagent's failure is its own."""
    fine = line(type="assistant", message={"content": [{"type": "text", "text": "on it"}]})
    sub = line(type="assistant", error="authentication_failed", parent_tool_use_id="toolu_1", message={"content": []})
    assert (
        judged(INIT, synthetic("rate_limit"), fine, sub, failed("API Error: 500", 500)).ending is ExitReason.TRANSIENT
    )


STOPS = [
    ("stopped", ExitReason.STOPPED, "stopped"),
    ("timeout", ExitReason.TIMED_OUT, "time limit reached"),
    ("idle", ExitReason.STALLED, "silent for too long"),
]


@pytest.mark.parametrize(("cause", "ending", "reason"), STOPS)
def test_a_stopped_run_says_why(cause: str, ending: ExitReason, reason: str) -> None:
    """Without a final event, the cause of the exit is the ending; the last words are kept."""
    said = line(type="assistant", message={"content": [{"type": "text", "text": "half way"}]})
    outcome = judged(INIT, said, ended=Exit(cause=cause, signal=15))
    assert (outcome.ending, outcome.reason) == (ending, reason)
    assert (outcome.summary, outcome.session) == ("half way", "s-1")


def test_work_that_was_done_before_the_stop_is_done() -> None:
    """A good final event counts, also when the process had to be ended afterwards."""
    good = line(type="result", subtype="success", is_error=False, result="ok")
    assert judged(INIT, good, ended=Exit(cause="stopped", signal=9)).ending is ExitReason.COMPLETED


RETRIES = [
    ("rate_limit", 429, ExitReason.LIMITED),
    ("authentication_failed", 401, ExitReason.UNAUTHENTICATED),
    ("unknown", None, ExitReason.TRANSIENT),
]


@pytest.mark.parametrize(("error", "status", "ending"), RETRIES)
def test_silence_while_waiting_for_the_service_is_the_services_trouble(
    error: str, status: int | None, ending: ExitReason
) -> None:
    """Ended for its silence in the middle of retries, the run ends as what it was retrying."""
    retry = line(type="system", subtype="api_retry", attempt=2, max_retries=10, error_status=status, error=error)
    outcome = judged(INIT, retry, ended=Exit(cause="idle", signal=15))
    assert outcome.ending is ending
    assert "attempt 2 of 10" in outcome.reason
    said = line(type="assistant", message={"content": [{"type": "text", "text": "on it"}]})
    assert judged(INIT, retry, said, ended=Exit(cause="idle", signal=15)).ending is ExitReason.STALLED


LOST = [
    (Exit(cause="exited", exit_code=0), "exit code 0"),
    (Exit(cause="exited", signal=9), "signal 9"),
    (Exit(cause="lost"), "lost"),
]


@pytest.mark.parametrize(("ended", "reason"), LOST)
def test_a_stream_without_an_end_is_lost(ended: Exit, reason: str) -> None:
    """Exit code 0 without a final event is not success."""
    outcome = judged(INIT, ended=ended)
    assert outcome.ending is ExitReason.LOST
    assert reason in outcome.reason
    assert judged(ended=ended).ending is ExitReason.LOST


SILENT = [
    ("error: unknown option '--nope'", ExitReason.SETUP),
    ("Error: claude native binary not installed.", ExitReason.SETUP),
    ("claude: error while loading shared libraries: libc.so.6: file too short", ExitReason.SETUP),
    ("Error: Session ID x is already in use.", ExitReason.FAILED),
    ("Not logged in · Please run /login", ExitReason.UNAUTHENTICATED),
    ("bwrap: execvp claude: No such file or directory", ExitReason.SETUP),
    ("sh: 1: claude: not found", ExitReason.SETUP),
    ("env: 'node': No such file or directory", ExitReason.SETUP),
]


@pytest.mark.parametrize(("stderr", "ending"), SILENT)
def test_words_on_standard_error_alone_are_the_reason(stderr: str, ending: ExitReason) -> None:
    """Nothing on standard output: standard error tells."""
    outcome = judged(stderr=stderr + "\n", ended=Exit(cause="exited", exit_code=1))
    assert (outcome.ending, outcome.reason) == (ending, stderr)


def test_what_could_not_be_started_failed() -> None:
    """A program that did not start says so."""
    outcome = judged(ended=Exit(cause="failed-to-start", message="no such file"))
    assert (outcome.ending, outcome.reason) == (ExitReason.SETUP, "no such file")


def test_lines_that_do_not_parse_are_skipped() -> None:
    """Half lines, other JSON, deep nesting and half emoji neither end the reading nor raise."""
    deep = b'{"type":"assistant","message":{"content":' + b"[" * 100_000 + b"]" * 100_000 + b"}}\n"
    good = b'{"type":"result","subtype":"success","is_error":false,"result":"half \\ud83d emoji \xff"}\n'
    outcome = judged(INIT, b"\x00\xff{", b"[1]\n", b"null\n", b'{"type":', deep, b"\n", good)
    assert outcome.ending is ExitReason.COMPLETED
    assert outcome.summary == "half ? emoji \ufffd"
    assert msgspec.json.encode(outcome)


HOPELESS = [
    (401, "authentication_failed", "authentication_failed (401), attempt 1 of 10"),
    (403, "authentication_failed", "authentication_failed (403), attempt 1 of 10"),
    (429, "rate_limit", ""),
    (529, "overloaded", ""),
    (None, "unknown", ""),
]


@pytest.mark.parametrize(("status", "error", "reason"), HOPELESS)
def test_a_retry_with_a_refused_login_is_hopeless(status: int | None, error: str, reason: str) -> None:
    """The first retry tells, and the interrupted execution is one that is not logged in."""
    retry = line(type="system", subtype="api_retry", attempt=1, max_retries=10, error_status=status, error=error)
    assert claude.hopeless(retry) == reason
    assert claude.hopeless(line(type="assistant", message={"content": [{"text": "api_retry 401"}]})) == ""
    aborted = line(type="result", subtype="error_during_execution", is_error=True, terminal_reason="aborted_streaming")
    outcome = judged(INIT, retry, aborted, ended=Exit(cause="stopped", exit_code=0, message="stop"))
    assert (outcome.ending is ExitReason.UNAUTHENTICATED) is bool(reason)


def test_a_session_that_is_gone_is_told_apart() -> None:
    """It is started afresh."""
    text = "No conversation found with session ID: s-1"
    final = line(type="result", subtype="error_during_execution", is_error=True, errors=[text])
    assert judged(final).ending is ExitReason.NO_SESSION
    assert judged(stderr=text, ended=Exit(cause="exited", exit_code=1)).ending is ExitReason.NO_SESSION


def test_the_text_tells_when_a_limit_resets_where_no_event_does() -> None:
    """An event without a time, as for a limit whose time has passed, leaves the text."""
    noon = Exit(cause="exited", exit_code=1, started=1795348800.0)
    final = failed("You've hit your limit \u00b7 resets 2:13pm (UTC)", 429)
    assert judged(INIT, synthetic("rate_limit"), final, ended=noon).resets_at == 1795348800.0 + 134 * 60


def test_a_question_of_the_tool_for_questions_is_read() -> None:
    """With its answers; that the tool was denied is no denied tool call."""
    asked = {"questions": [{"question": "Which one?", "options": [{"label": "A"}, {"label": "B"}]}]}
    call = line(
        type="assistant", message={"content": [{"type": "tool_use", "name": "AskUserQuestion", "input": asked}]}
    )
    denial = {"tool_name": "AskUserQuestion", "tool_use_id": "1", "tool_input": asked}
    final = line(type="result", subtype="success", is_error=False, result="ok", permission_denials=[denial])
    outcome = judged(INIT, call, final)
    assert (outcome.question, outcome.denials) == ("Which one? (A, B)", ())


def test_events_are_readable() -> None:
    """A captured run reads as a list of what was said and done."""
    events = [event for raw in captured("work") for event in claude.events(raw)]
    assert events[0] == Event(kind="text", text="I add it.")
    assert (events[1].kind, events[1].tool) == ("tool", "Bash")
    assert "git commit -qm 'Add a'" in events[1].text
    assert events[2] == Event(kind="result", text="one\ntwo")
    assert [event.kind for event in events[3:]] == ["tool", "result", "thinking", "text", "end"]
    assert events[5].text == "Let me think."


def test_events_tell_limits_retries_and_errors() -> None:
    """What went wrong is an event of its own kind."""
    kinds = [event.kind for raw in captured("limit") for event in claude.events(raw)]
    assert kinds == ["limit", "error", "end"]
    retries = [event for raw in captured("500") for event in claude.events(raw) if event.kind == "retry"]
    assert retries == [Event(kind="retry", text="server_error (500), attempt 1 of 1")]


def test_a_long_result_is_shown_by_its_first_lines() -> None:
    """An event never carries a whole file."""
    content = [{"type": "tool_result", "content": [{"type": "text", "text": "x" * 10_000 + "\n" + "y\n" * 5000}]}]
    [event] = claude.events(line(type="user", message={"content": content}))
    assert len(event.text) < 2000


SOME = st.text("a\n🦀\ud83d", max_size=4)
NOISE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | SOME,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SOME, inner, max_size=3),
    max_leaves=8,
)
KEYS = (
    "subtype",
    "message",
    "content",
    "error",
    "result",
    "usage",
    "errors",
    "rate_limit_info",
    "permission_denials",
    "modelUsage",
    "model_usage_since_last_result",
)
TYPES = ("assistant", "user", "system", "result", "rate_limit_event", "stream_event", "new")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(TYPES), st.dictionaries(st.sampled_from(KEYS), NOISE)), max_size=5))
def test_no_stream_makes_the_reading_fail(rows: list[tuple[str, dict[str, Any]]]) -> None:
    """Any JSON in any place gives an outcome and events that can be stored."""
    lines = [line(type=kind, **fields) for kind, fields in rows]
    assert msgspec.json.encode(judged(*lines))
    assert msgspec.json.encode([list(claude.events(raw)) for raw in lines])


def request(folder: Path, **changes: Any) -> Request:
    """Return a request for a first execution."""
    first = Request(
        task="t",
        worktree=folder / "tree",
        state_folder=folder / ".git" / "gitorch",
        brief=b"Do it.",
        brief_file="BRIEF",
        session="11111111-1111-4111-8111-111111111111",
    )
    return msgspec.structs.replace(first, **changes)


def test_the_command_line_is_unattended(tmp_path: Path) -> None:
    """The prompt comes by standard input, the session's id from outside, the user's arguments last."""
    chosen = msgspec.structs.replace(SETTINGS, model="m", args=("--add-dir", "x y"))
    launch = claude.launch(chosen, request(tmp_path, budget=2.5))
    text = " ".join(launch.argv)
    assert launch.stdin == b"Do it."
    assert launch.argv[-2:] == ("--add-dir", "x y")
    assert "-p --output-format stream-json --verbose --permission-mode bypassPermissions" in text
    assert "--session-id 11111111-1111-4111-8111-111111111111 --model m --max-budget-usd 2.500000" in text
    assert launch.env["CLAUDE_CODE_DISABLE_AUTO_MEMORY"] == "1"
    assert ("IS_SANDBOX" in launch.env) is (os.geteuid() == 0)


def test_a_resumed_session_is_named_and_nothing_else_is_added(tmp_path: Path) -> None:
    """`--resume` replaces `--session-id`; without a model and a budget, neither is named."""
    argv = claude.launch(SETTINGS, request(tmp_path, resume=True)).argv
    assert argv[-2:] == ("--resume", "11111111-1111-4111-8111-111111111111")
    assert not {"--session-id", "--model", "--max-budget-usd"} & set(argv)


def test_a_surrounding_sessions_state_is_not_passed_on() -> None:
    """No pattern of the allow-list matches what claude sets for its own children."""
    for name in ("CLAUDECODE", "CLAUDE_CODE_SESSION_ID", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SSE_PORT"):
        assert not any(name == entry or (entry[-1] == "*" and name.startswith(entry[:-1])) for entry in Claude.pass_env)


def probed(status: str, exit_code: int | None = 1, version: int | None = 0) -> tuple[ProbeResult, ProbeResult]:
    """Return what came of the two probes."""
    return (
        ProbeResult(argv=("claude", "--version"), exit_code=version, stdout="2.1.197 (Claude Code)\n", stderr="broken"),
        ProbeResult(argv=("claude", "auth", "status"), exit_code=exit_code, stdout=status),
    )


def test_a_login_is_believed() -> None:
    """The program's own word makes it ready, and so does a key in the environment it will get."""
    assert claude.check_ready(SETTINGS, {}, probed('{\n  "loggedIn": true\n}\n', 0)) == "2.1.197"
    assert claude.check_ready(SETTINGS, {"ANTHROPIC_API_KEY": "k"}, probed('{"loggedIn": false}')) == "2.1.197"


@pytest.mark.parametrize("status", ['{"loggedIn": false}', '{"loggedIn": "yes"}', "Logged in", ""])
def test_anything_else_is_no_login(status: str) -> None:
    """What is not a plain yes is a no, with the commands that mend it."""
    with pytest.raises(SetupNeeded) as caught:
        claude.check_ready(SETTINGS, {"ANTHROPIC_API_KEY": ""}, probed(status))
    assert (caught.value.code, caught.value.fix[0]) == ("agent-login", "claude  (then /login)")


@pytest.mark.parametrize("version", [None, 1])
def test_a_program_that_does_not_answer_is_missing(version: int | None) -> None:
    """A missing or broken program is `agent-missing`, with the command that installs it."""
    with pytest.raises(SetupNeeded) as caught:
        claude.check_ready(SETTINGS, {}, probed('{"loggedIn": true}', 0, version))
    assert caught.value.code == "agent-missing"
    assert caught.value.fix == ("npm install -g @anthropic-ai/claude-code",)
