"""Which keys of an agent's environment and files stay outside of its box, and what leads the agent to the proxy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitorch.agents.key_service import key_service
from gitorch.config import AgentSettings
from gitorch.model.credentials.key_variables import holds_key
from gitorch.rooms.sandbox import keys, logins

INSIDE = "http://127.0.0.1:3128/key"
PROVIDER = '[model_providers.own]\nbase_url = "https://gw.example/v1"\nenv_key = "OWN_KEY"\n'


def test_claude_and_api_follow_the_base_url_of_the_user() -> None:
    """The service is what the user chose; both variables are kept outside, and only those that are set."""
    env = {"ANTHROPIC_AUTH_TOKEN": "t", "ANTHROPIC_BASE_URL": "https://gw.example/claude"}
    outside = keys.outside(AgentSettings(kind="claude"), env)
    assert outside.env == {"ANTHROPIC_BASE_URL": INSIDE, "GITORCH_KEY_SERVICE": "https://gw.example/claude"}
    assert outside.service == {"service": "GITORCH_KEY_SERVICE", "prefix": "/key/", "keys": ["ANTHROPIC_AUTH_TOKEN"]}
    service = key_service(AgentSettings(kind="api", key={"env": "MY_KEY"}), {"MY_KEY": "k"})
    assert service is not None
    assert (service.url, service.variables) == ("https://api.anthropic.com", ("MY_KEY",))


def test_codex_is_led_by_a_setting_of_its_provider(tmp_path: Path) -> None:
    """The one that its configuration names, or the built-in one."""
    settings = AgentSettings(kind="codex", args=("-c", 'model_provider="own"'))
    (tmp_path / "config.toml").write_text(PROVIDER)
    env = {"CODEX_HOME": str(tmp_path), "OWN_KEY": "k", "CODEX_API_KEY": "c"}
    outside = keys.outside(settings, env)
    assert outside.args == ("-c", f'model_providers.own.base_url="{INSIDE}"')
    assert outside.env == {"GITORCH_KEY_SERVICE": "https://gw.example/v1"}
    built_in = keys.outside(AgentSettings(kind="codex"), env)
    assert built_in.args == ("-c", f'openai_base_url="{INSIDE}"')
    assert built_in.env["GITORCH_KEY_SERVICE"] == "https://api.openai.com/v1"


def test_codex_with_a_login_of_chatgpt_keeps_its_service() -> None:
    """OPENAI_API_KEY is for programs that codex runs: codex itself sends the login to another host."""
    outside = keys.outside(AgentSettings(kind="codex"), {"OPENAI_API_KEY": "k", "HOME": "/nonexistent"})
    assert outside.args == ()
    assert outside.service == {"service": "GITORCH_KEY_SERVICE", "prefix": "/key/", "keys": ["OPENAI_API_KEY"]}


@pytest.mark.parametrize("kind", ["claude", "codex", "api", "acp", "command"])
def test_an_agent_without_a_key_is_left_as_it_is(kind: str) -> None:
    """So are kinds whose service gitorch does not know."""
    settings = AgentSettings(kind=kind)  # type: ignore[arg-type]
    assert keys.outside(settings, {"HOME": "/nonexistent", "SOME_KEY": "k"}) == keys.OutsideKeys()
    assert not holds_key(kind, {}, {"SOME_KEY": "k"})


@pytest.mark.parametrize("url", ["ftp://x", "https://u:p@x", "https://x/?a=b", 'https://x/"', "x", "https://x/a b"])
def test_an_address_that_is_none_is_an_error(url: str) -> None:
    """The key is not let in instead."""
    with pytest.raises(ValueError, match="not an address"):
        keys.outside(AgentSettings(kind="claude"), {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": url})


def test_a_key_in_the_settings_of_claude_stays_outside(tmp_path: Path) -> None:
    """The box gets a copy without it; everything else in it is kept."""
    source, own = tmp_path / "claude", tmp_path / "own"
    source.mkdir()
    own.mkdir()
    settings = {"env": {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "https://gw.example", "A": "b"}, "model": "m"}
    (source / "settings.json").write_text(json.dumps(settings))
    env = {"CLAUDE_CONFIG_DIR": str(source)}
    login = logins.prepare("claude", env, tmp_path / "home", own, without_keys=True)
    assert login.env == {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "https://gw.example"}
    ((copy, _),) = login.read
    assert json.loads(Path(copy).read_text()) == {"env": {"A": "b"}, "model": "m"}
    inside = logins.prepare("claude", env, tmp_path / "home", own)
    assert (inside.env, inside.read[0][0]) == ({}, str(source / "settings.json"))


@pytest.mark.parametrize(
    ("login", "env", "copied", "found"),
    [
        ({"OPENAI_API_KEY": "k"}, {}, False, {"CODEX_API_KEY": "k"}),
        ({"OPENAI_API_KEY": "k", "tokens": None}, {}, False, {"CODEX_API_KEY": "k"}),
        ({"OPENAI_API_KEY": "k", "tokens": {"access_token": "a"}}, {}, True, {}),
        ({"OPENAI_API_KEY": "k"}, {"CODEX_API_KEY": "mine"}, True, {}),
    ],
)
def test_a_key_that_codex_stored_stays_outside(
    tmp_path: Path, login: dict[str, object], env: dict[str, str], copied: bool, found: dict[str, str]
) -> None:
    """A stored key becomes a variable's; beside a login or another key it is not used, and not copied."""
    source = tmp_path / "codex"
    source.mkdir()
    (source / "auth.json").write_text(json.dumps(login))
    prepared = logins.prepare(
        "codex", {"CODEX_HOME": str(source), **env}, tmp_path / "home", tmp_path, without_keys=True
    )
    assert prepared.env == found
    assert bool(prepared.write) == copied
    assert '"k"' not in (tmp_path / "auth.json").read_text()
