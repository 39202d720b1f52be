"""`serve` and `worker`: agents of this repository on several machines."""

from __future__ import annotations

import getpass
import os
import sys
from contextlib import ExitStack
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
    services.guard.require_person("serve agents to other machines")
    services.remote.load("worker")  # before anything starts
    workspace = session.workspace
    folder = workspace.folder / "serve"
    with services.serve.temporal_server(folder, port, workspace.environment):
        address = f"127.0.0.1:{port}"
        more = "" if port == services.serve.PORT else f" --port {port}"
        session.say(
            f"the server listens on {address}; to let `run` use it: orchestrate config set remote.address {address}"
        )
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
    services.guard.require_person("start a worker")
    services.remote.load("worker")
    if join and (address or prefix):
        raise InvalidInput("worker-options", "--join says where the server and the repositories are already")
    if slots < 1:
        raise InvalidInput("worker-slots", f"a worker needs at least one slot, not {slots}")
    folder = folder or platformdirs.user_state_path("gitorch") / "worker"
    with ExitStack() as around:
        if join:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            local = around.enter_context(services.serve.ssh_tunnel(join, port, folder, os.environ))
            settings, prefix = RemoteSettings(address=f"127.0.0.1:{local}"), join.rstrip("/")
        else:
            settings = _settings(session, address)
        _work(session, settings, folder, slots, labels, prefix)
    _end()


def _settings(session: Session, address: str | None) -> RemoteSettings:
    """Return the settings of the user, with the address of the command line."""
    layers = [config.parse_file(config.user_file()), config.from_environment(os.environ)]
    layers.append(config.from_assignments(session.assignments))
    remote = config.combine([layer for layer in layers if layer]).config.remote
    if address is not None:
        remote = msgspec.structs.replace(remote, address=address)
    if not remote.address:
        if not os.environ.get("TEMPORAL_ADDRESS"):
            fix = ("orchestrate worker --join ssh://USER@HOST", "orchestrate worker --address HOST:PORT")
            raise SetupNeeded("remote-address", "no Temporal server is named", fix=fix)
        remote = msgspec.structs.replace(remote, address="env")
    return remote


def _work(
    session: Session, settings: RemoteSettings, folder: Path, slots: int, labels: tuple[str, ...], prefix: str
) -> None:
    target = services.remote.target_of(settings, os.environ)
    options = services.worker.WorkerOptions(
        folder=folder, slots=slots, labels=labels, prefix=prefix, version=__version__
    )

    def ready(host: Host) -> None:
        more = f", labels: {', '.join(labels)}" if labels else ""
        session.say(f"ready: {host.slots} agents at once on {host.describe().host}{more}")

    services.worker.work(options, target, os.environ, ready=ready)


def _end() -> Any:
    """End without the interpreter's own end, in which the SDK of Temporal may crash."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
