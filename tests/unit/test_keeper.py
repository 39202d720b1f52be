"""What is kept beside a run: changes are met together, the newest case wins, and nobody is kept waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from gitorch.errors import Refused
from gitorch.flow.forecast.background_worker import Keeper

SECONDS = 300.0
NEVER = threading.Event()


class Kept:
    """A keeper whose refresh counts up, and whose judge notes what it judged once it is let go on."""

    def __init__(self) -> None:
        self.made = 0
        self.wanted = 0
        self.judged: list[int] = []
        self.abandoned = threading.Event()
        self.judging = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.outdates: Callable[[int, int], bool] = lambda newer, judged: True
        self.keeper: Keeper[int] = Keeper(
            self.refresh, self.judge, lambda newer, judged: self.outdates(newer, judged), self.abandoned.set
        )

    def refresh(self) -> int | None:
        if self.made == self.wanted:
            return None
        self.made = self.wanted
        return self.made

    def judge(self, case: int, outdated: threading.Event) -> None:
        self.judging.set()
        while not (self.go_on.wait(0.01) or outdated.is_set()):
            pass
        if not outdated.is_set():
            self.judged.append(case)

    def want(self, number: int) -> None:
        self.wanted = number
        self.keeper.tell()


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_what_was_told_is_made_and_judged(kept: Kept) -> None:
    """`settle` returns when all of it is done; changes that came together were met together."""
    kept.wanted = 1
    kept.keeper.start()
    kept.keeper.settle(NEVER)
    assert kept.judged == [1]
    busy, go_on = threading.Event(), threading.Event()

    def slowly() -> int | None:
        busy.set()
        assert go_on.wait(SECONDS)
        return kept.refresh()

    kept.keeper.refresh = slowly
    kept.want(2)
    assert busy.wait(SECONDS)
    for number in range(3, 40):
        kept.want(number)
    go_on.set()
    kept.keeper.settle(NEVER)
    kept.keeper.close()
    assert kept.judged == [1, 39]


def test_the_newest_wins(kept: Kept) -> None:
    """A case that is being judged is abandoned for a newer one."""
    kept.go_on.clear()
    kept.wanted = 1
    kept.keeper.start()
    assert kept.judging.wait(SECONDS)
    kept.want(2)
    assert kept.abandoned.wait(SECONDS)
    kept.go_on.set()
    kept.keeper.settle(NEVER)
    kept.keeper.close()
    assert kept.judged == [2]


def test_what_is_not_outdated_goes_on(kept: Kept) -> None:
    """Where a newer case does not outdate it, a case is judged to its end, and the newest comes next."""
    kept.outdates = lambda newer, judged: False
    kept.go_on.clear()
    kept.wanted = 1
    kept.keeper.start()
    assert kept.judging.wait(SECONDS)
    kept.want(2)
    kept.go_on.set()
    kept.keeper.settle(NEVER)
    kept.keeper.close()
    assert kept.judged == [1, 2]
    assert not any(thread.name.startswith("keeper") and thread.is_alive() for thread in threading.enumerate())


def test_nobody_waits_for_a_judge_when_asked_to_stop(kept: Kept) -> None:
    """With `stop` set, `settle` returns, and `close` ends what is going on."""

    def deaf(job: int, outdated: threading.Event) -> None:
        kept.judging.set()
        assert kept.abandoned.wait(SECONDS)

    kept.keeper.judge = deaf
    kept.wanted = 1
    kept.keeper.start()
    assert kept.judging.wait(SECONDS)
    stop = threading.Event()
    stop.set()
    kept.keeper.settle(stop)
    kept.keeper.close()
    assert kept.keeper.crash is None
    assert kept.abandoned.is_set()


def test_what_a_person_can_mend_is_told(kept: Kept) -> None:
    """An error of one refresh is told until a later one succeeds."""
    refused = Refused("no", "not now")

    def refuse() -> int | None:
        if kept.wanted == 1:
            raise refused
        return None

    kept.keeper.refresh = refuse
    kept.wanted = 1
    kept.keeper.start()
    kept.keeper.settle(NEVER)
    assert kept.keeper.troubles == {"refresh": refused}
    kept.want(2)
    kept.keeper.settle(NEVER)
    assert kept.keeper.troubles == {}
    kept.keeper.close()


def test_a_crash_is_not_swallowed(kept: Kept) -> None:
    """What nobody foresaw ends the keeper, and is there for the run to raise."""

    def crash(case: int, outdated: threading.Event) -> None:
        raise ZeroDivisionError

    kept.keeper.judge = crash
    kept.wanted = 1
    kept.keeper.start()
    kept.keeper.settle(NEVER)
    kept.keeper.close()
    assert isinstance(kept.keeper.crash, ZeroDivisionError)
