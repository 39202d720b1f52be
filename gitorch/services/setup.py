"""Check the setup of a repository."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gitorch.errors import GitorchError, SetupNeeded
from gitorch.flow.scheduling import base
from gitorch.rooms.context import RunContext
from gitorch.rooms.sandbox import probing
from gitorch.services.agents import probe, run_context
from gitorch.services.checks import require_trust
from gitorch.services.protection import description, gaps, in_force, reasons
from gitorch.services.sandbox import require_sandbox
from gitorch.services.workspace import Workspace


class SetupFinding(msgspec.Struct, frozen=True):
    """The result of one setup check (None: only a note), and the command that fixes a problem."""

    works: bool | None
    description: str
    fix: str = ""


class AgentStatus(msgspec.Struct, frozen=True):
    """Whether an agent is ready, and its version or the reason why not."""

    name: str
    is_ready: bool
    detail: str

    def __str__(self) -> str:
        return f"{self.name}: {'ready ' if self.is_ready else ''}{self.detail}".strip()


def check_setup(workspace: Workspace) -> list[SetupFinding]:
    """Return the results of all setup checks."""
    repository = workspace.repository
    agents = detect_agents(workspace)
    findings = [
        _finding(f"git {'.'.join(map(str, repository.version()))}", repository.require_git),
        _finding(f"repository {repository.common_dir}", lambda: base.start_commit(repository, workspace.config)),
        _finding("repository commands are trusted", lambda: require_trust(workspace)),
        *(SetupFinding(True if agent.is_ready else None, f"agent {agent}") for agent in agents),
    ]
    if not any(agent.is_ready for agent in agents):
        findings.append(SetupFinding(False, "no agent is ready", "npm install -g @anthropic-ai/claude-code; claude"))
    if not workspace.config.checks:
        findings.append(SetupFinding(None, "no checks configured", "orchestrate init"))
    return [*findings, *_protection(workspace)]


def _protection(workspace: Workspace) -> list[SetupFinding]:
    protection = in_force(workspace.config.sandbox)
    lines = [SetupFinding(None, text) for text in gaps(protection)]
    lines += [SetupFinding(None, text, protection.fix) for text in reasons(protection)]
    if protection.mode == "bwrap":
        return [_finding(description(protection), lambda: require_sandbox(workspace)), *lines]
    if not protection.problem:
        support = probing.support()
        works, fix = not support.problem, 'orchestrate config set sandbox.mode "auto"'
        text = "a sandbox works here" if works else f"a sandbox is not possible here: {support.problem}"
        lines.append(SetupFinding(None, text, fix if works else support.fix))
    return [*lines, *_broken_settings(workspace)]


def _broken_settings(workspace: Workspace) -> list[SetupFinding]:
    finding = _finding("", lambda: require_sandbox(workspace))
    return [] if finding.works else [finding]


def detect_agents(workspace: Workspace) -> list[AgentStatus]:
    """Ask each configured agent for its version."""
    context = run_context(workspace)
    return [_agent_status(context, name) for name in context.config.agents]


def _finding(description: str, check: Callable[[], object]) -> SetupFinding:
    try:
        check()
    except GitorchError as error:
        return SetupFinding(False, f"{error.what}{': ' + error.why if error.why else ''}", "; ".join(error.fix))
    return SetupFinding(True, description)


def _agent_status(context: RunContext, name: str) -> AgentStatus:
    try:
        return AgentStatus(name, is_ready=True, detail=probe(context, name))
    except SetupNeeded as problem:
        return AgentStatus(name, is_ready=False, detail=problem.what)
