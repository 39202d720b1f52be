"""The task file: a readable snapshot, `tasks.toml`, and a journal of later changes.

Every reader applies the journal to the snapshot. A change costs one line and one fsync, however many tasks there are;
the snapshot is rewritten at a bounded rate. A journal has the name of the snapshot that it starts at, and the previous
snapshot is kept. So a damaged snapshot can be rebuilt from `tasks.toml.prev` and the journals.
"""

from gitorch.storage.tasks.snapshot import Tasks
from gitorch.storage.tasks.store import Pair, Store, TaskMoved, task_moved

__all__ = ["Pair", "Store", "TaskMoved", "Tasks", "task_moved"]
