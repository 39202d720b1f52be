"""The ACP adapter on values: how errors are read, what is permitted, and what a stream says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gitorch.agents.acp.adapter import Acp
from gitorch.agents.acp.memory import SessionMemory, recall, remember
from gitorch.agents.acp.permissions import allows, chosen, outside, question
from gitorch.agents.acp.updates import Updates
from gitorch.agents.inbox import READ_SUFFIX, Inbox
from gitorch.agents.protocol import Request
from gitorch.config import AgentSettings
from gitorch.model.naming import TaskId
from gitorch.model.outcome import Exit, ExitReason
from gitorch.rooms.mailbox import Mailboxes

EXITED = Exit(cause="exited", exit_code=1)
RACE = (
    "Codex process has exited with code 1:\nWARNING: proceeding, even though we could not create PATH aliases\n"
    "Error: failed to initialize sqlite state runtime under /h/.codex"
)


def end(**fields: Any) -> bytes:
    return json.dumps({"type": "result", "is_error": True, "session_id": "s", **fields}).encode()


@pytest.mark.parametrize(
    ("fields", "ending"),
    [
        ({"phase": "start", "result": "x: No such file"}, ExitReason.SETUP),
        ({"phase": "initialize", "result": "the agent ended with exit code 2"}, ExitReason.SETUP),
        ({"phase": "initialize", "code": 1001, "result": RACE}, ExitReason.TRANSIENT),
        ({"phase": "authenticate", "result": "Invalid params"}, ExitReason.UNAUTHENTICATED),
        ({"phase": "session", "code": -32000, "result": "Authentication required"}, ExitReason.UNAUTHENTICATED),
        ({"phase": "prompt", "code": -32000, "result": "Authentication required"}, ExitReason.UNAUTHENTICATED),
        ({"phase": "load", "code": -32002, "result": "Resource not found"}, ExitReason.NO_SESSION),
        ({"phase": "model", "result": "no model x"}, ExitReason.SETUP),
        ({"phase": "ended", "result": "the agent ended with signal 9"}, ExitReason.LOST),
        ({"phase": "stopped", "result": "the agent did not end its turn"}, ExitReason.STOPPED),
        ({"phase": "prompt", "code": 429, "result": "Rate limit exceeded. Try again later"}, ExitReason.LIMITED),
        ({"phase": "prompt", "code": 401, "result": "no"}, ExitReason.UNAUTHENTICATED),
        ({"phase": "prompt", "code": 503, "result": "no"}, ExitReason.TRANSIENT),
        (
            {"phase": "prompt", "code": -32603, "result": "Internal error: API Error 529 Overloaded"},
            ExitReason.TRANSIENT,
        ),
        (
            {
                "phase": "prompt",
                "code": -32603,
                "result": "Internal error: You've hit your limit · resets 2:13am (UTC)",
            },
            ExitReason.LIMITED,
        ),
        ({"phase": "prompt", "code": -32603, "result": "Credit balance is too low"}, ExitReason.UNAUTHENTICATED),
        ({"phase": "prompt", "code": -32603, "result": "prompt is too long"}, ExitReason.TOO_LONG),
        ({"phase": "prompt", "code": -32603, "result": "fetch failed"}, ExitReason.TRANSIENT),
        ({"phase": "prompt", "code": -32603, "result": "Internal error"}, ExitReason.FAILED),
        ({"is_error": False, "stop_reason": "end_turn"}, ExitReason.COMPLETED),
        ({"is_error": False, "stop_reason": "max_tokens"}, ExitReason.LOST),
        ({"is_error": False, "stop_reason": "max_turn_requests"}, ExitReason.EXHAUSTED),
        ({"is_error": False, "stop_reason": "refusal"}, ExitReason.DECLINED),
        ({"is_error": False, "stop_reason": "cancelled"}, ExitReason.STOPPED),
        ({"is_error": False, "stop_reason": "cancelled", "question": "May it?"}, ExitReason.COMPLETED),
        ({"is_error": False, "stop_reason": "of next year"}, ExitReason.LOST),
    ],
)
def test_each_end_has_its_reason(fields: dict[str, Any], ending: ExitReason) -> None:
    outcome = Acp().outcome([end(**fields)], "", EXITED)
    assert outcome.ending is ending
    assert bool(outcome.reason) == (ending is not ExitReason.COMPLETED)
    assert bool(outcome.resets_at) == ("resets" in fields.get("result", ""))


def test_what_a_program_prints_that_does_not_speak_the_protocol_is_the_reason() -> None:
    final = end(phase="initialize", result="the agent ended with exit code 2")
    outcome = Acp().outcome([final], "usage: x\nunknown option: --acp\n", EXITED)
    assert outcome.reason == "the agent ended with exit code 2: unknown option: --acp"


def test_the_last_words_of_a_program_that_died_are_the_reason() -> None:
    """Warnings before them would leave no room for why it ended."""
    final = end(phase="initialize", code=1001, result=RACE)
    outcome = Acp().outcome([final], "[APP-SERVER EXIT] {}\n", EXITED)
    assert outcome.reason == (
        "Codex process has exited with code 1: Error: failed to initialize sqlite state runtime under /h/.codex"
    )


def test_a_stopped_execution_is_no_failure_of_the_agent() -> None:
    final = end(is_error=False, stop_reason="cancelled")
    stopped = Exit(cause="stopped", message="the run ends")
    assert Acp().outcome([final], "", stopped).reason == "the run ends"
    assert Acp().outcome([final], "", Exit(cause="timeout")).ending is ExitReason.TIMED_OUT


@pytest.mark.parametrize(
    ("call", "paths"),
    [
        ({"locations": [{"path": "a.txt"}, {"path": "{tree}/b/c.txt"}]}, []),
        ({"locations": [{"path": "../other/a.txt"}]}, ["../other/a.txt"]),
        ({"locations": [{"path": "link/passwd"}]}, ["link/passwd"]),
        ({"content": [{"type": "diff", "path": "/etc/hosts"}]}, ["/etc/hosts"]),
        ({"rawInput": {"file_path": "{tree}-2/a"}}, ["{tree}-2/a"]),
        ({"kind": "execute", "rawInput": {"command": "rm -rf /"}}, []),
        ({}, []),
    ],
)
def test_paths_outside_of_the_worktree_are_known(tmp_path: Path, call: dict[str, Any], paths: list[str]) -> None:
    """A command has no paths: the sandbox confines it. A link in the worktree leads where it leads."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to("/etc")
    call = json.loads(json.dumps(call).replace("{tree}", str(tree)))
    assert outside(call, tree) == [path.replace("{tree}", str(tree)) for path in paths]
    assert allows("worktree", call, tree) == (not paths)
    assert allows("full", call, tree)
    assert all(path.replace("{tree}", str(tree)) in question(call, tree) for path in paths)


def test_a_question_names_each_place_once(tmp_path: Path) -> None:
    """Some agents name the file in the title of the call."""
    call = {"title": "Write /etc/x", "locations": [{"path": "/etc/x"}, {"path": "/etc/y"}]}
    start = "May it do this outside of its worktree: "
    assert question(call, tmp_path) == f"{start}Write /etc/x (/etc/y)?"
    assert question({**call, "locations": [{"path": "/etc/x"}]}, tmp_path) == f"{start}Write /etc/x?"


def test_an_option_for_this_once_is_chosen() -> None:
    options = [
        {"optionId": "A", "kind": "allow_always"},
        {"optionId": "a", "kind": "allow_once"},
        {"optionId": "R", "kind": "reject_always"},
    ]
    assert [chosen(options, allowed=allowed) for allowed in (True, False)] == ["a", "R"]
    assert chosen(options[:1], allowed=False) == ""


def test_a_stream_has_whole_texts_and_whole_calls() -> None:
    """Nothing of the history of a loaded session; pieces of a text are one; a cost is this execution's own."""
    lines: list[dict[str, Any]] = []
    updates = Updates(lines.append)
    updates.add({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "history"}})
    updates.begin(0.5)
    for text in ("Hello, ", "world."):
        updates.add({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}})
    call = {"sessionUpdate": "tool_call", "toolCallId": "1", "title": "Run", "kind": "execute"}
    updates.add({**call, "rawInput": {"command": "git push"}})
    result = [{"type": "content", "content": {"type": "text", "text": "done"}}]
    updates.add({"sessionUpdate": "tool_call_update", "toolCallId": "1", "status": "completed", "content": result})
    updates.add({"sessionUpdate": "usage_update", "used": 1, "size": 2, "cost": {"amount": 0.75, "currency": "USD"}})
    updates.add({"sessionUpdate": "usage_update", "used": 1, "size": 2, "cost": {"amount": 9, "currency": "EUR"}})
    updates.add({"sessionUpdate": "of_next_year"})
    raw = [json.dumps(line).encode() for line in lines]
    shown = [(event.kind, event.tool, event.text) for line in raw for event in Acp().events(line)]
    assert shown == [("text", "", "Hello, world."), ("tool", "execute", "git push"), ("result", "execute", "done")]
    assert lines[-1]["update"]["sessionUpdate"] == "of_next_year"
    calls = [metered for line in raw if (metered := Acp().metered(line))]
    assert [metered.usage.usd for metered in calls] == [0.25]
    updates.begin(2.0)  # an agent that counts from zero again after a resume
    updates.add({"sessionUpdate": "usage_update", "cost": {"amount": 0.1, "currency": "USD"}})
    assert updates.usd == 0.1


def test_a_call_is_shown_when_its_input_is_known() -> None:
    """An adapter of claude announces each call without one; a call that ends before it is known is shown, too."""
    lines: list[dict[str, Any]] = []
    updates = Updates(lines.append)
    updates.begin(0.0)
    for name in ("1", "2"):
        bare = {"sessionUpdate": "tool_call", "toolCallId": name, "title": "Terminal", "kind": "execute"}
        updates.add({**bare, "rawInput": {}})
    update = {"sessionUpdate": "tool_call_update", "toolCallId": "1"}
    updates.add({**update, "rawInput": {"command": "git push"}})
    updates.add({**update, "status": "in_progress"})
    updates.add({**update, "status": "completed"})
    updates.add({**update, "toolCallId": "2", "status": "failed"})
    shown = [(event.kind, event.text) for line in lines for event in Acp().events(json.dumps(line).encode())]
    assert shown == [("tool", "git push"), ("result", ""), ("tool", "Terminal"), ("error", "")]


def test_only_a_yes_grants_what_was_rejected(tmp_path: Path) -> None:
    request = Request(
        task="t", worktree=tmp_path, state_folder=tmp_path, brief=b"", brief_file="x", session="s", resume=True
    )
    settings = AgentSettings(kind="acp", command=("agent",))

    def is_granted(answer: str, *, resume: bool = True) -> bool:
        changed = msgspec.structs.replace(request, answer=answer, resume=resume)
        return "--granted" in Acp().launch(settings, changed).argv

    assert [is_granted(answer) for answer in ("yes", "Yes, do it.", "OK", "allow")] == [True] * 4
    assert [is_granted(answer) for answer in ("", "no", "yesterday", "not ok", "use ./build")] == [False] * 5
    assert not is_granted("yes", resume=False)


def test_a_session_is_remembered_whatever_its_name_is(tmp_path: Path) -> None:
    memory = SessionMemory(rejected=("x",), usd=0.5)
    for name in ("../../etc/x", "a/b", "ü" * 400):
        remember(tmp_path / "acp", name, memory)
        assert recall(tmp_path / "acp", name) == memory
    assert recall(tmp_path / "acp", "other") == SessionMemory()
    for file in (tmp_path / "acp").iterdir():
        file.write_text("{")
    assert recall(tmp_path / "acp", "a/b") == SessionMemory()


def test_a_message_is_passed_on_once(tmp_path: Path) -> None:
    """Also by a later process of the attempt; a new attempt starts with none."""
    mailboxes = Mailboxes()
    file = mailboxes.open(TaskId("t"), tmp_path)
    inbox = Inbox({"GITORCH_CONFLICTS": str(file)})
    assert inbox.next_message() == ""
    file.write_text("# Intro\n\n## a: A\nüber\n")
    assert "## a: A\nüber" in inbox.next_message()
    assert inbox.next_message() == ""
    file.write_text("# Intro\n\n## a: A\nüber\n\n## b: B\nlines\n")
    second = Inbox({"GITORCH_CONFLICTS": str(file)}).next_message()
    assert "## b: B" in second
    assert "## a: A" not in second
    assert file.with_name(file.name + READ_SUFFIX).exists()
    mailboxes.open(TaskId("t"), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert Inbox({}).next_message() == ""
