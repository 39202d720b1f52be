"""How the session of an attempt is opened on a terminal."""

from __future__ import annotations

import json
from pathlib import Path

from gitorch.agents import interactive
from gitorch.agents.interactive import SessionRequest
from gitorch.config import AgentSettings

REQUEST = SessionRequest(task="t", session="5e55", worktree=Path("/w/t"))


def opened(**settings: object) -> tuple[str, ...]:
    """Return the arguments that open the session with these settings; empty for none."""
    launch = interactive.command(AgentSettings(**settings), REQUEST)  # type: ignore[arg-type]  # by name
    return launch.argv if launch else ()


def test_each_kind_opens_its_own_session() -> None:
    """claude and codex resume by id, a command opens what is declared or a shell, the API has nothing to open."""
    assert opened(kind="claude", path="/bin/claude", model="opus", args=("--x",)) == (
        *("/bin/claude", "--resume", "5e55", "--setting-sources", "user"),
        *("--model", "opus", "--x"),
    )
    codex = opened(kind="codex", path="/bin/codex")
    assert (codex[:4], codex[-1]) == (("/bin/codex", "resume", "-C", "/w/t"), "5e55")
    assert opened(kind="command") == interactive.SHELL
    declared = opened(kind="command", attach=("mine", "--in={worktree}", "{task}", "{session}"))
    assert declared == ("mine", "--in=/w/t", "t", "5e55")
    assert opened(kind="api") == ()


def test_claude_asks_a_person_nothing_that_is_settled(tmp_path: Path) -> None:
    """Its folder is trusted, since it loads none of its settings, and its key accepted; other folders stay as noted."""
    worktree, file = Path("/w/t"), tmp_path / ".claude.json"
    file.write_text('{"projects": {"/other": {"n": 1}, "/w/t": {"n": 2}}}')
    interactive.welcome(AgentSettings(kind="claude"), tmp_path, worktree, "sk-0123456789-0123456789-01")
    noted = json.loads(file.read_text())
    assert noted["projects"] == {"/other": {"n": 1}, "/w/t": {"n": 2, "hasTrustDialogAccepted": True}}
    assert noted["customApiKeyResponses"] == {"approved": ["3456789-0123456789-01"[-20:]], "rejected": []}
    file.write_text('{"projects": {"/w/t": 3}, "customApiKeyResponses": 4}')
    interactive.welcome(AgentSettings(kind="claude"), tmp_path, worktree, "")
    assert json.loads(file.read_text())["projects"] == {"/w/t": {"hasTrustDialogAccepted": True}}


def test_a_link_in_an_agents_home_is_not_followed(tmp_path: Path) -> None:
    """What claude has noted stays, a link is replaced, and what it leads to is neither read nor written."""
    file, secret = tmp_path / ".claude.json", tmp_path / "secret"
    file.write_text('{"theme": "light", "n": 1}')
    interactive.welcome(AgentSettings(kind="claude"), tmp_path, Path("/w/t"), "")
    noted = json.loads(file.read_text())
    assert (noted["theme"], noted["n"], noted["hasCompletedOnboarding"]) == ("light", 1, True)
    secret.write_text('{"key": "hush"}')
    file.unlink()
    file.symlink_to(secret)
    interactive.welcome(AgentSettings(kind="claude"), tmp_path, Path("/w/t"), "")
    assert not file.is_symlink()
    assert "hush" not in file.read_text()
    assert secret.read_text() == '{"key": "hush"}'
