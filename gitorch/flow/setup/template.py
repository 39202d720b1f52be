"""The text of a new `.orchestrate.toml`: what was seen working as settings, everything else as comments."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from gitorch.flow.setup.values import CheckTrial, Trial

_HEAD = """\
# Configuration of gitorch for this repository. Every setting is optional.
# Commands in this file run only after `orchestrate config trust`. Its JSON Schema: `orchestrate config schema`.

# base        = "auto"                   # the branch you are on
# integration = "orch/integration"       # approved work is merged here
# agent       = "auto"                   # the first of these that is ready:"""

_RUN = """\
[run]
# max_agents   = 3
# task_timeout = "90m"
# idle_timeout = "15m"                    # no output and no processor time
# fix_checks   = 1                        # how often failing checks go back to the agent"""

_COMMENT_COLUMN = 42


def config_text(trials: Sequence[Trial], agents: Iterable[str], reason: str = "") -> str:
    """Return a commented configuration file.

    `agents` are lines that say which agents are ready. `reason` says why nothing was tried: then every command is a
    comment.
    """
    working = [] if reason else [trial for trial in trials if trial.works]
    lines = [
        _HEAD,
        *(f"#                                        #   {agent}" for agent in agents),
        "",
        _RUN,
        "",
        _with_comment("[prepare]", "in each worktree, before its agent starts"),
        *_prepare(working, trials),
        '# env  = { PORT = "{port}" }             # a free port, the same for each task',
        "",
        _with_comment("[checks]", "run by gitorch on each task's result"),
        *_checks(trials, reason),
    ]
    # hatch has nothing to prepare: its checks fetch
    if hosts := _unique(host for trial in working for host in trial.setup.hosts):
        lines += ["", _with_comment("[sandbox]", "where packages come from"), f"hosts = {_array(hosts)}"]
    return "\n".join(lines) + "\n"


def check_names(trials: Sequence[Trial]) -> dict[str, tuple[Trial, CheckTrial]]:
    """Return the checks of several toolchains by unique names: `test`, and `npm-test` for the second one."""
    trials_by_name: dict[str, tuple[Trial, CheckTrial]] = {}
    for trial in trials:
        for check in trial.checks:
            toolchain = trial.toolchain.name.replace(" ", "-")
            name = check.name if check.name not in trials_by_name else f"{toolchain}-{check.name}"
            if name not in trials_by_name:
                trials_by_name[name] = (trial, check)
    return trials_by_name


def _prepare(working: Sequence[Trial], trials: Sequence[Trial]) -> Iterator[str]:
    copies = _unique(path for trial in working for path in trial.setup.copy)
    commands = _unique(command for trial in working for command in trial.setup.run)
    if copies:
        yield _with_comment(f"copy = {_array(copies)}", "ignored files to copy from your checkout")
    else:
        yield _with_comment('# copy = [".env"]', "ignored files to copy from your checkout")
    if commands:
        yield f"run = {_array(commands)}"
    else:
        # what the lock files call for, to try once its program is there
        untried = _unique(command for trial in trials for command in trial.setup.run) or ["npm ci"]
        yield f"# run  = {_array(untried)}".replace("\n", "\n# ")


def _checks(trials: Sequence[Trial], reason: str) -> Iterator[str]:
    if reason and trials:
        yield f"# not tried: {reason}"
    for name, (trial, check) in check_names(trials).items():
        setting = f"{name} = {_string(check.command)}"
        if check.passed and trial.works and not reason:
            yield _with_comment(setting, f"passed in {check.seconds:.1f} s")
        else:
            yield _with_comment(f"# {setting}", check.problem or "not tried")
    if not trials:
        yield '# test = "pytest -q"'


def _with_comment(setting: str, comment: str) -> str:
    return f"{setting.ljust(_COMMENT_COLUMN - 1)} # {comment}" if comment else setting


def _array(values: Sequence[str]) -> str:
    inline = f"[{', '.join(map(_string, values))}]"
    return inline if len(inline) < 100 else "[\n" + "".join(f"  {_string(value)},\n" for value in values) + "]"


def _string(value: str) -> str:
    # a JSON string without escapes above ASCII is a TOML string too, but for one control character
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
