"""Configurations for planning: no model at all, or a `claude` on a scripted server; and what a model says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support import claude_stub
from tests.support.cli import OBEDIENT
from tests.support.model_server import Brain, ModelRequest, ModelServer, Say, Tokens, Turn

NO_MODEL = f"""{OBEDIENT}
[agents.claude]
kind = "claude"
path = "/nonexistent/claude"
[agents.codex]
kind = "codex"
path = "/nonexistent/codex"
"""
MODEL = "claude-sonnet-5"
STUB = Path(claude_stub.__file__)


def with_model(server: ModelServer) -> str:
    """Return a configuration in which only a stand-in for `claude` can be asked, and asks the scripted server."""
    return f"""{OBEDIENT}
[agents.codex]
kind = "codex"
path = "/nonexistent/codex"
[agents.claude]
kind = "claude"
path = "{STUB}"
env = {{ ANTHROPIC_BASE_URL = "{server.url}", ANTHROPIC_API_KEY = "sk-scripted" }}
"""


def planned(name: str, *after: str, **fields: Any) -> dict[str, Any]:
    """Return a task as a model writes it, every field of the schema filled in."""
    return {
        "id": name,
        "title": f"Do {name}",
        "prompt": f"Write {name} 🦀, with `tests`.",
        "role": "",
        "agent": "",
        "priority": "normal",
        "after": list(after),
        "paths": [],
        "acceptance": [],
        "size": "small",
        **fields,
    }


def says(*tasks: dict[str, Any], reply: str = "First the schema, then the API.") -> Say:
    """Return the turn in which a model answers with a plan."""
    return Say(json.dumps({"reply": reply, "tasks": tasks}), tokens=Tokens(input=1200, output=300))


def one_by_one(*turns: Turn) -> Brain:
    """Return a brain that plays `turns`, one for each request; the last one repeats."""
    left = list(turns)

    def brain(_request: ModelRequest) -> Turn:
        return left.pop(0) if len(left) > 1 else left[0]

    return brain
