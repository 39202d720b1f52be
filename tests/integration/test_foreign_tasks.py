"""While a run is active, what another program writes into its tasks is set aside, and the run's own state restored."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from gitorch.model.naming import TaskId
from gitorch.model.table import from_table
from gitorch.model.task import State, Task
from gitorch.storage import own_changes
from gitorch.storage.tasks import Store


def _task(number: int, **fields: object) -> Task:
    return from_table({"id": f"t{number}", "number": number, "title": "T", "prompt": "Do it", **fields})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A state folder with one task in two snapshots, and another in the journal."""
    place = tmp_path / "gitorch"
    store = Store(place)
    store.save([_task(1)])
    store.snapshot()
    store.save([_task(1, state="finished")])
    store.snapshot()
    store.save([_task(2)])
    return place


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def run(place: Path, said: list[str]) -> Iterator[Store]:
    """The tasks of an active run."""
    with (place / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        own_changes.forget(place)
        store = Store(place)
        store.load()
        store.watch(said.append)
        yield store


def _edit(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text("utf-8")), "utf-8")


def _approve_in_place(place: Path) -> None:
    """Write as many bytes as before, and set the times back."""
    path = place / "tasks.toml"
    times = path.stat().st_mtime_ns
    _edit(path, lambda text: text.replace("finished", "approved"))
    os.utime(path, ns=(times, times))


def _last_line(text: str) -> str:
    return text[text.index("[end]") :]


def _remove(paths: Iterable[Path]) -> None:
    for path in [*paths]:
        path.unlink()


def _put(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def _entry(place: Path, **fields: object) -> None:
    path = max((place / "journal").iterdir())
    with path.open("a") as file:
        file.write(json.dumps({"g": 1000, "task": "t1", **fields}) + "\n")


FORGERIES: dict[str, Callable[[Path], object]] = {
    "approved": lambda place: _edit(place / "tasks.toml", lambda text: text.replace("finished", "approved")),
    "approved, with the old times": _approve_in_place,
    "invalid, with a valid end": lambda place: _edit(
        place / "tasks.toml", lambda text: "[[task]]\nid = 7\nstate = 'no'\n\n" + _last_line(text)
    ),
    "empty, with a valid end": lambda place: _edit(place / "tasks.toml", _last_line),
    "not TOML": lambda place: (place / "tasks.toml").write_bytes(b"\xff["),
    "removed": lambda place: (place / "tasks.toml").unlink(),
    "removed, with the previous one": lambda place: _remove(place.glob("tasks.toml*")),
    "a folder in its place": lambda place: _put(place / "tasks.toml", Path.mkdir),
    "a pipe in its place": lambda place: _put(place / "tasks.toml", os.mkfifo),
    "a line in the journal": lambda place: _entry(place, set={"state": "approved"}),
    "an invalid line": lambda place: _entry(place, set={"state": 7}),
    "a task dropped": lambda place: _entry(place, drop=True),
    "no journal": lambda place: _remove((place / "journal").iterdir()),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_is_set_aside(place: Path, run: Store, said: list[str], forgery: str) -> None:
    FORGERIES[forgery](place)
    assert {task.id: task.state for task in run.current().values()} == {"t1": State.FINISHED, "t2": State.QUEUED}
    assert len(said) == 1
    assert "changed by another program" in said[0]
    other = Store(place)
    assert other.load() == run.tasks
    assert other.notices == []
    other.save([_task(3)])
    assert set(run.current()) == {"t1", "t2", "t3"}
    assert len(said) == 1


def test_other_commands_change_the_tasks_of_a_run(place: Path, run: Store, said: list[str]) -> None:
    """Entries and snapshots of another process are gitorch's, and remain after a forgery."""
    other = Store(place)
    other.load()
    other.save([_task(3)])
    other.snapshot()
    other.save([_task(4)])
    assert set(run.current()) == {"t1", "t2", "t3", "t4"}
    other.save([_task(5)])
    FORGERIES["empty, with a valid end"](place)
    assert set(run.current()) == {"t1", "t2", "t3", "t4", "t5"}
    assert len(said) == 1
    assert [path.name.split("-")[0] for path in place.glob("*foreign*")] == [
        "tasks.toml.foreign",
        "journal.foreign",
    ] or (len(list(place.glob("*foreign*"))) == 2)


def test_without_a_run_a_person_may_edit(place: Path) -> None:
    own_changes.forget(place)
    FORGERIES["approved"](place)
    store = Store(place)
    assert store.load()[TaskId("t1")].state is State.APPROVED
    assert store.notices == []
