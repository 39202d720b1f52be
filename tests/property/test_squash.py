"""Squashing changes how work is told, and not what is merged."""

from __future__ import annotations

import os

import pytest

from gitorch.flow.merge import merge_replayer
from gitorch.git.repository import Repository
from gitorch.model.naming import TaskId
from gitorch.replay import CommitRange, Conflicted, MemoryReplayer
from tests.support.git import DATE, git
from tests.support.histories import write_histories
from tests.support.tasks import make_task

HISTORIES = int(os.environ.get("GITORCH_TEST_SCALE") or 1) * 20


def test_a_squashed_task_has_the_tree_of_its_replay(empty: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """On random histories: the same tree or the same conflict, one commit on top, a pair for every original."""
    assert empty.work_tree is not None
    monkeypatch.setenv("GIT_COMMITTER_DATE", DATE)
    squashed = 0
    for history in write_histories(empty.work_tree, range(HISTORIES)):
        task = make_task(id=TaskId("t"), number=1, title="The whole", prompt="", base=history.base, tip=history.tip)
        own = CommitRange(history.base, history.tip)
        with MemoryReplayer(empty) as plain, MemoryReplayer(empty) as below:
            expected = plain.replay(own, history.onto)
            squasher = merge_replayer(below, tasks=[task], squash=True)
            found = squasher.replay(own, history.onto)
            if isinstance(expected, Conflicted):
                assert isinstance(found, Conflicted)
                assert (found.commit, found.paths) == (expected.commit, expected.paths)
                continue
            assert not isinstance(found, Conflicted), history
            assert squasher.tree(found.tip) == plain.tree(expected.tip), history
            assert [old for old, _ in found.pairs] == [old for old, _ in expected.pairs]
            assert found.dropped == expected.dropped
            if len(found.pairs) > 1:
                squashed += 1
                assert {new for _, new in found.pairs} == {found.tip}
                assert git("rev-parse", f"{found.tip}^", cwd=empty.work_tree) == history.onto
                git("fsck", "--strict", found.tip, cwd=empty.work_tree)
            else:
                assert found == expected
    assert squashed
