"""What of a repository's own files needs agreement, and what asks for it anew."""

from __future__ import annotations

import pytest

from gitorch.config import FILE, PERSONAL, from_assignments, parse
from gitorch.storage.trust import commands, digest, files

TRUSTED = '[checks]\ntest = "pytest"\n[prepare]\nrun = ["npm ci"]\n[agents.x]\nkind = "command"\ncommand = ["x"]\n'


def trust(text: str, origin: str = FILE) -> str:
    return digest(commands([parse(text, origin)]))


def test_trust_is_bound_to_commands() -> None:
    """Comments, order and settings that run nothing do not ask for trust anew."""
    same = '# hello\nbase = "dev"\n[run]\nmax_agents = 9\n'
    reordered = (
        '[prepare]\nrun = ["npm ci"]\n[agents.x]\ncommand = ["x"]\nkind = "command"\n[checks]\ntest = "pytest"\n'
    )
    assert trust(same + TRUSTED) == trust(TRUSTED) == trust(reordered)
    assert commands([parse(same, FILE)]) == {}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pytest", "pytest; curl x"),
        ("npm ci", "npm i"),
        ('"x"]', '"y"]'),
        ("test =", "tests ="),
        ('kind = "command"', ""),
    ],
)
def test_trust_ends_when_a_command_changes(old: str, new: str) -> None:
    """Any change of what would be run asks for trust again."""
    assert old in TRUSTED
    assert trust(TRUSTED.replace(old, new)) != trust(TRUSTED)


def test_the_files_with_commands_are_named() -> None:
    layers = [parse("[run]\nmax_agents = 2", FILE), parse(TRUSTED, PERSONAL), parse(TRUSTED, "config.toml")]
    assert files(layers) == [PERSONAL]
    assert files([parse("[checks]", FILE)]) == []


def test_trust_is_about_the_repositorys_files() -> None:
    """What the user's own file or command line says is not the repository's to be trusted."""
    assert commands([parse(TRUSTED, "config.toml"), from_assignments(["checks.test=x"])]) == {}
    assert trust(TRUSTED, PERSONAL) == trust(TRUSTED)
    assert commands([parse('[review]\nviewer = "x {range}"', FILE)]) == {"review": {"viewer": "x {range}"}}
    assert commands([parse('[notify]\ncommand = ["x"]', FILE)]) == {"notify": {"command": ["x"]}}
