"""A worktree for the api agent, and its executions as processes."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from uuid import uuid4

import msgspec
import psutil

from gitorch.agents.api.adapter import Api
from gitorch.agents.api.requests import Stream
from gitorch.agents.protocol import Request
from gitorch.config import AgentSettings
from gitorch.model.outcome import Exit, Outcome
from tests.support.forkserver import api_server
from tests.support.model_server import ModelRequest

Json: TypeAlias = dict[str, Any]

_PROGRAM_WORDS = 4
"""The interpreter, `-P -m`, and the module, in what the adapter starts."""

KEY = "sk-ant-test-0123456789-not-a-real-key"
ROOT = Path(__file__).parents[2]
SETTINGS = AgentSettings(kind="api", model="claude-sonnet-5", args=("--retry-seconds", "0.01"))
IDENTITY = {
    f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "A"), ("EMAIL", "a@b"))
}


class Finished(NamedTuple):
    """An execution that is over."""

    exit_code: int
    events: list[Json]
    outcome: Outcome
    raw: bytes
    stderr: str

    @property
    def result(self) -> Json:
        return self.events[-1]


class Place:
    """A repository with a linked worktree, and the environment of an agent in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = folder / "repository"
        self.worktree = folder / "work tree"
        home = folder / "home"
        home.mkdir()
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT), **IDENTITY}
        self.git(folder, "init", "-q", "-b", "main", "repository")
        self.git(self.repository, "commit", "-q", "--allow-empty", "-m", "start")
        self.git(self.repository, "worktree", "add", "-q", "-b", "orch/t", str(self.worktree))

    def git(self, where: Path, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=where, env=self.env, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    @property
    def sessions(self) -> Path:
        return self.repository / ".git/gitorch/sessions"

    def request(self, prompt: str | bytes, *, session: str, resume: bool = False, budget: float = 0.0) -> Request:
        return Request(
            task="t",
            worktree=self.worktree,
            state_folder=self.repository / ".git" / "gitorch",
            brief=prompt.encode() if isinstance(prompt, str) else prompt,
            brief_file="BRIEF",
            session=session,
            resume=resume,
            budget=budget,
        )

    def start(
        self,
        url: str,
        request: Request,
        settings: AgentSettings = SETTINGS,
        *,
        fresh_interpreter: bool = False,
        env: Mapping[str, str] = {},
    ) -> subprocess.Popen[bytes]:
        """Start an execution; it loads the SDK itself only in a fresh interpreter."""
        launch = Api().launch(settings, request)
        program = launch.argv if fresh_interpreter else (*api_server().client, *launch.argv[_PROGRAM_WORDS:])
        with tempfile.TemporaryFile() as prompt:
            prompt.write(launch.stdin)
            prompt.seek(0)
            return subprocess.Popen(
                program,
                cwd=self.worktree,
                env={**self.env, "ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": KEY, **env},
                stdin=prompt,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )

    def run(
        self,
        url: str,
        prompt: str | bytes,
        *,
        settings: AgentSettings = SETTINGS,
        session: str = "",
        resume: bool = False,
        budget: float = 0.0,
        **env: str,
    ) -> Finished:
        request = self.request(prompt, session=session or str(uuid4()), resume=resume, budget=budget)
        return finished(self.start(url, request, settings, env=env))


def connect(**options: Any) -> Stream:
    """Connect as the agent does."""
    from gitorch.agents.api.client import connect  # 2 to 3 s, which only a worker with a test that needs it shall take

    return connect(**options)


def finished(process: subprocess.Popen[bytes]) -> Finished:
    raw, errors = process.communicate(timeout=300)
    lines = raw.splitlines()
    ended = Exit(cause="exited", exit_code=process.returncode)
    outcome = Api().outcome(lines, errors.decode(), ended)
    return Finished(process.returncode, [msgspec.json.decode(line) for line in lines], outcome, raw, errors.decode())


def cached(request: ModelRequest) -> int:
    """Return how many cache breakpoints a request has."""
    return msgspec.json.encode(request.body).count(b'"cache_control"')


def alive(marker: str) -> list[int]:
    """Return the processes that have `marker` among their arguments."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if marker in (process.info["cmdline"] or ()) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def until(condition: Callable[[], bool], *, seconds: float = 300.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()
