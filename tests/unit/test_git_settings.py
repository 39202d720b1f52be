"""The settings of git: what it prints is read, and what a value means is what git says."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitorch.git.repository import Repository
from gitorch.git.settings import as_bool
from tests.support.git import git


def test_all_values_of_a_setting(repository_folder: Path) -> None:
    """The last value counts, a name without a value is there, and a value may have several lines."""
    with (repository_folder / ".git/config").open("a") as file:
        file.write('[some]\n\tName = one\n\tname = "two\\nlines"\n\tflag\n[sub "Part.x"]\n\tkey = value\n')
    settings = Repository.discover(repository_folder).settings
    assert settings.values("some.name") == ["one", "two\nlines"]
    assert settings.get("some.name") == "two\nlines"
    assert settings.get("some.flag") == ""
    assert settings.users("some.flag") == [None]
    assert settings.get("some.other") is None
    assert settings.with_prefix("sub.") == {"sub.Part.x.key": ["value"]}
    # every git of ours has it on its command line
    assert settings.get("commit.gpgsign") == "false"
    assert settings.users("commit.gpgsign") == []


def test_settings_are_read_again_on_demand(repository_folder: Path) -> None:
    """A change by the user counts from then on, for what commits are made of as well."""
    repository = Repository.discover(repository_folder)
    assert repository.commit_settings.encoding == "UTF-8"
    git("config", "i18n.commitEncoding", "latin1", cwd=repository_folder)
    assert repository.commit_settings.encoding == "UTF-8"
    repository.forget_settings()
    assert repository.commit_settings.encoding == "latin1"


@pytest.mark.parametrize("value", ["true", "TRUE", "yes", "on", "1", "false", "no", "Off", "0", ""])
def test_a_bool_is_what_git_takes_it_for(repository_folder: Path, value: str) -> None:
    git("config", "some.flag", value, cwd=repository_folder)
    assert str(as_bool(value)).lower() == git("config", "--type=bool", "some.flag", cwd=repository_folder)


def test_other_bools_are_left_to_git() -> None:
    assert as_bool(None) is True
    assert [as_bool(value) for value in ("2", "1k", "maybe")] == [None, None, None]
