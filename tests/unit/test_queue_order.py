"""The order of the queue, and places between any two tasks."""

from __future__ import annotations

from hypothesis import given, strategies as st

from gitorch.model.naming import TaskId
from gitorch.model.queue_order import in_order, place_at
from gitorch.model.task import Priority, Task, change
from tests.support.tasks import make_task


def queued(number: int, priority: Priority = Priority.NORMAL) -> Task:
    return make_task(id=TaskId(f"t{number}"), number=number, title="", prompt="x", priority=priority)


def moved(queue: list[Task], source: int, target: int) -> list[Task]:
    """Return the queue after the task at `source` was moved to `target` of the rest."""
    others = [*queue[:source], *queue[source + 1 :]]
    return [*others, change(queue[source], place=place_at(others, target))]


priorities = st.lists(st.sampled_from(Priority), min_size=2, max_size=6)
moves = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=40)


@given(priorities, moves)
def test_a_task_goes_where_it_is_moved(levels: list[Priority], steps: list[tuple[int, int]]) -> None:
    """Each move changes the place of one task only, and puts it where it was asked to."""
    queue = in_order(queued(number, priority) for number, priority in enumerate(levels, start=1))
    for source, target in ((source % len(queue), target % len(queue)) for source, target in steps):
        names = [task.id for task in queue]
        names.insert(target, names.pop(source))
        queue = in_order(moved(queue, source, target))
        assert [task.id for task in queue] == names


def test_repeated_moves_do_not_run_out_of_places() -> None:
    """Two hundred tasks moved in front of the same one keep the order of the moves, and short places."""
    queue = [queued(1), queued(2)]
    for number in range(3, 203):
        queue = in_order([*queue, change(queued(number), place=place_at(queue, len(queue) - 1))])
    assert [task.number for task in queue] == [1, *range(3, 203), 2]
    assert max(len(task.place) for task in queue) == 3


def test_new_tasks_queue_behind_a_task_that_is_last() -> None:
    """A task that was moved to the end is behind those that were there, and in front of those that come later."""
    others = [queued(1), queued(3)]
    last = change(queued(2), place=place_at(others, 2))
    assert [task.number for task in in_order([queued(4), last, *others])] == [1, 3, 2, 4]


def test_high_priority_still_overtakes_tasks_that_were_moved_among_others() -> None:
    """The first of several normal tasks is not in front of an urgent one that is submitted later."""
    others = [queued(1), queued(2)]
    first = change(queued(3), place=place_at(others, 0))
    urgent = queued(4, Priority.HIGH)
    assert [task.number for task in in_order([urgent, first, *others])] == [4, 3, 1, 2]
