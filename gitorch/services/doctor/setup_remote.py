"""What `doctor --remote` says about the link and the workers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gitorch.config import size
from gitorch.errors import GitorchError
from gitorch.model.visible import first_names
from gitorch.services import remote
from gitorch.services.agents import agents_needed
from gitorch.services.doctor.setup_checks import SetupFinding
from gitorch.services.workspace import Workspace

if TYPE_CHECKING:
    from gitorch.executors.temporal.messages import Machine

_SKEW_SECONDS = 5.0


def worker_findings(workspace: Workspace, version: str) -> Iterator[SetupFinding]:
    """Ask each worker, and say what is wrong with it; `version` is that of gitorch here."""
    if not workspace.config.remote.address:
        fix = "orchestrate serve; orchestrate config set --personal remote.address 127.0.0.1:7233"
        yield SetupFinding(None, "remote.address is not set: agents run on this machine", fix)
        return
    if not remote.is_on(workspace):
        yield SetupFinding(
            False, "remote.address is from a file that you have not agreed to", "orchestrate config trust"
        )
        return
    engine = remote.engine_of(workspace)
    try:
        milliseconds = 1000 * engine.round_trip()
        machines = engine.machines()
    except GitorchError as error:
        yield SetupFinding(False, f"{error.what}: {error.why}", "; ".join(error.fix))
        return
    yield SetupFinding(
        True, f"the Temporal server at {workspace.config.remote.address} answers in {milliseconds:.0f} ms"
    )
    if not machines:
        yield SetupFinding(False, "no worker answers: nothing starts", "orchestrate worker --join ssh://USER@HOST")
    now = time.time()
    for machine in machines:
        yield from _about(workspace, machine, now, version)
    yield from _without_label(workspace, machines)


def _without_label(workspace: Workspace, machines: Sequence[Machine]) -> Iterator[SetupFinding]:
    """Yield the labels that no worker has, with what waits for them."""
    config = workspace.config
    needed = {agent.label: f"agent {name}" for name, agent in config.agents.items() if agent.label}
    if config.remote.checks_on == "workers" and config.remote.checks_label:
        needed.setdefault(config.remote.checks_label, "checks")
    for name, tasks in agents_needed(workspace).items():
        if name in config.agents and config.agents[name].label:
            needed[config.agents[name].label] = f"agent {name}, and so {first_names(tasks)}"
    for label, what in needed.items():
        if not any(label in machine.labels and not machine.draining and not machine.full for machine in machines):
            yield SetupFinding(
                False, f"no worker has the label {label}, which {what} needs", f"orchestrate worker --label {label}"
            )


def _about(workspace: Workspace, machine: Machine, now: float, version: str) -> Iterator[SetupFinding]:
    labels = f", labels: {', '.join(machine.labels)}" if machine.labels else ""
    programs = ", ".join(machine.programs) or "neither claude nor codex on PATH"
    state = ", draining" if machine.draining else ""
    text = f"worker {machine.host}: {machine.busy} of {machine.slots} slots busy{labels}{state}; {programs}"
    yield SetupFinding(True, f"{text}; gitorch {machine.version}, git {machine.git}")
    if (skew := abs(machine.clock - now)) > _SKEW_SECONDS:
        yield SetupFinding(None, f"worker {machine.host}: its clock differs by {skew:.0f} s", "set up NTP")
    if machine.version != version:
        versions = f"it has gitorch {machine.version}, this machine has {version}"
        problem = f"worker {machine.host}: {versions}, so it takes nothing from here"
        yield SetupFinding(None, problem, "install the same version on both")
    if machine.full or machine.free_disk < size(workspace.config.run.min_free_disk):
        takes = ", so it takes no agent" if machine.full else ""
        problem = f"worker {machine.host}: {machine.free_disk / 1e9:.1f} GB free{takes}"
        yield SetupFinding(False, problem, "free space there")
