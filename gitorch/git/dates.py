"""Dates in the environment, which git puts into each commit."""

from __future__ import annotations

import os

from gitorch.errors import SetupNeeded
from gitorch.git.repository import GITORCH_IDENTITY, Repository


def require_readable_dates(repository: Repository) -> None:
    """Raise `SetupNeeded` if the environment names a date that git cannot read: it then makes no commit."""
    for who in ("COMMITTER", "AUTHOR"):
        name = f"GIT_{who}_DATE"
        if name in os.environ and repository.git("var", f"GIT_{who}_IDENT", env=GITORCH_IDENTITY, ok=(0, 128)).code:
            raise SetupNeeded(
                "date-invalid",
                f"git cannot read the date in {name}: {os.environ[name]}",
                why="it makes no commit and moves no branch with it",
                fix=(f"unset {name}",),
            )
