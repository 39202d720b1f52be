"""Who does the work: one module for each kind of agent; no git, no tasks."""

from gitorch.agents.api import Api
from gitorch.agents.api_question import ApiQuestions
from gitorch.agents.claude import Claude
from gitorch.agents.claude_question import ClaudeQuestions
from gitorch.agents.codex import Codex
from gitorch.agents.codex_question import CodexQuestions
from gitorch.agents.command import Command
from gitorch.agents.protocol import Agent
from gitorch.agents.question import Questioner

AGENTS: dict[str, Agent] = {
    "claude": Claude(),
    "codex": Codex(),
    "api": Api(),
    "command": Command(),
}
"""Each kind of agent, by the word that `kind` in the configuration uses."""

QUESTIONERS: dict[str, Questioner] = {
    "claude": ClaudeQuestions(),
    "codex": CodexQuestions(),
    "api": ApiQuestions(),
}
"""How a question is put to each kind of agent that has a model."""
