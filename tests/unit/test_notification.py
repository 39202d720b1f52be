"""Which events a run tells a person about, each once, and what happens if telling fails."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitorch.executors.foreground import BoundedProgram
from gitorch.model.naming import TaskId
from gitorch.model.notification import Notification, NotificationKind, notification, of_end, of_task
from gitorch.model.outcome import ExitReason
from gitorch.model.task import Attempt, ReasonKind, State, Task
from gitorch.services.notifications import Notifier, command_sender
from gitorch.storage.foreign_changes import ForeignChange
from tests.support.cli import SECONDS, Pipe
from tests.support.tasks import make_task

NOW = datetime(2026, 11, 29, 2, 13, tzinfo=UTC)
EVIL = "$(touch pwned)`touch pwned`; \x1b]0;x\x07\n'\"\x00 <b>"


def task(number: int, **fields: object) -> Task:
    return make_task(id=TaskId(f"t{number}"), number=number, title="", prompt="x", agent="claude", **fields)


def limited(number: int) -> Task:
    attempt = Attempt(number=1, agent="claude", ending=ExitReason.LIMITED)
    return task(number, state=State.WAITING, attempt=attempt, wake=NOW)


def sent(*, held: dict[str, str] | None = None, tasks: tuple[Task, ...] = ()) -> tuple[list[Notification], Notifier]:
    events: list[Notification] = []
    notifier = Notifier([events.append])
    for _ in range(2):
        notifier.observe(tasks, held or {}, [])
    notifier.close()
    return events, notifier


def test_tasks_that_tell_a_person_something() -> None:
    """A question is one for each task, a limit one for each agent; other changes are not worth a notification."""
    asking = task(1, state=State.WAITING, reason="SQLite or Postgres?", reason_kind=ReasonKind.ASKED)
    events, _ = sent(tasks=(asking, limited(2), limited(3), task(4, state=State.FINISHED)))
    assert [(event.kind, event.task, event.title) for event in events] == [
        (NotificationKind.QUESTION, "t1", "t1 asks"),
        (NotificationKind.LIMIT, None, "claude has reached its limit"),
    ]
    assert events[0].message == "SQLite or Postgres?"
    assert of_task(task(5)) is None


def test_a_held_agent_is_told_each_time_that_it_is_held() -> None:
    """Once while it is held; again if it was released in between."""
    events: list[Notification] = []
    notifier = Notifier([events.append])
    for held in ({"codex": "not logged in"}, {"codex": "not logged in"}, {}, {"codex": "no credits"}):
        notifier.observe((), held, [])
    notifier.close()
    assert [event.message for event in events] == ["not logged in", "no credits"]


def test_changes_by_others_are_told_as_they_come() -> None:
    events: list[Notification] = []
    notifier = Notifier([events.append])
    changes = [ForeignChange(what="HEAD moved")]
    notifier.observe((), {}, changes)
    notifier.observe((), {}, [*changes, ForeignChange(what="the index changed")])
    notifier.close()
    assert [event.message for event in events] == ["HEAD moved", "the index changed"]


def test_the_end_of_a_run() -> None:
    done = [task(1, state=State.FINISHED), task(2, state=State.FINISHED), task(3, state=State.FAILED)]
    event = of_end(done, "it is 07:00", 1.5)
    assert event.title == "the run has ended: 2 finished, 1 failed"
    assert event.message == "it is 07:00; it cost $1.50"
    assert of_end([], "", None).title == "the run has ended: nothing ran"


def test_what_fails_is_one_warning() -> None:
    """A sender that raises does not keep the others from sending, and is reported once."""

    def fail(event: Notification) -> None:
        raise OSError(f"no desktop for {event.kind}")

    events: list[Notification] = []
    notifier = Notifier([fail, events.append])
    notifier.post(notification(NotificationKind.BUDGET, "one"))
    notifier.post(notification(NotificationKind.BUDGET, "two"))
    notifier.close()
    assert [event.title for event in events] == ["one", "two"]
    assert notifier.troubles == ["a notification could not be sent: no desktop for budget"]
    assert sent()[1].troubles == []


def test_hostile_text_reaches_the_command_as_data(tmp_path: Path) -> None:
    """The event is in the environment and on standard input, without control characters; no shell reads it."""
    script = 'printf "%s|" "$ORCHESTRATE_EVENT" "$ORCHESTRATE_TASK" "$ORCHESTRATE_MESSAGE" > env; cat > json'
    command = ("/bin/sh", "-c", f"cd {tmp_path} && {script}")
    send = command_sender(command, {"PATH": "/usr/bin:/bin"}, "/home/user/shop")
    sending = send(notification(NotificationKind.QUESTION, EVIL, EVIL, TaskId("t1")))
    assert sending
    assert sending.has_ended(SECONDS)
    shown = "$(touch pwned)`touch pwned`; ]0;x '\" <b>"
    assert (tmp_path / "env").read_text("utf-8") == f"question|t1|{shown}|"
    event = json.loads((tmp_path / "json").read_text("utf-8"))
    assert event.pop("at").endswith("Z")
    assert event == {
        "schema": "gitorch/notification/1",
        "repository": "/home/user/shop",
        "kind": "question",
        "title": shown,
        "message": shown,
        "task": "t1",
    }
    assert not (tmp_path / "pwned").exists()
    notifier = Notifier([command_sender(("/bin/sh", "-c", "echo no mail >&2; exit 3"), {}, "x")])
    notifier.post(notification(NotificationKind.ENDED, "over"))
    notifier.close()
    assert notifier.troubles == ["a notification could not be sent: /bin/sh ended with exit code 3: no mail"]


def test_events_come_in_order(tmp_path: Path) -> None:
    """The end of a run comes last, also where all events are posted at once."""
    script = f"sleep 0.$((3 - $ORCHESTRATE_TITLE)); echo $ORCHESTRATE_TITLE >> {tmp_path / 'events'}"
    notifier = Notifier([command_sender(("/bin/sh", "-c", script), {"PATH": os.environ["PATH"]}, "x")])
    for number in range(1, 4):
        notifier.post(notification(NotificationKind.CHANGED, str(number)))
    notifier.close()
    assert (tmp_path / "events").read_text("utf-8").split() == ["1", "2", "3"]


def test_a_command_that_hangs_holds_up_nothing(tmp_path: Path) -> None:
    """Neither the next event nor the end of a run; what is late still arrives, and one warning says so."""
    go, arrived = Pipe(tmp_path / "go"), Pipe(tmp_path / "arrived")
    script = f"""[ $ORCHESTRATE_TITLE = quick ] || read word < {go}; echo $ORCHESTRATE_TITLE > {arrived}"""
    notifier = Notifier([command_sender(("/bin/sh", "-c", script), {}, "x")])
    notifier.post(notification(NotificationKind.QUESTION, "slow"))
    notifier.post(notification(NotificationKind.ENDED, "quick"))
    notifier.close()
    assert arrived.line() == "quick"
    assert notifier.troubles == ["notify.command (/bin/sh) still runs; it is ended 30 s after its start"]
    go.say()
    assert arrived.line() == "slow"


def test_a_program_is_ended_when_its_time_is_over() -> None:
    """With its children, also if nobody waits for it; a program that cannot be started says why."""
    command = ("/bin/sh", "-c", "sleep 600 & echo half; wait")
    with pytest.raises(OSError, match=r"^/bin/sh took longer than 0 s$"):
        BoundedProgram(command, b"", env={}, seconds=0.3).has_ended(SECONDS)
    with pytest.raises(OSError, match=r"exit code 127: .*nonexistent"):
        BoundedProgram(("/nonexistent/x",), b"", env={}, seconds=9).has_ended(SECONDS)
