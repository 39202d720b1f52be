"""A model that plans: answers as a scripted server gives them, and the planner over each kind of agent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gitorch.config import AgentSettings
from gitorch.flow.planning.model import ModelPlanner
from gitorch.rooms.context import RunContext
from gitorch.services.agents import run_context
from gitorch.services.open import open_workspace
from tests.support import real
from tests.support.model_server import ModelServer
from tests.support.planner import planned

REAL = pytest.mark.real_agents
KINDS = ["api", pytest.param("claude", marks=REAL), pytest.param("codex", marks=REAL)]


def task(name: str, *after: str, **fields: Any) -> dict[str, Any]:
    """Return a task as a model writes it, with something to check it by."""
    return planned(name, *after, **{"acceptance": ["it works"], **fields})


def answered(*tasks: dict[str, Any], reply: str = "First the schema, then the API.") -> dict[str, Any]:
    """Return the object that a model answers with."""
    return {"reply": reply, "tasks": list(tasks)}


GOOD = answered(task("schema"), task("api", "schema", role="backend-systems-engineer", paths=["src/**"]))
CYCLE = answered(task("schema", "api"), task("api", "schema"))


def settings_of(kind: str, server: ModelServer) -> AgentSettings:
    """Return the settings with which an agent of this kind asks `server`, once and no more."""
    if kind == "claude":
        return real.claude_settings(server)
    if kind == "codex":
        return real.codex_settings(server)
    env = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": real.KEY}
    return AgentSettings(kind="api", model="claude-sonnet-5", args=("--retries", "0"), env=env)


def context_of(repository: Path, folder: Path, **agents: AgentSettings) -> RunContext:
    """Return what planning is made with: a repository, and these agents in a sealed environment."""
    environment = {**real.sealed_environment(folder), "SECRET_OF_THE_USER": "hush"}
    context = run_context(open_workspace(repository, environment=environment))
    return msgspec.structs.replace(context, config=msgspec.structs.replace(context.config, agents=agents))


class Bench:
    """One kind of agent, one server, one repository."""

    def __init__(self, kind: str, repository: Path, folder: Path, server: ModelServer) -> None:
        self.kind = kind
        self.server = server
        self.context = context_of(repository, folder, **{kind: settings_of(kind, server)})

    def change(self, **fields: Any) -> None:
        """Change the agent's settings."""
        settings = msgspec.structs.replace(self.context.config.agents[self.kind], **fields)
        config = msgspec.structs.replace(self.context.config, agents={self.kind: settings})
        self.context = msgspec.structs.replace(self.context, config=config)

    def planner(self, *, seconds: float = 60.0) -> ModelPlanner:
        """Return the planner that asks this agent."""
        return ModelPlanner(self.context, self.kind, seconds=seconds)

    @property
    def kept(self) -> list[Path]:
        """What is left of the questions, in the state folder."""
        return sorted(self.context.folder.glob("questions/*"))


def scripted(folder: Path, body: str) -> AgentSettings:
    """Return a `claude` that is a Python script: its question is on standard input, its folder the current one."""
    program = folder / "claude-script"
    program.write_text(f"#!{sys.executable}\n{body}", "utf-8")
    program.chmod(0o755)
    return AgentSettings(kind="claude", path=str(program))
