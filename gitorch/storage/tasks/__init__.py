"""The task file: a readable snapshot, `tasks.toml`, and a journal of what has changed since.

Every reader folds the journal in. One change costs one line and one fsync, however many tasks there are; the snapshot
is rewritten at a bounded rate. Each journal starts at the snapshot of its name, and the one before is kept: a snapshot
that is damaged can be made again from `tasks.toml.prev` and the journals.
"""

from gitorch.storage.tasks.snapshot import Tasks
from gitorch.storage.tasks.store import Pair, Store, TaskMoved

__all__ = ["Pair", "Store", "TaskMoved", "Tasks"]
