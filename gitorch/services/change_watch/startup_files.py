"""Files that your shell, your tools or your next agent run or obey: an agent without a sandbox can write them.

They are compared before and after attempts, as what git has is. All other files in a HOME are not watched.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path

from gitorch.config import Config, user_folder
from gitorch.git.protected import file_state
from gitorch.git.repository import Repository

UNWATCHED = "!"
"""How an entry of `sandbox.watch` begins that takes files out."""

_SHELLS = (
    *(".profile", ".bash_profile", ".bash_login", ".bashrc", ".bash_aliases", ".bash_logout", ".inputrc"),
    *(".bash_completion", ".local/share/bash-completion/completions", ".config/starship.toml", ".hushlogin"),
    *(".zshenv", ".zprofile", ".zshrc", ".zlogin", ".zlogout", ".kshrc", ".cshrc", ".tcshrc", ".login"),
    *(".bashrc.d", ".profile.d", ".config/bash", ".config/zsh", ".oh-my-zsh/custom", ".config/fish/completions"),
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
    *(".local/share/systemd/user", ".local/share/dbus-1/services", ".config/plasma-workspace/env"),
    *(".config/i3/config", ".config/sway/config", ".config/hypr", ".Xresources", ".forward", ".procmailrc"),
)
_TOOLS = (
    *(
        ".ssh",
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
"""Patterns of files that each of the user's Pythons imports when it starts."""

_PRIVATE_FOLDERS = ("", ".ssh", ".gnupg", ".aws", ".config")
"""Folders whose modes say who else may read them."""

_DEVICES = tuple(Path("/dev", name) for name in ("null", "zero", "full", "random", "urandom", "tty"))
"""A box has the machine's own, and root may change the permissions of what is root's."""

_OF_THE_MACHINE = tuple(
    Path("/etc", name)
    for name in (
        *("profile", "profile.d", "bash.bashrc", "zsh", "environment", "ld.so.preload", "sudoers", "sudoers.d"),
        *("crontab", "cron.d", "cron.hourly", "cron.daily", "anacrontab", "systemd/system", "ssh/ssh_config"),
    )
)
"""What the machine runs or obeys. Only root's programs can write it."""

_KNOWN_HOSTS = "known_hosts"
"""How the files of `.ssh` begin that each connection may add to."""

_JOB_FOLDERS = ("/var/spool/cron/atjobs", "/var/spool/at")
_TRANSIENT = "systemd/transient"
_TRANSIENT_STARTS = (".timer", ".path", ".socket")
"""How units end that `systemd-run --user` makes to start something later. Programs of a desktop have others."""

_CRON_FOLDERS = ("/var/spool/cron/crontabs", "/var/spool/cron", "/var/at/tabs")
_MOST_FILES = 2000


def watched_paths(config: Config) -> list[str]:
    """Return the further files and folders that `sandbox.watch` names."""
    return [path for path in config.sandbox.watch if not path.startswith(UNWATCHED)]


def states(
    repository: Repository, environment: Mapping[str, str], more: Sequence[str] = (), *, is_reachable: bool = True
) -> dict[str, str]:
    """Return the states of the files by path, and those of the crontab and the jobs of `at`; `more` are further paths.

    Where agents cannot reach the HOME, only `more` counts.
    """
    home = Path(environment.get("HOME") or "/nonexistent")
    imported = (path for pattern in _IMPORTED_BY_PYTHON for path in home.glob(pattern))
    others = chain(imported, (user_folder() / name for name in _GITORCH))
    others = chain(others, _OF_THE_MACHINE if os.geteuid() == 0 else (), _transient_units(environment))
    own_paths = chain((f"{home}/{name}" for name in IN_HOME), map(str, others))
    paths = chain(own_paths if is_reachable else (), (str(home / path.removeprefix("~/")) for path in more))
    state_by_name = {
        file_state.printable(str(path)): state for path in _files(paths) if (state := file_state.quick_digest(path))
    }
    state_by_name |= _modes(_DEVICES) if os.geteuid() == 0 else {}
    if not is_reachable:
        return state_by_name
    state_by_name |= _modes(home / name for name in _PRIVATE_FOLDERS)
    schedules = {"your crontab": _crontab(repository), "your jobs of at": _jobs(repository)}
    return state_by_name | {name: state for name, state in schedules.items() if state}


def _modes(paths: Iterable[Path]) -> dict[str, str]:
    return {
        f"mode of {file_state.printable(str(path))}": mode for path in paths if (mode := file_state.permissions(path))
    }


def _files(paths: Iterable[str]) -> Iterator[Path]:
    """Yield the files at these paths, and in the folders: of 150 paths, most lead nowhere and need no `Path`."""
    for path in paths:
        try:
            is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
        except OSError:
            continue
        if is_folder:
            files = (Path(root, name) for root, _, names in os.walk(path) for name in names)
            yield from islice((file for file in files if not _is_volatile(file)), _MOST_FILES)
        else:
            yield Path(path)


def _is_volatile(file: Path) -> bool:
    """Return whether a file is one that connections of ssh change, or their socket."""
    return ".ssh" in file.parent.parts[-1:] and (file.name.startswith(_KNOWN_HOSTS) or file.is_socket())


def _transient_units(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the units of the user's systemd that start something at a time, or when something happens."""
    folder = Path(environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}", _TRANSIENT)
    with contextlib.suppress(OSError):
        yield from (path for path in sorted(folder.iterdir()) if path.name.endswith(_TRANSIENT_STARTS))


def _jobs(repository: Repository) -> str:
    """Return the state of the jobs of `at`: their names, or where only `at` may see them, what that says."""
    for folder in _JOB_FOLDERS:
        try:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
        except FileNotFoundError:
            continue
        except OSError:
            return _answer(repository, "atq")
        return " ".join(name for name in names if not name.startswith("."))
    return ""


def _crontab(repository: Repository) -> str:
    """Return the state of the user's crontab: by its file, or where only cron may see that, by what cron says."""
    for folder in _CRON_FOLDERS:
        try:
            if state := file_state.digest(Path(folder, getpass.getuser())):
                return state
        except (NotADirectoryError, FileNotFoundError, KeyError):
            continue
        except OSError:
            return _answer(repository, "crontab", "-l")
    return ""


def _answer(repository: Repository, *command: str) -> str:
    """Return a digest of what a program says; empty if it fails."""
    answer = repository.run_program(command)
    return hashlib.sha256(answer.stdout).hexdigest() if answer.code == 0 else ""
