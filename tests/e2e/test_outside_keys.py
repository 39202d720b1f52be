"""API keys outside of the box: an agent that looks everywhere finds none, and its service gets it all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import real, sandbox
from tests.support.cli import Cli
from tests.support.git import git
from tests.support.model_server import ModelRequest, ModelServer, Say, Shell, Turn

KEY = "sk-real-0123456789abcdef"

# the key is written backwards here, so that the script itself, which the agent's session keeps, does not count
SEARCH = f"""
import glob, os
key = {KEY[::-1]!r}[::-1].encode()
places = [*glob.glob("/proc/[0-9]*/environ"), *glob.glob("/proc/[0-9]*/cmdline")]
for top in (os.environ["HOME"], os.getcwd(), os.environ["GITORCH_GIT_DIR"], "/tmp", "/run", "/etc", "/dev/shm"):
    places += [os.path.join(folder, name) for folder, _, names in os.walk(top) for name in names]
found, read = [], 0
for place in places:
    try:
        if os.path.isfile(place) and os.path.getsize(place) < 50_000_000:
            with open(place, "rb") as file:
                found += [place] * (key in file.read())
            read += 1
    except OSError:
        pass
with open("found.txt", "w") as file:
    print("read" if read > 10 else "blind", *found, file=file)
"""


def model(request: ModelRequest) -> Turn:
    """Let every agent search, and commit what it found."""
    if request.turn:
        return Say("I looked.")
    return Shell(f"python3 - <<'END'\n{SEARCH}\nEND\ngit add found.txt && git commit -qm 'Search'")


def settings(server: ModelServer, keys: str) -> str:
    """Return a configuration whose agents ask `server`, with the key in the user's environment."""
    provider = real.provider_args(server)
    return "\n".join(
        [
            f'sandbox.keys = "{keys}"',
            "[agents.claude]",
            f"path = {json.dumps(str(real.binary('claude')))}",
            'model = "claude-opus-4-8"',
            "[agents.codex]",
            f"path = {json.dumps(str(real.binary('codex')))}",
            'model = "gpt-5.5"',
            f"args = {json.dumps(list(provider))}",
            "[agents.api]",
            'model = "claude-sonnet-5"',
            "",
        ]
    )


def person(folder: Path, server: ModelServer, keys: str, mode: str = "bwrap") -> Cli:
    """Return the command line of a person with keys in the environment, whose agents work in sandboxes."""
    sandbox.require() if mode == "bwrap" else sandbox.require_landlock()
    (folder.parent / "codex-home").mkdir()
    environment = {
        "CODEX_HOME": str(folder.parent / "codex-home"),
        "ANTHROPIC_BASE_URL": server.url,
        "ANTHROPIC_API_KEY": KEY,
        "CODEX_API_KEY": KEY,
        "CLAUDE_CODE_MAX_RETRIES": "0",
        "GITORCH_SANDBOX_MODE": mode,
    }
    return Cli(folder, settings(server, keys), **environment)


@pytest.mark.real_agents
@pytest.mark.parametrize("mode", ["bwrap", "landlock"])
def test_an_agent_that_looks_everywhere_finds_no_key(repository_folder: Path, mode: str) -> None:
    """Neither the real claude nor the real codex nor the api agent has it, and each is served with it."""
    with ModelServer(model) as server:
        cli = person(repository_folder, server, "outside", mode)
        for agent in ("claude", "codex", "api"):
            cli("submit", f"Search with {agent}", "--agent", agent)
        told = cli.run().stderr
        states = cli.states()
        headers = [request.headers for request in server.requests]
    assert states == {f"search-with-{agent}": "finished" for agent in ("claude", "codex", "api")}
    for task in states:
        assert git("show", f"orch/{task}:found.txt", cwd=repository_folder) == "read"
    sent = [head.get("x-api-key") or head.get("authorization", "") for head in headers]
    assert set(sent) == {KEY, f"Bearer {KEY}"}
    assert len(sent) == 6
    assert "API keys: outside" in told


@pytest.mark.real_agents
def test_the_token_of_a_login_stays_outside(repository_folder: Path) -> None:
    """The real claude with a token of `claude setup-token` is served, and finds no token."""
    with ModelServer(model) as server:
        cli = person(repository_folder, server, "outside")
        del cli.environment["ANTHROPIC_API_KEY"], cli.environment["CODEX_API_KEY"]
        cli.environment["CLAUDE_CODE_OAUTH_TOKEN"] = KEY
        cli("submit", "Search", "--agent", "claude")
        cli.run()
        sent = {request.headers.get("authorization", "") for request in server.requests}
    assert cli.states() == {"search": "finished"}
    assert git("show", "orch/search:found.txt", cwd=repository_folder) == "read"
    assert sent == {f"Bearer {KEY}"}


def test_with_keys_inside_it_finds_the_key(repository_folder: Path) -> None:
    """The search does find: and the run says that agents can read keys."""
    with ModelServer(model) as server:
        cli = person(repository_folder, server, "inside")
        cli("submit", "Search", "--agent", "codex")
        told = cli.run().stderr
        status = cli.json("status")
    found = git("show", "orch/search:found.txt", cwd=repository_folder).split()
    assert found[0] == "read"
    assert any(place.startswith("/proc/") for place in found)
    assert "agents can read the API keys in their environment" in told
    assert status["sandbox"]["keys"] == "inside"


@pytest.mark.parametrize("lines", ['sandbox.mode = "private"', 'sandbox.mode = "bwrap"\nsandbox.network = "open"'])
def test_keys_that_cannot_stay_outside_are_refused(repository_folder: Path, lines: str) -> None:
    """What the settings name is never replaced by something weaker."""
    cli = Cli(repository_folder)
    cli.configure(f'sandbox.keys = "outside"\n{lines}\n')
    cli.environment.pop("GITORCH_SANDBOX_MODE", None)
    cli("submit", "Anything", "--agent", "api")
    assert cli.error("run", exit=2)["code"] == "sandbox-keys"


def test_without_a_sandbox_keys_are_said_to_be_readable(repository_folder: Path) -> None:
    """`doctor` and `status` say it, where there is a key."""
    cli = Cli(repository_folder, GITORCH_SANDBOX_MODE="private", ANTHROPIC_API_KEY=KEY)
    text = "agents can read the API keys in their environment"
    assert text in cli("doctor", ok=(0, 4)).text
    assert text in cli.json("status")["sandbox"]["warnings"]
    del cli.environment["ANTHROPIC_API_KEY"]
    assert text not in cli("doctor", ok=(0, 4)).text
