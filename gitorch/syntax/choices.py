"""Choice points: places where both orders of two insertions are possible."""

from __future__ import annotations

from collections.abc import Iterator


class Choices:
    """The order taken at each choice point of one merge, and what the merge did there.

    Points are numbered in the order in which the merge meets them. Ours goes first, except at the points in
    `reversed_at` or, with `reverse_all`, at every point.
    """

    def __init__(self, reversed_at: frozenset[int] = frozenset(), *, reverse_all: bool = False) -> None:
        self._reversed_at = reversed_at
        self._reverse_all = reverse_all
        self.count = 0
        self.evidence: list[str] = []

    def ours_first(self, scope: str = "") -> bool:
        """Return whether ours goes first at the next choice point, and note the decision."""
        ours_first = (self.count in self._reversed_at) == self._reverse_all
        self.count += 1
        order = "ours first" if ours_first else "theirs first"
        self.note(f"both insertions kept: {order}{f', {scope}' if scope else ''}")
        return ours_first

    def mark(self) -> tuple[int, int]:
        """Return a state to which `reset` goes back."""
        return self.count, len(self.evidence)

    def reset(self, mark: tuple[int, int]) -> None:
        """Forget the choice points and the evidence after a mark."""
        self.count = mark[0]
        del self.evidence[mark[1] :]

    def note(self, sentence: str) -> None:
        """Add a sentence to the evidence, once."""
        if sentence not in self.evidence:
            self.evidence.append(sentence)


def in_order_of_likelihood(points: int) -> Iterator[Choices]:
    """Yield what to try after the merge order itself: its reverse, then one point reversed at a time."""
    if points == 0:
        return
    yield Choices(reverse_all=True)
    if points > 1:
        for point in range(points):
            yield Choices(frozenset({point}))
