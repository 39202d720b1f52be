"""What the programs of a run may use: memory, processes and disk."""

from __future__ import annotations

from gitorch.config import SandboxSettings, size
from gitorch.executors.base import ResourceLimits


def resource_limits(settings: SandboxSettings) -> ResourceLimits:
    """Return the configured limits of each agent and each check."""
    return ResourceLimits(memory=size(settings.memory), processes=max(0, settings.processes), disk=size(settings.disk))
