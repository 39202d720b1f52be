"""What `init` found, how it went, and which hooks are installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from gitorch.cli.terminal.blocks import prose, section, stack
from gitorch.cli.terminal.style import TerminalStyle, stdout_style
from gitorch.cli.terminal.table import Column, Row, fits, table, table_with_notes
from gitorch.config import AgentSettings
from gitorch.flow.setup import CheckTrial, Trial, check_names
from gitorch.git.user_hooks import HookState, HookStatus
from gitorch.services.doctor.setup import AgentStatus

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
    details = [prose(row[-1]) for row in rows]
    if fits(_AGENTS, rows, terminal):
        listed = table(_AGENTS, rows, terminal)
    else:
        listed = table_with_notes(_AGENTS[:-1], [row[:-1] for row in rows], details, terminal)
    modes = [prose((terminal.clean(agent.name), "bold"), ": ", (terminal.clean(agent.mode), "dim")) for agent in items]
    return stack([listed, *section(terminal, *modes)])


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
    problems = [] if reason else _problems(results, terminal)
    return stack([body, *section(terminal, *problems), *section(terminal, Text(terminal.clean(f"wrote {path}")))])


def _problems(results: Sequence[Trial], terminal: TerminalStyle) -> list[Text]:
    """Return why checks do not pass, in full: each reason once, after the names of its checks."""
    names: dict[str, list[str]] = {}
    for name, (_, check) in check_names(results).items():
        if not check.passed:
            names.setdefault(check.problem, []).append(name)
    return [prose((", ".join(same), "bold"), ": ", terminal.clean(problem)) for problem, same in names.items()]


def _row(name: str, trial: Trial, check: CheckTrial, reason: str, terminal: TerminalStyle) -> Row:
    ended = ("passed", "green") if check.passed else ("not run", "yellow") if trial.missing else ("failed", "red")
    mark, style = ("found", "dim") if reason else ended
    return [
        (mark, style),
        (name, "bold"),
        (terminal.clean(trial.toolchain.evidence), "dim"),
        (f"{check.seconds:.1f} s" if check.seconds else "", "dim"),
        (terminal.clean(check.command), ""),
    ]
