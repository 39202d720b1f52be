"""ACP agents: gitorch's client process against an agent of the tests, which uses the protocol's library."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from gitorch.agents.acp.adapter import Acp
from gitorch.agents.protocol import Request
from gitorch.config import AgentSettings
from gitorch.model.outcome import Exit, ExitReason, Outcome
from tests.support import forkserver
from tests.support.cli import told

_AGENT = Path(forkserver.__file__).with_name("acp_agent.py")


class Place(msgspec.Struct, frozen=True):
    """A worktree and a HOME in which executions run."""

    folder: Path

    def run(self, prompt: str, *options: str, settings: dict[str, Any] | None = None, **request: Any) -> Done:
        words = self._words(options, settings or {}, request)
        env = {**self._env, "GITORCH_CONFLICTS": str(self.folder / "conflicts.md")}
        done = forkserver.acp_server().run(words, cwd=self.folder, env=env, input=prompt.encode(), timeout=300)
        return Done(done.stdout, done.stderr.decode(), done.returncode)

    def start(self, prompt: str, *, output: Path) -> forkserver.ForkedProcess:
        """Start one whose agent is a child of it, and no fork of a server."""
        source = self.folder / "prompt"
        source.write_text(prompt)
        with source.open() as stdin, output.open("wb") as out:
            return forkserver.acp_server().start(
                self._words((), {"command": (sys.executable, str(_AGENT))}, {}),
                cwd=self.folder,
                env=self._env,
                stdin=stdin.fileno(),
                stdout=out.fileno(),
                stderr=out.fileno(),
            )

    @property
    def _env(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": os.getcwd()}

    def _words(self, options: tuple[str, ...], settings: dict[str, Any], request: dict[str, Any]) -> list[str]:
        command = tuple(forkserver.acp_agent(*options))
        asked = Request(
            task="t",
            worktree=self.folder / "tree",
            state_folder=self.folder / "state",
            brief=b"",
            brief_file="x",
            **{"session": "unused", **request},
        )
        return list(Acp().launch(AgentSettings(kind="acp", **{"command": command, **settings}), asked).argv[4:])


class Done(msgspec.Struct, frozen=True):
    """An execution that has ended."""

    stdout: bytes
    stderr: str
    exit_code: int

    @property
    def outcome(self) -> Outcome:
        lines = self.stdout.splitlines(keepends=True)
        return Acp().outcome(lines, self.stderr, Exit(cause="exited", exit_code=self.exit_code))

    @property
    def shown(self) -> list[tuple[str, str, str]]:
        lines = self.stdout.splitlines()
        return [(event.kind, event.tool, event.text) for line in lines for event in Acp().events(line)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "tree").mkdir()
    return Place(tmp_path)


def test_it_works_and_reports(place: Place) -> None:
    """Its texts, calls and results are events; tokens and cost are counted; noise and unknown updates do no harm."""
    prompt = told("Do it", "acp think Let me see", "echo hello", "acp noise", "acp cost 0.25", "acp say All is done.")
    done = place.run(prompt)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.shown == [
        ("thinking", "", "Let me see"),
        ("tool", "execute", "echo hello"),
        ("result", "execute", "hello"),
        ("text", "", "refused: Method not found"),
        ("text", "", "All is done."),
        ("end", "", ""),
    ]
    assert b"of_next_year" in done.stdout
    outcome = done.outcome
    assert (outcome.ending, outcome.summary, outcome.reason) == (ExitReason.COMPLETED, "All is done.", "")
    assert outcome.session.startswith("session/")
    usage = outcome.usage
    assert usage is not None
    assert (usage.usd, usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.turns) == (
        0.25,
        110,
        10,
        20,
        1,
    )


def test_permission_is_given_in_the_worktree_and_asked_for_outside(place: Place) -> None:
    """What lies outside is a question; a yes lets the resumed session do that, and only that."""
    prompt = told("Write", "acp write in.txt edit", "acp write ../out.txt edit", "acp write ../more.txt edit")
    first = place.run(prompt)
    assert (place.folder / "tree" / "in.txt").exists()
    assert not (place.folder / "out.txt").exists()
    assert first.outcome.ending is ExitReason.COMPLETED
    assert first.outcome.question == "May it do this outside of its worktree: Write ../out.txt?"
    assert first.outcome.denials == ("Write ../out.txt",)
    session = first.outcome.session
    no = place.run("Go on", session=session, resume=True, answer="no")
    assert not (place.folder / "out.txt").exists()
    assert no.outcome.session == session
    assert "history" not in no.stdout.decode()
    yes = place.run("Go on", session=session, resume=True, answer="yes")
    assert (place.folder / "out.txt").exists()
    assert yes.outcome.question.endswith("Write ../more.txt?")
    full = place.run("Go on", session=session, resume=True, settings={"permissions": "full"})
    assert (place.folder / "more.txt").exists()
    assert (full.outcome.question, full.outcome.denials) == ("", ())


@pytest.mark.parametrize(
    ("line", "ending", "reason"),
    [
        ("acp error 429 Too many requests, try again in 90 seconds", ExitReason.LIMITED, "Too many requests"),
        ("acp stop refusal", ExitReason.DECLINED, "refused"),
        ("acp exit 3", ExitReason.LOST, "exit code 3"),
    ],
)
def test_how_it_ends(place: Place, line: str, ending: ExitReason, reason: str) -> None:
    outcome = place.run(told("Do it", "acp say Working.", line)).outcome
    assert outcome.ending is ending
    assert reason in outcome.reason
    assert outcome.summary == "Working." or ending is ExitReason.DECLINED


@pytest.mark.parametrize(
    ("options", "settings", "ending", "reason"),
    [
        (("--login",), {}, ExitReason.UNAUTHENTICATED, "Authentication required; its login methods: key"),
        (("--login",), {"auth_method": "wrong"}, ExitReason.UNAUTHENTICATED, "no login method wrong"),
        (("--login",), {"auth_method": "key"}, ExitReason.COMPLETED, ""),
        (("--model",), {"model": "large"}, ExitReason.COMPLETED, ""),
        ((), {"model": "large"}, ExitReason.SETUP, "no choice of models"),
        (("--version",), {}, ExitReason.SETUP, "version 99"),
        (("--broken",), {}, ExitReason.SETUP, "exit code 2: unknown option: --broken"),
        ((), {"command": ("no-such-program",)}, ExitReason.SETUP, "no-such-program: No such file"),
    ],
)
def test_its_setup(
    place: Place, options: tuple[str, ...], settings: dict[str, Any], ending: ExitReason, reason: str
) -> None:
    outcome = place.run(told("Do it", "true"), *options, settings=settings).outcome
    assert outcome.ending is ending
    assert reason in outcome.reason
    chosen = place.folder / "tree" / "model.txt"
    assert chosen.exists() == (settings.get("model") == "large" and ending is ExitReason.COMPLETED)


def test_a_session_that_cannot_be_loaded_is_gone(place: Place) -> None:
    for options, session in ((("--no-sessions",), "session/1"), ((), "session/unknown")):
        assert place.run("Go on", *options, session=session, resume=True).outcome.ending is ExitReason.NO_SESSION


def test_it_is_cancelled_and_nothing_stays(place: Place, tmp_path: Path) -> None:
    """SIGTERM cancels the turn; what the agent started in the background ends too."""
    output = tmp_path / "output"
    process = place.start(told("Wait", "sleep 300 > /dev/null 2>&1 & echo $! > pid", "acp hang"), output=output)
    _wait_for(lambda: b"waiting" in output.read_bytes())
    process.send_signal(signal.SIGTERM)
    assert process.wait(300) == 128 + signal.SIGTERM
    final = json.loads(output.read_bytes().splitlines()[-1])
    assert (final["type"], final["stop_reason"], final["session_id"][:8]) == ("result", "cancelled", "session/")
    assert not psutil.pid_exists(int((tmp_path / "tree" / "pid").read_text()))


def test_a_message_about_a_conflict_is_one_more_prompt(place: Place) -> None:
    """It comes after the turn in which it arrived, and is told once."""
    done = place.run(told("Do it", "echo 'their lines' > ../conflicts.md", "acp say Finished."))
    assert [text for kind, _, text in done.shown if kind == "text"] == ["Finished.", "Noted: their lines"]
    assert [tool for kind, tool, _ in done.shown if kind == "result"] == ["execute", "message"]
    assert done.outcome.usage is not None
    assert done.outcome.usage.turns == 2


def _wait_for(condition: Any) -> None:
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
