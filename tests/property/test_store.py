"""The task file keeps every task as it is: through the readable snapshot, through the journal, through both."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import tomli
from hypothesis import example, given, settings, strategies as st

from gitorch.model.naming import TaskId
from gitorch.model.table import from_table, from_tables
from gitorch.model.task import Comment, State, Task, by_id
from gitorch.storage.tasks import Store, TaskMoved, blocks, parsed
from tests.support.scale import scaled
from tests.support.tasks import batches, make_task, tasks, texts, with_fields


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name) / "gitorch"


def task(number: int, **fields: object) -> Task:
    return from_table({"id": f"t{number}", "number": number, "title": "T", "prompt": "Do it", **fields})


@settings(max_examples=scaled(60))
@given(batches)
def test_a_snapshot_reads_back(batch: list[Task]) -> None:
    """What is written is TOML that holds the same tasks, value for value."""
    document = tomli.loads(_file_content(batch, 7).decode())
    found = from_tables(document.get("task", []))
    assert by_id(found) == by_id(batch)
    assert document["end"] == {"tasks": len(batch), "generation": 7}


@settings(max_examples=scaled(30))
@given(batches, texts)
@example([task(1, comments=[{"text": "one\r\ntwo"}])], "\r\n")
def test_tasks_survive_journal_and_snapshot(batch: list[Task], text: str) -> None:
    """Another reader sees each task as it was saved, before the snapshot and after it, and after a change."""
    with folder() as place:
        store = Store(place)
        store.save(batch)
        assert Store(place).load() == by_id(batch)
        store.snapshot()
        assert Store(place).load() == by_id(batch)
        parsed.copy_path(store.file).unlink()
        assert Store(place).load() == by_id(batch)
        changed = [with_fields(one, prompt=text, comments=(Comment(text=text),)) for one in batch]
        store.save(changed)
        assert Store(place).load() == store.load() == by_id(changed)
        store.snapshot()
        assert Store(place).load() == by_id(changed)
        assert store.notices == []


@settings(max_examples=scaled(30))
@given(tasks, st.data())
def test_fields_go_back_to_their_defaults(one: Task, data: st.DataObject) -> None:
    """A field that is cleared stays cleared for every reader."""
    bare = make_task(id=one.id, number=one.number, title="", prompt="")
    with folder() as place:
        store = Store(place)
        store.save([one])
        if data.draw(st.booleans()):
            store.snapshot()
        store.save([bare])
        assert Store(place).load() == {one.id: bare}


@settings(max_examples=scaled(30))
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["save", "drop", "snapshot", "load"])), max_size=20))
def test_any_sequence_of_two_writers(steps: list[tuple[int, str]]) -> None:
    """Two processes' stores that write in turns never lose, revive or change a task."""
    with folder() as place:
        stores, expected = (Store(place), Store(place)), dict[TaskId, Task]()
        for at, (number, what) in enumerate(steps):
            store = stores[at % 2]
            store.load()
            if what == "save":
                changed = task(number, title=f"title {at}")
                store.save([changed])
                expected[changed.id] = changed
            elif what == "drop":
                store.save([], dropped=[TaskId(f"t{number}")])
                expected.pop(TaskId(f"t{number}"), None)
            elif what == "snapshot":
                store.snapshot()
            assert store.current() == expected
            assert Store(place).load() == expected


def test_changes_of_different_fields_come_together() -> None:
    """Two writers that change different fields of one task both get their way."""
    with folder() as place:
        one, two = Store(place), Store(place)
        one.save([task(1)])
        two.load()
        one.save([task(1, role="tester")])
        two.save([task(1, stale=True)])
        assert Store(place).load() == {"t1": task(1, role="tester", stale=True)}


@pytest.mark.parametrize("second", [State.CANCELLED, State.RUNNING])
def test_a_state_that_moved_meanwhile_is_not_overwritten(second: State) -> None:
    """A writer whose task was moved by another one is told so (also when both start it), and writes nothing at all."""
    with folder() as place:
        one, two = Store(place), Store(place)
        one.save([task(1), task(2)])
        two.load()
        one.save([task(1, state="running")])
        with pytest.raises(TaskMoved, match="t1 was changed by another command; it is running"):
            two.save([task(2, role="x"), task(1, state=second)])
        assert Store(place).load() == by_id([task(1, state="running"), task(2)])


def test_the_same_name_twice_is_refused() -> None:
    """Two commands that make a task of the same name do not end up with one of the two prompts."""
    with folder() as place:
        one, two = Store(place), Store(place)
        one.load(), two.load()
        one.save([task(1)])
        with pytest.raises(TaskMoved):
            two.save([task(1, prompt="Something else")])
        assert Store(place).load() == {"t1": task(1)}


def _written() -> tuple[int, int]:
    """Return the bytes that this process has written so far, and in how many calls."""
    lines = (line.split() for line in Path("/proc/self/io").read_text().splitlines())
    found = {name: int(number) for name, number in lines}
    return found["wchar:"], found["syscw:"]


@pytest.mark.skipif(not os.path.exists("/proc/self/io"), reason="only Linux counts a process's bytes")
def test_the_cost_of_a_change_does_not_grow() -> None:
    """One change writes the same few bytes, in as many calls, among 5 tasks as among 2000."""
    costs = []
    for count in (5, 2000):
        with folder() as place:
            store = Store(place)
            store.save([task(number) for number in range(count)])
            store.snapshot()
            store.save([task(3, role="warm")])
            before = _written()
            store.save([task(3, role="hot")])
            costs.append([after - earlier for earlier, after in zip(before, _written(), strict=True)])
    few, many = costs
    assert few[1] == many[1] <= 4
    assert 0 < few[0] <= many[0] <= few[0] + 8  # the generation has more digits
    assert many[0] < 400  # the change, the generation that shows a lost journal, and the digest that a run trusts


def test_numbers_stay_unique() -> None:
    """Two commands that submit at the same time do not end up with two tasks of one number."""
    with folder() as place:
        one, two = Store(place), Store(place)
        one.load(), two.load()
        one.save([task(1)])
        two.save([msgspec.structs.replace(task(2), number=1), msgspec.structs.replace(task(3), number=2)])
        assert {name: one.number for name, one in Store(place).load().items()} == {"t1": 1, "t2": 2, "t3": 3}


_actions = st.lists(
    st.tuples(st.sampled_from(["save", "drop", "snapshot", "edit", "reopen"]), batches), min_size=2, max_size=8
)


@settings(max_examples=scaled(40))
@given(_actions)
def test_copied_blocks_are_what_all_tasks_would_be_written_as(actions: list[tuple[str, list[Task]]]) -> None:
    """After any changes the file is what rendering each task gives, and it reads the same without its copy."""
    with folder() as place:
        store, expected = Store(place), dict[TaskId, Task]()
        for action, batch in actions:
            if action == "save":
                new = [one for one in batch if one.id in expected or one.number not in _numbers(expected)]
                store.save(
                    [with_fields(one, state=expected[one.id].state) if one.id in expected else one for one in new]
                )
            elif action == "drop":
                store.save([], dropped=[one.id for one in batch])
            elif action == "edit" and store.file.exists():
                store.file.write_bytes(b"# a person was here\n" + store.file.read_bytes())
            elif action == "reopen":
                store = Store(place)
            else:
                store.snapshot()
                everyone = sorted(store.current().values(), key=lambda one: one.number)
                if b"a person" not in store.file.read_bytes():
                    assert store.file.read_bytes() == _file_content(everyone, store.generation)
            expected = dict(store.current())
            assert Store(place).load() == expected
        store.snapshot()
        parsed.copy_path(store.file).unlink(missing_ok=True)
        assert Store(place).load() == expected


def _file_content(tasks: Iterable[Task], generation: int) -> bytes:
    """Return the task file of some tasks, all of it new."""
    return blocks.NO_BLOCKS.changed((), [(task, blocks.render(task)) for task in tasks], generation).content


def _numbers(tasks: Mapping[TaskId, Task]) -> set[int]:
    return {one.number for one in tasks.values()}
