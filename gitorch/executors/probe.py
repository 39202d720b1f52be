"""Short commands that ask a program about itself: its version, its login."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitorch.model.outcome import ProbeResult


def probe(
    argv: Sequence[str],
    env: Mapping[str, str],
    seconds: float = 20.0,
    *,
    cwd: Path | None = None,
    input: bytes = b"",
) -> ProbeResult:
    """Run a command to its end and return its output; no exit code: it did not start, or took too long."""
    try:
        result = subprocess.run(
            argv, env=dict(env), input=input, cwd=cwd, capture_output=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return ProbeResult(argv=tuple(argv), exit_code=None, stderr=str(error))
    stdout, stderr = (part.decode("utf-8", "replace") for part in (result.stdout, result.stderr))
    return ProbeResult(argv=tuple(argv), exit_code=result.returncode, stdout=stdout, stderr=stderr)
