"""Where an agent's API key is sent, and what leads the agent to a proxy that adds the key outside of its box."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from gitorch.agents.api import adapter as api
from gitorch.agents.codex.provider import model_provider
from gitorch.agents.streams import text_at
from gitorch.config import AgentSettings
from gitorch.model.credentials import key_variables

_ANTHROPIC = "https://api.anthropic.com"
_OPENAI = "https://api.openai.com/v1"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")


class KeyService(msgspec.Struct, frozen=True, kw_only=True):
    """The service at `url` that gets the keys in `variables` of the environment.

    A base URL in `url_variables`, or in a codex setting `url_setting`, takes its place.
    """

    url: str
    variables: tuple[str, ...]
    url_variables: tuple[str, ...] = ()
    url_setting: str = ""

    def env(self, url: str) -> dict[str, str]:
        """Return the variables that lead the agent to another base URL."""
        return dict.fromkeys(self.url_variables, url)

    def args(self, url: str) -> tuple[str, ...]:
        """Return the arguments that lead the agent to another base URL; they follow all others."""
        return ("-c", f'{self.url_setting}="{url}"') if self.url_setting else ()


def key_service(settings: AgentSettings, env: Mapping[str, str]) -> KeyService | None:
    """Return the service that an agent with this environment sends an API key to; None where it has no such key.

    A login that the agent keeps in a file is no key. Raises `ValueError` for a service that no setting can replace.
    """
    of_kind = _KINDS.get(settings.kind)
    return of_kind(settings, env) if of_kind else None


def _claude(_: AgentSettings, env: Mapping[str, str]) -> KeyService | None:
    return _anthropic(key_variables.CLAUDE, env)


def _api(settings: AgentSettings, env: Mapping[str, str]) -> KeyService | None:
    return _anthropic((api.key_env(settings), api.TOKEN_ENV), env)


def _anthropic(names: tuple[str, ...], env: Mapping[str, str]) -> KeyService | None:
    variables = tuple(name for name in names if env.get(name))
    if not variables:
        return None
    url = env.get("ANTHROPIC_BASE_URL") or _ANTHROPIC
    return KeyService(url=url, variables=variables, url_variables=("ANTHROPIC_BASE_URL",))


def _codex(settings: AgentSettings, env: Mapping[str, str]) -> KeyService | None:
    name, provider, configuration = model_provider(settings, env)
    variable = text_at(provider, "env_key")
    if variable and env.get(variable):
        if not _PLAIN_NAME.fullmatch(name):
            raise ValueError(f"the name of codex's model provider, {name!r}, is not of letters, digits, - and _")
        return KeyService(
            url=text_at(provider, "base_url") or _OPENAI,
            variables=(variable,),
            url_setting=f"model_providers.{name}.base_url",
        )
    variables = tuple(name for name in key_variables.CODEX if env.get(name))
    if not variables:
        return None
    return KeyService(
        url=text_at(configuration, "openai_base_url") or env.get("OPENAI_BASE_URL") or _OPENAI,
        variables=variables,
        url_variables=("OPENAI_BASE_URL",),
        # with a login of ChatGPT, codex asks another service
        url_setting="openai_base_url" if "CODEX_API_KEY" in variables and not provider else "",
    )


_KINDS: Mapping[str, Callable[[AgentSettings, Mapping[str, str]], KeyService | None]] = {
    "claude": _claude,
    "api": _api,
    "codex": _codex,
}
