"""A worker: a machine that takes agents of other machines' repositories, each in a room of its own."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from gitorch import typed
from gitorch.agents import AGENTS
from gitorch.config import Config, RunSettings
from gitorch.errors import GitorchError, InvalidInput, Refused
from gitorch.executors.protocol import KNOWN_PROGRAMS, Errand, Executor, Spec
from gitorch.executors.temporal.connection import Target
from gitorch.executors.temporal.host import CannotEnter, CannotServe, Host
from gitorch.executors.temporal.messages import BUNDLE_BYTES, Delivery, Order, Result, Route
from gitorch.executors.temporal.worker import serve
from gitorch.git.exchange import sent_files
from gitorch.git.exchange.attempts import ExchangeFailed, Lease, Mirror, delivery_ref, lease_ref
from gitorch.git.notes.note_store import NoteWriter
from gitorch.git.repository import Repository
from gitorch.model.credentials.secret_values import secret_values
from gitorch.model.naming import Oid, Ref, branch_ref
from gitorch.rooms import mailbox
from gitorch.rooms.context import RunContext
from gitorch.rooms.errands import ErrandSettings
from gitorch.rooms.prepare import prepare
from gitorch.rooms.protocol import Collected, Rejected, Room, RoomError, RoomSpec
from gitorch.services.sandbox import rooms_in
from gitorch.services.workers.worker_checks import run_ordered_checks
from gitorch.services.workers.worker_rescue import Rescues
from gitorch.storage import locks
from gitorch.storage.shared_notes import SharedNotes

_PUSH_PAUSES = (1.0, 5.0, 15.0)
_KEPT_SECONDS = 14 * 86_400.0
_RESULTS = "result-*.json"
_LARGEST_RESULT = 65_536
_MOST_NOTES_BYTES = 200_000
_TRASH = "trash"
_MESSAGE = "Files that the agent of {task} has not committed\n"


class WorkerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker works: its folder, how many agents at once, and what it has.

    `prefix` goes before an origin that is a path, such as `ssh://me@home`. With less than `min_free_disk` bytes free,
    it takes no agent.
    """

    folder: Path
    slots: int
    labels: tuple[str, ...] = ()
    prefix: str = ""
    version: str = ""
    min_free_disk: int = 0


class _Visit(msgspec.Struct, frozen=True, kw_only=True):
    """An agent of another machine while it is here."""

    top: Path
    errand: Errand
    route: Route
    mirror: Mirror
    repository: Repository
    room: Room
    state: Path
    notes: SharedNotes
    known: frozenset[str]
    rescues: Rescues
    lock: threading.Lock


class GitSurroundings:
    """Rooms for orders, made of a mirror of their repository; what agents do there is delivered at their end."""

    def __init__(self, options: WorkerOptions, environment: Mapping[str, str]) -> None:
        self._options = options
        self._environment = environment
        self._visits: dict[str, _Visit] = {}
        self._finished: dict[str, _Visit] = {}

    def check(self, order: Order, local: Executor) -> Result:
        """Run the checks of an order in a worktree of its commit. Raises `CannotEnter` when that is impossible."""
        if order.errand is None or order.route is None:
            raise CannotEnter("the order names no repository")
        top = self._options.folder / "rooms" / order.token
        try:
            settings = typed.from_json(order.errand.settings, ErrandSettings)
            mirror = self._mirror(order.route)
            start = Oid(order.errand.start)
            mirror.fetch(start, *_copies(settings))
            repository = mirror.borrow(top / "repository.git", start, settings.name, settings.mail)
            config = self._config(settings, order.errand.agent, worktrees=str(top / "{task}"))
            context = self._context(repository, config, local, settings)
            return run_ordered_checks(context, order.errand, order.key)
        except (ExchangeFailed, RoomError, GitorchError, msgspec.MsgspecError) as error:
            raise CannotEnter(str(error)) from error
        finally:
            self._throw_away(order.token)

    def _mirror(self, route: Route) -> Mirror:
        origin = f"{self._options.prefix}{route.origin}" if route.origin.startswith("/") else route.origin
        name = hashlib.blake2b(os.fsencode(origin), digest_size=12).hexdigest()
        return Mirror(self._options.folder / "mirrors" / f"{name}.git", origin)

    def _config(self, settings: ErrandSettings, agent: str, worktrees: str = Config().worktrees) -> Config:
        return Config(
            agents={agent: settings.agent},
            sandbox=settings.sandbox,
            prepare=settings.prepare,
            run=RunSettings(max_output=settings.max_output, task_timeout=settings.task_timeout),
            worktrees=worktrees,
        )

    def enter(self, order: Order, spec: Spec, local: Executor) -> Spec:
        """Return the program in a room of its own. Raises `CannotEnter` when that is impossible."""
        if order.errand is None or order.route is None:
            raise CannotEnter("this worker takes agents only, and no programs that need files of another machine")
        try:
            return self._enter(order.token, order.errand, order.route, spec, local)
        except (ExchangeFailed, RoomError, GitorchError, msgspec.MsgspecError, OSError) as error:
            self._throw_away(order.token)  # no agent was there
            failure = CannotServe if isinstance(error, (ExchangeFailed, OSError)) else CannotEnter
            raise failure(str(error)) from error

    def _enter(self, token: str, errand: Errand, route: Route, spec: Spec, local: Executor) -> Spec:
        settings = typed.from_json(errand.settings, ErrandSettings)
        mirror = self._mirror(route)
        mirror.fetch(*map(Oid, filter(None, (errand.start, errand.base, errand.conflict))), *_copies(settings))
        if route.push:
            mirror.hold(Lease(route.epoch, Oid(route.lease)), token)
        top = self._options.folder / "rooms" / token
        folder, start = top / "repository.git", Oid(errand.start)
        repository = mirror.borrow(folder, start, settings.name, settings.mail, branch=errand.branch)
        config = self._config(settings, errand.agent)
        context = self._context(repository, config, local, settings)
        notes = SharedNotes(context.folder / "context")
        notes.copy_in(errand.run, errand.notes)
        room = context.rooms.create(_room_spec(errand, top))
        if errand.conflict:
            room.checkout_conflict(Oid(errand.conflict))
        prepare(context, room, "prepare")
        state = top / "files" if room.agent_state == context.folder else room.agent_state
        state.mkdir(parents=True, exist_ok=True)
        for message, content in errand.messages.items():
            mailbox.replace(state, Path(message).name, content)
        self._visits[token] = _Visit(
            top=top,
            errand=errand,
            route=route,
            mirror=mirror,
            repository=repository,
            room=room,
            state=state,
            notes=notes,
            known=frozenset(note.text for note in notes.read(errand.run)),
            rescues=Rescues(mirror, repository, errand, route, token),
            lock=threading.Lock(),
        )
        return self._program(spec, errand, room, state)

    def _program(self, spec: Spec, errand: Errand, room: Room, state: Path) -> Spec:
        """Return the agent's program with the paths of this machine in place of those at home."""
        paths = {errand.state: str(state), errand.directory: str(room.directory), errand.python: sys.executable}

        def replace_paths(text: str) -> str:
            for home, path in paths.items():
                text = text.replace(home, path)
            return text

        env = {name: replace_paths(value) for name, value in spec.env.items()}
        command = room.agent_command([*map(replace_paths, spec.argv)], env)
        return msgspec.structs.replace(
            spec,
            argv=command.argv,
            cwd=command.cwd,
            env=command.env,
            stdin=spec.stdin.replace(os.fsencode(errand.directory), os.fsencode(room.directory)),
            secrets={**spec.secrets, **secret_values(command.env)},
        )

    def _context(self, repository: Repository, config: Config, local: Executor, settings: ErrandSettings) -> RunContext:
        # where `orchestrate context` looks for notes, if the agent's git is this one
        folder = repository.common_dir / "gitorch"
        folder.mkdir()
        copies = repository.common_dir.parent / "copies"
        for commit in _copies(settings):
            sent_files.unpack(repository, commit, copies)
        return RunContext(
            repository=repository,
            config=config,
            executor=local,
            rooms=rooms_in(repository, config, folder, self._environment),
            agents=AGENTS,
            roles={},
            folder=folder,
            environment=self._environment,
            notes=NoteWriter(repository),
            copies=copies,
        )

    def save(self, order: Order) -> Delivery | None:
        """Push what the agent has done so far as a rescue point; None if that is not new, or cannot be done now."""
        visit = self._visits.get(order.token)
        if visit is None:
            return None
        with visit.lock:
            try:
                return visit.rescues.save(visit.room.progress()) if order.token in self._visits else None
            except (ExchangeFailed, GitorchError, OSError):
                return None  # the link is down, or the agent changes its files right now

    def give(self, token: str, files: Mapping[str, bytes]) -> None:
        """Write files into the agent's folder for messages; raise `OSError` before it has one."""
        visit = self._visits.get(token)
        if visit is None:
            raise FileNotFoundError("the agent is not here yet, or has ended")
        for name, content in files.items():
            mailbox.replace(visit.state, Path(name).name, content)

    def leave(self, order: Order, result: Result) -> Result:
        """Return the result with the agent's work, delivered as its route says."""
        visit = self._visits.pop(order.token, None)
        if visit is None:
            return result
        self._finished[order.token] = visit
        try:
            with visit.lock:
                delivery = self._deliver(order.token, visit)
        except (ExchangeFailed, GitorchError, OSError) as error:
            delivery = Delivery(problem=str(error))
        if delivery.problem:  # nothing is lost: a person finds it here
            note = f"kept on {os.uname().nodename} in {visit.top}"
            delivery = msgspec.structs.replace(delivery, problem=f"{delivery.problem} ({note})")
        else:
            self._throw_away(order.token)
        return msgspec.structs.replace(result, delivery=delivery)

    def _deliver(self, token: str, visit: _Visit) -> Delivery:
        errand, route = visit.errand, visit.route
        files = _result_files(visit.state)
        collected = visit.room.collect(_MESSAGE.format(task=errand.task))
        notes = _new_notes(visit)
        if isinstance(collected, Rejected):
            return Delivery(problem=collected.reason, files=files, notes=notes)
        if not isinstance(collected, Collected) or collected.tip == errand.start:
            return Delivery(files=files, notes=notes)
        tip = visit.mirror.take(visit.repository, branch_ref(errand.branch), token)
        ref, bundle = "", b""
        if route.push:
            ref = delivery_ref(errand.task, route.epoch, errand.attempt)
            _push(visit.mirror, tip, ref, errand, route)
        else:
            bundle = visit.mirror.bundle(token, Oid(errand.start), BUNDLE_BYTES)
        return Delivery(tip=tip, ref=ref, bundle=bundle, is_completed=collected.completed, files=files, notes=notes)

    def tidy(self, order: Order) -> None:
        """Remove what an order has left here, once its result is on its way: of many files, that takes a while."""
        if visit := self._finished.pop(order.token, None):
            with contextlib.suppress(GitorchError, OSError):  # what stays in the mirror is in nobody's way
                visit.mirror.release(order.token)
        shutil.rmtree(self._options.folder / _TRASH / order.token, ignore_errors=True)

    def _throw_away(self, token: str) -> None:
        trash = self._options.folder / _TRASH / token
        shutil.rmtree(trash, ignore_errors=True)
        trash.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # nothing was made
            (self._options.folder / "rooms" / token).rename(trash)

    def abandon(self, token: str) -> None:
        """Forget an order that was given up; its files stay, as nothing of it was delivered."""
        self._visits.pop(token, None)


def _push(mirror: Mirror, tip: Oid, ref: str, errand: Errand, route: Route) -> None:
    """Push, again after a while when that fails: the link may be down."""
    for pause in (*_PUSH_PAUSES, None):
        try:
            mirror.push(tip, Ref(ref), lease_ref(errand.task), Oid(route.lease))
        except ExchangeFailed:
            if pause is None:
                raise
            threading.Event().wait(pause)
        else:
            return


def _copies(settings: ErrandSettings) -> list[Oid]:
    """Return the commit with the files of `prepare.copy`, if there is one."""
    return [Oid(settings.copies)] if settings.copies else []


def _room_spec(errand: Errand, top: Path) -> RoomSpec:
    return RoomSpec(
        task=errand.task,
        attempt=1,
        agent=errand.agent,
        branch=errand.branch,
        base=Oid(errand.base),
        tip=Oid(errand.start) if errand.start != errand.base else None,
        directory=top / "work",
        folder=top / "attempt",
    )


def _new_notes(visit: _Visit) -> tuple[str, ...]:
    """Return what the agent has noted for others; only the room brings it out of a sandbox, when it collects."""
    new, room = list[str](), _MOST_NOTES_BYTES
    for note in visit.notes.read(visit.errand.run):
        if note.text not in visit.known and (room := room - len(note.text.encode())) >= 0:
            new.append(note.text)
    return tuple(new)


def _result_files(state: Path) -> dict[str, bytes]:
    """Return the files that the agent wrote for gitorch; links and large ones are left out."""
    files = {}
    for path in state.glob(_RESULTS):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST_RESULT:
            files[path.name] = path.read_bytes()
    return files


def work(
    options: WorkerOptions, target: Target, environment: Mapping[str, str], *, ready: Callable[[Host], None]
) -> None:
    """Take agents until SIGTERM or SIGINT, then wait for those that run; a second signal ends at once.

    Raises `Refused` when another worker uses the folder, and `SetupNeeded` when the server does not answer.
    """
    if options.slots < 1:
        raise InvalidInput("worker-slots", f"a worker needs at least one slot, not {options.slots}")
    with _only_one(options.folder):
        remove_old(options.folder, time.time())
        host = Host(
            options.folder,
            slots=options.slots,
            labels=options.labels,
            environment=environment,
            surroundings=GitSurroundings(options, environment),
            version=options.version,
            min_free_disk=options.min_free_disk,
            git_version=".".join(map(str, Repository(options.folder, None).version)),
            programs=tuple(name for name in KNOWN_PROGRAMS if shutil.which(name, path=environment.get("PATH"))),
        )
        asyncio.run(_until_signal(host, target, lambda: ready(host)))


def remove_old(folder: Path, now: float) -> None:
    """Remove what nobody has asked for in two weeks: rooms and output of lost attempts, or kept for a person.

    The trash goes in any case: a worker was killed over it.
    """
    shutil.rmtree(folder / _TRASH, ignore_errors=True)
    for kept in (folder / "rooms", folder / "executions"):
        for path in kept.iterdir() if kept.is_dir() else ():
            if now - path.lstat().st_mtime > _KEPT_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


async def _until_signal(host: Host, target: Target, ready: Callable[[], None]) -> None:
    stop = asyncio.Event()

    def ask() -> None:
        if stop.is_set():
            os._exit(1)  # the leash ends what runs
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ask)
    await serve(host, target, stop, ready=ready)


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "worker.lock").open("w") as file:
        if not locks.try_lock(file):
            raise Refused("worker-held", f"another worker uses {folder}", fix=("orchestrate worker --folder ANOTHER",))
        yield
