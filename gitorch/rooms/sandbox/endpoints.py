"""The model services that an agent's own settings name: the user chose them, so the box may reach them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import tomli

from gitorch import typed

_CODEX_KEYS = ("openai_base_url", "chatgpt_base_url")


def of_claude(settings: Path) -> tuple[str, ...]:
    """Return the addresses in the environment that claude's `settings.json` sets, such as `ANTHROPIC_BASE_URL`."""
    try:
        content: Any = typed.from_json(settings.read_bytes())
    except (OSError, msgspec.DecodeError):
        return ()
    return _texts(_table(content, "env").values())


def of_codex(config: Path) -> tuple[str, ...]:
    """Return the base URLs in codex's `config.toml`: its own, and those of the model providers."""
    try:
        content = tomli.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    providers = [provider.get("base_url") for provider in _tables(_table(content, "model_providers"))]
    return _texts([*(content.get(key) for key in _CODEX_KEYS), *providers])


def _table(content: Any, key: str) -> dict[str, Any]:
    value = content.get(key) if isinstance(content, dict) else None
    return value if isinstance(value, dict) else {}


def _tables(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (value for value in content.values() if isinstance(value, dict))


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str))
