"""How often the forecast names a removed name for nothing, in merges that people made.

    python -m tests.bench.removed_names REPOSITORY... [--merges 400]

Both sides of a merge are taken as two branches in flight. A hint is confirmed if the merge, as it was committed, no
longer uses the name in the file that the hint names; it is false if the name is still used there.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from gitorch.flow.forecast.pairs import Branch
from gitorch.flow.forecast.removed_names import find_removed_names
from gitorch.git.repository import Repository
from gitorch.model.forecasts.conflict_forecast import RemovedName
from gitorch.model.naming import Oid, TaskId
from gitorch.syntax import names


class Merge(msgspec.Struct, frozen=True):
    """A merge commit whose two sides both have commits of their own."""

    commit: Oid
    base: Oid
    sides: tuple[Oid, Oid]


def merges(folder: Path, limit: int) -> Iterator[Merge]:
    """Yield the newest merges of the current branch."""
    for line in _git(folder, "rev-list", "--parents", "--min-parents=2", "--max-parents=2", f"-{limit}", "HEAD"):
        commit, ours, theirs = map(Oid, line.split())
        bases = _git(folder, "merge-base", ours, theirs)
        if bases and Oid(bases[0]) not in (ours, theirs):
            yield Merge(commit, Oid(bases[0]), (ours, theirs))


def _git(folder: Path, *words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def hints(repository: Repository, merge: Merge) -> Sequence[RemovedName]:
    """Return what the forecast would have said while the two sides were in flight."""
    branches = [Branch(TaskId(f"side-{number}"), merge.base, tip) for number, tip in enumerate(merge.sides)]
    return find_removed_names(repository, branches)


def is_confirmed(repository: Repository, merge: Merge, hint: RemovedName) -> bool:
    """Return whether the merge no longer uses the name where the hint says."""
    (answer,) = repository.read_objects([f"{merge.commit}:{hint.used_in}"])
    return answer.kind != "blob" or hint.name not in names.used_names(hint.used_in, answer.content or b"")


def row(folder: Path, limit: int) -> tuple[str, int, int, int, int]:
    """Return the name of a repository, its merges, those with a hint, the hints, and how many of these are false."""
    repository = Repository.discover(folder)
    made = [*merges(folder, limit)]
    found = [(merge, hint) for merge in made for hint in hints(repository, merge)]
    false = sum(not is_confirmed(repository, merge, hint) for merge, hint in found)
    return folder.name, len(made), len({merge.commit for merge, _ in found}), len(found), false


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="+", type=Path)
    parser.add_argument("--merges", type=int, default=400, help="merges of each repository, the newest first")
    parsed = parser.parse_args(arguments)
    print("| repository | merges | with a hint | hints | false |\n|---|---|---|---|---|")
    rows = [row(folder, parsed.merges) for folder in parsed.repositories]
    for name, *counts in [*rows, ("sum", *(sum(column) for column in list(zip(*rows, strict=True))[1:]))]:
        print(f"| {name} | {' | '.join(map(str, counts))} |")


if __name__ == "__main__":
    main()
