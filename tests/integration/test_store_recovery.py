"""The task file among crashes, cuts, editors and other processes: what was acknowledged is there."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from gitorch.errors import InvalidInput
from gitorch.model.naming import TaskId
from gitorch.model.table import from_table
from gitorch.model.task import State, Task, by_id
from gitorch.storage.tasks import Store, Tasks
from gitorch.storage.tasks.store import SNAPSHOT_SECONDS
from tests.support.scale import scaled

FORK = multiprocessing.get_context("fork")


def task(number: int, **fields: object) -> Task:
    return from_table({"id": f"t{number}", "number": number, "title": "T", "prompt": "Do it", **fields})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "gitorch"


def prepared(place: Path) -> Tasks:
    """Save tasks so that there are two snapshots and a journal after the second; return the tasks."""
    store = Store(place)
    store.save([task(1, prompt="one\n\nwith `ticks`; and 🚀\n"), task(2)])
    store.snapshot()
    store.save([task(2, state="running"), task(3, after=["t1"])])
    store.snapshot()
    store.save([task(2, state="failed", reason="it broke")])
    store.save([task(4)], dropped=[TaskId("t1")])
    return dict(store.tasks)


def aside(place: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(place.glob("tasks.toml.damaged-*"))]


def test_a_file_cut_at_any_byte(place: Path) -> None:
    """Wherever the file is cut short, it is set aside as it is, nothing is lost, and the user is told."""
    expected = prepared(place)
    files = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    whole = files[place / "tasks.toml"]
    ended = len(whole.rstrip())
    for length in range(len(whole)):
        for path, content in files.items():
            path.write_bytes(content)
        for damaged in place.glob("tasks.toml.damaged-*"):
            damaged.unlink()
        (place / "tasks.toml").write_bytes(whole[:length])
        store = Store(place)
        if length == ended:
            assert store.load() == expected  # the last line's end is all that is missing
            continue
        found = _load_cut(store, whole[:length], expected)
        assert Store(place).load() == found


def _load_cut(store: Store, content: bytes, expected: Tasks) -> Tasks:
    found = dict(store.load())
    assert found == expected, content
    assert aside(store.folder) == [content]
    assert len(store.notices) == 1
    assert store.notices[0].startswith("tasks.toml was damaged (")
    assert "tasks.toml.damaged-" in store.notices[0]
    return found


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda file: file.unlink(), id="deleted"),
        pytest.param(lambda file: file.write_bytes(b""), id="empty"),
        pytest.param(lambda file: file.write_bytes(bytes(4096)), id="zeros"),
        pytest.param(lambda file: file.write_bytes(b"\xff\xfe" + file.read_bytes()), id="not-utf8"),
        pytest.param(lambda file: file.write_text("<<<<<<< ours\n" + file.read_text()), id="not-toml"),
    ],
)
def test_a_file_that_cannot_be_read(place: Path, damage: Callable[[Path], object]) -> None:
    """A file that is gone or does not parse is made again from the one before and the journal."""
    expected = prepared(place)
    damage(place / "tasks.toml")
    store = Store(place)
    assert store.load() == expected
    assert len(store.notices) == 1
    assert "rebuilt from the previous snapshot and the journal" in store.notices[0]
    assert Store(place).load() == expected
    store.save([task(9)])
    assert Store(place).load() == {**expected, **by_id([task(9)])}


def test_the_first_snapshot_is_lost(place: Path) -> None:
    """Before there are two snapshots the journal alone holds everything."""
    store = Store(place)
    store.save([task(1), task(2)])
    store.snapshot()
    store.save([task(1, state="running")])
    (place / "tasks.toml").write_bytes(b"")
    assert Store(place).load() == by_id([task(1, state="running"), task(2)])


def test_both_snapshots_are_lost(place: Path) -> None:
    """Then branches and notes tell of tasks, and the journal of what came after, as far as it stands by itself."""
    prepared(place)
    (place / "tasks.toml").write_bytes(b"")
    (place / "tasks.toml.prev").write_bytes(b"")
    store = Store(place, rebuild=lambda: [task(2, state="finished", title="from its branch")])
    found = store.load()
    assert found == by_id(
        [task(2, state="failed", reason="it broke", title="from its branch"), task(3, after=["t1"]), task(4)]
    )
    assert "rebuilt from branches, notes and the journal" in store.notices[0]
    assert Store(place).load() == found


def test_everything_is_lost(place: Path) -> None:
    """With no journal either, branches and notes are all there is, and a task known by a change alone is left out."""
    prepared(place)
    for journal in sorted((place / "journal").iterdir())[:-1]:
        journal.unlink()
    (place / "tasks.toml").write_bytes(b"")
    (place / "tasks.toml.prev").unlink()
    store = Store(place, rebuild=lambda: [task(7, state="finished")])
    assert store.load() == by_id([task(7, state="finished"), task(4)])


@pytest.mark.parametrize("torn", [b'{"g":9,"task":"t4","se', b"\0" * 512, b"{", b'{"g":99,"task":"t4","drop":true}'])
def test_a_torn_line_at_the_end_of_the_journal(place: Path, torn: bytes) -> None:
    """A line that a crash cut short was not acknowledged: it is passed over, and written over by the next change."""
    expected = prepared(place)
    journal = max((place / "journal").iterdir())
    with journal.open("ab") as file:
        file.write(torn)
    store = Store(place)
    assert store.load() == expected
    store.save([task(5)])
    assert Store(place).load() == {**expected, **by_id([task(5)])}
    assert [line for line in journal.read_bytes().split(b"\n") if line == torn] == []
    assert store.notices == []


def test_a_hand_edit_is_kept(place: Path) -> None:
    """What a person repairs by hand is what the next command sees, and what the next snapshot holds."""
    store = Store(place)
    store.save([task(1), task(2)])
    store.snapshot()
    file = place / "tasks.toml"
    file.write_text(file.read_text().replace('"Do it"', '"Do it well"', 1))
    edited = by_id([task(1, prompt="Do it well"), task(2)])
    assert store.current() == edited
    assert Store(place).load() == edited
    store.save([task(2, state="running")])
    store.snapshot()
    assert Store(place).load() == by_id([task(1, prompt="Do it well"), task(2, state="running")])


def test_a_hand_edit_between_two_changes_of_one_command(place: Path) -> None:
    """A long-running command does not write over an edit that it has not seen."""
    store = Store(place)
    store.save([task(1), task(2)])
    store.snapshot()
    file = place / "tasks.toml"
    file.write_text(file.read_text().replace('"Do it"', '"Do it well"', 1))
    store.save([task(2, state="running")])
    store.snapshot()
    assert Store(place).load() == by_id([task(1, prompt="Do it well"), task(2, state="running")])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"queued"', '"asleep"', "asleep"),
        ("number = 1", 'number = "1"', "number"),
        ('id = "t1"', 'name = "t1"', "no id"),
    ],
)
def test_a_wrong_hand_edit_is_not_thrown_away(place: Path, old: str, new: str, told: str) -> None:
    """An edit that is TOML but no task is refused with words, and the file stays as it is."""
    store = Store(place)
    store.save([task(1, state="waiting"), task(2)])
    store.snapshot()
    file = place / "tasks.toml"
    edited = file.read_text().replace('"waiting"', '"queued"').replace(old, new, 1)
    file.write_text(edited)
    with pytest.raises(InvalidInput, match=told):
        Store(place).load()
    assert file.read_text() == edited


def test_readable_soon(place: Path) -> None:
    """A short command's change is in the readable file at once when no snapshot was made for a while."""
    store = Store(place)
    store.save([task(1)])
    store.snapshot_if_due()
    assert 'id = "t1"' in (place / "tasks.toml").read_text()
    before, made = (place / "tasks.toml").read_bytes(), (place / "tasks.toml").stat().st_mtime
    store.save([task(2)])
    store.snapshot_if_due()
    assert (place / "tasks.toml").read_bytes() == before or time.time() - made >= SNAPSHOT_SECONDS
    long_ago = time.time() - 60
    os.utime(place / "tasks.toml", (long_ago, long_ago))
    store = Store(place)
    store.save([task(3)])
    store.snapshot_if_due()
    assert 'id = "t3"' in (place / "tasks.toml").read_text()


def test_the_folder_stays_small(place: Path) -> None:
    """However many changes and snapshots there were, two snapshots and two journals are kept."""
    store = Store(place)
    for number in range(20):
        store.save([task(number % 3, title=f"{number}")])
        store.snapshot()
    assert len(list((place / "journal").iterdir())) <= 2
    names = {
        "generation",
        "journal",
        "own.jsonl",
        "own.lock",
        "tasks.lock",
        "tasks.toml",
        "tasks.toml.parsed",
        "tasks.toml.prev",
    }
    assert {path.name for path in place.iterdir()} == names


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
    ],
    ids=["removed", "emptied", "half", "last line"],
)
def test_lost_changes_are_said_by_every_command(place: Path, damage: Callable[[Path], object]) -> None:
    """A snapshot without its journal is a state of the past, and no reader may take it for the present."""
    store = Store(place)
    store.save([task(1)])
    store.snapshot()
    store.save([task(2)])
    store.save([task(3)])
    journal = max((place / "journal").iterdir())
    damage(journal)
    for _ in range(2):
        reader = Store(place)
        reader.load()
        assert ["changes are lost" in notice for notice in reader.notices] == [True]
    Store(place).save([task(4)])
    after = Store(place)
    assert TaskId("t4") in after.load()


@pytest.mark.parametrize(
    "line", [b"{", b"\xff\x00", b"[]", b'{"g": 1}', b'{"g": "x", "task": "t1", "set": {}}', b"\r\x85"]
)
def test_a_bad_line_of_the_journal_costs_that_line_only(place: Path, line: bytes) -> None:
    """It is named; what comes after it counts."""
    store = Store(place)
    store.snapshot()
    store.save([task(1)])
    store.save([task(2)])
    store.save([task(3)])
    journal = max((place / "journal").iterdir())
    lines = journal.read_bytes().split(b"\n")
    lines[1] = line
    journal.write_bytes(b"\n".join(lines))
    reader = Store(place)
    assert set(reader.load()) == {"t1", "t3"}
    assert ["line 2 of journal/" in notice for notice in reader.notices] == [True]


def test_a_change_of_a_task_whose_line_is_damaged_stops_nothing(place: Path) -> None:
    """Without its first line a task has no prompt; the others are read."""
    store = Store(place)
    store.snapshot()
    store.save([task(1)])
    store.save([task(2)])
    store.save([task(1, state="running")])
    journal = max((place / "journal").iterdir())
    journal.write_bytes(b"x" + journal.read_bytes())
    assert set(Store(place).load()) == {"t2"}


def _in_processes(work: Callable[[int], None], count: int) -> None:
    """Run `work(0)`, `work(1)`, ... at the same time, each in a process of its own."""
    children = [FORK.Process(target=work, args=(number,)) for number in range(count)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * count


def test_concurrent_writers_lose_nothing(place: Path) -> None:
    """Eight processes that write at once, with snapshots in between, all find their changes kept."""
    Store(place).save([task(0)])

    def write(number: int) -> None:
        store = Store(place)
        for step in range(20):
            name = 100 * (number + 1) + step
            store.load()
            store.save([task(name)])
            store.save([task(name, state="running")])
            if step % 5 == number % 5:
                store.snapshot()

    _in_processes(write, 8)
    found = Store(place).load()
    expected = [task(100 * (number + 1) + step, state="running") for number in range(8) for step in range(20)]
    assert found == by_id([task(0), *expected])


def test_concurrent_recovery_happens_once(place: Path) -> None:
    """Of processes that meet a damaged file at the same time, one mends it; all see the same tasks."""
    expected = prepared(place)
    (place / "tasks.toml").write_bytes(b"")

    def look(number: int) -> None:
        store = Store(place)
        found = store.load()
        assert {name: found[name] for name in expected} == expected
        store.save([task(100 + number)])

    _in_processes(look, 8)
    assert Store(place).load() == {**expected, **by_id([task(100 + number) for number in range(8)])}
    assert aside(place) == [b""]


def test_readers_never_see_a_state_that_was_not(place: Path) -> None:
    """Two tasks that always change together are never seen apart, while snapshots come and go; readers do not wait."""
    store = Store(place)
    store.save([task(1, title="0"), task(2, title="0")])

    def write(number: int) -> None:
        if number == 0:
            mine = Store(place)
            for step in range(200):
                mine.load()
                mine.save([task(1, title=f"{step}"), task(2, title=f"{step}")])
                if step % 3 == 0:
                    mine.snapshot()
        else:
            last = -1
            while last < 199:
                tasks = Store(place).load()
                one, two = int(tasks[TaskId("t1")].title), int(tasks[TaskId("t2")].title)
                assert one == two >= last, (one, two, last)
                last = one

    _in_processes(write, 3)


def _writer(place: Path, acknowledged: int, first: int) -> None:
    """Make a task and move it on, for ever, telling after each change that it was acknowledged."""
    store = Store(place)
    for number in range(first, first + 10_000):
        store.load()
        store.save([task(number)])
        os.write(acknowledged, b"%d queued\n" % number)
        store.save([task(number, state="running")])
        os.write(acknowledged, b"%d running\n" % number)
        if number % 4 == 0:
            store.snapshot()


def test_kill_minus_nine_loses_nothing_acknowledged(place: Path) -> None:
    """However often a writer is killed in the middle of anything, what it was told to be saved is there."""
    dice = random.Random(7)
    told: dict[str, State] = {}
    for first in range(0, scaled(50) * 10_000, 10_000):
        told.update(_killed_writer(place, first, dice.randint(1, 8), dice.uniform(0.0, 0.01)))
        store = Store(place)
        found = {name: one.state for name, one in store.load().items()}
        assert {name: found.get(TaskId(name)) for name in told} == told or _ahead(found, told)
        assert store.notices == []
    assert len(told) > scaled(50)


def _ahead(found: dict[TaskId, State], told: dict[str, State]) -> bool:
    """Tell whether all that differs is a change that was saved, and whose writer was killed before it said so."""
    differ = [name for name, state in told.items() if found.get(TaskId(name)) != state]
    return all(told[name] is State.QUEUED and found.get(TaskId(name)) is State.RUNNING for name in differ)


def _killed_writer(place: Path, first: int, count: int, seconds: float) -> Iterable[tuple[str, State]]:
    source, sink = os.pipe()
    child = FORK.Process(target=_writer, args=(place, sink, first))
    child.start()
    os.close(sink)
    with os.fdopen(source, "rb") as pipe:
        lines = [pipe.readline() for _ in range(count)]
        time.sleep(seconds)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        lines += pipe.readlines()
    words = [line.decode().split() for line in lines if line.endswith(b"\n")]
    return [(f"t{number}", State(state)) for number, state in words]
