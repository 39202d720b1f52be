"""The text of a profile for macOS's sandbox. No program is started with it: this is not run on a Mac."""

from __future__ import annotations

import re

import pytest

from gitorch.rooms.sandbox import seatbelt
from gitorch.rooms.sandbox.reach import Reach

REACH = Reach(
    read=("/Users/una/.nvm",),
    write=("/Users/una/shop.orch/t", "/Users/una/shop/.git/gitorch/rooms/t/1/git"),
    protect=("/Users/una/shop.orch/t/.git", "/Users/una/shop/.git/gitorch/rooms/t/1/git/config"),
    ports=(49_152,),
)


def strings(text: str) -> list[str]:
    """Return the strings of a profile as its language reads them, and check that its parentheses match outside them."""
    found = [re.sub(r"\\(.)", r"\1", raw) for raw in re.findall(r'"((?:[^"\\]|\\.)*)"', text)]
    rest = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    assert '"' not in rest
    depth = 0
    for letter in rest:
        depth += (letter == "(") - (letter == ")")
        assert depth >= 0
    assert depth == 0
    return found


def test_everything_is_denied_that_is_not_named() -> None:
    """The first rule denies; what may be written may be read; what is protected is denied after it was allowed."""
    lines = seatbelt.profile(REACH).splitlines()
    assert lines[:2] == ["(version 1)", "(deny default)"]
    (reads,) = (line for line in lines if line.startswith("(allow file-read* (subpath"))
    (writes,) = (line for line in lines if line.startswith("(allow file-write*"))
    (protected,) = (line for line in lines if line.startswith("(deny file-write*"))
    assert set(REACH.read + REACH.write) <= set(strings(reads))
    assert tuple(strings(writes)) == REACH.write
    assert tuple(strings(protected)) == REACH.protect
    assert lines.index(writes) < lines.index(protected)
    assert not any(path in seatbelt.profile(REACH) for path in ('"/Users"', '"/Users/una"', '"/Users/una/shop"'))


@pytest.mark.parametrize(
    ("ports", "rules"),
    [
        ((), []),
        ((80, 443), ["localhost:80", "localhost:443"]),
        (None, ["(allow network*)"]),
    ],
)
def test_the_network_is_what_is_named(ports: tuple[int, ...] | None, rules: list[str]) -> None:
    """Without a port there is no rule for it; an open network is one rule."""
    text = seatbelt.profile(Reach(read=(), write=(), ports=ports))
    lines = [line for line in text.splitlines() if "network" in line]
    assert len(lines) == len(rules)
    assert all(rule in line for rule, line in zip(rules, lines, strict=True))


HOSTILE = (
    '/Users/una/a") (allow default) (deny file-read* (subpath "/nowhere',
    '/Users/una/a\\") (allow default) ("',
    "/Users/una/a\\",
    "/Users/una/)))(allow default)",
    "/Users/una/; comment",
    "/Users/una/#\\x (allow default)",
    "/Users/una/ä 🦀 'quoted' `x` $HOME",
)


@pytest.mark.parametrize("path", HOSTILE)
def test_a_hostile_path_stays_a_path(path: str) -> None:
    """Quotes, backslashes and parentheses in a name do not become rules."""
    plain = seatbelt.profile(Reach(read=(), write=("/Users/una/plain",)))
    text = seatbelt.profile(Reach(read=(), write=(path,)))
    assert path in strings(text)
    outside = re.compile(r'"(?:[^"\\]|\\.)*"')
    assert outside.sub("", text) == outside.sub("", plain)


@pytest.mark.parametrize("path", ["", "/", "relative", "/a\nb", "/a\0b", "/a\x1b[0m", "/a/../b", "/a\u2028b"])
def test_what_a_profile_cannot_name_is_an_error(path: str) -> None:
    """Nothing is left out, and the root is never opened."""
    with pytest.raises(ValueError, match="cannot name"):
        seatbelt.profile(Reach(read=(), write=(path,)))
