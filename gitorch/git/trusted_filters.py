"""The user's filters, started where an agent has no files: git starts them in the worktree that it works on.

`filter.NAME.clean` may be `./strip.sh`, or `python -m nbstripout`, which looks for modules where it starts. In the
worktree of an agent either would run what the agent wrote, outside of its sandbox. So each filter starts in the user's
own checkout.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from gitorch.git.repository import Repository

_COMMAND = re.compile(r"filter\..*\.(clean|smudge|process)", re.DOTALL)


def options(repository: Repository) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the options of git that replace each filter's command, and the environment that they read."""
    folder = repository.work_tree or repository.common_dir
    filters = repository.settings.with_prefix("filter.")
    commands = {key: values[-1] for key, values in filters.items() if values[-1] and _COMMAND.fullmatch(key)}
    names = {key: f"GITORCH_FILTER_{number}" for number, key in enumerate(sorted(commands))}
    # a filter's name can hold `=`: its value cannot stand behind one
    words = tuple(f"--config-env={key}={name}" for key, name in names.items())
    return words, {name: started_in(folder, commands[key]) for key, name in names.items()}


def started_in(folder: Path, command: str) -> str:
    """Return a command line of a shell that starts in a folder, and not at all if that is impossible."""
    return f"cd -- {shlex.quote(str(folder))} || exit 1\n{command}"
