"""The diff that a person reads: git's own, with the person's colours, pager, and attributes of the checkout.

What gitorch parses is read by `Repository.git`, where settings of a person change nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from gitorch.git.repository import Repository
from gitorch.model.naming import Oid

_NO_PAGER = "cat"


def command(
    repository: Repository, base: Oid, tip: Oid, *, colours: Sequence[str], options: Sequence[str], paths: Sequence[str]
) -> list[str]:
    """Return the command that prints the diff of two commits; `colours` are options of git, none for no colours."""
    # the user's checkout has the attributes, and settings may be relative to it (diff.orderFile)
    top = repository.work_tree
    places = [f"--git-dir={repository.common_dir}", *([f"--work-tree={top}"] if top else [])]
    settings = [*colours, "-c", f"color.diff={'always' if colours else 'never'}"]
    others = [option for option in options if option.partition("=")[0] not in ("--color", "--no-color")]
    # an agent must not be able to hide a change: as binary by its .gitattributes, or behind a replace ref
    return [
        *("git", "--no-replace-objects", *places, *settings),
        *("diff", "--text", *others, base, tip, "--", *paths),
    ]


def wants_colour(repository: Repository, options: Sequence[str], *, default: bool) -> bool:
    """Return whether a diff has colours: as an option says, or where the stream has any, as the user has configured."""
    for option in reversed(options):
        if option in ("--no-color", "--color=never"):
            return False
        if option in ("--color", "--color=always"):
            return True
    return default and repository.git("config", "--get-colorbool", "color.diff", "true", ok=(0, 1)).text == "true"


def colour_slots(repository: Repository, defaults: Mapping[str, str], others: Iterable[str] = ()) -> dict[str, str]:
    """Return git's colours, changed by those that the user has configured, as escape sequences.

    `others` are slots without a colour of their own.
    """
    slots = {slot.lower(): slot for slot in (*defaults, *others)}
    chosen = dict(defaults)
    for name in repository.settings.with_prefix("color.diff."):
        if slot := slots.get(name.rpartition(".")[2]):
            chosen[slot] = repository.git("config", "--get-color", name).text
    return chosen


def pager(repository: Repository) -> str:
    """Return the user's pager for `git diff` as a shell command, as git chooses it; empty for none."""
    configured = repository.settings.get("pager.diff") or ""
    if configured.lower() in ("false", "0", "no", "off"):
        return ""
    if configured.lower() in ("", "true", "1", "yes", "on"):
        choices = (os.environ.get("GIT_PAGER"), repository.settings.get("core.pager") or None, os.environ.get("PAGER"))
        configured = next((choice for choice in choices if choice is not None), "less")
    return "" if configured == _NO_PAGER else configured
