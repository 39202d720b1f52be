"""What is kept of a branch's review: the same as what is read anew, and nothing that somebody else wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gitorch import services
from gitorch.services.open import open_workspace
from gitorch.storage import seals
from tests.support.days import adopt
from tests.support.git import commit_on_branch, git

SECRET = "AKIA" + "Z2XW7QJ4MNP5RST6"
NAMES = {"one", "two", "odd"}


@pytest.fixture
def folder(repository_folder: Path) -> Path:
    """A repository with three branches: one adds a credential, one a workflow, one a path that is no UTF-8."""
    commit_on_branch(repository_folder, "work/one", "main", ("One\n", {"config.py": f'KEY = "{SECRET}"\n'}))
    commit_on_branch(repository_folder, "work/two", "main", ("Two\n", {".github/workflows/ci.yml": "on: push\n"}))
    blob = git("hash-object", "-w", "--stdin", cwd=repository_folder, input=b"x\n")
    tree = git("mktree", "-z", cwd=repository_folder, input=b"100644 blob %s\tna\xefve\0" % blob.encode())
    git(
        "branch",
        "work/odd",
        git("commit-tree", tree, "-p", "main", "-m", "Odd", cwd=repository_folder),
        cwd=repository_folder,
    )
    adopt(open_workspace(repository_folder), "work/*")
    return repository_folder


def file(folder: Path) -> Path:
    return folder / ".git" / "gitorch" / "branch-facts.json"


def listed(folder: Path) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return the signals of all tasks that wait for a verdict, as a new process sees them."""
    cards = services.reviewing.review.cards_in_order(open_workspace(folder))
    return {card.task.id: tuple((signal.kind, signal.path) for signal in card.signals) for card in cards}


def kept(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(file(folder).read_bytes())["facts"]
    return facts


def test_what_is_kept_is_what_was_read(folder: Path) -> None:
    """The second list is the first one, from the record; of a branch that moved, the new commits are read."""
    first = listed(folder)
    assert set(first) == NAMES
    assert ("credential", "config.py") in first["one"]
    assert len(kept(folder)) == 2  # JSON cannot hold the odd path
    assert SECRET.encode() not in file(folder).read_bytes()
    assert listed(folder) == first
    for name in ("other.py", "third.py"):
        commit_on_branch(folder, "work/two", "work/two", (f"Add {name}\n", {name: f'KEY = "{SECRET}"\n'}))
        assert ("credential", name) in listed(folder)["two"]
        assert len(kept(folder)) == 3  # what no task has recorded is dropped


def test_the_record_is_used(folder: Path) -> None:
    """A record with the seal of the user is believed: so the other tests show what is not."""
    first = listed(folder)
    record = json.loads(seals.unseal(file(folder).read_bytes(), seals.derived_key("branch facts")) or b"")
    for entry in record["facts"].values():
        entry["signals"] = []
    sealed = seals.seal(json.dumps(record).encode(), seals.derived_key("branch facts"))
    file(folder).write_bytes(sealed)
    assert ("credential", "config.py") not in listed(folder)["one"]
    record["rules"] = "of an earlier version"
    file(folder).write_bytes(seals.seal(json.dumps(record).encode(), seals.derived_key("branch facts")))
    assert listed(folder) == first


@pytest.mark.parametrize("forgery", ["signals", "cut", "another key", "no JSON"])
def test_a_forged_record_takes_no_signal_away(folder: Path, forgery: str) -> None:
    """Without the seal, or cut short, it is ignored and written anew."""
    first = listed(folder)
    sealed = file(folder).read_bytes()
    record = json.loads(sealed)
    for entry in record["facts"].values():
        entry["signals"] = []
    unsealed = json.dumps({name: record[name] for name in ("rules", "facts")}).encode()
    contents = {
        "signals": json.dumps(record).encode(),
        "cut": sealed[: len(sealed) // 2],
        "another key": seals.seal(unsealed, bytes(32)),
        "no JSON": b"\0\xff",
    }
    file(folder).write_bytes(contents[forgery])
    assert listed(folder) == first
    assert len(kept(folder)) == 2
    assert file(folder).read_bytes() != contents[forgery]


@pytest.mark.parametrize("setting", ["i18n.logOutputEncoding", "i18n.commitEncoding"])
def test_messages_are_text_whatever_git_log_prints(folder: Path, setting: str) -> None:
    """Both settings change the bytes that `git log` prints, and neither what a person reads here."""
    git("config", setting, "ISO-8859-1", cwd=folder)
    commit_on_branch(folder, "later/four", "main", ("Füge Maße hinzu\n", {"four.txt": "4\n"}))
    workspace = open_workspace(folder)
    adopt(workspace, "later/four")
    (card,) = (card for card in services.reviewing.review.cards_in_order(workspace) if card.task.branch == "later/four")
    assert card.commits[0].endswith(" Füge Maße hinzu")
