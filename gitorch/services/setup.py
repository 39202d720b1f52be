"""Check the setup of a repository, and create a configuration file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping

import msgspec

from gitorch.errors import GitorchError, SetupNeeded
from gitorch.flow.scheduling import base
from gitorch.rooms.context import RunContext
from gitorch.rooms.sandbox import probing
from gitorch.services.agents import probe, run_context
from gitorch.services.checks import require_trust
from gitorch.services.protection import description, mode_in_force, warnings
from gitorch.services.sandbox import require_sandbox
from gitorch.services.workspace import Workspace

_CHECKS = (
    ("test", "pytest -q", ("pytest.ini", "conftest.py", "tests/conftest.py")),
    ("test", "cargo test --quiet", ("Cargo.toml",)),
    ("test", "go test ./...", ("go.mod",)),
    ("test", "npm test --silent", ("package.json",)),
)
"""Checks by name and command, and the files that show that a repository has them."""


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
    settings = workspace.config.sandbox
    lines = [SetupFinding(None, text) for text in warnings(settings)]
    if mode_in_force(settings) != "off":
        return [_finding(description(settings), lambda: require_sandbox(workspace)), *lines]
    support = probing.support()
    if support.problem:
        return [SetupFinding(None, f"no sandbox is possible here: {support.problem}", support.fix), *lines]
    return [_finding('sandbox.mode = "bwrap" works here', lambda: require_sandbox(workspace)), *lines]


def detect_agents(workspace: Workspace) -> list[AgentStatus]:
    """Ask each configured agent for its version."""
    context = run_context(workspace)
    return [_agent_status(context, name) for name in context.config.agents]


def detect_checks(workspace: Workspace) -> dict[str, str]:
    """Return the checks that the files of a repository suggest, by name."""
    top = workspace.repository.checkout
    if top is None:
        return {}
    checks = {name: command for name, command, files in _CHECKS if any((top / file).exists() for file in files)}
    pyproject = top / "pyproject.toml"
    if pyproject.exists() and "pytest" in pyproject.read_text("utf-8", "replace"):
        checks.setdefault("test", "pytest -q")
    return checks


def config_template(checks: Mapping[str, str], agents: Iterable[AgentStatus]) -> str:
    """Return a commented configuration file with these checks and agents."""
    lines = [
        "# Configuration of gitorch for this repository. Every setting is optional.",
        "# Commands in this file run only after `orchestrate config trust`.",
        "",
        '# base        = "auto"                   # the branch you are on',
        '# integration = "orch/integration"       # approved work is merged here',
        '# agent       = "auto"                   # the first of these that is ready:',
        *(f"#                                        #   {agent}" for agent in agents),
        "",
        "[run]",
        "# max_agents   = 3",
        '# task_timeout = "90m"',
        '# idle_timeout = "15m"                    # no output and no processor time',
        "# fix_checks   = 1                        # how often failing checks go back to the agent",
        "",
        "[prepare]                                # in each worktree, before its agent starts",
        '# copy = [".env"]                        # ignored files to copy',
        '# run  = ["npm ci"]',
        '# env  = { PORT = "{port}" }             # a free port, the same for each task',
        "",
        "[checks]                                 # run by gitorch on each task's result",
        *(f"{name} = {json.dumps(command)}" for name, command in checks.items()),
        *([] if checks else ['# test = "pytest -q"']),
    ]
    return "\n".join(lines) + "\n"


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
