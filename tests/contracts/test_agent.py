"""The contract of every kind of agent: arguments for a brief, events from a stream, an outcome from events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, strategies as st

from gitorch.agents import AGENTS
from gitorch.agents.protocol import Agent, ProbeResult, Request
from gitorch.config import AgentSettings
from gitorch.errors import SetupNeeded
from gitorch.model.outcome import EventKind, Exit, ExitReason, Outcome
from tests.support.scripted_agent import ScriptedAgent

EXITED = Exit(cause="exited", exit_code=0)
BRIEF = "Add a greeting; keep `;` and 🚀\n".encode()
BRIEF_FILE = "\0stdin\0"


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + b"\n"


MESSAGE = {"model": "m", "content": [{"type": "text", "text": "Done it."}], "usage": {"output_tokens": 3}}


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of agent with what its vendor defines: its settings, probe results, and a stream that completes.

    `has_final_event` says that only the stream's last event can mean success, whatever the exit code is.
    """

    agent: Agent
    settings: AgentSettings
    probed: tuple[ProbeResult, ...]
    environment: Mapping[str, str] = {}
    stream: tuple[bytes, ...]
    has_final_event: bool = True


def probed(*results: tuple[int | None, str]) -> tuple[ProbeResult, ...]:
    return tuple(ProbeResult(argv=("x",), exit_code=code, stdout=stdout, stderr="bad") for code, stdout in results)


KINDS = {
    "claude": Kind(
        agent=AGENTS["claude"],
        settings=AgentSettings(kind="claude", path="claude", args=("--extra",)),
        probed=probed((0, "2.1.0 (Claude Code)"), (0, '{"loggedIn": true}')),
        stream=(
            line(type="system", subtype="init", session_id="s-1"),
            line(type="assistant", message=MESSAGE),
            line(type="result", subtype="success", is_error=False, result="Done it.", session_id="s-1", num_turns=1),
        ),
    ),
    "codex": Kind(
        agent=AGENTS["codex"],
        settings=AgentSettings(kind="codex", path="codex", args=("--extra",)),
        probed=probed((0, "codex-cli 0.170.0"), (0, "")),
        stream=(
            line(type="thread.started", thread_id="s-1"),
            line(type="item.completed", item={"type": "agent_message", "text": "Done it."}),
            line(type="turn.completed", usage={"input_tokens": 1, "output_tokens": 3}),
        ),
    ),
    "api": Kind(
        agent=AGENTS["api"],
        settings=AgentSettings(kind="api", args=("--max-turns", "7")),
        probed=(),
        environment={"ANTHROPIC_API_KEY": "key"},
        stream=(
            line(type="system", subtype="init", session_id="s-1"),
            line(type="assistant", message=MESSAGE, session_id="s-1"),
            line(type="result", subtype="success", is_error=False, result="Done it.", session_id="s-1", num_turns=1),
        ),
    ),
    "acp": Kind(
        agent=AGENTS["acp"],
        settings=AgentSettings(kind="acp", command=("sh", "-c", "x"), args=("--extra",)),
        probed=(),
        stream=(
            line(type="system", subtype="init", session_id="s-1"),
            line(type="message", text="Done it."),
            line(type="result", is_error=False, stop_reason="end_turn", result="Done it.", session_id="s-1"),
        ),
    ),
    "command": Kind(
        agent=AGENTS["command"],
        settings=AgentSettings(kind="command", command=("sh", "-c", "cat {prompt_file}"), args=("--extra",)),
        probed=(),
        stream=(b"Working\n", b"Done it.\n"),
        has_final_event=False,
    ),
    "scripted": Kind(
        agent=ScriptedAgent(),
        settings=AgentSettings(kind="command", path="script", args=("--extra",)),
        probed=probed((0, "1.0\n")),
        stream=(line(type="use", tool="shell"), line(type="say", text="Done it."), line(type="done", session="s-1")),
    ),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def request_in(folder: Path, **changes: Any) -> Request:
    first = Request(
        task="greet",
        worktree=folder / "tree",
        state_folder=folder / "state",
        brief=BRIEF,
        brief_file=BRIEF_FILE,
        session="11111111-1111-4111-8111-111111111111",
    )
    return msgspec.structs.replace(first, **changes)


def test_it_says_whether_it_can_work(kind: Kind) -> None:
    """With good probe results it returns its version; with bad ones it says what to do, as a `SetupNeeded`."""
    assert len(kind.agent.probes(kind.settings)) == len(kind.probed)
    version = kind.agent.check_ready(kind.settings, {"PATH": "/usr/bin:/bin", **kind.environment}, kind.probed)
    assert version == version.strip()
    missing = [msgspec.structs.replace(result, exit_code=None) for result in kind.probed]
    settings = msgspec.structs.replace(kind.settings, command=("no-such-program",) if kind.settings.command else ())
    with pytest.raises(SetupNeeded) as error:
        kind.agent.check_ready(settings, {"PATH": "/usr/bin:/bin"}, missing)
    assert error.value.code in ("agent-missing", "agent-login")


def test_the_brief_reaches_the_program(kind: Kind, tmp_path: Path) -> None:
    """It is the standard input, byte for byte; an argument can name it as a file, and none contains it."""
    launch = kind.agent.launch(kind.settings, request_in(tmp_path))
    assert launch.stdin == BRIEF
    assert all("greeting" not in word for word in launch.argv)
    assert all("\0" not in word.replace(BRIEF_FILE, "") for word in launch.argv)


def test_the_users_arguments_are_passed_on(kind: Kind, tmp_path: Path) -> None:
    """What the configuration adds is on the command line, as it is."""
    argv = kind.agent.launch(kind.settings, request_in(tmp_path)).argv
    assert set(kind.settings.args) <= set(argv)


def test_no_key_is_on_the_command_line(kind: Kind, tmp_path: Path) -> None:
    """Every process can read the arguments of every other: keys are passed in the environment."""
    settings = msgspec.structs.replace(
        kind.settings, env={"ANTHROPIC_API_KEY": "sk-secret", "CODEX_API_KEY": "sk-secret"}
    )
    assert "sk-secret" not in " ".join(kind.agent.launch(settings, request_in(tmp_path)).argv)


def test_a_session_is_resumed(kind: Kind, tmp_path: Path) -> None:
    """A resumable kind names the session that it continues; another kind starts the same way each time."""
    first = kind.agent.launch(kind.settings, request_in(tmp_path)).argv
    resumed = kind.agent.launch(kind.settings, request_in(tmp_path, resume=True)).argv
    assert (first != resumed) == kind.agent.resumable
    assert ("11111111-1111-4111-8111-111111111111" in resumed) == kind.agent.resumable


def test_a_complete_stream(kind: Kind) -> None:
    """It has completed, with its last message, and, where there are sessions, the id to resume with."""
    outcome = kind.agent.outcome(kind.stream, "", EXITED)
    assert (outcome.ending, outcome.reason) == (ExitReason.COMPLETED, "")
    assert outcome.summary.endswith("Done it.")
    assert outcome.session == ("s-1" if kind.agent.resumable else "")
    assert kind.agent.outcome(iter(kind.stream), "", EXITED) == outcome


def test_a_stream_without_its_end_is_no_success(kind: Kind) -> None:
    """An exit code of 0 is not enough for a kind whose stream has a final event."""
    outcome = kind.agent.outcome(kind.stream[:-1], "", EXITED)
    assert (outcome.ending is ExitReason.COMPLETED) != kind.has_final_event


ENDS: list[tuple[Exit, set[ExitReason]]] = [
    (Exit(cause="lost", message="its supervisor was killed"), {ExitReason.LOST}),
    (Exit(cause="stopped", message="enough", signal=2), {ExitReason.STOPPED}),
    (Exit(cause="timeout", signal=9), {ExitReason.TIMED_OUT}),
    (Exit(cause="idle", signal=9), {ExitReason.STALLED}),
    (Exit(cause="exited", exit_code=1), {ExitReason.LOST, ExitReason.FAILED}),
    (Exit(cause="exited", signal=11), {ExitReason.LOST, ExitReason.FAILED}),
]


@pytest.mark.parametrize(("result", "endings"), ENDS, ids=[repr(result) for result, _ in ENDS])
def test_an_execution_that_was_cut_off(kind: Kind, result: Exit, endings: set[ExitReason]) -> None:
    """How the process ended decides, a reason is given, and what the agent said is kept."""
    outcome = kind.agent.outcome(kind.stream[:-1], "some trouble", result)
    assert outcome.ending in endings
    assert outcome.reason
    assert "\n" not in outcome.reason


def test_events_are_for_a_person(kind: Kind) -> None:
    """The stream as events contains what the agent said; every kind of event is one of the closed set."""
    events = [event for raw in kind.stream for event in kind.agent.events(raw)]
    assert "Done it." in [event.text for event in events]
    assert {event.kind for event in events} <= set(get_args(EventKind))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TYPES = [
    "system",
    "assistant",
    "result",
    "thread.started",
    "item.completed",
    "turn.completed",
    "say",
    "done",
    "update",
    "usage",
    "x",
]
FIELDS = [
    "message",
    "item",
    "usage",
    "result",
    "is_error",
    "error",
    "session_id",
    "text",
    "session",
    "content",
    "update",
    "usd",
    "code",
]
RECORDS = st.builds(
    lambda kind, fields: json.dumps({"type": kind, **fields}).encode(),
    st.sampled_from(TYPES),
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4),
)


@given(st.lists(RECORDS | st.binary(max_size=30), max_size=4))
def test_no_stream_breaks_the_reading(lines: list[bytes]) -> None:
    """Whatever a stream contains, there is an outcome and there are events, and both can be stored."""
    for kind in KINDS.values():
        outcome = kind.agent.outcome(lines, "", EXITED)
        assert msgspec.json.decode(msgspec.json.encode(outcome), type=Outcome) == outcome
        assert msgspec.json.encode([event for raw in lines for event in kind.agent.events(raw)])
