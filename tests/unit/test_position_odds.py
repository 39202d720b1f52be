"""The odds by which a search for what fails together is divided."""

from __future__ import annotations

from hypothesis import given, strategies as st

from gitorch.flow.merge.blame.position_odds import PositionOdds, closeness

WEIGHTS = st.lists(st.sampled_from([1.0, 2.0, 8.0]), min_size=2, max_size=40)


@given(WEIGHTS, st.integers(0, 6), st.integers(1, 5), st.data())
def test_ends_divide_what_is_between(weights: list[float], known: int, count: int, data: st.DataObject) -> None:
    """They are different, in order, strictly between, and as many as there is room for."""
    odds = PositionOdds(weights, known)
    low = data.draw(st.integers(0, len(weights) - 2))
    high = data.draw(st.integers(low + 2, len(weights)))
    ends = odds.divide(low, high, count)
    assert ends == sorted(set(ends))
    assert low < ends[0]
    assert ends[-1] < high
    assert len(ends) == min(count, high - low - 1)


@given(WEIGHTS, st.integers(0, 6))
def test_odds_grow_from_nothing_to_certainty(weights: list[float], known: int) -> None:
    odds = PositionOdds(weights, known)
    shares = [odds.among_first(end) for end in range(len(weights) + 1)]
    assert shares[0] == 0
    assert abs(shares[-1] - 1) < 1e-9
    assert shares == sorted(shares)


def test_several_members_are_more_likely_behind() -> None:
    """The last of two is rather in the second half; once one is known, the other is anywhere."""
    assert PositionOdds([1.0] * 30, 0).divide(0, 30, 1)[0] > 15
    assert PositionOdds([1.0] * 30, 3).divide(0, 30, 1) == [15]
    assert PositionOdds([8.0, *[1.0] * 29], 3).divide(0, 30, 1)[0] < 15


def test_shared_paths_and_folders_are_close() -> None:
    known = frozenset({"shop/cart.py", "README"})
    same = closeness(frozenset({"shop/cart.py"}), known)
    beside = closeness(frozenset({"shop/tax.py"}), known)
    assert same > beside > closeness(frozenset({"LICENSE"}), known) == closeness(frozenset(), known)
