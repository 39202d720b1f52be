"""Who does the work: one module for each kind of agent; no git, no tasks."""

from gitorch.agents.api import Api
from gitorch.agents.claude import Claude
from gitorch.agents.codex import Codex
from gitorch.agents.command import Command
from gitorch.agents.protocol import Agent

AGENTS: dict[str, Agent] = {
    "claude": Claude(),
    "codex": Codex(),
    "api": Api(),
    "command": Command(),
}
"""Each kind of agent, by the word that `kind` in the configuration uses."""
