"""Which API keys of an agent stay outside of its box, and how the agent reaches their service without them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from gitorch.agents.key_service import key_service
from gitorch.config import AgentSettings
from gitorch.rooms.sandbox.entry import PROXY_PORT

_URL = re.compile(r"https?://(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?(?:/[^\s?#\"\\]*)?")
_PREFIX = "/key/"
"""The path that the box's proxy sends on to the service."""
_ADDRESS = "GITORCH_KEY_SERVICE"
"""The variable with the service's address, from which the launcher learns it: arguments can be seen by all users."""


class OutsideKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps keys outside: variables and arguments of the agent, and the service, as the launcher wants it."""

    env: Mapping[str, str] = {}
    args: tuple[str, ...] = ()
    service: Mapping[str, object] | None = None


def outside(settings: AgentSettings, env: Mapping[str, str]) -> OutsideKeys:
    """Return what keeps the keys of an agent with this environment outside of its box; nothing where it has none.

    Raises `ValueError` for a service that cannot be reached in this way.
    """
    service = key_service(settings, env)
    if service is None:
        return OutsideKeys()
    if not _URL.fullmatch(service.url):
        raise ValueError(f"{service.url!r} is not an address of a service")
    url = f"http://127.0.0.1:{PROXY_PORT}{_PREFIX}".rstrip("/")
    return OutsideKeys(
        env={**service.env(url), _ADDRESS: service.url},
        args=service.args(url),
        service={"service": _ADDRESS, "prefix": _PREFIX, "keys": list(service.variables)},
    )
