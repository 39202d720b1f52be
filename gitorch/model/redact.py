"""Redact secrets: text that looks like a credential is replaced before it is stored or shown."""

from __future__ import annotations

import re

_RULES = {
    "anthropic-key": r"sk-ant-[A-Za-z0-9_-]{16,}",
    "openai-key": r"sk-(?:proj-)?[A-Za-z0-9_-]{32,}",
    "github-token": r"(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    "gitlab-token": r"glpat-[A-Za-z0-9_-]{20,}",
    "aws-key": r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    "slack-token": r"xox[abprs]-[A-Za-z0-9-]{10,}",
    "pypi-token": r"pypi-[A-Za-z0-9_-]{40,}",
    "jwt": r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "private-key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    "url-password": r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)",
    "netrc": r"(?<=password )\S{6,}",
}
# compiled on first use: start-up does not need it
_ANY = "|".join(f"(?P<{name.replace('-', '_')}>{rule})" for name, rule in _RULES.items())


def redacted(text: str) -> str:
    """Return text with every credential replaced by its kind: `[redacted github-token]`."""
    return re.sub(_ANY, lambda match: f"[redacted {(match.lastgroup or '').replace('_', '-')}]", text)
