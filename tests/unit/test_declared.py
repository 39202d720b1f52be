"""How a command agent ended, by exit codes and result files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gitorch.agents.declared import declared_outcome
from gitorch.config import DeclaredOutcome, parse
from gitorch.config.combine import combine
from gitorch.errors import InvalidInput
from gitorch.flow.attempt.results import clear_results, read_result, result_file
from gitorch.model.outcome import Exit, ExitReason, Outcome, Usage

FAILED = Outcome(ending=ExitReason.FAILED, reason="exit code 41: no key", summary="log")
DONE = Outcome(ending=ExitReason.COMPLETED, summary="log")


def exited(code: int, cause: str = "exited") -> Exit:
    return Exit(cause=cause, exit_code=code)


@pytest.mark.parametrize(
    ("code", "declared", "ending", "reason"),
    [
        (41, "not logged in", ExitReason.UNAUTHENTICATED, FAILED.reason),
        (41, "setup", ExitReason.SETUP, FAILED.reason),
        (41, "refused", ExitReason.DECLINED, f"refused: {FAILED.reason}"),
        (41, "limited", ExitReason.LIMITED, FAILED.reason),
        (41, "out of budget", ExitReason.EXHAUSTED, f"out of budget: {FAILED.reason}"),
        (41, "crashed", ExitReason.LOST, FAILED.reason),
        (41, "failed", ExitReason.FAILED, FAILED.reason),
        (41, "finished", ExitReason.COMPLETED, ""),
        (40, "finished", ExitReason.FAILED, FAILED.reason),
    ],
)
def test_exit_codes(code: int, declared: DeclaredOutcome, ending: ExitReason, reason: str) -> None:
    """The reason names an outcome that nothing else would name where people see it."""
    outcome = declared_outcome(FAILED, {"41": declared}, exited(code), None)
    assert (outcome.ending, outcome.reason) == (ending, reason)


def test_a_result_file_names_its_own_outcome_and_reason() -> None:
    """Not that of the exit code in front of it."""
    rules: dict[str, DeclaredOutcome] = {"41": "refused"}
    content = b'{"outcome": "out of budget"}'
    outcome = declared_outcome(FAILED, rules, exited(41), content)
    assert (outcome.ending, outcome.reason) == (ExitReason.EXHAUSTED, f"out of budget: {FAILED.reason}")
    outcome = declared_outcome(FAILED, rules, exited(41), b'{"reason": "no secrets"}')
    assert (outcome.ending, outcome.reason) == (ExitReason.DECLINED, "no secrets")


def test_a_stopped_program_does_not_declare_its_outcome() -> None:
    """Time limits and requests to stop hold, whatever it wrote before."""
    content = b'{"outcome": "finished"}'
    assert declared_outcome(FAILED, {"0": "finished"}, exited(0, "timeout"), content) is FAILED


def test_a_result_file_counts_more_than_the_exit_code() -> None:
    content = {
        "outcome": "limited",
        "reason": "60 requests an hour",
        "resets_at": "2026-11-29T03:00:00+01:00",
        "summary": "half done",
        "usage": {"usd": 0.5, "input_tokens": 7},
        "later": 1,
    }
    outcome = declared_outcome(DONE, {"0": "refused"}, exited(0), json.dumps(content).encode())
    assert outcome == Outcome(
        ending=ExitReason.LIMITED,
        reason="60 requests an hour",
        summary="half done",
        resets_at=1_795_917_600.0,
        usage=Usage(usd=0.5, input_tokens=7, turns=1),
    )
    asked = declared_outcome(DONE, {}, exited(0), b'{"outcome": "asked", "question": "Which?"}')
    assert (asked.ending, asked.question, asked.summary) == (ExitReason.COMPLETED, "Which?", "log")
    assert declared_outcome(DONE, {}, exited(0), b"{}").ending is ExitReason.COMPLETED


@pytest.mark.parametrize("content", [b"", b"[", b'{"outcome": "great"}', b'{"usage": 3}', b"\xff"])
def test_a_result_file_that_is_not_valid_is_no_success(content: bytes) -> None:
    outcome = declared_outcome(DONE, {}, exited(0), content)
    assert outcome.ending is ExitReason.FAILED
    assert outcome.reason.startswith("its result file is not valid: ")


def test_a_result_file_is_read_without_following_links(tmp_path: Path) -> None:
    """A link to a valid result is none, a pipe does not block, and a result of an earlier attempt is removed."""
    good = tmp_path / "good"
    good.write_bytes(b'{"outcome": "finished"}')
    folder = tmp_path / "room"
    folder.mkdir()
    assert read_result(folder, 1) is None
    result_file(folder, 1).symlink_to(good)
    assert read_result(folder, 1) == b""
    os.mkfifo(result_file(folder, 2))
    assert read_result(folder, 2) == b""
    result_file(folder, 3).write_bytes(b"{}")
    assert read_result(folder, 3) == b"{}"
    clear_results(folder)
    assert read_result(folder, 1) is None
    assert read_result(folder, 3) is None
    assert good.exists()


@pytest.mark.parametrize("codes", ['{ "x" = "failed" }', '{ "256" = "failed" }', '{ "1" = "great" }'])
def test_rules_that_mean_nothing_are_refused(codes: str) -> None:
    text = f'[agents.mine]\nkind = "command"\ncommand = ["x"]\nexit_codes = {codes}\n'
    with pytest.raises(InvalidInput, match="exit_codes"):
        combine([parse(text, "config")])
