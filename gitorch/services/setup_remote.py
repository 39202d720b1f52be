"""What `doctor --remote` says about the link and the workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gitorch.config import size
from gitorch.errors import GitorchError
from gitorch.services import remote
from gitorch.services.setup_checks import SetupFinding
from gitorch.services.workspace import Workspace

if TYPE_CHECKING:
    from gitorch.executors.temporal.messages import Machine

_SKEW_SECONDS = 5.0


def worker_findings(workspace: Workspace) -> Iterator[SetupFinding]:
    """Ask each worker, and say what is wrong with it."""
    if not workspace.config.remote.address:
        fix = "orchestrate serve; orchestrate config set remote.address 127.0.0.1:7233"
        yield SetupFinding(None, "remote.address is not set: agents run on this machine", fix)
        return
    if not remote.is_on(workspace):
        yield SetupFinding(
            False, "remote.address is from a file that you have not agreed to", "orchestrate config trust"
        )
        return
    started = time.monotonic()
    try:
        machines = remote.remote_executor(workspace).machines()
    except GitorchError as error:
        yield SetupFinding(False, f"{error.what}: {error.why}", "; ".join(error.fix))
        return
    milliseconds = 1000 * (time.monotonic() - started)
    yield SetupFinding(
        True, f"the Temporal server at {workspace.config.remote.address} answers in {milliseconds:.0f} ms"
    )
    if not machines:
        yield SetupFinding(False, "no worker answers: nothing starts", "orchestrate worker --join ssh://USER@HOST")
    now = time.time()
    for machine in machines:
        yield from _about(workspace, machine, now)


def _about(workspace: Workspace, machine: Machine, now: float) -> Iterator[SetupFinding]:
    labels = f", labels: {', '.join(machine.labels)}" if machine.labels else ""
    programs = ", ".join(machine.programs) or "neither claude nor codex on PATH"
    state = ", draining" if machine.draining else ""
    text = f"worker {machine.host}: {machine.busy} of {machine.slots} slots busy{labels}{state}; {programs}"
    yield SetupFinding(True, f"{text}; gitorch {machine.version}, git {machine.git}")
    if (skew := abs(machine.clock - now)) > _SKEW_SECONDS:
        yield SetupFinding(None, f"worker {machine.host}: its clock differs by {skew:.0f} s", "set up NTP")
    if machine.free_disk < size(workspace.config.run.min_free_disk):
        problem = f"worker {machine.host}: {machine.free_disk / 1e9:.1f} GB free"
        yield SetupFinding(False, problem, "free space there")
