"""The update of forecast and candidate that no command waits for: it always happens, or it is said that it has not."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitorch import services
from gitorch.services.merging import pending_refresh, refresh
from gitorch.storage.locks import file_lock
from tests.integration.test_candidate import Night
from tests.support.cli import settle
from tests.support.git import git

UPDATING = "are being updated"
OUT_OF_DATE = "are out of date"


@pytest.fixture
def night(repository_folder: Path) -> Night:
    return Night(repository_folder)


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Hold the lock of a refresh."""
    with (folder / pending_refresh.LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def tasks_in_candidate(night: Night) -> list[str]:
    candidate = services.merging.forecast_record.saved_candidate(night.workspace)
    return list(candidate.tasks) if candidate else []


def test_a_mark_stays_until_a_refresh_that_began_after_it(tmp_path: Path) -> None:
    pending_refresh.mark(tmp_path)
    first = pending_refresh.marks(tmp_path)
    pending_refresh.mark(tmp_path)
    pending_refresh.settle(tmp_path, first)
    assert len(pending_refresh.marks(tmp_path)) == 1
    pending_refresh.settle(tmp_path, [*first, *pending_refresh.marks(tmp_path)])
    assert pending_refresh.marks(tmp_path) == []


def test_what_is_out_of_date_is_said(tmp_path: Path) -> None:
    """While a refresh is at work, once it was killed, and once it failed."""
    assert pending_refresh.why_outdated(tmp_path) == ""
    pending_refresh.mark(tmp_path)
    with at_work(tmp_path):
        assert UPDATING in pending_refresh.why_outdated(tmp_path)
        assert not pending_refresh.is_abandoned(tmp_path)
    assert OUT_OF_DATE in pending_refresh.why_outdated(tmp_path)
    assert pending_refresh.is_abandoned(tmp_path)
    pending_refresh.settle(tmp_path, pending_refresh.marks(tmp_path), "no space left")
    assert pending_refresh.why_outdated(tmp_path) == "no space left"
    assert not pending_refresh.is_abandoned(tmp_path), "the next change tries again, and no reader"


def test_a_run_keeps_them_up_to_date_by_itself(tmp_path: Path) -> None:
    pending_refresh.mark(tmp_path)
    with file_lock(tmp_path / "run.lock"):
        assert pending_refresh.why_outdated(tmp_path) == ""
        assert not pending_refresh.is_abandoned(tmp_path)
    assert pending_refresh.is_abandoned(tmp_path)


def test_it_goes_on_without_its_caller(night: Night) -> None:
    """Nothing is pending once it has ended, and what it made is what the tasks are now."""
    night.task("one", {"one.txt": "1\n"})
    folder = night.workspace.folder
    refresh.start(night.workspace)
    assert tasks_in_candidate(night) == [], "without a mark there is nothing to do"
    pending_refresh.mark(folder)
    refresh.start(night.workspace)
    settle(night.folder)
    assert tasks_in_candidate(night) == ["one"]
    assert pending_refresh.marks(folder) == []


def test_what_changes_meanwhile_is_refreshed_too(night: Night) -> None:
    """The first refresh waits here; the second task comes while it does, with a refresh of its own that has to wait."""
    folder = night.workspace.folder
    night.task("one", {"one.txt": "1\n"})
    pending_refresh.mark(folder)
    with file_lock(folder / "forecast.lock"):
        refresh.start(night.workspace)
        night.task("two", {"two.txt": "2\n"})
        pending_refresh.mark(folder)
        refresh.start(night.workspace)
        assert UPDATING in pending_refresh.why_outdated(folder)
    settle(night.folder)
    settle(night.folder)
    assert pending_refresh.marks(folder) == []
    assert tasks_in_candidate(night) == ["one", "two"]


def test_a_repository_that_is_removed_meanwhile_gets_no_new_files(night: Night) -> None:
    """A removal that runs beside it would stop at a folder that is not empty any more."""
    night.task("one", {"one.txt": "1\n"})
    state = night.workspace.folder
    pending_refresh.mark(state)
    with contextlib.ExitStack() as stack:
        with file_lock(state / "forecast.lock"):
            refresh.start(night.workspace)
            lock = stack.enter_context((state / pending_refresh.LOCK).open())
            # what a removal has come to, in the moment in which the refresh would write
            (state / pending_refresh.LOCK).unlink()
            left = sorted(path.name for path in state.rglob("*"))
            refs = git("for-each-ref", cwd=night.folder)
        fcntl.flock(lock, fcntl.LOCK_SH)  # it has ended
    assert sorted(path.name for path in state.rglob("*")) == left
    assert git("for-each-ref", cwd=night.folder) == refs


def test_a_failure_is_kept_until_the_next_success(night: Night) -> None:
    folder = night.workspace.folder
    night.task("one", {"one.txt": "1\n"})
    (folder / "forecast.json").mkdir()
    pending_refresh.mark(folder)
    refresh.start(night.workspace)
    settle(night.folder)
    assert "the candidate was not rebuilt" in pending_refresh.why_outdated(folder)
    (folder / "forecast.json").rmdir()
    pending_refresh.mark(folder)
    refresh.start(night.workspace)
    settle(night.folder)
    assert pending_refresh.why_outdated(folder) == ""
    assert tasks_in_candidate(night) == ["one"]
