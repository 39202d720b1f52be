"""`serve` and `worker`: agents of this repository on several machines."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
import platformdirs

from gitorch import __version__, config, services
from gitorch.cli.session import Session, pass_session
from gitorch.config import RemoteSettings
from gitorch.errors import InvalidInput, SetupNeeded

if TYPE_CHECKING:
    from gitorch.executors.temporal.host import Host

_SLOTS = 4


@click.command("serve")
@click.option("--slots", default=_SLOTS, show_default=True, help="Agents at once on this machine.")
@click.option("--port", default=7233, show_default=True, help="The server's port, on loopback.")
@click.option("--label", "labels", multiple=True, help="What this machine has, such as docker (repeatable).")
@pass_session
def serve_command(session: Session, slots: int, port: int, labels: tuple[str, ...]) -> None:
    """Start a Temporal server for this repository, and a worker on this machine.

    The server is the program `temporal` on PATH. It listens on loopback only, and keeps its state in .git/gitorch.
    Prints how other machines join. Ctrl-C waits for running agents; a second one ends them.
    """
    services.people_only.require_person("serve agents to other machines")
    services.remote.load("worker")  # before anything starts
    workspace = session.workspace
    folder = workspace.folder / "serve"
    with services.workers.server_and_tunnel.temporal_server(folder, port, workspace.environment):
        address = f"127.0.0.1:{port}"
        more = "" if port == services.workers.server_and_tunnel.PORT else f" --port {port}"
        session.say(f"the server listens on {address}")
        session.say(f"to let `run` use it: orchestrate config set --personal remote.address {address}")
        session.say(
            f"on other machines: orchestrate worker --join ssh://{getpass.getuser()}@{os.uname().nodename}{more}"
        )
        _work(session, RemoteSettings(address=address), folder / "worker", slots, labels, "")
    _end()


@click.command("worker")
@click.option("--join", metavar="ssh://[USER@]HOST", help="Reach the server and the repositories of `serve` over ssh.")
@click.option("--address", metavar="HOST:PORT", help="The Temporal server, instead of remote.address.")
@click.option("--port", default=7233, show_default=True, help="With --join: the server's port there.")
@click.option(
    "--git", "prefix", default="", metavar="PREFIX", help="Prefix for the path of a repository: ssh://me@host."
)
@click.option("--slots", default=_SLOTS, show_default=True, help="Agents at once.")
@click.option("--label", "labels", multiple=True, help="What this machine has, such as docker (repeatable).")
@click.option("--folder", type=click.Path(path_type=Path), help="Where mirrors and rooms are.")
@pass_session
def worker_command(
    session: Session,
    join: str | None,
    address: str | None,
    port: int,
    prefix: str,
    slots: int,
    labels: tuple[str, ...],
    folder: Path | None,
) -> None:
    """Run agents for a Temporal server, and send back what they commit.

    Needs no repository: it mirrors those that it works for. The agents must be installed and logged in on this machine.
    SIGTERM or Ctrl-C waits for running agents; a second one ends them. Without --join and --address, it uses the server
    in `remote.address`, or in Temporal's environment variables.
    """
    services.people_only.require_person("start a worker")
    services.remote.load("worker")
    if join and (address or prefix):
        raise InvalidInput("worker-options", "--join says where the server and the repositories are already")
    if slots < 1:
        raise InvalidInput("worker-slots", f"a worker needs at least one slot, not {slots}")
    folder = folder or platformdirs.user_state_path("gitorch") / "worker"
    with ExitStack() as around:
        if join:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            local = around.enter_context(services.workers.server_and_tunnel.ssh_tunnel(join, port, folder, os.environ))
            settings, prefix = RemoteSettings(address=f"127.0.0.1:{local}"), join.rstrip("/")
            around.enter_context(_named(join, port))
        else:
            settings = _settings(session, address)
        _work(session, settings, folder, slots, labels, prefix)
    _end()


@contextmanager
def _named(join: str, port: int) -> Iterator[None]:
    """Name the server as the user did, and not this end of the tunnel, when it does not answer."""
    try:
        yield
    except SetupNeeded as error:
        if error.code != "remote-unreachable":
            raise
        what = f"no Temporal server answers on port {port} of {join}"
        fix = ("orchestrate serve   on that machine", "orchestrate worker --join ... --port PORT")
        raise SetupNeeded(error.code, what, why="the ssh connection works", fix=fix) from error


def _settings(session: Session, address: str | None) -> RemoteSettings:
    """Return the user's settings, with the address of the command line."""
    remote = _own_config(session).remote
    if address is not None:
        remote = msgspec.structs.replace(remote, address=address)
    if not remote.address:
        if not os.environ.get("TEMPORAL_ADDRESS"):
            fix = ("orchestrate worker --join ssh://USER@HOST", "orchestrate worker --address HOST:PORT")
            raise SetupNeeded("remote-address", "no Temporal server is named", fix=fix)
        remote = msgspec.structs.replace(remote, address="env")
    return remote


def _own_config(session: Session) -> config.Config:
    """Return the configuration of the user: a worker belongs to no repository."""
    layers = [config.parse_file(config.user_file()), config.from_environment(os.environ)]
    layers.append(config.from_assignments(session.assignments))
    return config.combine([layer for layer in layers if layer]).config


def _work(
    session: Session, settings: RemoteSettings, folder: Path, slots: int, labels: tuple[str, ...], prefix: str
) -> None:
    target = services.remote.target_of(settings, os.environ)
    options = services.workers.worker.WorkerOptions(
        folder=folder,
        slots=slots,
        labels=labels,
        prefix=prefix,
        version=__version__,
        min_free_disk=config.size(_own_config(session).run.min_free_disk),
    )

    def ready(host: Host) -> None:
        more = f", labels: {', '.join(labels)}" if labels else ""
        session.say(f"ready: {host.slots} agents at once on {host.describe().host}{more}")

    services.workers.worker.work(options, target, os.environ, ready=ready)


def _end() -> Any:
    """End without the interpreter's own end, in which the SDK of Temporal may crash."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
