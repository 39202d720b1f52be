"""Viewed marks survive a rebase, and end with the hunk: over random branches (`GITORCH_TEST_REBASES=200` for more)."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

from gitorch.flow.review.second_look import unseen
from gitorch.git.diff.file_patches import read_files
from gitorch.git.diff.hunk_ids import HunkPatch, hunk_patches
from gitorch.git.repository import Repository
from gitorch.model.naming import Oid
from gitorch.replay import Conflicted, replay
from tests.support.git import commit_on_branch

REBASES = int(os.environ.get("GITORCH_TEST_REBASES", "10"))
_FILES = 3
_LINES = 120


def _content(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _hunks(repository: Repository, base: Oid, tip: Oid) -> list[HunkPatch]:
    return hunk_patches(read_files(repository, base, tip))


def _seen(hunks: list[HunkPatch]) -> Counter[str]:
    return Counter(patch_id for hunk in hunks for patch_id in hunk.ids)


def test_an_unrelated_rebase_leaves_nothing_and_a_fix_one_hunk(repo: Repository, repository_folder: Path) -> None:
    """What was viewed is viewed on any base; of a branch that changes one line, one hunk is left to look at."""
    for seed in range(REBASES):
        dice = random.Random(seed)
        start = {f"f{n}.txt": [f"{seed} {n} {line}" for line in range(_LINES)] for n in range(_FILES)}
        head = str(repo.resolve("HEAD"))
        base = commit_on_branch(repository_folder, f"base{seed}", head, ("x", _texts(start)))
        touched = {path: sorted(dice.sample(range(5, _LINES - 5, 10), dice.randint(1, 5))) for path in start}
        mine = {path: _edited(lines, touched[path], "mine", dice) for path, lines in start.items()}
        tip = commit_on_branch(repository_folder, f"mine{seed}", base, ("x", _texts(mine)))
        # elsewhere: other lines of the same files, also within the context of a hunk, and lines that move all others
        free = {path: [n for n in range(_LINES) if all(abs(n - own) > 1 for own in touched[path])] for path in start}
        others = {path: sorted(dice.sample(free[path], dice.randint(0, 8))) for path in start}
        theirs = {path: _edited(lines, others[path], "theirs", dice) for path, lines in start.items()}
        onto = commit_on_branch(repository_folder, f"theirs{seed}", base, ("x", _texts(theirs)))
        replayed = replay(repo, Oid(base), Oid(tip), Oid(onto))
        if isinstance(replayed, Conflicted):
            continue
        before, after = _hunks(repo, Oid(base), Oid(tip)), _hunks(repo, Oid(onto), replayed.tip)
        assert unseen(after, _seen(before)) == [], seed
        path = dice.choice([*start])
        lines = [*mine[path]]
        number = dice.choice([n for n, line in enumerate(lines) if line.startswith("mine")])
        lines[number] += " fixed"
        fixed = commit_on_branch(repository_folder, f"fixed{seed}", tip, ("x", _texts({path: lines})))
        (left,) = unseen(_hunks(repo, Oid(base), Oid(fixed)), _seen(before))
        assert left.file.path == path, seed
        assert number + 1 in left.lines, seed


def _texts(files: dict[str, list[str]]) -> dict[str, str | bytes | tuple[str, str] | None]:
    return {path: _content(lines) for path, lines in files.items()}


def _edited(lines: list[str], numbers: list[int], mark: str, dice: random.Random) -> list[str]:
    edited = []
    for number, line in enumerate(lines):
        if number not in numbers:
            edited.append(line)
            continue
        kind = dice.choice(["changed", "inserted", "changed"])
        edited += [f"{mark} {number} {dice.random()}"] if kind == "changed" else [line, f"{mark} {number} new"]
    return edited
