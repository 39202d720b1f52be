"""Credentials of agents that are inside their sandbox although API keys stay outside, by their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from gitorch.agents import AGENTS
from gitorch.agents.codex.provider import model_provider
from gitorch.agents.key_service import key_service
from gitorch.config import AgentSettings
from gitorch.errors import SetupNeeded
from gitorch.model.credentials import key_variables
from gitorch.rooms.environment_variables import agent_environment, credentials
from gitorch.services import protection
from gitorch.services.agents import agents_needed
from gitorch.services.protection import Protection
from gitorch.services.workspace import Workspace

_PROVIDER_TOKENS = ("experimental_bearer_token", "http_headers")


def of_run(workspace: Workspace) -> Protection:
    """Return what confines the agents that the queue needs, with what they can read in their sandbox all the same."""
    found = protection.of_workspace(workspace)
    if not found.is_sandbox:
        return found
    configured, needed = workspace.config.agents, agents_needed(workspace)
    # any of them may be the one that is ready
    names = [name for name in configured if name in needed or not needed.keys() <= configured.keys()]
    return msgspec.structs.replace(found, readable=readable(workspace, names))


def readable(workspace: Workspace, agents: Iterable[str]) -> tuple[str, ...]:
    """Say of each agent what it can read in its sandbox and could send away: names alone, never a value."""
    sentences = []
    for name in agents:
        settings = workspace.config.agents[name]
        env = agent_environment(settings, AGENTS[settings.kind], workspace.environment)
        if names := [*_variables(settings, env), *_of_codex(settings, env)]:
            sentences.append(f"{name} can read these in its sandbox: {', '.join(names)}")
    return tuple(sentences)


def _variables(settings: AgentSettings, env: dict[str, str]) -> list[str]:
    try:
        service = key_service(settings, env)
    except (ValueError, SetupNeeded):  # another finding says so
        service = None
    outside = {*(service.variables if service else ()), *key_variables.CLAUDE, *key_variables.CODEX}
    return [name for name in credentials(env) if name not in outside]


def _of_codex(settings: AgentSettings, env: dict[str, str]) -> Iterator[str]:
    if settings.kind != "codex":
        return
    try:
        provider = model_provider(settings, env)[1]
    except SetupNeeded:
        return
    for key in _PROVIDER_TOKENS:
        if provider.get(key):
            yield f"{key} of codex's config.toml"
