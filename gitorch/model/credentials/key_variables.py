"""The environment variables that hold API keys, for each kind of agent whose service gitorch knows."""

from __future__ import annotations

from collections.abc import Mapping

ANTHROPIC = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
CLAUDE = (*ANTHROPIC, "CLAUDE_CODE_OAUTH_TOKEN")
"""The last one is a token of `claude setup-token`, which the service gets like `ANTHROPIC_AUTH_TOKEN`."""

CODEX = ("CODEX_API_KEY", "OPENAI_API_KEY")
"""`codex exec` sends the first one; the other one is for programs that it runs."""

_BY_KIND: Mapping[str, tuple[str, ...]] = {"claude": CLAUDE, "api": ANTHROPIC, "codex": CODEX}


def holds_key(kind: str, names: Mapping[str, str], *environments: Mapping[str, str]) -> bool:
    """Return whether an agent of a kind gets an API key; `names` is its `key` table."""
    variables = (*_BY_KIND.get(kind, ()), *names.values())
    return any(environment.get(name) for environment in environments for name in variables)
