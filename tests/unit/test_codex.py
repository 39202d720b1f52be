"""How the codex adapter reads streams: captured ones of the real program, and hand-made last lines."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from gitorch.agents.codex import adapter as module
from gitorch.agents.codex.adapter import Codex
from gitorch.agents.protocol import Agent, ProbeResult, Request
from gitorch.config import AgentSettings
from gitorch.errors import SetupNeeded
from gitorch.model.outcome import Event, Exit, ExitReason, Outcome

STREAMS = Path(__file__).parents[1] / "support" / "streams"
SETTINGS = AgentSettings(kind="codex", path="codex-of-the-tests")
NOON = datetime(2026, 11, 22, 12, 0).timestamp()
EXITED = Exit(cause="exited", exit_code=1, started=NOON, seconds=5.0)
STARTED = b'{"type":"thread.started","thread_id":"t-1"}\n{"type":"turn.started"}\n'.splitlines(keepends=True)

codex: Agent = Codex()


def captured(name: str) -> list[bytes]:
    """Return the lines of a captured stream."""
    return (STREAMS / f"codex-{name}.jsonl").read_bytes().splitlines(keepends=True)


def line(**fields: Any) -> bytes:
    """Return one line of a stream."""
    return json.dumps(fields).encode() + b"\n"


def failed(message: str) -> bytes:
    """Return a final line of a turn that failed."""
    return line(type="turn.failed", error={"message": message})


def said(text: str) -> bytes:
    """Return the event of the agent's words."""
    return line(type="item.completed", item={"id": "item_0", "type": "agent_message", "text": text})


def judged(*lines: bytes, stderr: str = "", ended: Exit = EXITED) -> Outcome:
    """Return the outcome of a stream."""
    return codex.outcome(lines, stderr, ended)


CAPTURED = [
    ("work", ExitReason.COMPLETED, ""),
    ("patch", ExitReason.COMPLETED, ""),
    ("400", ExitReason.FAILED, "scripted failure"),
    ("401", ExitReason.UNAUTHENTICATED, "unexpected status 401 Unauthorized"),
    ("500", ExitReason.TRANSIENT, "high demand"),
    ("503", ExitReason.TRANSIENT, "unexpected status 503"),
    ("429", ExitReason.LIMITED, "exceeded retry limit, last status: 429"),
    ("drop", ExitReason.TRANSIENT, "stream disconnected before completion"),
    ("usage-limit", ExitReason.LIMITED, "You\u2019ve hit your usage limit."),
    ("quota", ExitReason.UNAUTHENTICATED, "Quota exceeded."),
    ("context", ExitReason.TOO_LONG, "ran out of room"),
    ("policy", ExitReason.DECLINED, "this was flagged"),
    ("no-key", ExitReason.UNAUTHENTICATED, "Missing environment variable: `CODEX_API_KEY`."),
]


@pytest.mark.parametrize(("name", "ending", "reason"), CAPTURED, ids=[row[0] for row in CAPTURED])
@pytest.mark.parametrize("exit_code", [0, 1])
def test_captured_streams_end_as_the_table_says(name: str, ending: ExitReason, reason: str, exit_code: int) -> None:
    """The ending and its reason come from the final event, whatever the exit code is."""
    outcome = codex.outcome(captured(name), "", Exit(cause="exited", exit_code=exit_code))
    assert outcome.ending is ending
    assert reason in outcome.reason
    assert bool(outcome.reason) is (ending is not ExitReason.COMPLETED)
    assert len(outcome.session) == 36


def test_a_completed_run_tells_its_words_and_the_threads_usage() -> None:
    """Summary and tokens are told; dollars are not known."""
    outcome = codex.outcome(captured("work"), "", EXITED)
    assert outcome.summary == "Done: `a.txt` 🦀"
    assert outcome.usage is not None
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens, outcome.usage.usd) == (30, 15, None)


ENDINGS = [
    ("unexpected status 403 Forbidden: no, url: x", ExitReason.UNAUTHENTICATED),
    ("unexpected status 404 Not Found: no, url: x", ExitReason.FAILED),
    ("unexpected status 413 Payload Too Large: no", ExitReason.TOO_LONG),
    ("unexpected status 529 <unknown status code>: no", ExitReason.TRANSIENT),
    ("Selected model is at capacity. Please try a different model.", ExitReason.TRANSIENT),
    ("idle timeout waiting for SSE", ExitReason.TRANSIENT),
    ("invalid peer certificate: UnknownIssuer", ExitReason.TRANSIENT),
    ("The server had an error while processing your request. Sorry about that!", ExitReason.TRANSIENT),
    ("Conversation is still above the token limit after automatic summarization.", ExitReason.TOO_LONG),
    ("The 'gpt-5.1-codex' model has been deprecated", ExitReason.SETUP),
    ("The model `gpt-5-codex` has been retired. Use gpt-5.5.", ExitReason.SETUP),
    ("unexpected status 400: 'xhigh' is not supported with the 'gpt-5-mini' model", ExitReason.SETUP),
    ("The 'gpt-9' model is not supported when using Codex with a ChatGPT account.", ExitReason.SETUP),
    ("rate limit exceeded: slow down", ExitReason.LIMITED),
    ("To use Codex with your ChatGPT plan, upgrade to Plus: https://x", ExitReason.UNAUTHENTICATED),
    ("You\u2019ve hit your usage limit. Try again later.", ExitReason.LIMITED),
    ("Your access token could not be refreshed. Please log out and sign in again.", ExitReason.UNAUTHENTICATED),
    ("Your workspace is out of credits. Add credits to continue.", ExitReason.UNAUTHENTICATED),
    (
        "Your workspace is out of credits. Ask your workspace owner to refill in order to continue.",
        ExitReason.UNAUTHENTICATED,
    ),
    ("You hit your spend cap set by the owner of your workspace.", ExitReason.UNAUTHENTICATED),
    (
        "You\u2019ve hit your usage limit. Visit https://x to purchase more credits or try again at 2:00 PM.",
        ExitReason.LIMITED,
    ),
    ("The requested model 'gpt-0' does not exist.", ExitReason.SETUP),
    ("Input exceeds the maximum length of 1048576 characters.", ExitReason.TOO_LONG),
    (
        "stream disconnected before completion: Incomplete response returned, reason: max_output_tokens",
        ExitReason.TRANSIENT,
    ),
    ("", ExitReason.FAILED),
]


@pytest.mark.parametrize(("message", "ending"), ENDINGS)
def test_the_final_message_decides(message: str, ending: ExitReason) -> None:
    """All that the stream tells of the cause is the text."""
    outcome = judged(*STARTED, failed(message))
    assert outcome.ending is ending
    assert outcome.reason


def test_an_error_event_is_not_the_end() -> None:
    """A run that reconnected and recovered is completed."""
    retry = line(type="error", message="Reconnecting... 1/2 (unexpected status 503)")
    done = line(type="turn.completed", usage={"input_tokens": 3})
    assert judged(*STARTED, retry, said("ok"), done).ending is ExitReason.COMPLETED
    assert judged(*STARTED, retry).ending is ExitReason.LOST


RESETS = [
    ("or try again at 2:00 PM.", datetime(2026, 11, 22, 14, 1)),
    ("or try again at 12:05 AM.", datetime(2026, 11, 23, 0, 6)),
    ("or try again at 12:59 PM.", datetime(2026, 11, 22, 13, 0)),
    ("or try again at Nov 23rd, 2026 2:13 AM.", datetime(2026, 11, 23, 2, 14)),
    ("or try again at Dec 1st, 2026 11:59 PM.", datetime(2026, 12, 2, 0, 0)),
    ("or try again at Feb 31st, 2026 2:13 AM.", None),
    ("or try again at 25:00 PM.", None),
    ("or try again later.", None),
]


@pytest.mark.parametrize(("words", "moment"), RESETS)
def test_the_reset_time_is_read_as_local_time(words: str, moment: datetime | None) -> None:
    """Both forms are understood, rounded up to the minute; what is no time is None."""
    outcome = judged(*STARTED, failed(f"You\u2019ve hit your usage limit. Upgrade {words}"))
    assert outcome.ending is ExitReason.LIMITED
    assert outcome.resets_at == (moment.timestamp() if moment else None)


def test_only_a_limit_has_a_reset_time() -> None:
    """A time in another failure's text means nothing."""
    assert judged(*STARTED, failed("high demand, try again at 2:00 PM")).resets_at is None


STOPS = {"stopped": ExitReason.STOPPED, "timeout": ExitReason.TIMED_OUT, "idle": ExitReason.STALLED}


@pytest.mark.parametrize(("cause", "ending"), STOPS.items())
def test_a_stopped_run_keeps_its_session_and_last_words(cause: str, ending: ExitReason) -> None:
    """Without a final event, the cause of the exit is the ending."""
    outcome = judged(*STARTED, said("half way"), ended=Exit(cause=cause, signal=15))
    assert (outcome.ending, outcome.session, outcome.summary) == (ending, "t-1", "half way")


WAITS = [
    ("Reconnecting... 1/2 (exceeded retry limit, last status: 429 Too Many Requests)", ExitReason.LIMITED),
    ("Reconnecting... 1/2 (unexpected status 401 Unauthorized: no)", ExitReason.UNAUTHENTICATED),
    ("Reconnecting... waiting for network (Connection failed: error sending request)", ExitReason.TRANSIENT),
    ("Reconnecting... 2/5", ExitReason.TRANSIENT),
]


@pytest.mark.parametrize(("message", "ending"), WAITS)
def test_silence_while_waiting_for_the_service_is_the_services_trouble(message: str, ending: ExitReason) -> None:
    """Ended for its silence in the middle of retries, the run ends as what it was retrying."""
    retry = line(type="error", message=message)
    idle = Exit(cause="idle", signal=15)
    assert judged(*STARTED, retry, ended=idle).ending is ending
    assert judged(*STARTED, retry, said("on it"), ended=idle).ending is ExitReason.STALLED
    # gitorch stops an execution that waits for a login
    stopped = ending if ending is ExitReason.UNAUTHENTICATED else ExitReason.STOPPED
    assert judged(*STARTED, retry, ended=Exit(cause="stopped", signal=2)).ending is stopped


@pytest.mark.parametrize(("message", "ending"), WAITS)
def test_only_a_retry_with_a_refused_login_is_hopeless(message: str, ending: ExitReason) -> None:
    """The others may recover."""
    retry = line(type="error", message=message)
    assert codex.hopeless(retry) == (message if ending is ExitReason.UNAUTHENTICATED else "")
    assert codex.hopeless(said(message)) == ""


NOISE_LINES = (
    "Reading additional input from stdin...\n"
    "WARNING: proceeding, even though we could not create PATH aliases\n"
    "2026-11-22T14:46:33.235846Z  WARN codex_core: x\n"
)

SILENT = [
    ("error: unexpected argument '--nope' found\n", ExitReason.SETUP, "--nope"),
    ("Error: thread/resume failed: no rollout found for thread id x\n", ExitReason.NO_SESSION, "no rollout"),
    ("Not logged in\n", ExitReason.UNAUTHENTICATED, "Not logged in"),
]


@pytest.mark.parametrize(("stderr", "ending", "reason"), SILENT)
def test_words_on_standard_error_alone_are_the_reason(stderr: str, ending: ExitReason, reason: str) -> None:
    """Nothing on standard output: standard error tells, without the lines that are always there."""
    outcome = judged(stderr=NOISE_LINES + stderr)
    assert outcome.ending is ending
    assert reason in outcome.reason
    assert "Reading" not in outcome.reason
    assert judged(stderr=NOISE_LINES).ending is ExitReason.LOST


def test_lines_that_do_not_parse_are_skipped() -> None:
    """Half lines and other JSON neither end the reading nor raise."""
    done = line(type="turn.completed", usage={"input_tokens": 1e300, "output_tokens": True})
    outcome = judged(b"\xff{", b"[]\n", *STARTED, b'{"type":\n', done)
    assert outcome.ending is ExitReason.COMPLETED
    assert outcome.usage is not None
    assert outcome.usage.input_tokens == outcome.usage.output_tokens == 0


def test_events_are_readable() -> None:
    """A captured run reads as a list of what was said and done, commands without their shell."""
    events = [event for raw in captured("work") for event in codex.events(raw)]
    assert [event.kind for event in events] == ["text", "tool", "result", "tool", "result", "thinking", "text", "end"]
    assert events[1].text.startswith("printf 'one\\ntwo\\n' > a.txt && git add")
    assert events[2] == Event(kind="result", tool="shell", text="one\ntwo")
    changes = [event for raw in captured("patch") for event in codex.events(raw) if event.tool == "apply_patch"]
    assert changes[0].text == "add /scratch/tree/p.txt"


def test_a_retry_is_not_an_error() -> None:
    """Reconnecting and failing are events of different kinds."""
    [retry] = codex.events(line(type="error", message="Reconnecting... 1/2 (x)"))
    [error] = codex.events(line(type="error", message="boom"))
    assert (retry.kind, error.kind) == ("retry", "error")


SOME = st.text("a\n🦀\ud83d", max_size=4)
NOISE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | SOME,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SOME, inner, max_size=3),
    max_leaves=8,
)
ITEMS = st.fixed_dictionaries(
    {"type": st.sampled_from(["agent_message", "command_execution", "file_change", "mcp_tool_call", "error"])},
    optional=dict.fromkeys(("text", "command", "aggregated_output", "changes", "arguments", "message"), NOISE),
)
RECORDS = st.fixed_dictionaries(
    {"type": st.sampled_from(["thread.started", "item.started", "item.completed", "turn.completed", "turn.failed"])},
    optional={"item": ITEMS | NOISE, "usage": NOISE, "error": NOISE, "message": NOISE, "thread_id": NOISE},
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(RECORDS, max_size=5))
def test_no_stream_makes_the_reading_fail(rows: list[dict[str, Any]]) -> None:
    """Any JSON in any place gives an outcome and events that can be stored."""
    lines = [line(**row) for row in rows]
    assert msgspec.json.encode(judged(*lines))
    assert msgspec.json.encode([list(codex.events(raw)) for raw in lines])


def request(folder: Path, **changes: Any) -> Request:
    """Return a request for a first execution."""
    first = Request(
        task="t",
        worktree=folder / "tree",
        state_folder=folder / ".git" / "gitorch",
        brief=b"Do it.",
        brief_file="BRIEF",
        session="s-1",
    )
    return msgspec.structs.replace(first, **changes)


def test_the_command_line_is_unattended(tmp_path: Path) -> None:
    """The prompt comes by standard input; the user's arguments stand before what follows them."""
    chosen = msgspec.structs.replace(SETTINGS, model="m", args=("-c", "a=1"))
    launch = codex.launch(chosen, request(tmp_path, budget=2.5))
    assert launch.stdin == b"Do it."
    assert " ".join(launch.argv) == (
        f"codex-of-the-tests exec --json -C {tmp_path}/tree -s danger-full-access"
        " -c analytics.enabled=false -c features.plugins=false -m m -c a=1 -"
    )


def test_a_resumed_thread_is_named_after_the_options(tmp_path: Path) -> None:
    """`resume` takes neither the folder nor the sandbox: they stand before it."""
    argv = codex.launch(SETTINGS, request(tmp_path, resume=True)).argv
    assert argv[-3:] == ("resume", "s-1", "-")
    assert argv.index("-C") < argv.index("resume")


def install(folder: Path, *, beside: str | None) -> Path:
    """Lay out an npm installation and return the path of its command."""
    package = folder / "node_modules" / "@openai" / "codex"
    (package / "bin").mkdir(parents=True)
    (package / "bin" / "codex.js").write_text("#!/usr/bin/env node\n")
    (package / "bin" / "codex.js").chmod(0o755)
    if beside is not None:
        native = package / beside / "vendor" / module._triple() / "bin" / "codex"
        native.parent.mkdir(parents=True)
        native.touch(0o755)
    command = folder / "bin" / "codex"
    command.parent.mkdir()
    command.symlink_to(package / "bin" / "codex.js")
    return command


@pytest.mark.parametrize("beside", ["", "../codex-linux-x64", "node_modules/@openai/codex-linux-x64"])
def test_the_native_program_is_found_past_the_shim(beside: str, tmp_path: Path) -> None:
    """In each layout that package managers make, the program is the native file."""
    command = install(tmp_path, beside=beside)
    program = codex.probes(AgentSettings(kind="codex", path=str(command)))[0][0]
    assert os.path.samefile(program, next(tmp_path.rglob(f"vendor/{module._triple()}/bin/codex")))
    on_path = AgentSettings(kind="codex", env={"PATH": str(command.parent)})
    assert codex.probes(on_path)[0][0] == program


def test_without_a_native_program_the_shim_is_used(tmp_path: Path) -> None:
    """What cannot be found beside it is left to the shim to tell."""
    command = install(tmp_path, beside=None)
    assert codex.probes(AgentSettings(kind="codex", path=str(command)))[0][0] == str(command)
    assert codex.probes(SETTINGS)[0][0] == "codex-of-the-tests"


def probed(login: int | None = 1, version: int | None = 0) -> tuple[ProbeResult, ProbeResult]:
    """Return what came of the two probes."""
    return (
        ProbeResult(argv=("codex", "--version"), exit_code=version, stdout="codex-cli 0.169.0\n", stderr="broken"),
        ProbeResult(argv=("codex", "login", "status"), exit_code=login, stderr=NOISE_LINES + "Not logged in\n"),
    )


def provided(*settings: str) -> AgentSettings:
    """Return settings with these `-c` overrides."""
    return msgspec.structs.replace(SETTINGS, args=tuple(word for one in settings for word in ("-c", one)))


CUSTOM = ("model_provider=mine", 'model_providers.mine={name="x",base_url="http://x/v1",env_key="MY_KEY"}')
READY = [
    (SETTINGS, {}, 0),
    (SETTINGS, {"CODEX_API_KEY": "k"}, 1),
    (provided(*CUSTOM), {"MY_KEY": "k"}, 1),
    (provided('model_provider="mine"', 'model_providers.mine.base_url="http://x/v1"'), {}, 1),
]
NOT_READY = [
    (SETTINGS, {}, "Not logged in"),
    # Codex itself does not send it, unless `codex login` has stored it.
    (SETTINGS, {"OPENAI_API_KEY": "k"}, "Not logged in"),
    (provided(*CUSTOM), {"CODEX_API_KEY": "k"}, "MY_KEY"),
    (provided(*CUSTOM), {"MY_KEY": ""}, "MY_KEY"),
    (provided("model_provider=mine", "model_providers.mine.requires_openai_auth=true"), {}, "Not logged in"),
    (provided("model_provider=openai"), {}, "Not logged in"),
]


@pytest.mark.parametrize(("chosen", "environment", "login"), READY)
def test_a_login_or_the_providers_key_makes_it_ready(
    chosen: AgentSettings, environment: dict[str, str], login: int, tmp_path: Path
) -> None:
    """Whatever the configured provider needs is enough."""
    sealed = {"CODEX_HOME": str(tmp_path), **environment}
    assert codex.check_ready(chosen, sealed, probed(login)) == "0.169.0"


@pytest.mark.parametrize(("chosen", "environment", "why"), NOT_READY)
def test_what_the_provider_needs_is_named(
    chosen: AgentSettings, environment: dict[str, str], why: str, tmp_path: Path
) -> None:
    """Without it, the refusal tells what is missing."""
    with pytest.raises(SetupNeeded) as caught:
        codex.check_ready(chosen, {"CODEX_HOME": str(tmp_path), **environment}, probed())
    assert caught.value.code == "agent-login"
    assert why in caught.value.why


def test_the_providers_of_the_users_config_file_count(tmp_path: Path) -> None:
    """The file under HOME is read, and an argument wins over it, key by key."""
    (tmp_path / ".codex").mkdir()
    path = tmp_path / ".codex" / "config.toml"
    path.write_text('model_provider = "mine"\n[model_providers.mine]\nname = "x"\nenv_key = "MY_KEY"\n')
    sealed = {"HOME": str(tmp_path), "OTHER": "k"}
    with pytest.raises(SetupNeeded, match="not logged in"):
        codex.check_ready(SETTINGS, sealed, probed())
    assert codex.check_ready(provided('model_providers.mine.env_key="OTHER"'), sealed, probed()) == "0.169.0"


def test_a_config_file_that_does_not_parse_is_told(tmp_path: Path) -> None:
    """Codex would refuse to start with it: the refusal names the file."""
    (tmp_path / "config.toml").write_text("= nonsense")
    with pytest.raises(SetupNeeded) as caught:
        codex.check_ready(SETTINGS, {"CODEX_HOME": str(tmp_path)}, probed(0))
    assert str(tmp_path / "config.toml") in caught.value.why


@pytest.mark.parametrize("version", [None, 1])
def test_a_program_that_does_not_answer_is_missing(version: int | None) -> None:
    """A missing or broken program is `agent-missing`, with the command that installs it."""
    with pytest.raises(SetupNeeded) as caught:
        codex.check_ready(SETTINGS, {}, probed(0, version))
    assert (caught.value.code, caught.value.fix) == ("agent-missing", ("npm install -g @openai/codex",))
