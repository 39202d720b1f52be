"""Records that somebody else wrote: they are told from gitorch's own, set aside, and never believed."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gitorch.errors import Refused
from gitorch.executors.local import LocalExecutor
from gitorch.executors.protocol import NotStarted
from gitorch.model.naming import Oid
from gitorch.model.outcome import Exit
from gitorch.model.task import CheckResult
from gitorch.rooms.trees.check_cache import CheckCache, TreeResults
from gitorch.storage import foreign_changes, losses, seals
from tests.support.executions import shell

KEY = "attempts/t/1/check-1-test"
GREEN = {"cause": "exited", "exit_code": 0, "started": 1.0, "seconds": 0.1}


@pytest.fixture
def executor(tmp_path: Path) -> LocalExecutor:
    return LocalExecutor(tmp_path / "state")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def told(state: Path) -> list[str]:
    return [change.what for change in foreign_changes.unacknowledged(state)]


def _records(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"pid": 1, "started": 1.0}')
    (folder / "exit.json").write_text(json.dumps(GREEN))


def _like_ours(folder: Path) -> None:
    _records(folder)
    (folder / "claim.json").write_text(json.dumps({"key": KEY, "nonce": "0" * 32, "seal": "0" * 32}))
    for name in ("lock", "submit.lock", "spec.json", "stdout"):
        (folder / name).touch()


def _copied(folder: Path) -> None:
    """Copy the records of another execution, which are real."""
    executor = LocalExecutor(folder.parents[3])
    executor.wait(executor.submit(shell("attempts/other/1/check-1-test", "true")))
    folder.parent.mkdir(parents=True)
    shutil.copytree(folder.parents[3] / "attempts/other/1/check-1-test", folder)


def _file(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.touch()


def _link(folder: Path) -> None:
    elsewhere = folder.parents[3] / "elsewhere"
    _records(elsewhere)
    folder.parent.mkdir(parents=True)
    folder.symlink_to(elsewhere)


def _linked_parent(folder: Path) -> None:
    elsewhere = folder.parents[3] / "elsewhere"
    _records(elsewhere / folder.name)
    folder.parents[1].mkdir(parents=True)
    folder.parent.symlink_to(elsewhere)


@pytest.mark.parametrize("forge", [_records, _like_ours, _copied, _file, _link, _linked_parent])
def test_a_prepared_folder_is_set_aside(executor: LocalExecutor, state: Path, forge: Callable[[Path], None]) -> None:
    """Whatever lies where an execution belongs, the program runs, its own end counts, and the user is told."""
    forge(state / KEY)
    assert executor.poll(executor.id_of(KEY)) == NotStarted()
    assert [found.key for found in executor.executions("attempts/t")] == []
    result = executor.wait(executor.submit(shell(KEY, f"touch {state}/ran; exit 3")))
    assert isinstance(result, Exit)
    assert (result.exit_code, (state / "ran").exists()) == (3, True)
    assert len(told(state)) == 1
    assert os.listdir(state / "foreign") != []


def test_an_empty_folder_is_nobodys_work(executor: LocalExecutor, state: Path) -> None:
    """It holds nothing to set aside."""
    (state / KEY).mkdir(parents=True)
    assert executor.wait(executor.submit(shell(KEY, "exit 3"))) != NotStarted()
    assert told(state) == []


@pytest.mark.parametrize(
    "forge",
    [
        lambda text: json.dumps(GREEN),
        lambda text: text.replace('"exit_code": 3', '"exit_code": 0'),
        lambda text: "",
        lambda text: text[:-40],
    ],
)
def test_a_record_that_is_changed_afterwards_is_lost(
    executor: LocalExecutor, state: Path, forge: Callable[[str], str]
) -> None:
    """The end of an execution whose record is not its supervisor's is unknown: never a success."""
    execution = executor.submit(shell(KEY, "exit 3"))
    executor.wait(execution)
    record = state / KEY / "exit.json"
    record.write_text(forge(record.read_text()))
    for status in (executor.poll(execution), executor.wait(execution), LocalExecutor(state).poll(execution)):
        assert isinstance(status, Exit)
        assert (status.cause, status.exit_code, status.message) == ("lost", None, "its record was forged")
    assert told(state) == [f"the record of the execution {KEY} was forged, and does not count"]


def test_a_forged_pid_is_not_signalled(executor: LocalExecutor, state: Path) -> None:
    """The process that a forged record names is nobody's supervisor."""
    execution = executor.submit(shell(KEY, "sleep 60"))
    while not (state / KEY / "run.json").exists():
        pass
    record = state / KEY / "run.json"
    genuine = record.read_text()
    record.write_text(json.dumps({"pid": os.getpid(), "started": 1.0}))
    executor.cancel(execution, "stop", now=True)
    record.write_text(genuine)
    executor.cancel(execution, "stop", now=True)
    assert isinstance(executor.wait(execution), Exit)


TREE, COMMAND = Oid("1" * 40), "pytest"


def cached(cache: CheckCache, tree: Oid = TREE) -> bool | None:
    found = cache.find(tree, {"test": COMMAND}, "env")
    return None if found is None else found.passed


@pytest.fixture
def cache(executor: LocalExecutor, state: Path) -> CheckCache:
    """A cache with a red tree."""
    state.mkdir()
    cache = CheckCache(state, executor)
    cache.remember(TREE, TreeResults((CheckResult(name="test", command=COMMAND, tree=TREE, exit_code=1),)), "env")
    assert cached(cache) is False
    return cache


@pytest.mark.parametrize(
    "forge",
    [
        lambda line: line.replace('"exit_code":1', '"exit_code":0'),
        lambda line: line.replace(TREE, "2" * 40),
        lambda line: line.rpartition(",")[0] + "}",
    ],
)
def test_a_forged_result_does_not_count(cache: CheckCache, state: Path, forge: Callable[[str], str]) -> None:
    """A line that gitorch did not write is set aside and told; the others stay."""
    with cache.path.open("a") as file:
        file.write(forge(cache.path.read_text().splitlines()[0]) + "\n")
    assert (cached(cache), cached(cache, Oid("2" * 40))) == (False, None)
    assert told(state) == ["1 results in verdicts.jsonl were forged, and do not count: verdicts.forged.jsonl"]
    assert len(cache.path.read_text().splitlines()) == 1


def test_a_result_of_an_earlier_version_is_called_that(cache: CheckCache, state: Path) -> None:
    """It is from before the user had a key, and has no seal. It does not count, but nobody forged it."""
    line, _, seal = cache.path.read_text().splitlines()[0].rpartition(', "seal": ')
    earlier = re.sub(r'"when":[0-9.e]+', '"when":1700000000.0', line) + "}"
    forged = f'{earlier[:-1]}, "seal": {seal}'
    cache.path.write_text(f"{earlier}\n{forged}\n")
    assert cached(cache) is None
    assert losses.unacknowledged(state) == [
        "verdicts.jsonl had results of an earlier version, which do not count: verdicts.earlier.jsonl"
    ]
    assert told(state) == ["1 results in verdicts.jsonl were forged, and do not count: verdicts.forged.jsonl"]
    assert (state / "verdicts.earlier.jsonl").read_text() == f"{earlier}\n"
    assert cache.path.read_text() == ""


def test_a_line_that_a_crash_cut_short_is_not_forged(cache: CheckCache, state: Path) -> None:
    """It is no result."""
    with cache.path.open("a") as file:
        file.write(cache.path.read_text()[:40])
    assert cached(cache) is False
    assert told(state) == []


def test_differences_are_kept_until_acknowledged(state: Path) -> None:
    """Each stays until a person has seen it; a line that somebody else wrote acknowledges nothing."""
    foreign_changes.record(state, ["one", "two"], ["t"])
    with (state / "moved.jsonl").open("a") as file:
        file.write('{"number":3,"seal": "00000000000000000000000000000000"}\n')
    assert told(state) == ["one", "two", "moved.jsonl has lines that gitorch did not write"]
    assert foreign_changes.acknowledge(state) == 3
    assert told(state) == []
    foreign_changes.record(state, ["three"])
    lines = (state / "moved.jsonl").read_text().splitlines()
    (state / "moved.jsonl").write_text("\n".join([*lines[:1], *lines[2:]]) + "\n")
    assert told(state) == ["three"]
    (state / "moved.jsonl").write_text("\n".join(lines[:2] + lines[-1:]) + "\n")
    assert told(state) == ["one", "two", "three", "lines of moved.jsonl are missing"]


def test_a_key_that_others_can_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gitorch makes its key for the user alone, and uses no other."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "one"))
    assert len(seals.derived_key("x")) == 32
    assert (tmp_path / "one/gitorch/seal.key").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "two"))
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    (tmp_path / "two/gitorch/seal.key").chmod(0o644)
    with pytest.raises(Refused):
        seals.derived_key("x")
