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
from gitorch.git import file_state
from gitorch.git.repository import Repository

_SHELLS = (
    *(".profile", ".bash_profile", ".bash_login", ".bashrc", ".bash_aliases", ".bash_logout", ".inputrc"),
    *(".bash_completion", ".local/share/bash-completion/completions", ".config/starship.toml", ".hushlogin"),
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
    *("Library/LaunchAgents", ".local/bin", "bin", ".local/share/applications", ".config/mimeapps.list", ".mailcap"),
    *(".config/i3/config", ".config/sway/config", ".config/hypr", ".Xresources", ".forward", ".procmailrc"),
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
    *(".cargo/bin", ".cargo/env", "go/bin", ".config/go/env", ".yarn/bin", ".bun/bin", ".deno/bin", ".pyenv/shims"),
    *(".ipython/profile_default/startup", ".jupyter/jupyter_notebook_config.py", ".Rprofile", ".irbrc", ".perltidyrc"),
    *(".gradle/init.gradle", ".gradle/init.d", ".gradle/gradle.properties", ".m2/settings.xml", ".m2/extensions.xml"),
    *(
        ".bundle/config",
        ".gemrc",
        ".condarc",
        ".config/uv/uv.toml",
        ".config/pypoetry/config.toml",
        ".curlrc",
        ".wgetrc",
    ),
    *(".screenrc", ".lesskey", ".config/mise/config.toml", ".tool-versions", ".config/git/hooks", ".gnupg/gpg.conf"),
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

_IMPORTED_BY_PYTHON = (".local/lib/python3*/site-packages/*.pth", ".local/lib/python3*/site-packages/*customize.py")
"""Patterns of files that every Python of the user's imports when it starts."""

_PRIVATE_FOLDERS = ("", ".ssh", ".gnupg", ".aws", ".config")
"""Folders whose modes say who else may read them."""

_DEVICES = tuple(Path("/dev", name) for name in ("null", "zero", "full", "random", "urandom", "tty"))
"""A box has the machine's own, and root may change the permissions of what is root's."""

_CRON_FOLDERS = ("/var/spool/cron/crontabs", "/var/spool/cron", "/var/at/tabs")
_MOST_FILES = 2000


def states(
    repository: Repository, environment: Mapping[str, str], more: Sequence[str] = (), *, is_reachable: bool = True
) -> dict[str, str]:
    """Return the states of the files by path, and that of the crontab; `more` are further paths.

    Where agents cannot reach the HOME, only `more` counts.
    """
    home = Path(environment.get("HOME") or "/nonexistent")
    imported = (path for pattern in _IMPORTED_BY_PYTHON for path in home.glob(pattern))
    own_paths = chain((home / name for name in IN_HOME), imported, (user_folder() / name for name in _GITORCH))
    paths = chain(own_paths if is_reachable else (), (home / path.removeprefix("~/") for path in more))
    state_by_name = {
        file_state.printable(str(path)): state for path in _files(paths) if (state := file_state.quick_digest(path))
    }
    state_by_name |= _modes(_DEVICES) if os.geteuid() == 0 else {}
    if not is_reachable:
        return state_by_name
    state_by_name |= _modes(home / name for name in _PRIVATE_FOLDERS)
    crontab = _crontab(repository)
    return {**state_by_name, "your crontab": crontab} if crontab else state_by_name


def _modes(paths: Iterable[Path]) -> dict[str, str]:
    return {
        f"mode of {file_state.printable(str(path))}": mode for path in paths if (mode := file_state.permissions(path))
    }


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            yield from islice((Path(root, name) for root, _, names in os.walk(path) for name in names), _MOST_FILES)
        else:
            yield path


def _crontab(repository: Repository) -> str:
    """Return the state of the user's crontab: by its file, or where only cron may see that, by what cron says."""
    for folder in _CRON_FOLDERS:
        try:
            if state := file_state.digest(Path(folder, getpass.getuser())):
                return state
        except (NotADirectoryError, FileNotFoundError, KeyError):
            continue
        except OSError:
            return _listed_crontab(repository)
    return ""


def _listed_crontab(repository: Repository) -> str:
    answer = repository.run_program(("crontab", "-l"))
    return hashlib.sha256(answer.stdout).hexdigest() if answer.code == 0 else ""
