"""Who does the work: one module for each kind of agent; no git, no tasks."""

from collections.abc import Mapping

from gitorch.agents.instances import Instances
from gitorch.agents.protocol import Agent, CallLog
from gitorch.agents.question import Questioner

AGENTS: Mapping[str, Agent] = Instances(
    {
        "claude": "gitorch.agents.claude.adapter:Claude",
        "codex": "gitorch.agents.codex.adapter:Codex",
        "api": "gitorch.agents.api.adapter:Api",
        "acp": "gitorch.agents.acp.adapter:Acp",
        "command": "gitorch.agents.command:CommandAgent",
    }
)
"""Each kind of agent, by the word that `kind` in the configuration uses."""

QUESTIONERS: Mapping[str, Questioner] = Instances(
    {
        "claude": "gitorch.agents.claude.question:ClaudeQuestions",
        "codex": "gitorch.agents.codex.question:CodexQuestions",
        "api": "gitorch.agents.api.question:ApiQuestions",
    }
)
"""How a question is put to each kind of agent that has a model."""

CALL_LOGS: Mapping[str, CallLog] = Instances({"codex": "gitorch.agents.codex.call_log:CodexCallLog"})
"""Where each kind of agent says what its calls use, if its stream does not."""
