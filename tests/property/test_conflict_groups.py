"""Conflicts said in few lines: groups of tasks, each pair in one of them."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, strategies as st

from gitorch.model.forecasts.conflict_forecast import Conflict, ConflictGroup, group_conflicts
from gitorch.model.naming import TaskId

NAMES = tuple(map(TaskId, "abcdefgh"))
PATHS = st.sampled_from((("x",), ("y",), ("x", "y")))
CONFLICTS = st.builds(Conflict, st.sampled_from([*combinations(NAMES, 2), *((name,) for name in NAMES)]), PATHS)


def conflicts_of(group: ConflictGroup) -> list[Conflict]:
    """Return the conflicts that a group stands for."""
    if group.partners:
        pairs = [(group.tasks[0], partner) for partner in group.partners]
    elif len(group.tasks) == 1:
        return [Conflict(group.tasks, group.paths)]
    else:
        pairs = [*combinations(group.tasks, 2)]
    return [Conflict(tuple(sorted(pair)), group.paths) for pair in pairs]


@given(st.lists(CONFLICTS, unique=True, max_size=40))
def test_groups_say_each_conflict_once(conflicts: list[Conflict]) -> None:
    """Nothing is lost, added or said twice, and never in more lines than there are conflicts."""
    groups = group_conflicts(conflicts)
    said = [conflict for group in groups for conflict in conflicts_of(group)]
    assert sorted(said, key=str) == sorted(conflicts, key=str)
    assert sum(group.conflicts for group in groups) == len(conflicts)


def test_all_with_all_is_one_group() -> None:
    """Eleven tasks that change one line are one group; a task that conflicts with five others is one, too."""
    pairs = [*combinations((TaskId(f"t{number}") for number in range(11)), 2)]
    (group,) = group_conflicts(Conflict(pair, ("x",)) for pair in pairs)
    assert (len(group.tasks), group.conflicts) == (11, 55)
    star = [Conflict((TaskId(f"t{number}"), TaskId("hub")), ("x",)) for number in range(5)]
    assert [(*group.tasks, len(group.partners)) for group in group_conflicts(star)] == [("hub", 5)]
