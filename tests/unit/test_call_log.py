"""What codex's own log says about its calls, read while it is written."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitorch.agents import AGENTS, CALL_LOGS
from gitorch.config import AgentSettings, PriceSettings
from gitorch.flow.attempt.call_log import CallLogReader
from gitorch.flow.attempt.metering import Meter, logged_usage
from gitorch.model.outcome import Usage

SESSION = "01a22729-046e-7db3-9a7a-e320a49c20c1"
START = 1_795_953_330.0
STREAM = [json.dumps({"type": "thread.started", "thread_id": SESSION}).encode(), b'{"type":"turn.started"}']
PRICES = PriceSettings(input=1_000.0, output=10_000.0, cached=100.0)


def record(name: str, at: float, output: int) -> bytes:
    """Return a line of the log: a call of 1,000 tokens, of which 500 were cached."""
    usage = {"input_tokens": 1_000, "cached_input_tokens": 500, "output_tokens": output, "total_tokens": 9}
    payload = {"response_id": name, "usage": usage, "thread_token_usage": {"input_tokens": 10**9}}
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"timestamp": moment, "type": "token_usage_record", "payload": payload}).encode() + b"\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the log of a session, in the folder of its day; another session has one beside it."""
    day = tmp_path / "codex" / "sessions" / "2026" / "11" / "29"
    day.mkdir(parents=True)
    (day / "rollout-2026-11-29T11-00-00-01a22729-0000-7db3-9a7a-e320a49c20c1.jsonl").write_bytes(record("x", START, 1))
    file = day / f"rollout-2026-11-29T11-54-56-{SESSION}.jsonl"
    file.write_bytes(b'{"type":"session_meta"}\n' + record("earlier", START - 60, 999))
    return file


def reader(tmp_path: Path, started: float | None = START) -> CallLogReader:
    return CallLogReader(CALL_LOGS["codex"], {"CODEX_HOME": str(tmp_path / "codex")}, lambda: started)


def add(log: Path, content: bytes) -> None:
    with log.open("ab") as file:
        file.write(content)


def test_codex_is_stopped_at_its_budget_between_two_calls(log: Path, tmp_path: Path) -> None:
    """Each call counts once, when it is logged; earlier executions of the session do not count, and half lines wait."""
    published: list[Usage] = []
    settings = AgentSettings(kind="codex", prices=PRICES)
    meter = Meter(AGENTS["codex"], settings, budget=3.0, publish=published.append, log=reader(tmp_path))
    assert [meter.judge(line) for line in STREAM] == ["", ""]
    assert meter.judge_log() == ""
    assert published == []
    first, second = record("a", START + 1, 100), record("b", START + 2, 100)
    add(log, first + second[:40])
    assert meter.judge_log() == ""
    assert [usage.usd for usage in published] == [1.55]
    add(log, second[40:])
    assert meter.judge_log() == "its budget of $3.00 is used up"
    assert (meter.usage and meter.usage.usd, meter.usage and meter.usage.turns) == (3.1, 2)
    assert meter.judge_log() == "its budget of $3.00 is used up"
    assert len(published) == 2


def test_an_ended_execution_is_counted_call_by_call(log: Path, tmp_path: Path) -> None:
    """The log says what an interrupted turn used, which the stream does not."""
    add(log, record("a", START + 1, 100) + record("b", START + 2, 50) + b"not json\n")
    settings = AgentSettings(kind="codex")
    usage = logged_usage(AGENTS["codex"], settings, reader(tmp_path), STREAM)
    assert usage == Usage(input_tokens=2_000, cached_tokens=1_000, output_tokens=150, turns=2)
    assert logged_usage(AGENTS["codex"], settings, reader(tmp_path, None), STREAM) is None
    assert logged_usage(AGENTS["codex"], settings, reader(tmp_path / "elsewhere"), STREAM) is None
    assert logged_usage(AGENTS["codex"], settings, reader(tmp_path), []) is None
    assert logged_usage(AGENTS["claude"], settings, None, STREAM) is None


@pytest.mark.parametrize("session", ["../../../etc/passwd", "*", "", "x" * 100])
def test_a_session_of_the_stream_is_no_path(session: str, log: Path, tmp_path: Path) -> None:
    assert log.exists()
    assert CALL_LOGS["codex"].find({"CODEX_HOME": str(tmp_path / "codex")}, session) is None


def test_what_an_agent_puts_in_place_of_its_log_is_not_opened(log: Path, tmp_path: Path) -> None:
    """A link and a FIFO are no logs, and no folder behind a link is searched."""
    environment = {"HOME": str(tmp_path / "home")}
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".codex").symlink_to(tmp_path / "codex")
    found = CALL_LOGS["codex"].find(environment, SESSION)
    assert found is not None
    calls = CallLogReader(CALL_LOGS["codex"], environment, lambda: START)
    calls.see(STREAM[0])
    assert calls.new_calls() == []
    content = log.read_bytes() + record("a", START + 1, 1)
    log.unlink()
    os.mkfifo(log)
    assert calls.new_calls() == []
    assert CALL_LOGS["codex"].find(environment, SESSION) is None
    log.unlink()
    (tmp_path / "kept").write_bytes(content)
    log.symlink_to(tmp_path / "kept")
    assert calls.new_calls() == []
    log.unlink()
    log.parent.rename(tmp_path / "day")
    log.parent.symlink_to(tmp_path / "day")
    assert CALL_LOGS["codex"].find(environment, SESSION) is None
