"""Who does the work: one module for each kind of agent; no git, no tasks."""

from gitorch.agents.acp.adapter import Acp
from gitorch.agents.api.adapter import Api
from gitorch.agents.api.question import ApiQuestions
from gitorch.agents.claude.adapter import Claude
from gitorch.agents.claude.question import ClaudeQuestions
from gitorch.agents.codex.adapter import Codex
from gitorch.agents.codex.call_log import CodexCallLog
from gitorch.agents.codex.question import CodexQuestions
from gitorch.agents.command import CommandAgent
from gitorch.agents.protocol import Agent, CallLog
from gitorch.agents.question import Questioner

AGENTS: dict[str, Agent] = {
    "claude": Claude(),
    "codex": Codex(),
    "api": Api(),
    "acp": Acp(),
    "command": CommandAgent(),
}
"""Each kind of agent, by the word that `kind` in the configuration uses."""

QUESTIONERS: dict[str, Questioner] = {
    "claude": ClaudeQuestions(),
    "codex": CodexQuestions(),
    "api": ApiQuestions(),
}
"""How a question is put to each kind of agent that has a model."""

CALL_LOGS: dict[str, CallLog] = {"codex": CodexCallLog()}
"""Where each kind of agent says what its calls use, if its stream does not."""
