"""The environment variables of agents, preparations and checks: an allow-list, and nothing else that is the user's."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitorch.agents.protocol import Agent
from gitorch.config import AgentSettings
from gitorch.model import globs
from gitorch.storage import atomic

# what programs need to run at all
_ALLOWED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "COLUMNS"),
    *("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"),
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"),
    *("XDG_*", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("PIP_CERT", "DENO_CERT", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO", "NPM_CONFIG_CAFILE", "npm_config_cafile"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    *("VIRTUAL_ENV", "CONDA_PREFIX", "NVM_DIR", "PYENV_ROOT", "CARGO_HOME", "RUSTUP_HOME", "GOPATH", "GOROOT"),
    "JAVA_HOME",
)
_UNATTENDED = {"TERM": "dumb", "NO_COLOR": "1", "CI": "1"}
_CREDENTIAL = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)(?:_FILE)?$|_AUTH$", re.IGNORECASE)

_CREDENTIALS = frozenset(("ANTHROPIC_CUSTOM_HEADERS", "AWS_BEARER_TOKEN_BEDROCK"))


def allowed(environment: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """Return the part of the user's environment that programs get: a common list, and `names` (`AB_*`: a prefix)."""
    patterns = (*_ALLOWED, *names)
    variables = {
        name: value for name, value in environment.items() if any(_matches(name, pattern) for pattern in patterns)
    }
    return variables | _UNATTENDED


def agent_environment(settings: AgentSettings, kind: Agent, environment: Mapping[str, str]) -> dict[str, str]:
    """Return an agent's part of the user's environment: the common list, its kind's names, the configured ones."""
    keys = (settings.key["env"],) if "env" in settings.key else ()
    return allowed(environment, (*kind.pass_env, *settings.pass_env, *keys)) | settings.env


def check_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of the user's environment that checks of merged trees get: no credentials, no agent's names."""
    return without_credentials(allowed(environment, ()))


def without_credentials(env: Mapping[str, str]) -> dict[str, str]:
    """Leave out the agent's keys: checks and preparations run the work of agents, and need none."""
    return {name: value for name, value in env.items() if not _CREDENTIAL.search(name)}


def credentials(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables whose names say that they hold a credential, or a file that does."""
    return tuple(sorted(name for name in env if _CREDENTIAL.search(name) or name in _CREDENTIALS))


def with_program(env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return an environment in which `orchestrate` is this installation, whether or not it is on the user's PATH."""
    script = folder / "orchestrate"
    # -E and -P: neither the worktree nor a PYTHONPATH that the agent sets replaces gitorch
    content = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -E -P -m gitorch "$@"\n'
    if not script.exists() or script.read_text("utf-8") != content:
        folder.mkdir(parents=True, exist_ok=True)
        atomic.replace(script, content.encode(), mode=0o755, concurrent=True)
    path = os.pathsep.join(filter(None, (str(folder), env.get("PATH", ""))))
    # a login shell, such as codex's, sets its own PATH; a variable survives that
    return {**env, "PATH": path, "GITORCH_PROGRAM": str(script)}


def _matches(name: str, pattern: str) -> bool:
    return globs.matches_name(name, pattern) if "*" in pattern else name == pattern
