"""Something that is kept current beside a run: made again after changes, judged in a slot of its own, newest wins."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from gitorch.errors import GitorchError

LOOK_SECONDS = 2.0
"""How soon it notices what others changed, when nobody tells it."""

_REST = 9.0
"""How many times as long as a refresh took it rests after it: beside a run it takes a tenth of a processor."""

_Case = TypeVar("_Case")


class Keeper(Generic[_Case]):
    """Two threads beside a run that never keep it waiting.

    `refresh` makes what is kept again, and returns a case for the judge when there is something new to judge. `judge`
    takes its time; the event that it gets is set, and `abandon` called, when a newer case `outdates` the one it has.
    An error of either that a person can mend is told in `troubles`, and the next change tries again.
    """

    def __init__(
        self,
        refresh: Callable[[], _Case | None],
        judge: Callable[[_Case, threading.Event], None],
        outdates: Callable[[_Case, _Case], bool],
        abandon: Callable[[], None],
    ) -> None:
        self.refresh = refresh
        self.judge = judge
        self.outdates = outdates
        self.abandon = abandon
        self.troubles: dict[str, GitorchError] = {}
        self.crash: BaseException | None = None
        self._changed = threading.Condition()
        self._told = True
        self._refreshing = False
        self._rested = 0.0
        self._settling = False
        self._next: _Case | None = None
        self._judged: _Case | None = None
        self._outdated = threading.Event()
        self._over = False
        self._threads = [
            threading.Thread(target=self._carry, args=(loop,), name="keeper", daemon=True) for loop in self._loops()
        ]

    def start(self) -> None:
        """Begin, with what there is now."""
        for thread in self._threads:
            thread.start()

    def tell(self) -> None:
        """Say that something has changed. Changes that come while one refresh goes on are met by the next."""
        with self._changed:
            self._told = True
            self._changed.notify_all()

    def settle(self, stop: threading.Event) -> None:
        """Wait until all that was told is kept and judged, or until `stop` is set."""
        with self._changed:
            self._settling = True
            self._changed.notify_all()
            while not (self._is_idle() or self._over or stop.is_set()):
                self._changed.wait(LOOK_SECONDS / 10)

    def close(self) -> None:
        """End it: what is being judged is abandoned."""
        with self._changed:
            self._over = True
            self._outdated.set()
            self._changed.notify_all()
        for thread in self._threads:
            while thread.is_alive():
                self.abandon()  # again: it may just have begun something
                thread.join(LOOK_SECONDS / 10)

    def _is_idle(self) -> bool:
        return not self._told and not self._refreshing and self._next is None and self._judged is None

    def _loops(self) -> tuple[Callable[[], None], Callable[[], None]]:
        return self._keep, self._judge

    def _carry(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except BaseException as error:  # told by the run: a thread has nobody else to tell it
            with self._changed:
                self.crash = error
                self._over = True
                self._changed.notify_all()

    def _keep(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._told or self._over, LOOK_SECONDS)
                self._changed.wait_for(lambda: self._settling or self._over, max(0.0, self._rested - time.monotonic()))
                if self._over:
                    return
                self._told, self._refreshing = False, True
            begun = time.monotonic()
            case = self._tried("refresh", self.refresh)
            with self._changed:
                self._refreshing = False
                self._rested = time.monotonic() + _REST * (time.monotonic() - begun)
                if case is not None:
                    self._next = case
                outdated = case is not None and self._judged is not None and self.outdates(case, self._judged)
                if outdated:
                    self._outdated.set()
                self._changed.notify_all()
            if outdated:
                self.abandon()

    def _judge(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next is not None or self._over)
                if self._over or self._next is None:
                    return
                case, self._next = self._next, None
                self._judged, self._outdated = case, threading.Event()
                outdated = self._outdated
            self._tried("judge", lambda case=case, outdated=outdated: self.judge(case, outdated))  # type: ignore[misc]
            with self._changed:
                self._judged, self._told = None, True
                self._changed.notify_all()

    def _tried(self, what: str, action: Callable[[], _Case | None]) -> _Case | None:
        try:
            done = action()
        except GitorchError as error:
            self.troubles[what] = error
            return None
        self.troubles.pop(what, None)
        return done
