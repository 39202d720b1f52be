"""The real `claude` and `codex`: where they are, and the sealed surroundings in which they see only a scripted server.

`GITORCH_TEST_AGENTS` names a folder that holds `node_modules/.bin`; without it, `.agents/` of the repository is looked
at. Where a program is not installed, the test is skipped.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec
import pytest

from gitorch.agents.protocol import Launch, ProbeResult
from gitorch.config import AgentSettings
from gitorch.model.outcome import Exit
from tests.support.model_server import ModelServer

ROOT = Path(__file__).resolve().parents[2]
KEY = "dummy-key-of-the-tests"
PROVIDER = "scripted"


def installed(name: str) -> Path | None:
    """Return the path of the real program `name`, or None where it is not installed."""
    folder = Path(os.environ.get("GITORCH_TEST_AGENTS") or ROOT / ".agents")
    program = folder.resolve() / "node_modules" / ".bin" / name
    return program if program.exists() else None


def binary(name: str) -> Path:
    """Return the path of the real program `name`, or skip the test."""
    program = installed(name)
    if program is None:
        pytest.skip(f"{name} is not installed: set GITORCH_TEST_AGENTS to a folder with node_modules/.bin/{name}")
    return program


def sealed_environment(folder: Path, server: ModelServer | None = None) -> dict[str, str]:
    """Return an environment in which agents and git touch only `folder`, and talk only to `server`.

    Without a server nobody is logged in. Retries are off, so that faults show at once.
    """
    home, codex = folder / "home", folder / "codex-home"
    for place in (home, codex):
        place.mkdir(parents=True, exist_ok=True)
    sealed = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "CODEX_HOME": str(codex),
        "CLAUDE_CODE_MAX_RETRIES": "0",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        **_git_environment(),
    }
    keys = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": KEY, "CODEX_API_KEY": KEY} if server else {}
    return {**sealed, **keys}


def claude_settings(server: ModelServer, *, args: tuple[str, ...] = ()) -> AgentSettings:
    """Return settings with which the real claude asks `server`, in any environment that passes `env` on."""
    env = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": KEY, "CLAUDE_CODE_MAX_RETRIES": "0"}
    return AgentSettings(kind="claude", path=str(binary("claude")), model="claude-opus-4-8", args=args, env=env)


def codex_settings(server: ModelServer, *, args: tuple[str, ...] = ()) -> AgentSettings:
    """Return settings with which the real codex asks `server`, in any environment that passes `env` on."""
    return AgentSettings(
        kind="codex",
        path=str(binary("codex")),
        model="gpt-5.5",
        args=(*provider_args(server), *args),
        env={"CODEX_API_KEY": KEY},
    )


def provider_args(server: ModelServer, *, retries: int = 0) -> tuple[str, ...]:
    """Return the arguments that make codex ask `server`."""
    table = (
        f'{{name="{PROVIDER}",base_url="{server.url}/v1",env_key="CODEX_API_KEY",wire_api="responses",'
        f"request_max_retries={retries},stream_max_retries={retries}}}"
    )
    return "-c", f'model_provider="{PROVIDER}"', "-c", f"model_providers.{PROVIDER}={table}"


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What one execution left behind."""

    lines: list[bytes]
    stderr: str
    ended: Exit


class Running:
    """An agent's process in its own session, its output in files: what the supervisor does, without a supervisor."""

    def __init__(self, launch: Launch, environment: Mapping[str, str], worktree: Path, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.started = time.time()
        (folder / "stdin").write_bytes(launch.stdin)
        with (folder / "stdin").open("rb") as stdin, self._open("stdout") as stdout, self._open("stderr") as stderr:
            self.process = subprocess.Popen(
                launch.argv,
                cwd=worktree,
                env={**environment, **launch.env},
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    def _open(self, name: str) -> BinaryIO:
        return (self.folder / name).open("wb")

    def end(self, *, seconds: float = 300.0, cause: str = "exited") -> Ran:
        """Wait for the end and return what was written; `cause` is how the caller brought the end about."""
        try:
            code = self.process.wait(timeout=seconds)
        finally:
            self.process.kill()
        ended = Exit(
            cause=cause,
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            started=self.started,
            seconds=time.time() - self.started,
        )
        stderr = (self.folder / "stderr").read_text(encoding="utf-8", errors="replace")
        lines = (self.folder / "stdout").read_bytes().splitlines(keepends=True)
        return Ran(lines=lines, stderr=stderr, ended=ended)


def probe(argv: tuple[str, ...], environment: Mapping[str, str]) -> ProbeResult:
    """Run one probe command as `doctor` does."""
    try:
        done = subprocess.run(
            argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
        )
    except FileNotFoundError:
        return ProbeResult(argv=argv, exit_code=None)
    return ProbeResult(argv=argv, exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def linked_worktree(folder: Path, environment: Mapping[str, str]) -> Path:
    """Make a repository with one commit, and return a linked worktree of it on the branch `orch/t`."""
    main, tree = folder / "main", folder / "tree"
    main.mkdir(parents=True)
    for words in (
        ("init", "-q", "-b", "trunk"),
        ("commit", "-q", "--allow-empty", "-m", "start"),
        ("worktree", "add", "-q", "-b", "orch/t", str(tree)),
    ):
        subprocess.run(["git", *words], cwd=main, env=environment, check=True)
    return tree


def _git_environment() -> dict[str, str]:
    who = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in _WHO.items()}
    return {**who, "GIT_CONFIG_NOSYSTEM": "1", "GIT_EDITOR": "false", "GIT_TERMINAL_PROMPT": "0"}


_WHO = {"NAME": "Test Agent", "EMAIL": "agent@example.invalid"}
