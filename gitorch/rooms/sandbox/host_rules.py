"""The hosts that a box may reach: those of the agent's kind, of the configuration, and of the addresses it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gitorch.config import AgentSettings
from gitorch.errors import InvalidInput

BY_KIND: Mapping[str, tuple[str, ...]] = {
    # the second of each refreshes a login; what it adds is the model service alone
    "claude": ("api.anthropic.com:443", "platform.claude.com:443"),
    "codex": ("api.openai.com:443", "auth.openai.com:443", "chatgpt.com:443"),
    "api": ("api.anthropic.com:443",),
    "acp": (),
    "command": (),
}
"""What each kind of agent calls; nothing that takes uploads from strangers, such as github.com."""

_ADDRESS = re.compile(r"\b(https?)://(?:[^\s/@\"']*@)?(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(\d+))?", re.IGNORECASE)
_RULE = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:(\d{1,5}|\*))?", re.IGNORECASE)
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def rules(
    settings: AgentSettings, configured: Iterable[str], env: Mapping[str, str], services: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return what an agent may reach as rules `HOST:PORT`.

    `env` is the agent's environment: a base URL in it, in the agent's settings, or in its arguments is a host that the
    user named. So are the `services` that the agent's own files name. The user's proxies are not: the box's own proxy
    goes through them.
    """
    words = [value for name, value in env.items() if not name.lower().endswith("_proxy")]
    named = [address for word in (*words, *settings.args, *settings.command, *services) for address in addresses(word)]
    return tuple(dict.fromkeys((*BY_KIND[settings.kind], *named, *site_rules(configured))))


def site_rules(configured: Iterable[str]) -> tuple[str, ...]:
    """Return `sandbox.hosts` as rules: a host without a port is for http and https."""
    return tuple(rule for text in configured for rule in _with_port(text))


def addresses(text: str) -> list[str]:
    """Return the hosts of the web addresses in a text, as rules `HOST:PORT`."""
    matches = _ADDRESS.findall(text)
    return [
        f"{host.lower()}:{port or ('443' if scheme.lower() == 'https' else '80')}" for scheme, host, port in matches
    ]


def loopback_ports(allowed: Iterable[str]) -> tuple[int, ...]:
    """Return the ports of this machine's loopback that a box may reach: it sees them on its own loopback."""
    pairs = (rule.rpartition(":")[::2] for rule in allowed)
    return tuple(dict.fromkeys(int(port) for host, port in pairs if host in _LOOPBACK and port.isdigit()))


def check(text: str) -> None:
    """Raise `InvalidInput` for a text that is not `HOST`, `HOST:PORT` or `*.NAME`."""
    if not _RULE.fullmatch(text):
        raise InvalidInput("host-rule", f"{text!r} is not a host", fix=('"docs.example.org", "*.example.org:443"',))


def _with_port(text: str) -> tuple[str, ...]:
    is_complete = re.search(r":(\d+|\*)$", text) and not text.endswith("]")
    return (text.lower(),) if is_complete else (f"{text.lower()}:443", f"{text.lower()}:80")
