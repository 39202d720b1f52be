"""Check the setup of a repository."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator

import msgspec

from gitorch.config import Permissions
from gitorch.errors import GitorchError, SetupNeeded
from gitorch.flow.scheduling import base_choice
from gitorch.git.protected import ref_guard
from gitorch.git.user_hooks import HookState
from gitorch.rooms.context import RunContext
from gitorch.services import hooks, inside_credentials
from gitorch.services.agent_versions import version_note
from gitorch.services.agents import probe, run_context
from gitorch.services.configured_checks import require_trust
from gitorch.services.doctor import repairs, setup_checks
from gitorch.services.doctor.setup_checks import SetupFinding
from gitorch.services.protection import description, gaps, in_force, of_workspace, reasons
from gitorch.services.ref_names import require_free_names
from gitorch.services.sandbox import require_sandbox
from gitorch.services.workspace import Workspace
from gitorch.storage import trust


class AgentStatus(msgspec.Struct, frozen=True):
    """Whether an agent is ready, its version or the reason why not, and the command that helps.

    `permissions` is what it may do, `flags` the arguments that gitorch gives it for that, here and now.
    """

    name: str
    is_ready: bool
    detail: str
    fix: str = ""
    permissions: Permissions = "worktree"
    flags: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {'ready ' if self.is_ready else ''}{self.detail}".strip()

    @property
    def mode(self) -> str:
        """What it may do, and the arguments that say so, in one line."""
        flags = shlex.join(self.flags) or "no arguments"
        return f"permissions {self.permissions}: {flags}"


def check_setup(
    workspace: Workspace, *, run_checks: bool = False, report: Callable[[str], None] = lambda _: None
) -> list[SetupFinding]:
    """Return the results of all setup checks; `run_checks` runs the repository's own checks on the base."""
    repository = workspace.repository
    agents = detect_agents(workspace)
    findings = [
        _finding(f"git {'.'.join(map(str, repository.version))}", repository.require_git),
        _finding(f"repository {repository.common_dir}", lambda: base_choice.start_commit(repository, workspace.config)),
        _finding("repository commands are trusted", lambda: require_trust(workspace)),
        *(finding for finding in [_finding("", lambda: require_free_names(workspace))] if not finding.works),
        setup_checks.identity(workspace),
        setup_checks.disk(workspace),
        setup_checks.limits(),
        *(_agent_finding(workspace, agent) for agent in agents),
    ]
    if not any(agent.is_ready for agent in agents):
        findings.append(
            SetupFinding(False, "no agent is ready", next((agent.fix for agent in agents if agent.fix), ""))
        )
    findings += setup_checks.copied_files(workspace)
    findings += setup_checks.base_checks(workspace, run=run_checks, report=report)
    return [*findings, *_hooks(workspace), *_protection(workspace)]


def _agent_finding(workspace: Workspace, agent: AgentStatus) -> SetupFinding:
    if not agent.is_ready:
        return SetupFinding(None, f"agent {agent}", agent.fix)
    remark, fix = version_note(workspace.config.agents[agent.name].kind, agent.detail)
    description = f"agent {agent}{': ' if remark else ''}{remark}; {agent.mode}"
    return SetupFinding(None if remark else True, description, fix)


def _hooks(workspace: Workspace) -> Iterator[SetupFinding]:
    """Yield what is wrong with the hooks that agents see, and with those that a person has installed."""
    try:
        ref_guard.hooks_folder()
    except SetupNeeded as error:
        yield SetupFinding(False, error.what, "; ".join(error.fix), repairs.HOOK_MODES)
    states = {hook.state for hook in hooks.status(workspace)[1]}
    if HookState.OUTDATED in states:
        yield SetupFinding(None, "the installed git hooks are outdated", "orchestrate hooks install", repairs.HOOKS)
    if HookState.CHANGED in states:
        yield SetupFinding(None, "an installed git hook was changed by hand", "orchestrate hooks status")


_OUTSIDE = "give it an API key instead, which stays outside: see docs/security.md"


def _protection(workspace: Workspace) -> list[SetupFinding]:
    protection = of_workspace(workspace)
    lines = [SetupFinding(None, text) for text in gaps(protection)]
    lines += [SetupFinding(None, text, protection.fix) for text in reasons(protection)]
    if protection.is_sandbox:
        sentences = inside_credentials.readable(workspace, workspace.config.agents)
        lines += [SetupFinding(None, text, _OUTSIDE) for text in sentences]
        return [_finding(description(protection), lambda: require_sandbox(workspace)), *lines]
    if not protection.problem:
        possible = in_force(msgspec.structs.replace(workspace.config.sandbox, mode="auto"))
        works, fix = possible.is_sandbox, 'orchestrate config set sandbox.mode "auto"'
        text = "a sandbox works here" if works else possible.problem
        lines.append(SetupFinding(None, text, fix if works else possible.fix))
    return [*lines, *_broken_settings(workspace)]


def _broken_settings(workspace: Workspace) -> list[SetupFinding]:
    finding = _finding("", lambda: require_sandbox(workspace))
    return [] if finding.works else [finding]


def detect_agents(workspace: Workspace) -> list[AgentStatus]:
    """Ask each configured agent for its version, but for those whose program the user has not agreed to."""
    context = run_context(workspace)
    common, commands = workspace.repository.common_dir, trust.commands(workspace.loaded.layers)
    untrusted = () if trust.is_trusted(common, commands) else commands.get("agents", ())
    protected = in_force(workspace.config.sandbox).is_sandbox
    return [
        _with_mode(context, _agent_status(context, name, is_trusted=name not in untrusted), protected)
        for name in context.config.agents
    ]


def _with_mode(context: RunContext, status: AgentStatus, protected: bool) -> AgentStatus:
    settings = context.config.agents[status.name]
    flags = context.agents[settings.kind].permission_flags(settings, protected=protected)
    return msgspec.structs.replace(status, permissions=settings.permissions, flags=flags)


def _finding(description: str, check: Callable[[], object]) -> SetupFinding:
    try:
        check()
    except GitorchError as error:
        return SetupFinding(False, f"{error.what}{': ' + error.why if error.why else ''}", "; ".join(error.fix))
    return SetupFinding(True, description)


def _agent_status(context: RunContext, name: str, *, is_trusted: bool) -> AgentStatus:
    if not is_trusted:
        detail = f"not looked at: you have not agreed to agents.{name} of this repository"
        return AgentStatus(name, is_ready=False, detail=detail, fix="orchestrate config trust")
    try:
        return AgentStatus(name, is_ready=True, detail=probe(context, name))
    except SetupNeeded as problem:
        return AgentStatus(
            name,
            is_ready=False,
            detail=f"{problem.what} ({problem.why})" if problem.why else problem.what,
            fix=" or ".join(problem.fix),
        )
