"""Names that one branch removes and another newly uses, in branches that git can merge."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.flow.forecast.pairs import Branch
from gitorch.flow.forecast.removed_names import find_removed_names
from gitorch.git.repository import Repository
from gitorch.model.forecasts.conflict_forecast import RemovedName
from gitorch.model.naming import Oid, TaskId
from tests.support.git import Files, commit, commit_on_branch, git

PRICES = "def parse_price(text):\n    return int(text)\n\n\ndef show(price):\n    return str(price)\n"
SHOP = "import prices\n\n\ndef total():\n    return 1\n"
RENAMED = PRICES.replace("parse_price", "read_price")
USE = SHOP + "\n\ndef sell(text):\n    return prices.parse_price(text)\n"


class Night:
    """Branches on one commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = Oid(commit(folder, "start", {"prices.py": PRICES, "shop.py": SHOP, "notes.txt": "parse_price\n"}))
        self.branches: list[Branch] = []

    def branch(self, name: str, files: Files, base: Oid | None = None) -> Oid:
        base = base or self.base
        tip = Oid(commit_on_branch(self.folder, name, base, (name, files)))
        self.branches.append(Branch(TaskId(name), base, tip))
        return tip

    def found(self) -> list[tuple[str, str, str]]:
        removed = find_removed_names(Repository.discover(self.folder), self.branches)
        return [(entry.name, entry.removed_by, entry.used_by) for entry in removed]


@pytest.fixture
def night(repository_folder: Path) -> Night:
    git("switch", "-q", "main", cwd=repository_folder)
    return Night(repository_folder)


def test_a_renamed_function_that_another_branch_calls(night: Night) -> None:
    """Both files are named; what each does by itself is no matter."""
    night.branch("rename", {"prices.py": RENAMED})
    night.branch("sell", {"shop.py": USE})
    (found,) = find_removed_names(Repository.discover(night.folder), night.branches)
    assert found == RemovedName(
        name="parse_price",
        removed_by=TaskId("rename"),
        removed_in="prices.py",
        used_by=TaskId("sell"),
        used_in="shop.py",
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"prices.py": PRICES + "\n\nEXTRA = 1\n"}, {"shop.py": USE}),  # nothing is removed
        ({"prices.py": RENAMED}, {"shop.py": SHOP + "# parse_price\n"}),  # only mentioned
        ({"prices.py": RENAMED}, {"notes.txt": "parse_price parse_price\n"}),  # no code
        ({"prices.py": RENAMED}, {"shop.py": USE, "prices.py": PRICES + "\n"}),  # it has its own
        ({"prices.py": RENAMED, "other.py": "def parse_price():\n    return 1\n"}, {"shop.py": USE}),  # it was moved
        ({"prices.py": PRICES.replace("text", "words")}, {"shop.py": SHOP + "text = 1\n"}),  # no public name
    ],
)
def test_what_fits_together_is_not_named(night: Night, one: Files, other: Files) -> None:
    night.branch("one", one)
    night.branch("other", other)
    assert night.found() == []


def test_a_branch_that_builds_on_the_other_has_seen_it(night: Night) -> None:
    renamed = night.branch("rename", {"prices.py": RENAMED})
    night.branch("sell", {"shop.py": USE}, renamed)
    assert night.found() == []
    night.branch("apart", {"shop.py": USE})
    assert night.found() == [("parse_price", "rename", "apart")]


def test_a_deleted_file_removes_its_names(night: Night) -> None:
    night.branch("delete", {"prices.py": None})
    night.branch("sell", {"new.py": "import prices\n\nprices.show(1)\n"})
    assert night.found() == [("show", "delete", "sell")]


def test_a_large_branch_is_not_read(night: Night) -> None:
    """An agent may commit files that would fill the memory of a run; others are still compared."""
    night.branch("rename", {"prices.py": RENAMED})
    night.branch("sell", {"shop.py": USE})
    night.branch("large", {"shop.py": USE, "large.py": "x = 1\n" * 400_000})
    assert night.found() == [("parse_price", "rename", "sell")]
