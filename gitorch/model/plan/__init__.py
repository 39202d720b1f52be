"""A plan: a goal broken into a graph of tasks, not yet queued. Every function returns a valid plan or says why not."""

from gitorch.model.plan.difference import Difference, FieldChange, difference
from gitorch.model.plan.edits import (
    add,
    link,
    modify,
    parts_of,
    remove,
    reorder,
    split,
    task_of,
    unlink,
    with_unused_id,
)
from gitorch.model.plan.parsing import SCHEMA, read_plan
from gitorch.model.plan.phases import critical_path, find, phases
from gitorch.model.plan.session import Approval, PlanEdit, PlanMessage, Planner, PlanProposal, PlanSession
from gitorch.model.plan.values import (
    BY_HAND,
    BY_HEURISTICS,
    LONGEST_TEXT,
    MOST_TASKS,
    PlannedTask,
    Size,
    TaskPlan,
    problems,
    valid,
)

__all__ = [
    "BY_HAND",
    "BY_HEURISTICS",
    "LONGEST_TEXT",
    "MOST_TASKS",
    "SCHEMA",
    "Approval",
    "Difference",
    "FieldChange",
    "PlanEdit",
    "PlanMessage",
    "PlanProposal",
    "PlanSession",
    "PlannedTask",
    "Planner",
    "Size",
    "TaskPlan",
    "add",
    "critical_path",
    "difference",
    "find",
    "link",
    "modify",
    "parts_of",
    "phases",
    "problems",
    "read_plan",
    "remove",
    "reorder",
    "split",
    "task_of",
    "unlink",
    "valid",
    "with_unused_id",
]
