"""Which execution this process is part of: its ancestors tell. Loaded by every command that changes something."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from gitorch.model.naming import EXECUTION_VARIABLE

if sys.platform == "linux":  # psutil takes 12 ms to import
    from gitorch.executors import proc_files as processes
else:
    from gitorch.executors import process_table as processes

_SUPERVISOR = "/gitorch/executors/supervisor.py"
_RUN_LOCK = "/gitorch/run.lock"


def enclosing_execution() -> str | None:
    """Return the folder of the outermost execution that this process runs in, in any repository; None outside of one.

    A supervisor whose environment cannot be read, because another user owns it, is known by its arguments. What an
    agent that killed its supervisor has left is below the run: the answer is then the path of the run's lock.
    """
    folders = [processes.variable(os.getpid(), EXECUTION_VARIABLE)]
    for pid in processes.parents(os.getpid()):
        folders.append(
            processes.variable(pid, EXECUTION_VARIABLE)
            or supervised_folder(processes.arguments(pid))
            or _run_lock(processes.open_paths(pid))
        )
    return next(filter(None, reversed(folders)), None)


def enclosing_keys(root: Path) -> list[str]:
    """Return the keys of the executions of a state folder that this process runs in, innermost first."""
    folders = [Path(marker) for marker in _inherited_markers() if marker]
    return [folder.relative_to(root).as_posix() for folder in folders if root in folder.parents]


def supervised_folder(arguments: Sequence[str]) -> str:
    """Return the folder of the execution that a command line supervises; empty for any other."""
    return next((after for script, after in pairwise(arguments) if script.endswith(_SUPERVISOR)), "")


def _inherited_markers() -> Iterator[str]:
    """Yield the markers of this process and its ancestors, innermost first.

    A supervisor is an ancestor of everything its agent starts, even of what detaches itself, and no agent can change a
    supervisor's environment. Processes of other users are skipped.
    """
    for pid in (os.getpid(), *processes.parents(os.getpid())):
        yield processes.variable(pid, EXECUTION_VARIABLE)


def _run_lock(paths: Iterable[str]) -> str:
    """Return the lock file of a run, if it is one of these paths; empty otherwise."""
    return next((path for path in paths if path.endswith(_RUN_LOCK)), "")
