"""The replay engine works with every git since 2.38: what one cannot do is done another way, to the same result."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay import CommitRange, MemoryReplayer, Replayed
from tests.support.git import DATE, git
from tests.support.histories import Queue, write_sequences

# says that it is another version, and can do no more than that one
_FAKE = """\
#!/bin/sh
for word; do
    case $word in
    version) echo "git version {version}"; exit ;;
    --stdin) [ -z "$merging" ] || {many} ;;
    merge-tree) merging=yes ;;
    esac
done
exec {git} "$@"
"""
_CANNOT = "{ echo 'fatal: no such option' >&2; exit 129; }"


@pytest.fixture(autouse=True)
def _pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", DATE)


@pytest.fixture
def queues(tmp_path: Path) -> tuple[Path, list[Queue]]:
    folder = tmp_path / "repo"
    folder.mkdir()
    git("init", "--quiet", cwd=folder)
    return folder, write_sequences(folder, range(8))


def outcomes(folder: Path, queues: list[Queue]) -> list[object]:
    """Replay all branches of all sequences, every pick by git's own merge."""
    found: list[object] = []
    for queue in queues:
        with MemoryReplayer(Repository.discover(folder), whole_trees=True) as replayer:
            here, others = queue.onto, tuple[Oid, ...]()
            for line in queue.lines:
                done = replayer.replay(CommitRange(line.base, line.tip, others), here)
                found.append(done)
                if isinstance(done, Replayed):
                    here, others = done.tip, (*others, line.tip)
    return found


def pretend(folder: Path, version: str, many: str) -> str:
    """Put a git of another version first on the PATH."""
    real = shutil.which("git")
    folder.mkdir()
    (folder / "git").write_text(_FAKE.format(version=version, many=many, git=real))
    (folder / "git").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("version", "many"),
    [
        ("2.38.5", _CANNOT),
        ("2.39.0", ":"),
        ("2.48.1", ":"),
        ("2.49.0", 'exec stdbuf -o0 {git} "$@"'),
    ],
)
def test_every_level_gives_the_same(
    queues: tuple[Path, list[Queue]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, many: str
) -> None:
    """Without many merges a process (2.38), with an answer that waits in a buffer (2.39), and without (2.49)."""
    expected = outcomes(*queues)
    many = many.replace("{git}", shutil.which("git") or "")
    monkeypatch.setenv("PATH", pretend(tmp_path / "bin", version, many))
    assert Repository.discover(queues[0]).version == tuple(map(int, version.split(".")))
    assert outcomes(*queues) == expected
    assert any(isinstance(one, Replayed) for one in expected)
    assert not all(isinstance(one, Replayed) for one in expected)


def test_without_stdbuf(queues: tuple[Path, list[Queue]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can unbuffer an old git, each merge has its own process."""
    expected = outcomes(*queues)
    alone = tmp_path / "alone"
    alone.mkdir()
    real = shutil.which("git")
    assert real is not None
    (alone / "git").symlink_to(real)
    monkeypatch.setenv("PATH", str(alone))
    assert shutil.which("stdbuf") is None
    assert outcomes(*queues) == expected


@pytest.mark.parametrize("other", os.environ.get("GITORCH_TEST_GITS", "").split(":"))
def test_another_git(
    queues: tuple[Path, list[Queue]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    """A git of another version gives the same: GITORCH_TEST_GITS names the folders where some are installed."""
    if not other:
        pytest.skip("GITORCH_TEST_GITS names no folder of another git")
    expected = outcomes(*queues)
    monkeypatch.setenv("PATH", f"{other}:{os.environ['PATH']}")
    assert shutil.which("git") == f"{other}/git"
    assert outcomes(*queues) == expected
