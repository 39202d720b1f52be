"""Write the pages that come from the code, such as commands.md and the man page: `python docs/make_reference.py`."""

from __future__ import annotations

import copy
import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import click
import msgspec

from gitorch import __version__, config, data
from gitorch.cli.main import COMMANDS, orchestrate
from gitorch.cli.session import with_common_options
from gitorch.flow.review.signals.rules import table

DOCS = Path(__file__).parent

_INTRO = """\
# Configuration

You don't have to configure anything. Settings come from these places; the last one wins:

1. built-in defaults
2. your `config.toml`, in the platform's configuration folder
3. `.orchestrate.toml` at the root of the work tree (committed)
4. `.orchestrate.local.toml` next to it (personal, not committed)
5. `GITORCH_*` variables, such as `GITORCH_RUN_MAX_AGENTS=5`
6. `-c key=value`
7. flags

Tables merge key by key. Plain values and lists replace. `orchestrate config show --origin` shows where each value comes
from.

Some settings of a repository's own files are commands (`prepare`, `checks`, `agents`, `notify`, `merge.regenerate`).
They run only after you have seen and trusted them with `orchestrate config trust`. If they change, you are asked again.
Checks are read from the *base commit* of each task, so an agent cannot weaken its own checks.

In a bare repository, gitorch reads the file from the worktree that has the branch of HEAD checked out. If there is
none, it reads the file from the worktree in which the command is started, or from HEAD itself.

In a linked worktree of yours, gitorch reads the files of the main work tree. If that has none, it reads those of the
worktree you are in. `config show` and `run` name files that they ignore.

gitorch refuses a setting that this version cannot honour; it never ignores one.

| key | default | what it does |
|---|---|---|
"""

_SIGNALS = """\
# Signals of a review

`review` points out what deserves a second look, with file and line. It computes these signals from git and from the
records of the attempt; it asks no model. The heaviest signal of a branch is its risk: 3 is high, 2 medium, 1 low. The
signals are in `gitorch/data/signals.toml`, with the lists of files and the patterns of lines that they use.

Code that only moved is not a signal. A test that is now in another file does not count as deleted. A line that already
matched a pattern before it was edited does not count as new. [Benchmarks](benchmarks.md#signals-of-a-review) says how
well this works on labelled branches.

| kind | weight | what it says |
|---|---|---|
"""

_WHAT = {
    "base": "the branch that new work starts on; `auto` is the branch you are on when you queue a task",
    "integration": "the branch that approved work is merged into",
    "branch": "the name of a task's branch",
    "worktrees": "where a task's worktree goes, relative to the work tree; never inside of it or of a superproject",
    "agent": "the agent for tasks that name none; `auto` is the first of claude, codex, api that is ready",
    "role": "the role for tasks that name none; `auto` chooses by title, paths and prompt",
    "prepare.copy": "ignored files to copy into each worktree, by globs from the top: `.env`, `packages/*/.env`",
    "prepare.run": "commands to run in each worktree before its agent starts; a failure fails the task",
    "prepare.env": "variables for everything that runs in a worktree; `{port}` is a free port, stable per task",
    "run.max_agents": "how many agents run at once",
    "run.start_after": "start a task when those that it depends on are `finished`, or only when they are `approved`",
    "run.task_timeout": "time limit of one execution of an agent or a check",
    "run.idle_timeout": "stop an agent that prints nothing and uses no CPU for this long",
    "run.retries": "automatic retries after a crash, a fatal signal or a lost network",
    "run.fix_checks": "how often failing checks are sent back to the agent's session",
    "run.tell_conflicts": "tell running agents, in a file that their brief names, whose work will conflict with theirs",
    "run.rate_limits": "when an agent reaches a limit: `wait` until it ends, `switch` to the next agent that is ready "
    "with the same permissions (never one of the kind `command`), or `stop`",
    "run.max_unreviewed": "start nothing while this many tasks wait for review; 0 is no limit",
    "run.until": "start nothing after this time, such as `07:00`",
    "run.budget": "stop a run when its ended and running agents have spent this many dollars; 0 is no limit",
    "run.token_budget": "the same in tokens, for agents whose price is unknown; 0 is no limit",
    "run.min_free_disk": "start nothing with less free disk space than this; with less than half of it, end what "
    "[has filled the disk](security.md#memory-processes-and-disk)",
    "run.try_base": "before a run, prepare a worktree of the base and run the checks there; results are cached by tree",
    "run.keep_awake": "keep the system from going to sleep during a run, where `systemd-inhibit` or `caffeinate` can",
    "run.redact_commits": "replace credentials in an agent's commits before they are checked; the original commits "
    "stay in a rescue point. See [security.md](security.md)",
    "run.rescue_every": "save the uncommitted work of running agents at least this often, if it changed. Workers push "
    "it to your repository. On your own machine it is saved more often where that is cheap. 0: workers never push it",
    "run.max_output": "how much output of each execution to keep: its beginning and its end",
    "checks": 'commands that judge the work, by name: `test = "pytest -q"`',
    "sandbox.mode": "`auto`: the strongest that works on this machine. `bwrap`: a bubblewrap sandbox. `landlock`: "
    "a Landlock sandbox. `private`: a private repository without a sandbox. `off`: git hooks only. "
    "See [security.md](security.md)",
    "sandbox.network": "in a sandbox: `on` allows an agent's own hosts and `sandbox.hosts`, `open` all, `off` none",
    "sandbox.hosts": "further hosts that agents and checks may reach: `docs.example.org`, `*.example.org:443`",
    "sandbox.keys": "`outside`: an agent's API key stays out of its sandbox, and the proxy adds it to requests to the "
    "agent's service. `inside`: the key is in the agent's environment. `auto`: outside, where there is a sandbox with "
    "this proxy. See [API keys](security.md#api-keys)",
    "sandbox.read": "further paths that agents may read, such as `~/.cargo/registry`",
    "sandbox.write": "further paths that agents may write, such as a cache; never inside the repository",
    "sandbox.watch": "further files and folders whose changes by agents are reported, such as `~/.myshellrc`; "
    "with `!`, globs of ignored files in your checkout that are not; "
    "see [What moved](state-and-recovery.md#what-moved)",
    "sandbox.memory": "how much memory an agent or a check may use, with all its processes, before gitorch ends it",
    "sandbox.processes": "how many processes an agent or a check may have at once; 0 is no limit",
    "sandbox.disk": "how much an agent or a check may write into its worktree",
    "agents": "see below",
    "roles": "see below",
    "review.viewer": "your diff viewer, for `diff --viewer` and the key `v` ([how](review.md#your-own-viewer))",
    "review.require_checks": "approval requires passing checks; `--force` overrides it",
    "review.sensitive": "[paths](#paths) that deserve a second look",
    "merge.verify": "check the union and find what fails (`batch`), every step (`each`), or only the union (`end`)",
    "merge.parallel_checks": "how many trees are checked in parallel; 0 is two, or one on a single CPU",
    "merge.auto": "what a run merges automatically: approved work, or with `finished` also finished work that passes",
    "merge.restack": "rebase finished tasks at once when a task that they build on changes",
    "merge.on_conflict": "at a conflict, `hold` the task, or let an `agent` resolve it in the next run",
    "merge.resolve": "what to do with conflicts that gitorch can resolve: `propose` proves a resolution and waits for "
    "your yes, `auto` publishes what is proven, `off` resolves nothing. "
    "See [merge-resolutions.md](merge-resolutions.md)",
    "merge.max_checks": "how many trees one merge checks in order to prove resolutions; 0 is three for each conflict",
    "merge.sign": "sign commits: `auto` as `commit.gpgSign` says when a person merges, `always`, or `never`",
    "merge.regenerate": 'files that a command generates, by glob: `"uv.lock" = "uv lock"`; never merged as text',
    "trash.keep": "how long to keep worktrees and logs in the trash; 0 keeps them forever",
    "remote.checks_on": "where the checks of tasks and merges run: `home` is this machine, `workers` the workers",
    "remote.checks_label": "run checks only on workers with this label",
    "remote.address": "HOST:PORT of a Temporal server, on whose workers agents run ([remote.md](remote.md)). `env`: "
    "the server that Temporal's own variables name. Empty: this machine only",
    "remote.namespace": "Temporal's namespace",
    "remote.tls": "use TLS",
    "remote.ca": "a PEM file with the certificates of those who may sign the server's certificate; turns TLS on",
    "remote.certificate": "a PEM file with the client's certificate; turns TLS on",
    "remote.private_key": "a PEM file with the key of the client's certificate",
    "remote.api_key": 'the variable that holds the API key: `{ env = "TEMPORAL_API_KEY" }`',
    "remote.origin": "where workers reach this repository. Empty: at its path, with the prefix of the worker's `--git`",
    "remote.copy_files": "send the files of `prepare.copy` to workers, over git: at most 20 MB "
    "([remote.md](remote.md#files-that-git-ignores))",
    "remote.deliver": "`push`: workers push to `refs/gitorch/attempts/`. `bundle`: commits come with the result, "
    "at most 0.9 MB for each attempt",
    "remote.lost_after": "how long a worker may be silent before its attempts count as lost",
    "notify.command": "run this for each event of a run, which it gets in its environment and as JSON on its input",
    "notify.desktop": "show the events of a run on the desktop",
}

_TABLES = """
## `[agents.NAME]`

| key | what it does |
|---|---|
| `kind` | `claude`, `codex`, `api`, `acp` or `command`: see [agents.md](agents.md) |
| `path` | the executable, for claude and codex |
| `model` | the model; empty means the CLI's own choice |
| `permissions` | `worktree`, `readonly` or `full`: [what an agent may do](agents.md#what-an-agent-may-do) |
| `args` | further arguments, passed as they are |
| `readonly_args` | the arguments with which a `command` or `acp` program only reads |
| `env` | further variables |
| `pass_env` | names to pass on from your environment (`*` is a wildcard), in addition to the agent's own short list |
| `command` | the program of an `acp` or `command` agent; [the words in braces](agents.md#command) are filled in |
| `exit_codes` | what the exit codes of a command mean: `{ "75" = "crashed" }` ([outcomes](agents.md#command)) |
| `attach` | the command with which `attach` opens the session of an attempt |
| `auth_method` | the login method of an `acp` agent |
| `label` | the agent runs only on [workers with this label](remote.md#labels) |
| `key` | `{ env = "NAME" }`: the variable that holds the key, for `kind = "api"` |
| `prices` | `{ input = 1.25, cached = 0.125, output = 10 }`: dollars per million tokens, whatever the agent says |

## `[roles.NAME]`

| key | what it does |
|---|---|
| `prompt`, `prompt_file` | the role's instructions |
| `purpose` | what it is for, in one line |
| `match` | words and phrases in a title that select this role |
| `paths` | [paths](#paths): a task limited to such paths, or whose title names such a file, selects this role |
| `agent` | the agent that suits it |

The `.claude/agents/NAME.md` files of the commit that work starts on are roles too. The body is the instructions,
`description` the purpose, and `model` the model of claude if none is configured. The agent is told about `tools`, but
gitorch does not enforce them. Such a file does not replace a built-in role; `prompt_file` does. A `prompt_file` in a
repository's own configuration must be inside the repository.

## What a check sees

A task's checks, like those of a merge, run on a clean checkout of the commit, not in the agent's worktree. gitorch
resets the worktrees for that (`check_1`, `check_2`, ...) from one commit to the next. A check sees

- the files of the commit, as git checks them out
- what `[prepare]` copies and makes there, in the order of the settings
- what the checks before it, on the same commit, have written

It does not see

- ignored or untracked files that an agent left
- changes to files that git was told to ignore
- the agent's HOME in the sandbox
- files of checks on other commits

If a check needs an ignored file (`.env`, test data, `node_modules`), name it in `prepare.copy`, or make it with
`prepare.run`. If `[prepare]` fails on a commit, the commit gets a failing check `prepare`. Checks get your environment
without credentials, and `prepare.env`. They do not get `agents.NAME.env`.

## Paths

`review.sensitive`, `roles.*.paths`, `merge.regenerate` and the `paths` of a task take globs with the syntax of
[.gitignore](https://git-scm.com/docs/gitignore#_pattern_format):

| pattern | matches |
|---|---|
| `*.lock` | a name at any depth: `yarn.lock`, `a/b/yarn.lock` |
| `/*.lock` | only at the top: `yarn.lock` |
| `src/*.py` | `src/a.py`, not `src/a/b.py`: `*`, `?` and `[ab]` do not match `/`. One with a `/` starts at the top |
| `**/web/**` | everything in folders called `web`, at any depth: `web/x.ts`, `a/web/b/x.ts` |
| `src/**/test.py` | `src/test.py`, `src/a/b/test.py` |
| `docs` | a file of this name, or everything in a folder of this name, at any depth |
| `docs/` | everything in folders of this name |

Letter case matters. `\\` makes the next character literal. A leading `!` (negation) or `#` (comment) is refused, as are
`.` and `..` as names, and `[:alpha:]`.
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
    """Return the page of all commands: their help as it is printed, without the options that every command has."""
    root = root_context()
    parts = ["# Commands\n", f"Every command takes these options:\n\n```text\n{common_options(root)}```\n"]
    for title, contexts in contexts_by_section(root).items():
        parts.append(f"## {title}\n")
        parts += (f"### `{item.command_path}`\n\n```text\n{item.get_help()}\n```\n" for item in contexts)
    return "\n".join(parts)


def common_options(root: click.Context) -> str:
    """Return the options of every command, as its help prints them."""
    formatter = root.make_formatter()
    records = [option.get_help_record(root) for option in root.command.params if not option.expose_value]
    formatter.write_dl([record for record in records if record])
    return formatter.getvalue()


def root_context() -> click.Context:
    """Return the context of the whole program."""
    command = with_common_options(orchestrate)
    vars(command)["_help_option"] = None  # click keeps the first one, of whatever settings that was made with
    return click.Context(command, info_name="orchestrate", terminal_width=100, **command.context_settings)


def contexts_by_section(root: click.Context) -> dict[str, list[click.Context]]:
    """Return all commands, with those below them, in the sections of the help."""
    sections = {}
    for title, group in COMMANDS.items():
        found = ((name, orchestrate.get_command(root, name)) for name in group)
        sections[title] = [item for name, command in found if command for item in contexts_below(command, name, root)]
    return sections


def contexts_below(command: click.Command, name: str, parent: click.Context) -> Iterator[click.Context]:
    """Yield the context of a command, and of those below it, without the options that every command has."""
    own = copy.copy(command)
    own.params = [option for option in command.params if option.expose_value]
    own.add_help_option = False
    context = click.Context(own, info_name=name, parent=parent, terminal_width=100, **command.context_settings)
    yield context
    if isinstance(command, click.Group):
        for subcommand_name in command.commands or command.list_commands(context):
            subcommand = command.get_command(context, subcommand_name)
            if subcommand and not subcommand.hidden:
                yield from contexts_below(subcommand, subcommand_name, context)


def man() -> str:
    """Return the man page of all commands."""
    root = root_context()
    topics = {title: data.topics()[name] for title, name in _MAN_TOPICS.items()}
    page: str = runpy.run_path(str(DOCS / "man_page.py"))["page"](root, contexts_by_section(root), topics, __version__)
    return page


_MAN_TOPICS = {"Exit status": "exit-codes", "Environment": "environment"}


def exit_codes() -> str:
    """Return the page of exit codes, which `orchestrate help exit-codes` prints too."""
    return data.topics()["exit-codes"]


def signals() -> str:
    """Return the page of the signals of a review."""
    kinds = sorted(table().kinds.items(), key=lambda item: (-item[1].weight, item[0]))
    rows = "".join(f"| `{name}` | {kind.weight} | {kind.meaning} |\n" for name, kind in kinds)
    return f"{_SIGNALS}{rows}"


PAGES = {
    "configuration.md": configuration,
    "commands.md": commands,
    "exit-codes.md": exit_codes,
    "signals.md": signals,
    "man/orchestrate.1": man,
}


def main() -> None:
    """Write the pages."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), "utf-8")
        sys.stdout.write(f"wrote docs/{name}\n")


if __name__ == "__main__":
    main()
