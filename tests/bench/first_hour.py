"""A stranger's path: from a built wheel to merged and undone work, in a small repository of each kind.

    python -m tests.bench.first_hour --languages js,rust,go,python
    python -m tests.bench.first_hour --kinds npm,cargo --sandbox off --keep FOLDER
    python -m tests.bench.first_hour --languages go --root ROOT     # in a clean Debian, see container.py

Each kind gets a home and a virtual environment of its own: install the wheel, `demo`, then in a new repository `init`,
`config trust`, `submit`, `run`, `review`, `approve`, `merge` and `undo`. The agents are commands: the work of one
passes the repository's tests, and the work of the other must be shown as red. Exits with 1 if a kind is not green, or
takes more than five minutes. Kinds whose program is not installed are left out, and said.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import tomli
import tomli_w

from gitorch import typed
from tests.bench import container
from tests.bench.container import Container
from tests.bench.table import cpu
from tests.support.cli import ROOT

LIMIT = 300.0
"""Seconds that a kind may take from `pip install` to `undo`."""

_OF_THE_MACHINE = (
    "LANG",
    "PIP_",
    "UV_",
    "NPM_CONFIG_",
    "REQUESTS_",
    "SSL_",
    "HTTP",
    "http",
    "NO_PROXY",
    "no_proxy",
    "GOPROXY",
)
_TOOLCHAINS = {"RUSTUP_HOME": ".rustup", "PYENV_ROOT": ".pyenv"}
"""Variables of toolchains that live in the home folder of whoever measures."""


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of `first_hour.toml`, which explains its fields."""

    name: str
    language: str
    program: str
    lock: str = ""
    like: str = ""
    files: dict[str, str] = {}
    right: dict[str, str] = {}
    wrong: dict[str, str] = {}


class Result(msgspec.Struct, frozen=True):
    """What one kind came to: seconds by step, and what went wrong."""

    kind: str
    checks: tuple[str, ...]
    seconds: dict[str, float]
    cpu: float
    fault: str

    @property
    def line(self) -> str:
        steps = " | ".join(f"{self.seconds.get(step, 0):.1f}" for step in STEPS)
        total = sum(self.seconds.values())
        outcome = "green" if not self.fault else f"**{self.fault}**"
        return f"| {self.kind} | {', '.join(self.checks)} | {steps} | {total:.1f} | {self.cpu:.1f} | {outcome} |"


STEPS = ("install", "demo", "init", "run", "review", "merge", "undo")


def kinds() -> dict[str, Kind]:
    """Return the table; a row that is `like` another takes over what it does not say itself."""
    rows = tomli.loads((Path(__file__).parent / "first_hour.toml").read_text())["kinds"]
    table: dict[str, Kind] = {}
    for kind in typed.from_object(rows, list[Kind]):
        like = table.get(kind.like, kind)
        both = {field: {**getattr(like, field), **getattr(kind, field)} for field in ("files", "right", "wrong")}
        both["files"] = {name: content for name, content in both["files"].items() if content}
        table[kind.name] = msgspec.structs.replace(kind, **both)
    return table


class Stranger:
    """Somebody with a new home folder, who has just got the wheel; on this machine, or in a clean container."""

    def __init__(self, folder: Path, sandbox: str, log: Callable[[str], object], root: Path | None = None) -> None:
        self.log = log
        self.home = folder / "home"
        self.repository = self.home / "shop"
        self.repository.mkdir(parents=True)
        self.container = Container(root, self.home) if root else None
        home = container.HOME if root else self.home
        self.environment = {
            **_of_the_machine(root or Path("/")),
            **({} if root else _toolchains()),
            "HOME": str(home),
            "PATH": container.PATH if root else f"{home / 'venv/bin'}{os.pathsep}{_path_without_this()}",
            "GITORCH_SANDBOX_MODE": sandbox,
        }
        self.write(".gitconfig", "[user]\nname = Una\nemail = una@example.org\n[init]\ndefaultBranch = main\n")

    def write(self, name: str, content: str) -> None:
        """Write a file of the home folder."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        if self.container:
            self.container.own()

    def words(self, words: Sequence[str], cwd: Path) -> list[str]:
        """Return what runs `words` in a folder of the home, as this machine has to call it."""
        if not self.container:
            return [*words]
        return self.container.command(words, container.HOME / cwd.relative_to(self.home), self.environment)

    def call(self, *words: str, ok: Iterable[int] = (0,), cwd: Path | None = None) -> str:
        """Run a program; return what it printed, or raise when its exit code is another one."""
        done = subprocess.run(
            self.words(words, cwd or self.home),
            cwd=cwd or self.home,
            env=None if self.container else self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        self.log(f"$ {shlex.join(words)[:200]}\n{done.stdout}{done.stderr}[{done.returncode}]\n")
        if done.returncode not in ok:
            raise RuntimeError(f"{words[0]} {words[1]} exits with {done.returncode}")
        return done.stdout

    def orchestrate(self, *words: str, ok: Iterable[int] = (0,)) -> str:
        return self.call("orchestrate", *words, ok=ok, cwd=self.repository)

    def git(self, *words: str) -> str:
        return self.call("git", *words, cwd=self.repository).strip()

    def take(self, wheel: Path) -> None:
        """Put the wheel into the home."""
        shutil.copy(wheel, self.home)

    def begin(self, kind: Kind, agents: Mapping[str, Mapping[str, str]]) -> None:
        """Make the repository, and command agents that each write and commit these files."""
        for name, content in kind.files.items():
            self.write(f"shop/{name}", content)
        self.git("init", "--quiet")
        if kind.lock:
            self.call("sh", "-c", kind.lock, cwd=self.repository)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Add the shop")
        commands = {
            name: {"kind": "command", "command": ["sh", "-ec", _script(files)]} for name, files in agents.items()
        }
        self.write(".config/gitorch/config.toml", tomli_w.dumps({"agents": commands}))

    def tasks(self) -> dict[str, Any]:
        return {task["id"]: task for task in json.loads(self.orchestrate("status", "--all", "--json"))["tasks"]}


def _script(files: Mapping[str, str]) -> str:
    lines = []
    for name, content in files.items():
        text = base64.b64encode(content.encode()).decode()
        lines += [f"mkdir -p {shlex.quote(str(Path(name).parent))}", f"echo {text} | base64 -d > {shlex.quote(name)}"]
    return "\n".join([*lines, "git add --all", "git commit --quiet --message 'Add a mean'"])


def _of_the_machine(root: Path) -> dict[str, str]:
    """Return how programs reach the network here, without paths that are not below `root`."""
    passed = {name: text for name, text in os.environ.items() if name.startswith(_OF_THE_MACHINE)}
    return {name: text for name, text in passed.items() if text[:1] != "/" or (root / text[1:]).exists()}


def _toolchains() -> dict[str, str]:
    places = {name: Path.home() / place for name, place in _TOOLCHAINS.items()}
    return {name: str(place) for name, place in places.items() if place.is_dir()}


def _path_without_this() -> str:
    own = Path(sys.prefix, "bin")
    return os.pathsep.join(folder for folder in os.environ["PATH"].split(os.pathsep) if Path(folder) != own)


def first_hour(kind: Kind, stranger: Stranger, wheel: Path) -> Result:
    """Walk the path; every step that does not do what it should ends it."""
    seconds: dict[str, float] = {}
    checks: tuple[str, ...] = ()
    before_all = cpu()

    def timed(step: str, *works: Callable[[], object]) -> None:
        begun = time.monotonic()
        try:
            for work in works:
                work()
        finally:
            seconds[step] = time.monotonic() - begun

    def call(*words: str, ok: Iterable[int] = (0,)) -> Callable[[], str]:
        return lambda: stranger.orchestrate(*words, ok=ok)

    try:
        timed("install", lambda: _install(stranger, wheel))
        timed("demo", lambda: stranger.call("orchestrate", "demo"))
        stranger.begin(kind, {"right": kind.right, "wrong": kind.wrong})
        timed("init", call("init"))
        found = json.loads(stranger.orchestrate("config", "get", "checks", "--json"))
        checks = tuple(sorted(_check_names(found)))
        _must(bool(checks), "init found no check")
        stranger.orchestrate("config", "trust", "--yes")
        stranger.git("add", ".orchestrate.toml")
        stranger.git("commit", "--quiet", "--message", "Configure gitorch")
        before = stranger.git("for-each-ref", "refs/heads/main")
        submits = [call("submit", f"Add {word}", "--agent", word) for word in ("right", "wrong")]
        timed("run", *submits, call("-c", "run.fix_checks=0", "run", ok=(0, 6)))
        tasks = stranger.tasks()
        _must(tasks["add-right"]["checks"]["passed"] is True, "the right work is not green")
        _must(tasks["add-wrong"]["checks"]["passed"] is False, "the wrong work is not red")
        timed("review", call("review", "--list"), call("diff", "add-right"), call("approve", "add-right"))
        timed("merge", call("merge"))
        _must(stranger.tasks()["add-right"]["state"] == "merged", "it is not merged")
        timed("undo", call("undo"))
        _must(stranger.tasks()["add-right"]["state"] == "approved", "the merge is not undone")
        _must(stranger.git("for-each-ref", "refs/heads/main") == before, "main has moved")
        _must(not stranger.git("status", "--porcelain"), "git status shows something")
        _must(sum(seconds.values()) <= LIMIT, "too slow")
    except (RuntimeError, KeyError) as fault:
        return Result(kind.name, checks, seconds, cpu() - before_all, str(fault))
    return Result(kind.name, checks, seconds, cpu() - before_all, "")


def _check_names(found: Any) -> list[str]:
    """Return the names of the checks in an answer of `config get checks`."""
    value = found["value"] if isinstance(found, dict) and "value" in found else found
    return list(value) if isinstance(value, dict) else []


def _install(stranger: Stranger, wheel: Path) -> None:
    stranger.take(wheel)
    stranger.call("python3" if stranger.container else sys.executable, "-m", "venv", "venv")
    stranger.call("venv/bin/python", "-m", "pip", "install", "--quiet", wheel.name)


def _must(holds: bool, fault: str) -> None:
    if not holds:
        raise RuntimeError(fault)


def build(folder: Path) -> Path:
    """Build the wheel of this checkout."""
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def chosen(options: argparse.Namespace) -> list[Kind]:
    """Return the kinds that were asked for and whose program is installed; say which are left out."""
    names = set(filter(None, options.kinds.split(",")))
    languages = set(filter(None, options.languages.split(",")))
    table = kinds()
    if unknown := (names - set(table)) | (languages - {kind.language for kind in table.values()}):
        sys.exit(f"error: unknown: {', '.join(sorted(unknown))}; known are {', '.join(table)}")
    wanted = [kind for kind in table.values() if kind.name in names or kind.language in languages]
    wanted = wanted if names or languages else [*table.values()]
    here = Container(options.root, options.root).which if options.root else shutil.which
    absent = [kind.name for kind in wanted if not here(kind.program)]
    if absent:
        print(f"left out, because the program is not installed: {', '.join(absent)}")
    return [kind for kind in wanted if kind.name not in absent]


def main() -> None:
    """Walk, print a table, and exit with 1 if anything is not as promised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default="", help="names in first_hour.toml, with commas; the default is all")
    parser.add_argument("--languages", default="", help="js, rust, go, python, ...")
    parser.add_argument("--sandbox", default="auto", help="sandbox.mode")
    parser.add_argument("--root", type=Path, help="a clean system, made by tests.bench.container")
    parser.add_argument("--keep", type=Path, help="an empty folder to work in, which is kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gitorch-first-hour-") as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        wheel = build(folder / "dist")
        print(f"| kind | checks | {' | '.join(STEPS)} | seconds | CPU | |\n|{'---|' * (len(STEPS) + 5)}", flush=True)
        results = []
        for kind in chosen(options):
            (folder / kind.name).mkdir(parents=True)
            with (folder / kind.name / "log").open("w") as log:
                stranger = Stranger(folder / kind.name, options.sandbox, log.write, options.root)
                results.append(first_hour(kind, stranger, wheel))
            print(results[-1].line, flush=True)
    sys.exit(any(result.fault for result in results))


if __name__ == "__main__":
    main()
