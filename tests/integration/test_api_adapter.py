"""The adapter of the `api` agent: how it is set up, and how its stream is read."""

from __future__ import annotations

import pytest

from gitorch.agents.api.adapter import Api
from gitorch.agents.api.requests import retry_after
from gitorch.agents.prices import Tokens as Tokens4, dollars, tokens_of
from gitorch.agents.protocol import Launch
from gitorch.config import AgentSettings
from gitorch.errors import InvalidInput, SetupNeeded
from gitorch.model.outcome import Exit, ExitReason
from tests.support.api import Place


def test_without_a_key_it_says_what_to_do() -> None:
    """A missing key is a setup error with the command that mends it; a present one is a version."""
    settings = AgentSettings(kind="api")
    for environment in ({"ANTHROPIC_API_KEY": "k"}, {"ANTHROPIC_AUTH_TOKEN": "t"}):
        assert Api().check_ready(settings, environment, ()).startswith("anthropic 2")
    for environment in ({}, {"ANTHROPIC_API_KEY": "  "}):
        with pytest.raises(SetupNeeded) as caught:
            Api().check_ready(settings, environment, ())
        assert (caught.value.code, caught.value.fix) == ("agent-login", ("export ANTHROPIC_API_KEY=...",))
    named = AgentSettings(kind="api", key={"env": "WORK_KEY"})
    assert Api().check_ready(named, {"WORK_KEY": "k"}, ())
    with pytest.raises(SetupNeeded, match="WORK_KEY must be set"):
        Api().check_ready(named, {"ANTHROPIC_API_KEY": "k"}, ())
    for wrong in ({"command": "pass show key"}, {"env": ""}):
        with pytest.raises(InvalidInput):
            Api().check_ready(AgentSettings(kind="api", key=wrong), {"ANTHROPIC_API_KEY": "k"}, ())


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
    """Session, resume, budget, the user's own arguments; and the brief comes by standard input."""
    request = place.request("x", session="s-1", resume=True, budget=1.5)
    launch: Launch = Api().launch(AgentSettings(kind="api", args=("--max-turns", "7")), request)
    given = list(launch.argv)
    assert given[1:4] == ["-P", "-m", "gitorch.agents.api.process"]
    assert launch.stdin == b"x"
    assert "--resume" in given
    assert given[-2:] == ["--max-turns", "7"]
    for flag, value in (("--session", "s-1"), ("--budget", "1.5"), ("--model", "claude-sonnet-5")):
        assert given[given.index(flag) + 1] == value


@pytest.mark.parametrize(
    ("ended", "ending"),
    [
        (Exit(cause="exited", exit_code=0), ExitReason.LOST),
        (Exit(cause="exited", exit_code=1), ExitReason.LOST),
        (Exit(cause="failed-to-start", message="no such file"), ExitReason.SETUP),
        (Exit(cause="timeout", signal=9), ExitReason.TIMED_OUT),
        (Exit(cause="idle", signal=9), ExitReason.STALLED),
        (Exit(cause="stopped", exit_code=143), ExitReason.STOPPED),
        (Exit(cause="lost"), ExitReason.LOST),
    ],
)
@pytest.mark.parametrize("lines", [[b"{}"], [b"", b"[]", b"{", b'{"type":"result","is_error":0}', b"\xff"]])
def test_without_a_final_event_nothing_is_a_success(ended: Exit, ending: ExitReason, lines: list[bytes]) -> None:
    """Whatever the exit code says, and whatever else is in the stream."""
    outcome = Api().outcome(lines, "Traceback\nValueError: x\n", ended)
    assert outcome.ending is ending
    assert outcome.reason


def test_a_process_that_said_nothing_but_an_error_failed() -> None:
    """A wrong argument, for example: the same call would fail again."""
    outcome = Api().outcome([], "usage: ...\nerror: unknown --flag", Exit(cause="exited", exit_code=2))
    assert (outcome.ending, "--flag" in outcome.reason) == (ExitReason.FAILED, True)


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
    assert (outcome.ending, outcome.summary, outcome.session) == (ExitReason.COMPLETED, "last", "s")
