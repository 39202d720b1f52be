"""What `init` found, how it went, and which hooks are installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import prose, section, stack
from gitorch.cli.terminal.style import TerminalStyle, stdout_style
from gitorch.cli.terminal.table import Column, Row, table
from gitorch.config import AgentSettings
from gitorch.flow.setup import CheckTrial, Trial, check_names
from gitorch.git.user_hooks import HookState, HookStatus
from gitorch.services.setup import AgentStatus

_COLUMNS = (
    Column(title=""),
    Column(title="Check"),
    Column(title="From", drop=2),
    Column(title="Time", right=True, drop=1),
    Column(title="Command"),
)

_HOOKS = (
    Column(title=""),
    Column(title="Hook"),
    Column(title="Runs too", drop=1),
    Column(title="File", drop=2),
)
_HOOK_STYLES = {HookState.INSTALLED: "green", HookState.ABSENT: "dim"}


def hooks(items: Sequence[HookStatus], *, terminal: TerminalStyle | None = None) -> RenderableType:
    """Return how each hook of gitorch's stands."""
    terminal = terminal or stdout_style()
    rows: list[Row] = [
        [
            (hook.state, _HOOK_STYLES.get(hook.state, "yellow")),
            (hook.name, "bold"),
            (hook.other, ""),
            (terminal.clean(str(hook.path)), "dim"),
        ]
        for hook in items
    ]
    return table(_HOOKS, rows, terminal)


_AGENTS = (
    Column(title=""),
    Column(title="Agent"),
    Column(title="Kind", drop=2),
    Column(title="Model", drop=1),
    Column(title="Detail"),
)


def agents(
    items: Sequence[AgentStatus], settings: Mapping[str, AgentSettings], *, terminal: TerminalStyle | None = None
) -> RenderableType:
    """Return the agents of the configuration, with their settings by name."""
    terminal = terminal or stdout_style()
    rows: list[Row] = [
        [
            ("ready", "green") if agent.is_ready else ("not ready", "yellow"),
            (terminal.clean(agent.name), "bold"),
            (settings[agent.name].kind, "dim"),
            (terminal.clean(settings[agent.name].model), ""),
            (terminal.clean(agent.detail), ""),
        ]
        for agent in items
    ]
    modes = [prose((terminal.clean(agent.name), "bold"), ": ", (terminal.clean(agent.mode), "dim")) for agent in items]
    return stack([table(_AGENTS, rows, terminal), *section(terminal, *modes)])


def trying(command: str) -> Text:
    """Return a progress line: the command that runs now."""
    return Text.assemble(("try ", "dim"), stdout_style().clean(command))


def trials(
    results: Sequence[Trial], reason: str, path: Path, *, terminal: TerminalStyle | None = None
) -> RenderableType:
    """Return the checks that were found, with the result of each, and where the file is."""
    terminal = terminal or stdout_style()
    rows = [_row(name, *entry, reason, terminal) for name, entry in check_names(results).items()]
    body = table(_COLUMNS, rows, terminal) if rows else Text("no checks found: set [checks] by hand")
    return stack([body, *section(terminal, Text(terminal.clean(f"wrote {path}")))])


def _row(name: str, trial: Trial, check: CheckTrial, reason: str, terminal: TerminalStyle) -> Row:
    mark, style = ("found", "dim") if reason else ("passed", "green") if check.passed else ("failed", "red")
    command = terminal.clean(check.command)
    return [
        (mark, style),
        (name, "bold"),
        (terminal.clean(trial.toolchain.evidence), "dim"),
        (f"{check.seconds:.1f} s" if check.seconds else "", "dim"),
        (command if check.passed or reason else f"{command}: {terminal.clean(check.problem)}", ""),
    ]
