"""Write docs/configuration.md and docs/commands.md from the code: `python docs/make_reference.py`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import click
import msgspec

from gitorch import config
from gitorch.cli.main import COMMANDS, orchestrate
from gitorch.cli.session import with_common_options

DOCS = Path(__file__).parent

_INTRO = """\
# Configuration

Nothing has to be configured. Settings come from, the last one winning: what is built in, the user's `config.toml` in
the platform's configuration folder, `.orchestrate.toml` at the root of the work tree (committed),
`.orchestrate.local.toml` beside it (personal, not committed), `GITORCH_*` variables (`GITORCH_RUN_MAX_AGENTS=5`), `-c
key=value`, and flags. Tables merge key by key; plain values and lists replace. `orchestrate config show --origin`
names where each value comes from.

Commands that a repository's own files would run (`prepare`, `checks`, `agents`, `notify`, `merge.regenerate`) run only
after `orchestrate config trust` has shown them and you agreed; a change of them asks again. Checks are read from the
*base commit* of each task, so that an agent cannot weaken its own judge.

A setting that this version cannot keep is refused, not ignored.

| key | default | what |
|---|---|---|
"""

_WHAT = {
    "base": "where work starts that waits for nothing; `auto` is the branch that you are on",
    "integration": "the branch that approved work is merged into",
    "branch": "a task's branch",
    "worktrees": "a task's worktree, relative to the work tree",
    "agent": "who works when a task names nobody; `auto` is the first of claude, codex, api that is ready",
    "role": "as which specialist; `auto` goes by title and paths, and by the prompt where these say too little",
    "prepare.copy": "ignored files to copy into each worktree (globs)",
    "prepare.run": "commands to run in each worktree before its agent starts; a failure fails the task",
    "prepare.env": "variables for everything that runs in a worktree; `{port}` is free, and stable for each task",
    "run.max_agents": "how many agents work at once",
    "run.start_after": "a dependent starts when its dependencies are finished, or approved",
    "run.task_timeout": "how long one execution of an agent or a check may take",
    "run.idle_timeout": "how long an agent may print nothing and use no processor time",
    "run.retries": "attempts that gitorch starts by itself after a crash or a lost network",
    "run.fix_checks": "times that the output of failing checks goes back to the agent's session",
    "run.rate_limits": "`wait` for the limit's end, or `stop` the run",
    "run.max_unreviewed": "start nothing while so many tasks wait for a review; 0 is no limit",
    "run.until": "start nothing after this time: `07:00`",
    "run.budget": "start nothing once so many dollars are spent in a run; 0 is no limit",
    "run.min_free_disk": "start nothing with less free disk than this",
    "checks": 'commands that judge the work, by name: `test = "pytest -q"`',
    "sandbox.mode": "there is no sandbox in this version",
    "sandbox.network": "",
    "agents": "see below",
    "roles": "see below",
    "review.require_checks": "approval asks for passing checks (`--force` goes past that)",
    "review.sensitive": "paths that deserve a second look",
    "merge.verify": "check the union and find who turns it red (`batch`), every step (`each`), the union alone (`end`)",
    "merge.max_checks": "how many trees are checked at once; 0 is two, or one where there is one processor",
    "merge.auto": "what a run merges by itself: what is approved meanwhile; `finished`: also finished, green work",
    "merge.on_conflict": "a conflict is reported and the branch left as it was (`hold`), or the next `run` has an "
    "agent solve it on top of what is merged (`agent`); its result needs approval like any work",
    "merge.regenerate": 'files that a command makes, by name or path: `"uv.lock" = "uv lock"`; never merged as text',
    "remote.address": "there are no remote workers in this version",
    "notify.command": "not called in this version",
}

_TABLES = """
## `[agents.NAME]`

| key | what |
|---|---|
| `kind` | `claude`, `codex`, `api` or `command` |
| `path` | the executable, for claude and codex |
| `model` | the model; empty is the program's own choice |
| `args` | further arguments, as they are |
| `env` | further variables |
| `pass_env` | names taken over from your environment (`AB_*` is a prefix), beside the agent's own short list |
| `command` | the command of `kind = "command"`: `{prompt_file}`, `{task}` and `{worktree}` are filled in |
| `key` | `{ env = "NAME" }`: the variable that holds the key, for `kind = "api"` |

## `[roles.NAME]`

| key | what |
|---|---|
| `prompt`, `prompt_file` | the specialist's instructions |
| `purpose` | what it is for, in one line |
| `match` | words and phrases of a title that call for this role: each is enough, unless another role is as near |
| `paths` | globs: a task that is confined to such paths, or whose title names such a file, calls for this role |
| `agent` | the agent that suits it |

A repository's `.claude/agents/NAME.md` are roles, too, as the commit that work starts on has them: the body is the
instructions, `description` the purpose, `model` the model of claude where none is configured, and `tools` is told to
the agent (gitorch does not enforce it). Such a file does not take the place of a built-in specialist; `prompt_file`
here does. A `prompt_file` of the repository's own file must lie inside of the repository.
"""


def settings() -> Iterator[tuple[str, Any]]:
    """Yield each setting with its default."""
    values = msgspec.to_builtins(config.Config())
    for name, kind in get_type_hints(config.Config).items():
        if isinstance(kind, type) and issubclass(kind, config.Section):
            yield from ((f"{name}.{key}", values[name][key]) for key in kind.__struct_fields__)
        else:
            yield name, values[name]


def configuration() -> str:
    """Return the page of all settings."""
    rows = [f"| `{name}` | `{json.dumps(default)}` | {_WHAT[name]} |" for name, default in settings()]
    return _INTRO + "\n".join(rows) + "\n" + _TABLES


def commands() -> str:
    """Return the page of all commands: their help, as it is printed."""
    parts = ["# Commands\n", "Every command takes `-C PATH`, `-c KEY=VALUE`, `-q`, `-v`, `--json`, `--no-input`.\n"]
    root = click.Context(with_common_options(orchestrate), info_name="orchestrate")
    for title, group in COMMANDS.items():
        parts.append(f"## {title}\n")
        for name in group:
            command = orchestrate.get_command(root, name)
            assert command is not None
            parts += helps(command, name, root)
    return "\n".join(parts)


def helps(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    """Yield the help of a command and of those below it."""
    context = click.Context(command, info_name=name, parent=parent, terminal_width=100, **command.context_settings)
    yield f"### `{context.command_path}`\n\n```text\n{command.get_help(context)}\n```\n"
    for below, one in getattr(command, "commands", {}).items():
        if not one.hidden:
            yield from helps(one, below, context)


PAGES = {"configuration.md": configuration, "commands.md": commands}


def main() -> None:
    """Write the pages."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), "utf-8")
        sys.stdout.write(f"wrote docs/{name}\n")


if __name__ == "__main__":
    main()
