"""A person's configuration for planning: no model at all, or the API agent on a scripted server; and a model's words."""

from __future__ import annotations

import json
from typing import Any

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


def with_model(server: ModelServer) -> str:
    """Return a configuration in which only the API agent can be asked, and its key belongs to the scripted server."""
    return f"""{NO_MODEL}
[agents.api]
kind = "api"
model = "{MODEL}"
args = ["--retries", "0"]
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
