"""Routing: which specialist a title calls for."""

from __future__ import annotations

import pytest

from gitorch.model.roles import BUILT_IN, route


@pytest.mark.parametrize(
    ("title", "role"),
    [
        ("Fix email template", "generalist"),  # the seed saw "ai" in "email"
        ("Update the build guide", "generalist"),  # and "ui" in "build guide"
        ("Add a REST endpoint for orders", "backend-systems-engineer"),
        ("Add a login page", "frontend-ui-engineer"),
        ("Create an ETL pipeline to Snowflake", "data-pipeline-engineer"),
        ("Write terraform for the S3 bucket", "aws-cloud-architect"),
        ("Write the API documentation", "generalist"),  # a tie is for the generalist
        ("Rename a variable", "generalist"),
    ],
)
def test_words_match_whole_or_not_at_all(title: str, role: str) -> None:
    """A word inside another word says nothing about the work."""
    assert route(title, BUILT_IN)[0].name == role


def test_all_specialists_of_the_seed_are_there() -> None:
    """The ten names of the seed are names of roles."""
    assert len(BUILT_IN) == 11
    assert all(role.instructions for role in BUILT_IN.values())
