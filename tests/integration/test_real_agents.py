"""The real claude and codex, driven as gitorch drives them, against the scripted model server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from gitorch.agents.claude.adapter import Claude
from gitorch.agents.codex.adapter import Codex
from gitorch.agents.protocol import Agent, Request
from gitorch.config import AgentSettings
from gitorch.errors import SetupNeeded
from gitorch.model.outcome import ExitReason, Outcome
from tests.support import real
from tests.support.capture import LIMIT_HEADERS, RESET, USAGE_LIMIT
from tests.support.model_server import Brain, Fault, ModelRequest, ModelServer, Say, Shell, Tokens, commit_file, script

pytestmark = pytest.mark.real_agents

AGENTS: dict[str, Claude | Codex] = {"claude": Claude(), "codex": Codex()}
NASTY = "Fix `foo`; say \"it's\" 'done' $HOME $(rm -rf x)\n\n\ttab \\n é 🦀 漢字\r\nlast line, no newline"


class Bench:
    """One agent, one server, one linked worktree."""

    def __init__(self, kind: str, folder: Path, server: ModelServer) -> None:
        self.agent = AGENTS[kind]
        self.settings = {"claude": real.claude_settings, "codex": real.codex_settings}[kind](server)
        self.environment = real.sealed_environment(folder, server)
        self.folder = folder
        self.tree = real.linked_worktree(folder, self.environment)

    def start(self, prompt: str, *, session: str = "") -> real.Running:
        """Start the agent on `prompt`, in a new session or going on with `session`."""
        place = self.folder / uuid.uuid4().hex
        request = Request(
            task="t",
            worktree=self.tree,
            state_folder=self.folder / "main" / ".git" / "gitorch",
            brief=prompt.encode(),
            brief_file="BRIEF",
            session=session or str(uuid.uuid4()),
            resume=bool(session),
        )
        return real.Running(self.agent.launch(self.settings, request), self.environment, self.tree, place)

    def outcome(self, ran: real.Ran) -> Outcome:
        """Let the agent's adapter judge what was left behind."""
        return self.agent.outcome(ran.lines, ran.stderr, ran.ended)

    def work(self, prompt: str, *, session: str = "") -> Outcome:
        """Run the agent on `prompt` to its end."""
        return self.outcome(self.start(prompt, session=session).end())

    def git(self, *words: str) -> str:
        """Return what git says in the worktree."""
        done = subprocess.run(["git", *words], cwd=self.tree, env=self.environment, check=True, capture_output=True)
        return done.stdout.decode()


@pytest.fixture(params=["claude", "codex"])
def kind(request: pytest.FixtureRequest) -> str:
    """Return the kind of agent, where it is installed."""
    real.binary(request.param)
    return str(request.param)


def asked(server: ModelServer) -> str:
    """Return the prompt of the newest request."""
    return server.requests[-1].prompt


def test_an_agent_edits_and_commits_in_its_linked_worktree(kind: str, tmp_path: Path) -> None:
    """The script's commit is on the worktree's branch, byte for byte, and the outcome tells words and usage."""
    text = "a `b` \"c\" 'd' é 🦀\nno newline"
    brain = script(commit_file("src/ä.txt", text, "Add ä 🦀"), Say("I added it.", Tokens(100, 1000, 50)))
    with ModelServer(brain) as server:
        bench = Bench(kind, tmp_path, server)
        outcome = bench.work("Please add it.")
    assert outcome.ending is ExitReason.COMPLETED
    assert (outcome.summary, outcome.reason, outcome.denials) == ("I added it.", "", ())
    assert bench.git("log", "-1", "--format=%s", "orch/t") == "Add ä 🦀\n"
    assert bench.git("show", "orch/t:src/ä.txt") == text
    assert bench.git("status", "--porcelain") == ""
    usage = outcome.usage
    assert usage is not None
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens) == (1110, 1000, 55)


def test_the_prompt_arrives_byte_for_byte(kind: str, tmp_path: Path) -> None:
    """Quotes, backticks, carriage returns, emoji and a missing last newline reach the model as they are."""
    with ModelServer(script(Say("ok"))) as server:
        assert Bench(kind, tmp_path, server).work(NASTY).ending is ExitReason.COMPLETED
        assert NASTY in asked(server)


def test_a_session_goes_on_where_it_ended(kind: str, tmp_path: Path) -> None:
    """A resumed session has the same id, and the model sees what was said before."""
    with ModelServer(script(Say("The word is xyzzy."))) as server:
        bench = Bench(kind, tmp_path, server)
        first = bench.work("Remember a word.")
        second = bench.work("Which word?", session=first.session)
        pieces = server.requests[-1].conversation
    assert first.session
    assert second.session == first.session
    assert [text for role, text in pieces if role == "user"][-1].strip() == "Which word?"
    assert "Remember a word." in asked(server)
    assert "xyzzy" in " ".join(text for role, text in pieces if role == "assistant")


def test_only_codex_counts_a_resumed_session_from_its_beginning(kind: str, tmp_path: Path) -> None:
    """`usage_is_cumulative` tells the truth about the second execution's usage."""
    with ModelServer(script(Say("ok", Tokens(100, 0, 10)))) as server:
        bench = Bench(kind, tmp_path, server)
        first = bench.work("one")
        second = bench.work("two", session=first.session)
    assert first.usage is not None
    assert second.usage is not None
    assert second.usage.output_tokens == (20 if bench.agent.usage_is_cumulative else 10)


FAULTS: list[tuple[str, Brain, ExitReason, float | None]] = [
    ("401", script(Fault(401)), ExitReason.UNAUTHENTICATED, None),
    ("400", script(Fault(400)), ExitReason.FAILED, None),
    ("500", script(Fault(500)), ExitReason.TRANSIENT, None),
]


@pytest.mark.parametrize(("brain", "ending"), [(row[1], row[2]) for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_of_the_service_is_told_by_its_kind(
    kind: str, brain: Brain, ending: ExitReason, tmp_path: Path
) -> None:
    """What the service answers decides the ending, with a reason to show."""
    with ModelServer(brain) as server:
        outcome = Bench(kind, tmp_path, server).work("hello")
    assert outcome.ending is ending
    assert "scripted failure" in outcome.reason or "high demand" in outcome.reason


def test_claude_tells_when_a_subscription_limit_resets(tmp_path: Path) -> None:
    """A rejected subscription request ends as LIMITED, with the service's own time."""
    with ModelServer(script(Fault(429, headers=LIMIT_HEADERS))) as server:
        bench = Bench("claude", tmp_path, server)
        del bench.environment["ANTHROPIC_API_KEY"]
        bench.environment["CLAUDE_CODE_OAUTH_TOKEN"] = "sk-ant-oat01-dummy"
        outcome = bench.work("hello")
    assert (outcome.ending, outcome.resets_at) == (ExitReason.LIMITED, RESET)


def test_codex_tells_when_a_usage_limit_resets(tmp_path: Path) -> None:
    """The text of codex is read as local time, rounded up to the next minute."""
    with ModelServer(script(Fault(429, USAGE_LIMIT))) as server:
        bench = Bench("codex", tmp_path, server)
        del bench.environment["TZ"]
        outcome = bench.work("hello")
    assert (outcome.ending, outcome.resets_at) == (ExitReason.LIMITED, RESET + 60)


def test_a_very_long_line_is_read(kind: str, tmp_path: Path) -> None:
    """A 300 KB answer in one line of the stream is the summary, whole."""
    words = "🦀x" * 100_000
    with ModelServer(script(Say(words))) as server:
        outcome = Bench(kind, tmp_path, server).work("long")
    assert outcome.summary == words


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_agent_is_stopped_and_can_go_on(kind: str, how: signal.Signals, tmp_path: Path) -> None:
    """An agent killed in the middle of a tool call is STOPPED, with its session, and the session can be resumed."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)

    def brain(request: ModelRequest) -> Shell | Say:
        return Say("resumed") if "go on" in request.last_text else Shell(f"echo ready > '{gate}'; exec sleep 10")

    with ModelServer(brain) as server:
        bench = Bench(kind, tmp_path, server)
        running = bench.start("work")
        gate.read_text()
        os.kill(running.process.pid, how)
        stopped = bench.outcome(running.end(cause="stopped"))
        resumed = bench.work("go on", session=stopped.session)
    assert (stopped.ending, stopped.reason) == (ExitReason.STOPPED, "stopped")
    assert (resumed.ending, resumed.summary) == (ExitReason.COMPLETED, "resumed")


def test_an_agent_that_dies_by_itself_is_lost(kind: str, tmp_path: Path) -> None:
    """Killed by nobody that gitorch knows, without a final event: never success."""
    with ModelServer(script(Say("never"))) as server:
        bench = Bench(kind, tmp_path, server)
        server.brain = _kill_then_say(lambda: running.process.kill())
        running = bench.start("work")
        outcome = bench.outcome(running.end())
    assert outcome.ending is ExitReason.LOST
    assert "signal 9" in outcome.reason


def _kill_then_say(kill: Callable[[], None]) -> Brain:
    def brain(request: ModelRequest) -> Say:
        kill()
        return Say("too late")

    return brain


def test_an_unknown_session_is_told_apart(kind: str, tmp_path: Path) -> None:
    """Resuming what is not there is NO_SESSION, and the reason names the session."""
    missing = str(uuid.uuid4())
    with ModelServer(script(Say("never"))) as server:
        outcome = Bench(kind, tmp_path, server).work("hello", session=missing)
        assert not server.requests
    assert outcome.ending is ExitReason.NO_SESSION
    assert missing in outcome.reason


def test_a_bad_flag_is_a_fault_of_the_setup(kind: str, tmp_path: Path) -> None:
    """Every attempt would meet it: SETUP, with the words on standard error that name the flag."""
    with ModelServer(script(Say("never"))) as server:
        bench = Bench(kind, tmp_path, server)
        bench.settings = msgspec.structs.replace(bench.settings, args=("--no-such-flag",))
        outcome = bench.work("hello")
    assert outcome.ending is ExitReason.SETUP
    assert "--no-such-flag" in outcome.reason


def test_claude_cannot_leave_its_worktree_by_tool(tmp_path: Path) -> None:
    """The tools that would move the session elsewhere are not offered; memory and hidden traffic are off."""
    real.binary("claude")
    with ModelServer(script(Say("ok"))) as server:
        ran = Bench("claude", tmp_path, server).start("hello").end()
        offered = server.requests[0].tools
    assert "Bash" in offered
    assert not {"EnterWorktree", "ExitWorktree", "CronCreate", "ScheduleWakeup"} & set(offered)
    assert len(server.requests) == 1
    assert b'"memory_paths"' not in b"".join(ran.lines)


@pytest.fixture
def lasting_folder() -> Iterator[Path]:
    """Return a folder outside of /dev and /tmp, where codex's own sandbox finds the helper in its home."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        yield Path(name)


def test_an_agent_that_may_only_read_reads_and_writes_nothing(kind: str, lasting_folder: Path) -> None:
    """Without a box, the program's own modes hold: a command that reads runs, one that writes does not."""
    write = "echo x > evil.txt; git add evil.txt; git commit -m Evil"
    with ModelServer(script(Shell("cat README.md"), Shell(write), Say("It says hello."))) as server:
        bench = Bench(kind, lasting_folder, server)
        (bench.tree / "README.md").write_text("a line of the file\n")
        bench.settings = msgspec.structs.replace(bench.settings, permissions="readonly")
        before = bench.git("rev-parse", "HEAD")
        outcome = bench.work("What does it say?")
        after_reading = server.requests[1].last_text
    assert (outcome.ending, outcome.summary) == (ExitReason.COMPLETED, "It says hello.")
    assert "a line of the file" in after_reading
    assert not (bench.tree / "evil.txt").exists()
    assert bench.git("rev-parse", "HEAD") == before


def test_claude_starts_no_program_that_a_repository_names(tmp_path: Path) -> None:
    """Hooks and servers of its settings start only with arguments that name these settings, which need trust."""
    ran = tmp_path / "ran"
    with ModelServer(script(Say("Hello."))) as server:
        bench = Bench("claude", tmp_path, server)
        start = {"hooks": [{"type": "command", "command": f"touch {ran}-hook"}]}
        (bench.tree / ".claude").mkdir()
        (bench.tree / ".claude/settings.json").write_text(json.dumps({"hooks": {"SessionStart": [start]}}))
        program = {"command": "sh", "args": ["-c", f"touch {ran}-server"]}
        (bench.tree / ".mcp.json").write_text(json.dumps({"mcpServers": {"named": program}}))
        assert bench.work("Say hello.").ending is ExitReason.COMPLETED
        assert list(tmp_path.glob("ran-*")) == []
        args = (*bench.settings.args, "--setting-sources", "user,project")
        bench.settings = msgspec.structs.replace(bench.settings, args=args)
        assert bench.work("Say hello again.").ending is ExitReason.COMPLETED
    assert (tmp_path / "ran-hook").exists()


def judge(agent: Agent, settings: AgentSettings, environment: dict[str, str]) -> str:
    """Probe and judge as `doctor` does."""
    return agent.check_ready(settings, environment, [real.probe(argv, environment) for argv in agent.probes(settings)])


def test_a_key_makes_an_agent_ready(kind: str, tmp_path: Path) -> None:
    """With a key in its environment, the judgement is the version."""
    with ModelServer(script(Say("never"))) as server:
        bench = Bench(kind, tmp_path, server)
        version = judge(bench.agent, bench.settings, bench.environment)
    assert version.count(".") == 2
    assert version.replace(".", "").isdigit()


def test_a_logged_out_agent_needs_a_login(kind: str, tmp_path: Path) -> None:
    """Without key and login, the real program's own words lead to `agent-login`."""
    agent = AGENTS[kind]
    settings = AgentSettings(kind="command", path=str(real.binary(kind)))
    with pytest.raises(SetupNeeded) as caught:
        judge(agent, settings, real.sealed_environment(tmp_path))
    assert caught.value.code == "agent-login"
    assert caught.value.fix[0].startswith(("claude", "codex login"))


def test_codex_is_started_past_its_node_shim(tmp_path: Path) -> None:
    """The program of the launch is the native file, and it is the same version as the shim's."""
    settings = AgentSettings(kind="codex", path=str(real.binary("codex")))
    program = Codex().probes(settings)[0][0]
    assert program != settings.path
    with Path(program).open("rb") as file:
        assert file.read(2) != b"#!"
    environment = real.sealed_environment(tmp_path)
    assert (
        real.probe((program, "--version"), environment).stdout
        == real.probe((settings.path, "--version"), environment).stdout
    )


def test_an_agent_without_the_program_cannot_be_launched_by_accident(tmp_path: Path) -> None:
    """A missing program is `agent-missing` with the install command, and its launch names what was asked for."""
    for agent in (Claude(), Codex()):
        settings = AgentSettings(kind="command", path=str(tmp_path / "nowhere"))
        with pytest.raises(SetupNeeded) as caught:
            judge(agent, settings, real.sealed_environment(tmp_path))
        assert caught.value.code == "agent-missing"
        assert caught.value.fix[0].startswith("npm install -g @")
