"""Tell a person about a run: by the command of `notify.command`, and on the desktop."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import msgspec

from gitorch.executors.foreground import BoundedProgram
from gitorch.model.clock import rfc3339
from gitorch.model.notification import Notification, NotificationKind, notification, of_task
from gitorch.model.task import Task
from gitorch.services.workspace import Workspace
from gitorch.storage.foreign_changes import ForeignChange

SCHEMA = "gitorch/notification/1"
_SECONDS = 30.0
"""How long a command may take. Nothing waits for it so long."""

_PATIENCE = 1.0
"""How long the next event waits for the command of the one before, so that they come in order."""

_END_PATIENCE = 3.0
"""How long the end of a run waits. What is on its way by then arrives, but no warning can say that it failed."""


class Sending(Protocol):
    """An event on its way."""

    def has_ended(self, patience: float) -> bool:
        """Wait so many seconds for its end; return whether it has ended. Raises `OSError` if it has failed."""

    def leave(self) -> None:
        """Let it continue, and stop waiting for it."""


Send = Callable[[Notification], Sending | None]
"""Sends an event; what is returned goes on by itself."""


class Notifier:
    """Sends each event once, in a thread of its own; what goes wrong is one warning, and never stops a run."""

    def __init__(self, senders: Sequence[Send]) -> None:
        self.troubles: list[str] = []
        self._senders = senders
        self._sent: set[Notification] = set()
        self._held: set[str] = set()
        self._changes = 0
        self._on_their_way: list[Sending] = []
        self._patience_end = float("inf")
        self._queue: queue.Queue[Notification | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, daemon=True, name="notify")
        if senders:
            self._thread.start()

    def post(self, event: Notification) -> None:
        """Send an event soon, unless it was sent already."""
        if self._senders and event not in self._sent:
            self._sent.add(event)
            self._queue.put(event)

    def observe(self, tasks: Iterable[Task], held: Mapping[str, str], changes: Sequence[ForeignChange]) -> None:
        """Post what is new: of tasks that changed, of `held` agents (with the reason), of changes by others."""
        for event in filter(None, map(of_task, tasks)):
            self.post(event)
        for agent, reason in held.items():
            if agent not in self._held:
                self.post(notification(NotificationKind.HELD, f"{agent} starts nothing", reason))
        self._held = set(held)
        for change in changes[self._changes :]:
            self.post(notification(NotificationKind.CHANGED, "something changed outside of the worktrees", change.what))
        self._changes = len(changes)

    def close(self) -> None:
        """Send the events that were posted, and wait for their arrival, but not for long."""
        if self._senders:
            self._patience_end = time.monotonic() + _END_PATIENCE
            self._queue.put(None)
            self._thread.join(2 * _END_PATIENCE)

    def _work(self) -> None:
        while (event := self._queue.get()) is not None:
            for send in self._senders:
                self._guarded(partial(self._start, send, event))
            self._settle(time.monotonic() + _PATIENCE)
        self._settle(self._patience_end)
        for sending in self._on_their_way:
            self._warn(f"notify.command ({sending}) still runs; it is ended {_SECONDS:.0f} s after its start")
            sending.leave()

    def _start(self, send: Send, event: Notification) -> None:
        sending = send(event)
        if sending is not None:
            self._on_their_way.append(sending)

    def _settle(self, end: float) -> None:
        """Forget the events that have arrived or failed; wait for that until then, or until the run has to end."""
        end = min(end, self._patience_end)
        sendings, self._on_their_way = self._on_their_way, []
        for sending in sendings:
            self._guarded(partial(self._keep_unless_ended, sending, end))

    def _keep_unless_ended(self, sending: Sending, end: float) -> None:
        if not sending.has_ended(max(0.0, end - time.monotonic())):
            self._on_their_way.append(sending)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # whatever a library or one of the user's programs does: the run goes on
            self._warn(f"a notification could not be sent: {error}")

    def _warn(self, trouble: str) -> None:
        if not self.troubles:
            self.troubles.append(trouble)


def notifier_of(workspace: Workspace) -> Notifier:
    """Return the notifier that the settings ask for."""
    settings = workspace.config.notify
    top = workspace.repository.work_tree or workspace.repository.common_dir
    senders: list[Send] = []
    if settings.command:
        senders.append(command_sender(settings.command, workspace.environment, str(top)))
    if settings.desktop:
        senders.append(lambda event: _show(event, top.name))
    return Notifier(senders)


def command_sender(command: Sequence[str], environment: Mapping[str, str], repository: str) -> Send:
    """Return how to run the user's command: it gets an event in its environment and, as JSON, on its standard input."""
    return lambda event: _run(command, environment, event, repository)


def _run(command: Sequence[str], environment: Mapping[str, str], event: Notification, repository: str) -> Sending:
    fields = {"schema": SCHEMA, "at": rfc3339(datetime.now(UTC)), "repository": repository}
    content = msgspec.json.encode(fields | msgspec.to_builtins(event))
    variables = {
        "ORCHESTRATE_EVENT": event.kind,
        "ORCHESTRATE_TASK": event.task or "",
        "ORCHESTRATE_TITLE": event.title,
        "ORCHESTRATE_MESSAGE": event.message,
        "ORCHESTRATE_REPOSITORY": repository,
    }
    return BoundedProgram(command, content, env={**environment, **variables}, seconds=_SECONDS)


def _show(event: Notification, repository: str) -> None:
    """Show an event on the desktop. Raises `OSError` if that is not possible."""
    # imported here: it takes 150 ms, and few runs show notifications
    from desktop_notifier.sync import DesktopNotifierSync

    # some desktops read markup
    title, message = (text.replace("<", "[").replace("&", "+") for text in (event.title, event.message))
    failures = _Failures()
    logger = logging.getLogger("desktop_notifier")
    logger.propagate = False
    logger.handlers = [failures]
    DesktopNotifierSync(app_name="gitorch").send(title=f"{repository}: {title}", message=message)
    if failures.reasons:
        raise OSError(f"no desktop: {failures.reasons[0]}")


class _Failures(logging.Handler):
    """Collects what the library logs instead of raising it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.reasons: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.reasons.append(str(error or record.getMessage()))
