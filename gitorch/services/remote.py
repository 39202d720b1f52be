"""Agents on other machines: the executor and what its workers need, from the settings of `[remote]`."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec

from gitorch.config import RemoteSettings, seconds
from gitorch.errors import InvalidInput, SetupNeeded
from gitorch.executors.protocol import Capacity, Errand, ExecutionId, Executor
from gitorch.extras import install_command
from gitorch.git.exchange import attempts
from gitorch.git.repository import Repository
from gitorch.model.visible import readable_list
from gitorch.rooms.context import WorkerChecks
from gitorch.rooms.remote_room import LastWork, Send, Work, known_program
from gitorch.services.workspace import Workspace
from gitorch.storage import atomic, locks, trust
from gitorch.version import __version__

if TYPE_CHECKING:
    from gitorch.executors.temporal import connection, engine, executor, messages

_PACKAGE = "gitorch.executors.temporal"
_ROOT = "remote"


def is_on(workspace: Workspace) -> bool:
    """Return whether agents run on workers: an address is set, and not by files that the user has not agreed to."""
    if not workspace.config.remote.address:
        return False
    return trust.is_trusted(workspace.repository.common_dir, trust.commands(workspace.loaded.layers))


def routed_executor(workspace: Workspace, local: Executor) -> Executor:
    """Return an executor that gives agents to workers, and keeps everything else on this machine."""
    routed = load("routed")
    result: Executor = routed.RoutedExecutor(local, remote_executor(workspace))
    return result


def remote_executor(workspace: Workspace) -> executor.TemporalExecutor:
    """Return the executor of the workers."""
    settings = workspace.config.remote
    root = workspace.folder / _ROOT

    origin = settings.origin or str(workspace.repository.common_dir.resolve())

    def route(errand: Errand, token: str) -> messages.Route:
        if errand.checks:  # nothing is delivered
            route_of_checks: messages.Route = load("messages").Route(origin=origin, epoch=0, lease="", push=False)
            return route_of_checks
        lease = attempts.take_lease(workspace.repository, errand.task, token)
        route_of_task: messages.Route = load("messages").Route(
            origin=origin,
            epoch=lease.epoch,
            lease=lease.commit,
            push=settings.deliver == "push",
            rescue=seconds(workspace.config.run.rescue_every) if settings.deliver == "push" else 0.0,
        )
        return route_of_task

    workers: executor.TemporalExecutor = load("executor").TemporalExecutor(
        engine_of(workspace),
        root,
        repository=_repository_id(root),
        version=__version__,
        heartbeat=seconds(settings.lost_after),
        route=route,
    )
    return workers


def engine_of(workspace: Workspace) -> engine.Engine:
    """Return the connection to the cluster of the settings. Raises `SetupNeeded` without the extra."""
    return _engine(target_of(workspace.config.remote, workspace.environment))


@cache
def _engine(target: connection.Target) -> engine.Engine:
    new: engine.Engine = load("engine").Engine(load("connection").Connection(target))
    return new


def target_of(settings: RemoteSettings, environment: Mapping[str, str]) -> connection.Target:
    """Return where the cluster is, and how to log in there."""
    module = load("connection")
    if settings.address == "env":
        target: connection.Target = module.target_of_environment()
        if not target.address:
            fix = ("export TEMPORAL_ADDRESS=HOST:PORT",)
            raise SetupNeeded("remote-address", "no Temporal server is named", fix=fix)
        return target
    name = settings.api_key.get("env", "")
    if name and not environment.get(name):
        raise SetupNeeded("remote-key", f"remote.api_key: the variable {name} is not set", fix=(f"export {name}=...",))
    configured: connection.Target = module.Target(
        address=settings.address,
        namespace=settings.namespace,
        tls=settings.tls,
        api_key=environment.get(name, "") if name else "",
        ca=_content(settings.ca),
        certificate=_content(settings.certificate),
        private_key=_content(settings.private_key),
    )
    return configured


def _content(path: str) -> bytes:
    if not path:
        return b""
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise InvalidInput("remote-certificate", f"cannot read {path}", why=error.strerror or "") from error


def last_work(workspace: Workspace) -> LastWork:
    """Return what finds the work of an attempt's last execution that came back from a worker."""

    def find(task: str, attempt: int) -> Work | None:
        remote = remote_executor(workspace)
        if (execution := _last_agent(remote, task, attempt)) is None:
            return None
        delivery = remote.delivery(execution)
        work = Work(**msgspec.structs.asdict(delivery)) if delivery else None
        if remote.is_lost(execution):
            return _delivered(workspace.repository, task, attempt, remote.token(execution)) or work
        return work

    return find


def _delivered(repository: Repository, task: str, attempt: int, token: str) -> Work | None:
    """Return the whole work of an attempt whose worker was lost after it had delivered, and before it could say so.

    Nothing that it delivers from now on counts.
    """
    if not (epoch := attempts.end_lease(repository, task, token)):
        return None
    ref = attempts.delivery_ref(task, epoch, attempt)
    tip = repository.read_ref(ref)
    return Work(tip=tip, ref=ref) if tip else None


def send_files(workspace: Workspace) -> Send:
    """Return what sends files to the agent of an attempt while it runs on a worker."""

    def send(task: str, attempt: int, files: Mapping[str, bytes]) -> None:
        remote = remote_executor(workspace)
        if execution := _last_agent(remote, task, attempt):
            remote.send(execution, files)

    return send


def _last_agent(remote: executor.TemporalExecutor, task: str, attempt: int) -> ExecutionId | None:
    """Return the last execution of an attempt's agent that was submitted."""
    submitted = remote.executions(f"attempts/{task}/{attempt}")
    agents = [execution.id for execution in submitted if execution.step.startswith("agent-")]
    return agents[-1] if agents else None


def unplaced(workspace: Workspace, agent: str, machines: Iterable[Capacity]) -> str:
    """Return why none of these machines takes tasks of an agent, and what helps; an empty text if one does."""
    settings = workspace.config.agents.get(agent)
    if settings is None or not is_on(workspace):
        return ""
    machines = [*machines]
    if reason := lacks_label(settings.label, machines):
        return reason
    return lacks_program(known_program(settings), settings.label, machines)


def lacks_program(program: str, label: str, machines: Sequence[Capacity]) -> str:
    """Return that no worker with a label has a program, and what helps; an empty text if one has it."""
    labelled = [machine for machine in machines if not label or label in machine.labels]
    if not program or not labelled or any(program in (machine.programs or ()) for machine in labelled):
        return ""
    hosts = readable_list(sorted({machine.host for machine in labelled}))
    return f"no worker has {program} on its PATH (install it on {hosts}, and start the worker there again)"


def other_versions(machines: Iterable[messages.Machine]) -> Iterator[str]:
    """Yield the workers that take nothing from here because they have another version of gitorch."""
    for machine in machines:
        if machine.version != __version__:
            versions = f"has gitorch {machine.version}, this machine has {__version__}"
            yield f"worker {machine.host} {versions}: it takes nothing from here"


def lacks_label(label: str, machines: Iterable[Capacity]) -> str:
    """Return that no worker has a label, and what helps; an empty text if one has it."""
    if not label or any(label in machine.labels for machine in machines):
        return ""
    return f"no worker has the label {label} (orchestrate worker --label {label})"


def worker_checks(workspace: Workspace) -> WorkerChecks | None:
    """Return how checks run on workers; None if they run at home."""
    settings = workspace.config.remote
    if settings.checks_on == "home" or not is_on(workspace):
        return None

    def files(execution: ExecutionId) -> Mapping[str, bytes]:
        delivery = remote_executor(workspace).delivery(execution)
        return delivery.files if delivery else {}

    return WorkerChecks(settings.checks_label, files)


def load(name: str) -> ModuleType:
    """Return a module of the executor on Temporal. Raises `SetupNeeded` when its extra is not installed."""
    try:
        return importlib.import_module(f"{_PACKAGE}.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "temporalio":
            raise
        fix = (install_command("remote"),)
        raise SetupNeeded(
            "remote-missing", "the SDK of Temporal is not installed", why="it is an extra", fix=fix
        ) from error


def _repository_id(root: Path) -> str:
    """Return what tells this repository from all others that use a cluster."""
    path = root / "id"
    if not atomic.read_or_empty(path):
        with locks.file_lock(root / "id.lock"):
            if not atomic.read_or_empty(path):
                atomic.replace(path, os.urandom(8).hex().encode())
    return path.read_text("ascii")
