"""State that earlier versions of gitorch have written is read without loss, and the work goes on.

`tests/support/earlier/DATE-COMMIT` holds what the version of that commit left of one night in `/tmp/shop`: the
repository as a bundle, and files of its state. `tests/support/earlier/night.sh` is that night.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from gitorch.model.note import Note
from tests.support.cli import Cli
from tests.support.git import git

EARLIER = Path(__file__).resolve().parents[1] / "support" / "earlier"
VERSIONS = sorted(folder.name for folder in EARLIER.iterdir() if folder.is_dir())
_THERE = b"/tmp/shop"


@pytest.fixture(params=VERSIONS)
def cli(request: pytest.FixtureRequest, tmp_path: Path) -> Cli:
    """The repository and the state of an earlier version, as if that night had been here."""
    version, folder = EARLIER / request.param, tmp_path / "shop"
    git("init", "--quiet", "-b", "main", str(folder), cwd=tmp_path)
    git("fetch", "--quiet", "--update-head-ok", str(version / "repository.bundle"), "refs/*:refs/*", cwd=folder)
    git("reset", "--quiet", "--hard", cwd=folder)
    state = folder / ".git" / "gitorch"
    shutil.copytree(version / "state", state)
    for file in state.rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes().replace(_THERE, bytes(folder)))
    return Cli(folder)


def test_there_is_state_of_several_versions() -> None:
    assert len(VERSIONS) >= 5


def test_tasks_are_read_without_loss(cli: Cli) -> None:
    """States, commits, reasons, verdicts, comments, and what was asked."""
    tasks = cli.tasks()
    states = {name: task["state"] for name, task in tasks.items()}
    assert states.pop("question-one") in ("failed", "waiting")  # the first versions knew no questions
    assert states == {
        "merged-one": "merged",
        "sent-back": "queued",
        "approved-one": "approved",
        "rejected-one": "rejected",
        "broken-one": "failed",
        "waits-for-another": "queued",
    }
    start = git("rev-list", "--max-parents=0", "main", cwd=cli.folder)
    for name in ("sent-back", "approved-one", "rejected-one"):
        tip = git("rev-parse", f"refs/heads/orch/{name}", cwd=cli.folder)
        assert (tasks[name]["base"], tasks[name]["tip"], tasks[name]["attempts"]) == (start, tip, 1)
        assert tasks[name]["checks"]["passed"] is True
    assert tasks["merged-one"]["tip"] == git("rev-parse", "orch/integration", cwd=cli.folder)
    waits = tasks["waits-for-another"]
    assert (waits["after"], waits["role"]) == (["approved-one"], "backend-systems-engineer")
    assert tasks["merged-one"]["priority"] == "high"
    assert tasks["broken-one"]["reason"] == "exit code 3"
    sent_back = cli.json("task", "sent-back")
    assert [comment["text"] for comment in sent_back["task"]["comments"]] == ["Say it shorter", "And test it"]
    assert sent_back["task"]["role_why"] == "no word or path calls for a specialist"


def test_plans_notes_and_operations_are_read_without_loss(cli: Cli) -> None:
    plans = {plan["id"]: plan for plan in cli.json("plan", "list")["plans"]}
    assert {name: plan["tasks"] for name, plan in plans.items()} == {
        "build-a-rest-api-with-authentication": 6,
        "build-a-shop-with-a-cart-and-a": 3,
    }
    assert "Write a client library" in cli("plan", "show", "build-a-rest-api-with-authentication").text
    assert [note["text"] for note in cli.json("context", "list")["notes"]] == ["Sessions are in redis"]
    lines = git("notes", "--ref=gitorch", "show", "orch/integration", cwd=cli.folder).splitlines()
    kinds = [type(msgspec.json.decode(line, type=Note)).__struct_config__.tag for line in lines]
    assert {"attempt", "check", "verdict", "merged"} <= {*kinds}
    listed = cli.json("undo", "--list")
    assert [len(listed["operations"]), len(listed["undone"])] == [14, 1]


def test_the_work_goes_on(cli: Cli) -> None:
    """What was approved is merged, a plan is approved, and both are undone; the file is written as of today."""
    cli("config", "trust", "--yes")
    merged = cli.json("merge")["merged"]
    assert [task["id"] for task in merged] == ["approved-one"]
    cli("undo")
    assert cli.states()["approved-one"] == "approved"
    cli("plan", "approve", "build-a-shop-with-a-cart-and-a")
    assert cli.states()["add-a-cart"] == "queued"
    cli("undo")
    assert "add-a-cart" not in cli.tasks()
    assert cli.tasks()["sent-back"]["tip"] == git("rev-parse", "refs/heads/orch/sent-back", cwd=cli.folder)
