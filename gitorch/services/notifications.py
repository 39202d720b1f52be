"""Tell a person about a run: by the command of `notify.command`, and on the desktop."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from gitorch.executors.foreground import run_with_input
from gitorch.model.clock import rfc3339
from gitorch.model.notification import Notification, NotificationKind, notification, of_task
from gitorch.model.task import Task
from gitorch.services.workspace import Workspace
from gitorch.storage.foreign_changes import ForeignChange

SCHEMA = "gitorch/notification/1"
_SECONDS = 30.0
"""How long a command, and the end of a run, may wait."""

Send = Callable[[Notification], None]


class Notifier:
    """Sends each event once, in a thread of its own; what goes wrong is one warning, and never stops a run."""

    def __init__(self, senders: Sequence[Send]) -> None:
        self.troubles: list[str] = []
        self._senders = senders
        self._sent: set[Notification] = set()
        self._held: set[str] = set()
        self._changes = 0
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
        """Wait for the events that were posted, but not for long."""
        if self._senders:
            self._queue.put(None)
            self._thread.join(_SECONDS)

    def _work(self) -> None:
        while (event := self._queue.get()) is not None:
            for send in self._senders:
                try:
                    send(event)
                except Exception as error:  # whatever a library or a program of the user does: the run goes on
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


def _run(command: Sequence[str], environment: Mapping[str, str], event: Notification, repository: str) -> None:
    fields = {"schema": SCHEMA, "at": rfc3339(datetime.now(UTC)), "repository": repository}
    content = msgspec.json.encode(fields | msgspec.to_builtins(event))
    variables = {
        "ORCHESTRATE_EVENT": event.kind,
        "ORCHESTRATE_TASK": event.task or "",
        "ORCHESTRATE_TITLE": event.title,
        "ORCHESTRATE_MESSAGE": event.message,
        "ORCHESTRATE_REPOSITORY": repository,
    }
    run_with_input(command, content, env={**environment, **variables}, seconds=_SECONDS)


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
