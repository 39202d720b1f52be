"""What of this machine a box shows: the system's programs, and the tools that a trusted command uses."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from gitorch.rooms.sandbox.bubblewrap import Bind

_TOP = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_SYSTEM = ("/usr", "/nix/store", "/run/current-system/sw", "/gnu/store")
# no secrets in these: the rest of /etc is not shown, such as the passwords in maven/settings.xml and php/*/fpm
_ETC = (
    *("passwd", "group", "nsswitch.conf", "hosts", "localtime", "timezone", "alternatives", "ld.so.cache"),
    *("ld.so.conf", "ld.so.conf.d", "ssl/certs", "ssl/openssl.cnf", "ssl/cert.pem", "pki/tls/certs", "pki/ca-trust"),
    *("ca-certificates", "ca-certificates.conf", "gai.conf", "protocols", "services", "fonts", "mime.types"),
    *("java", "java-*-openjdk", "maven/m2.conf", "maven/logging", "python3", "python3.*", "os-release"),
    *("php.ini", "php.d", "php/*/cli", "php/*/mods-available"),
)
_FILES_IN_VARIABLES = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("PIP_CERT", "DENO_CERT", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO", "NPM_CONFIG_CAFILE", "npm_config_cafile"),
)
_TOOLS_IN_VARIABLES = ("VIRTUAL_ENV", "CONDA_PREFIX", "NVM_DIR", "PYENV_ROOT", "RUSTUP_HOME", "GOROOT", "JAVA_HOME")
_HOME_TOOLS = (
    *(".nvm/versions", ".sdkman/candidates", ".local/lib", ".local/pipx/venvs"),
    *(".local/share/uv/python", ".local/share/uv/tools", ".local/share/pipx/venvs"),
)
_HOME_ROOTS = {
    "RUSTUP_HOME": ".rustup",
    "PYENV_ROOT": ".pyenv",
    "VOLTA_HOME": ".volta",
    "ASDF_DATA_DIR": ".asdf",
    "MISE_DATA_DIR": ".local/share/mise",
}
"""Toolchains that programs look for in HOME, which is another one in a box; none of these folders holds credentials."""
_OWN = ("/proc", "/sys", "/dev", "/tmp", "/var/tmp", "/run", "/var/run")  # noqa: S108 (they are the box's)
"""Folders of which a box has its own, and that a command may name (`2>/dev/null`, `cd /tmp`)."""
_DEVICES = ("/proc", "/sys", "/dev")
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (the same)
_SHELLS = ("sh", "bash", "dash", "zsh", "ksh")
_WORD = re.compile(r"[A-Za-z0-9][\w.+-]*")
_MOST_LINKS = 500


def system(*, shares_network: bool, etc: Path = Path("/etc")) -> tuple[tuple[Bind, ...], tuple[Bind, ...]]:
    """Return the system's folders and what may be seen of `etc`, as binds and as symbolic links (target, path)."""
    tops = [Path("/", name) for name in _TOP]
    links = tuple((os.fspath(path.readlink()), os.fspath(path)) for path in tops if path.is_symlink())
    folders = [path for path in tops if path.is_dir() and not path.is_symlink()]
    folders += [Path(path) for path in _SYSTEM]
    names = (*_ETC, *(("resolv.conf",) if shares_network else ()))
    visible = (*folders, *(path for name in names for path in sorted(etc.glob(name))), *_kernel_settings())
    # the file behind a link, in the place of the link: what it leads through is not shown
    return tuple((os.path.realpath(path), os.fspath(path)) for path in visible if path.exists()), links


def _kernel_settings(proc: Path = Path("/proc")) -> list[Path]:
    """Return what root could change the kernel's settings with, without any capability: files of root's in `/proc`.

    bubblewrap covers some of it, but not `/proc/sys`, whose `core_pattern` names a program that the kernel runs.
    """
    if os.geteuid() != 0:
        return []
    entries = (path for path in sorted(proc.iterdir()) if not path.name.isdigit() and not path.is_symlink())
    return [path for path in entries if path.is_dir() or path.lstat().st_mode & stat.S_IWUSR]


def tools(
    argv: Sequence[str], env: Mapping[str, str], *, mounted: Iterable[Path], hidden: Iterable[Path]
) -> list[Path]:
    """Return what a trusted command needs to read: what its words name by absolute path, and the tools of its PATH.

    `mounted` are folders that are visible anyway. Nothing that is, holds or lies in one of the `hidden` folders is
    shown, unless it is named by the command or belongs to a tool's installation.
    """
    script = _script_words(argv)
    named_paths = [path for word in (*argv, *script) if (path := _absolute(word))]
    for word in (*argv[:1], *script):
        if _WORD.fullmatch(word) and (program := shutil.which(word, path=env.get("PATH"))):
            named_paths += [Path(program), Path(os.path.realpath(program))]
    paths = map(Path, env.get("PATH", "").split(os.pathsep))
    folders = [path for path in paths if path.is_absolute() and stat.S_ISDIR(_mode(path))]
    variables = [Path(env[name]) for name in (*_FILES_IN_VARIABLES, *_TOOLS_IN_VARIABLES) if env.get(name)]
    home = [Path(env["HOME"]) / name for name in (*_HOME_TOOLS, *_HOME_ROOTS.values())] if env.get("HOME") else []
    hidden = [*hidden, *([Path(env["HOME"])] if env.get("HOME") else []), Path("/"), Path("/etc"), Path("/root")]
    candidates = [path for path in (*folders, *variables, *home) if not _exposes(path, hidden)]
    candidates += [path for path in named_paths if not any(_holds(path, other) for other in hidden)]
    linked = [target for folder in folders for target in _linked(folder, env.get("HOME", ""))]
    candidates += [path for path in linked if not _exposes(path, hidden)]
    programs = (*named_paths, *folders, *linked)
    candidates += [root for path in programs for root in _installation(path) if not _exposes(root, hidden)]
    candidates += python()
    visible = [Path("/usr"), *mounted]
    outermost: list[Path] = []
    for path in sorted(dict.fromkeys(candidates), key=lambda path: len(path.parts)):
        if _mode(path) and not any(path.is_relative_to(top) for top in (*visible, *outermost)):
            outermost.append(path)
    return outermost


def tool_variables(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that point programs in a box, which has its own HOME, to toolchains in the user's HOME."""
    home = Path(env.get("HOME") or "/nonexistent")
    roots = {name: os.fspath(home / folder) for name, folder in _HOME_ROOTS.items() if (home / folder).is_dir()}
    # packages of `pip install --user`
    packages = {"PYTHONUSERBASE": os.fspath(home / ".local")} if any((home / ".local/lib").glob("python3*")) else {}
    return roots | packages


def python() -> list[Path]:
    """Return what `sys.executable` needs to run gitorch: its environment, its base, and gitorch itself."""
    package = Path(__file__).resolve().parents[2]
    return [Path(sys.prefix), Path(sys.base_prefix), package]


def interpreter() -> str:
    """Return the Python of the standard library alone, which runs the programs around a box."""
    return os.path.realpath(sys.executable)


def _script_words(argv: Sequence[str]) -> list[str]:
    """Return the words of a command line that a shell is given; none for any other command."""
    is_script = len(argv) > 2 and Path(argv[0]).name in _SHELLS and argv[1].startswith("-") and argv[1].endswith("c")
    if not is_script:
        return []
    lexer = shlex.shlex(argv[2], posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return argv[2].split()


def _linked(folder: Path, home: str) -> Iterator[Path]:
    """Yield what the links of a folder of programs in HOME lead to: tools installed apart, such as by pipx or uv."""
    if not home or not folder.is_relative_to(home):
        return
    try:
        with os.scandir(folder) as entries:
            links = [entry.path for entry in entries if entry.is_symlink()][:_MOST_LINKS]
    except OSError:
        return
    targets = (Path(os.path.realpath(link)) for link in links)
    yield from (path for path in targets if stat.S_ISREG(_mode(path)) and os.access(path, os.X_OK))


def _absolute(word: str) -> Path | None:
    """Return the file or folder that a word names by its absolute path, also after a `=`; no device and no socket."""
    for text in (word, word.partition("=")[2]):
        if text.startswith("/") and "\0" not in text and len(text) < os.pathconf("/", "PC_PATH_MAX"):
            path = Path(os.path.normpath(text))
            if (stat.S_ISREG(_mode(path)) or stat.S_ISDIR(_mode(path))) and not _is_own(path):
                return path
    return None


def _mode(path: Path) -> int:
    """Return what kind of file a path is; 0 if there is none, or if this user may not look at it."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _is_own(path: Path) -> bool:
    """Return whether a box has this path by itself; showing the machine's in its place would break programs."""
    if any(path.is_relative_to(folder) for folder in _DEVICES):
        return path == _SHARED_MEMORY or not path.is_relative_to(_SHARED_MEMORY)
    return str(path) in _OWN


def _installation(path: Path) -> Iterator[Path]:
    """Yield the folders of the installation that a program, or a folder of programs, belongs to."""
    real = Path(os.path.realpath(path))
    for place in (path, real):
        folder = place if stat.S_ISDIR(_mode(place)) else place.parent
        if folder.name == "bin" and os.access(folder.parent / "pyvenv.cfg", os.R_OK):
            yield folder.parent
            yield from _base_python(folder.parent / "pyvenv.cfg")
        elif folder.name == "bin" and folder.parent.name not in (".local", ".cargo") and _is_prefix(folder.parent):
            yield folder.parent
        # a package of npm, with the packages beside it that it needs
        if "node_modules" in place.parts:
            yield Path(*place.parts[: place.parts.index("node_modules") + 1])


def _base_python(config: Path) -> Iterator[Path]:
    for line in config.read_text("utf-8", "replace").splitlines():
        name, _, value = line.partition("=")
        home = Path(os.path.realpath(value.strip()))
        if name.strip() == "home" and home.name == "bin" and _is_prefix(home.parent):
            # links of the environment can lead through another name of the same folder
            yield home.parent
            yield Path(os.path.normpath(value.strip())).parent


def _is_prefix(folder: Path) -> bool:
    return stat.S_ISDIR(_mode(folder / "lib"))


def _exposes(path: Path, hidden: Iterable[Path]) -> bool:
    """Return whether a path is one of these folders or holds one."""
    return any(_holds(path, other) for other in hidden)


def _holds(folder: Path, path: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)) or path.is_relative_to(folder)
