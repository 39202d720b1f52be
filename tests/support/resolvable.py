"""Two approved tasks that conflict in one file, and whose checks prove the resolution of that."""

from __future__ import annotations

from pathlib import Path

from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import State, Task
from gitorch.services.open import open_workspace
from gitorch.services.workspace import Workspace
from tests.support.git import commit, commit_on_branch, git
from tests.support.tasks import make_task

SHOP = "class Shop:\n    def __init__(self):\n        self.items = []\n"
CONFIG = "[checks]\ntest = \"grep -q 'class Shop' shop.py\"\n"


def resolvable(folder: Path, *names: str) -> Workspace:
    """Make a task for each name that adds a method of this name to a class, in the same place; all are approved."""
    commit(folder, "shop", {"shop.py": SHOP, ".orchestrate.toml": CONFIG})
    base = Oid(git("rev-parse", "main", cwd=folder))
    tasks = [_task(folder, base, name, number) for number, name in enumerate(names, start=1)]
    library = open_workspace(folder)
    library.store.save(tasks)
    return library


def _task(folder: Path, base: Oid, name: str, number: int) -> Task:
    change = (f"Add {name}", {"shop.py": f"{SHOP}\n    def {name}(self):\n        return {number}\n"})
    return make_task(
        id=TaskId(name),
        number=number,
        title=name,
        prompt=name,
        state=State.APPROVED,
        branch=f"orch/{name}",
        base=base,
        tip=Oid(commit_on_branch(folder, f"orch/{name}", base, change)),
        checks={"own": f"grep -q 'def {name}' shop.py"},
    )
