"""A branch that is too large to be searched for credentials: nobody knows that it adds none, so it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Cli, does

# what takes too many steps to search, more lines than are searched for signals, and three signals as heavy as these
LARGE = (
    "yes 'private key ' | tr -d '\\n' | head -c 600000 > keys.txt",
    "seq 60000 > lines.txt",
    "printf '<<<<<<< a\\n=======\\n>>>>>>> b\\n' > conflict.py",
    "printf 'x = \"\\342\\200\\256\"\\n' > hidden.py",
    "printf 'import pytest\\n@pytest.mark.skip\\ndef test_a():\\n    assert True\\n' > test_a.py",
    "git add -A; git commit -qm Work",
)
CUT = "were searched for credentials"


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    cli = Cli(repository_folder)
    cli.queue(
        does("Large", *LARGE),
        does("Small", "echo a > a; git add a; git commit -qm a"),
    )
    cli.run()
    return cli


def test_approval_needs_force(cli: Cli) -> None:
    """By name and with `--all`; the reason says how much was searched, and `--force` is the person's word for it."""
    refusal = cli.error("approve", "large", exit=5)
    assert refusal["code"] == "unsearched"
    assert "only the first 0.2 MB were searched" in refusal["what"]
    assert refusal["fix"][-1] == "orchestrate approve large --force"
    cli("review", "small")
    cli("review", "large")
    answer = cli("approve", "--all")
    assert "large adds more than is searched for credentials and is not approved" in answer.stderr
    assert {name: task["state"] for name, task in cli.tasks().items()} == {"large": "finished", "small": "approved"}
    assert cli.json("approve", "large", "--force")["tasks"][0]["state"] == "approved"


def test_every_list_says_what_was_not_searched(cli: Cli) -> None:
    """However many heavier signals there are, and although two searches were cut."""
    for words in (("review", "--list"), ("review", "large"), ("report",), ("report", "--format", "markdown")):
        text = " ".join(cli(*words).text.split())
        assert CUT in text, (words, text)
        assert "only the first 50000 lines were searched" in text, (words, text)
