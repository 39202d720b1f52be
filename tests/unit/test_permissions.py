"""The permission modes of agents: the arguments of each kind, what calls are allowed, what settings are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitorch.agents import AGENTS
from gitorch.agents.acp.permissions import Policy, allows
from gitorch.agents.protocol import Request
from gitorch.config import AgentSettings, Layer, combine
from gitorch.errors import InvalidInput
from gitorch.model import brief
from gitorch.model.roles import generalist
from tests.support.tasks import make_task

_CLAUDE_TOOLS = "EnterWorktree,ExitWorktree,CronCreate,ScheduleWakeup"
_WRITERS = "Edit,Write,NotebookEdit"
_OPEN = ("--permission-mode", "bypassPermissions", f"--disallowedTools={_CLAUDE_TOOLS}")

_FLAGS: list[tuple[str, str, bool, tuple[str, ...]]] = [
    ("claude", "worktree", False, _OPEN),
    ("claude", "full", True, _OPEN),
    ("claude", "readonly", False, ("--permission-mode", "dontAsk", f"--disallowedTools={_CLAUDE_TOOLS},{_WRITERS}")),
    (
        *("claude", "readonly", True),
        ("--permission-mode", "bypassPermissions", f"--disallowedTools={_CLAUDE_TOOLS},{_WRITERS}"),
    ),
    ("codex", "worktree", False, ("-s", "danger-full-access")),
    ("codex", "full", True, ("-s", "danger-full-access")),
    ("codex", "readonly", False, ("-s", "read-only")),
    ("codex", "readonly", True, ("-s", "danger-full-access")),
    ("api", "worktree", False, ()),
    ("api", "full", True, ()),
    ("api", "readonly", False, ("--tools", "read")),
    ("api", "readonly", True, ("--tools", "read-and-run")),
    ("acp", "worktree", True, ("--permissions", "worktree")),
    ("acp", "full", True, ("--permissions", "full")),
    ("acp", "readonly", False, ("--permissions", "readonly", "--look")),
    ("acp", "readonly", True, ("--permissions", "read-and-run", "--look")),
    ("command", "worktree", True, ()),
    ("command", "full", True, ()),
    ("command", "readonly", False, ("--look",)),
    ("command", "readonly", True, ("--look",)),
]


@pytest.mark.parametrize(("kind", "permissions", "protected", "flags"), _FLAGS)
def test_the_arguments_of_each_mode(
    kind: Any, permissions: Any, protected: bool, flags: tuple[str, ...], tmp_path: Path
) -> None:
    """What is shown is what is passed: these arguments are in the command line, and those of no other mode."""
    settings = AgentSettings(
        kind=kind,
        command=("program",),
        permissions=permissions,
        readonly_args=("--look",) if kind in ("acp", "command") else None,
    )
    request = Request(
        task="t", worktree=tmp_path, state_folder=tmp_path, brief=b"", brief_file="B", session="s", protected=protected
    )
    agent = AGENTS[kind]
    assert agent.permission_flags(settings, protected=protected) == flags
    argv = agent.launch(settings, request).argv
    for flag in flags:
        assert flag in argv
    named = {"--permission-mode", "--permissions", "--tools", "--look", "-s"}
    assert named.intersection(argv) == named.intersection(flags)


@pytest.mark.parametrize(
    ("call", "readonly", "with_commands"),
    [
        ({"kind": "read", "locations": [{"path": "a.txt"}]}, True, True),
        ({"kind": "search"}, True, True),
        ({"kind": "execute"}, False, True),
        ({"kind": "edit", "locations": [{"path": "a.txt"}]}, False, False),
        ({"kind": "delete"}, False, False),
        ({"kind": "switch_mode"}, False, False),
        ({"title": "a call without a kind"}, False, False),
        ({"kind": "read", "locations": [{"path": "/etc/passwd"}]}, False, False),
    ],
)
def test_a_reading_acp_agent_is_allowed_what_reads(
    call: dict[str, Any], readonly: bool, with_commands: bool, tmp_path: Path
) -> None:
    """Only calls that say they read are allowed, in the worktree; commands where a box protects the files."""
    policies: dict[Policy, bool] = {"readonly": readonly, "read-and-run": with_commands, "full": True}
    assert {policy: allows(policy, call, tmp_path) for policy in policies} == policies


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"kind": "command", "command": ["x"], "permissions": "readonly"}, "needs agents.mine.readonly_args"),
        ({"kind": "claude", "readonly_args": []}, "is for programs that gitorch does not know"),
        ({"kind": "claude", "permissions": "read"}, "readonly"),
    ],
)
def test_settings_that_mean_nothing_are_refused(table: dict[str, Any], words: str) -> None:
    """A program that only reads has to say how; a kind that gitorch knows needs no such arguments."""
    with pytest.raises(InvalidInput) as error:
        combine([Layer(origin="-c", settings={"agents": {"mine": table}})])
    assert words in " ".join((error.value.what, error.value.why))


def test_a_command_that_never_writes_needs_no_arguments() -> None:
    table = {"kind": "command", "command": ["x"], "permissions": "readonly", "readonly_args": []}
    combine([Layer(origin="-c", settings={"agents": {"mine": table}})])


def test_the_brief_of_a_reader_asks_for_an_answer() -> None:
    """It does not ask for commits, and nothing about checks."""
    text = brief.first_brief(
        make_task(id="t", number=1, title="t", prompt="Look."), generalist(), {"test": "pytest"}, reads_only=True
    )
    assert "you may only read" in text
    assert "Your last\nmessage is the whole result" in text
    assert "Commit your work" not in text
    assert "pytest" not in text
    assert "Commit" not in brief.reader_brief("And the tests?").replace("commit nothing", "")
