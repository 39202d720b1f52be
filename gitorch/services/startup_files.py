"""Files that your shell, your tools or your next agent run or obey: an agent without a sandbox can write them.

They are compared before and after attempts, as what git has is. All other files in a HOME are not watched.
"""

from __future__ import annotations

import getpass
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path

from gitorch.config import user_folder
from gitorch.git import fence
from gitorch.git.repository import Repository

_SHELLS = (
    *(".profile", ".bash_profile", ".bash_login", ".bashrc", ".bash_aliases", ".bash_logout", ".inputrc"),
    *(".zshenv", ".zprofile", ".zshrc", ".zlogin", ".zlogout", ".kshrc", ".cshrc", ".tcshrc", ".login"),
    *(
        ".config/fish/config.fish",
        ".config/fish/conf.d",
        ".config/fish/functions",
        ".config/nushell",
        ".pam_environment",
    ),
)
_LOGIN = (
    *(".config/autostart", ".config/environment.d", ".config/systemd/user", ".xprofile", ".xsessionrc", ".xinitrc"),
    *("Library/LaunchAgents", ".local/bin", "bin"),
)
_TOOLS = (
    *(
        ".ssh/config",
        ".ssh/authorized_keys",
        ".ssh/authorized_keys2",
        ".ssh/rc",
        ".ssh/environment",
        ".gnupg/gpg-agent.conf",
    ),
    *(".npmrc", ".yarnrc", ".yarnrc.yml", ".pip/pip.conf", ".config/pip/pip.conf", ".pypirc", ".cargo/config.toml"),
    *(
        ".netrc",
        ".vimrc",
        ".vim/plugin",
        ".config/nvim/init.lua",
        ".config/nvim/init.vim",
        ".emacs",
        ".emacs.d/init.el",
    ),
    *(".tmux.conf", ".gdbinit", ".lldbinit", ".pythonrc.py", ".direnvrc", ".config/direnv/direnvrc"),
    *(
        ".docker/config.json",
        ".config/containers/containers.conf",
        ".vscode/argv.json",
        ".config/Code/User/settings.json",
    ),
)
_AGENTS = (
    *(".claude/settings.json", ".claude/settings.local.json", ".claude/CLAUDE.md", ".claude/hooks", ".claude/commands"),
    *(
        ".claude/agents",
        ".claude/skills",
        ".codex/config.toml",
        ".codex/hooks.json",
        ".codex/AGENTS.md",
        ".codex/rules",
    ),
    *(".gemini/settings.json", ".gemini/GEMINI.md", ".config/opencode"),
)
IN_HOME = (*_SHELLS, *_LOGIN, *_TOOLS, *_AGENTS)
"""Files, and folders with all their files, that are watched in every HOME."""

_GITORCH = ("config.toml", "seal.key")
"""The list of trusted commands is compared by what it says."""

_CRON_FOLDERS = ("/var/spool/cron/crontabs", "/var/spool/cron", "/var/at/tabs")
_HASHED_BYTES = 1 << 20
_MOST_FILES = 2000


def states(
    repository: Repository, environment: Mapping[str, str], more: Sequence[str] = (), *, is_reachable: bool = True
) -> dict[str, str]:
    """Return the states of the files by path, and that of the crontab; `more` are further paths.

    Where agents cannot reach the HOME, only `more` counts.
    """
    home = Path(environment.get("HOME") or "/nonexistent")
    own = chain((home / name for name in IN_HOME), (user_folder() / name for name in _GITORCH))
    paths = chain(own if is_reachable else (), (home / path.removeprefix("~/") for path in more))
    found = {fence.printable(str(path)): state for path in _files(paths) if (state := _state(path))}
    crontab = _crontab(repository) if is_reachable else ""
    return {**found, "your crontab": crontab} if crontab else found


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            yield from islice((Path(root, name) for root, _, names in os.walk(path) for name in names), _MOST_FILES)
        else:
            yield path


def _state(path: Path) -> str:
    """Return a digest of a file; of a large one its size and times."""
    try:
        status = path.lstat()
    except OSError:
        return ""
    if status.st_size <= _HASHED_BYTES:
        return fence.digest(path)
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_mode:o}"


def _crontab(repository: Repository) -> str:
    """Return the state of the user's crontab: by its file, or where only cron may see that, by what cron says."""
    for folder in _CRON_FOLDERS:
        try:
            if state := fence.digest(Path(folder, getpass.getuser())):
                return state
        except (NotADirectoryError, FileNotFoundError, KeyError):
            continue
        except OSError:
            return _listed_crontab(repository)
    return ""


def _listed_crontab(repository: Repository) -> str:
    answer = repository.run_program(("crontab", "-l"))
    return hashlib.sha256(answer.stdout).hexdigest() if answer.code == 0 else ""
