"""Alarms in words: what was refused, by whom, and whether it helped."""

from __future__ import annotations

import pytest

from gitorch.model.alarms import describe, past_hooks, skipped


@pytest.mark.parametrize(
    ("alarm", "moved", "words"),
    [
        ("refs/heads/main", (), "the agent tried to move refs/heads/main; a hook refused it"),
        (
            "refs/stash",
            ("stash 123 disappeared",),
            "the agent tried to move refs/stash; a hook refused it, but it changed",
        ),
        (
            "refs/heads/main",
            ("refs/heads/main moved from 1 to 2",),
            "the agent tried to move refs/heads/main; a hook refused it, but it changed",
        ),
        (
            "refs/heads/main",
            ("refs/heads/main2 moved from 1 to 2",),
            "the agent tried to move refs/heads/main; a hook refused it",
        ),
        ("push to origin", (), "the agent tried to push to origin; a hook refused it"),
        ("network: evil.example:443", (), "the agent tried to reach evil.example:443; the sandbox refused it"),
        ("hook pre-commit", (), "the repository's pre-commit hook refused the agent's work"),
        (
            skipped("commit-msg"),
            (),
            "gitorch committed what the agent had left, without the repository's commit-msg hook",
        ),
        (
            past_hooks(["pre-commit"], ["1234567890 Add: x"]),
            (),
            "1 commit was made past the repository's pre-commit hook: 1234567890 Add: x",
        ),
        (
            past_hooks(["pre-commit", "commit-msg"], [f"{number} x" for number in range(7)]),
            (),
            "7 commits were made past the repository's pre-commit and commit-msg hooks: "
            "0 x; 1 x; 2 x; 3 x; 4 x; and 2 more",
        ),
        ("the alarm file was replaced", (), "the alarm file was replaced"),
    ],
)
def test_an_alarm_says_what_happened(alarm: str, moved: tuple[str, ...], words: str) -> None:
    """Nothing is called stopped that was not."""
    assert describe(alarm, moved) == words
