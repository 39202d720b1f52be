"""Merges that people made, made again by the whole command: the two sides of each become two tasks.

    python -m tests.property.real_merges REPOSITORY [--merges 300] [--seed 1] [--conflicts] [--git FOLDER]

REPOSITORY is any local clone of a project with merge commits; nothing is written there. For each merge, a new
repository gets both sides as branches on their merge base. They are adopted, approved and merged, and what is published
is compared with a loop of `git rebase` in the order of the merge, with `git merge`, and with the commit of the people
who merged. With `--conflicts`, only merges in which `git merge` conflicts are taken, and resolutions are published: all
of them, as their check judges nothing. `--git` names a folder with another git for the comparison.

Where the loop is clean, the published commits must be its own, and where it conflicts, only what the base has, or a
merge commit of the branch itself has resolved, may go in. Everything else is listed, and is a reason to look.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from gitorch.services.open import open_workspace
from tests.conftest import foreign, sealed
from tests.support.cli import Cli
from tests.support.git import DATE, git, run
from tests.support.tasks import with_fields

_MOST_COMMITS = 60
"""Sides with more commits are left out: a merge of two such sides is no work of one night."""

_AUTO = 'merge.resolve = "auto"\n[checks]\nnothing = "true"\n'


class RealMerge(msgspec.Struct, frozen=True):
    """A merge commit of a project, with its two sides and what they began on."""

    commit: str
    base: str
    sides: tuple[str, str]


class Made(msgspec.Struct, frozen=True):
    """What a merge came to: a tree, or empty for a conflict; and the commit, where there is one."""

    tree: str
    commit: str = ""


class Comparison(msgspec.Struct, frozen=True):
    """One merge as the people, git and gitorch made it."""

    merge: RealMerge
    human: str
    merged: Made
    rebased: Made
    published: Made
    has_merges: bool
    answer: str

    @property
    def kind(self) -> str:
        """Return how the results relate."""
        if self.rebased.tree and self.published.commit == self.rebased.commit:
            same = "and a merge" if self.merged.tree == self.published.tree else "not a merge"
            return f"the commits of the loop of rebases, {same if self.merged.tree else 'where a merge conflicts'}"
        if self.rebased.tree and self.published.tree == self.rebased.tree:
            return "the tree of the loop of rebases"
        if self.rebased.tree and not self.published.tree:
            if self.has_merges and not self.merged.tree:
                return "a conflict, as in git's merge; the loop leaves out what a merge commit holds"
            return "WRONG: a conflict, where a loop of rebases has none"
        if not self.published.tree:
            return "a conflict, as in the loop of rebases" + (" (a merge is clean)" if self.merged.tree else "")
        what = "the loop has a conflict" if not self.rebased.tree else "the loop has another tree"
        if self.published.tree == self.merged.tree:
            return f"the tree of git's merge; {what}"
        if self.published.tree == self.human:
            return f"the tree that people committed; {what}"
        return f"LOOK: a tree of its own; {what}"


def real_merges(project: Path, seed: int) -> Iterator[RealMerge]:
    """Yield the merges of two sides that both have moved since their only merge base, in a random order."""
    lines = git("rev-list", "--merges", "--parents", "--branches", "--tags", cwd=project).splitlines()
    random.Random(seed).shuffle(lines)
    for commit, *parents in (line.split() for line in lines):
        bases = git("merge-base", "--all", *parents, cwd=project, ok=(0, 1)).split()
        if len(parents) != 2 or len(bases) != 1 or bases[0] in parents:
            continue
        counts = [int(git("rev-list", "--count", side, f"^{bases[0]}", cwd=project)) for side in parents]
        if max(counts) <= _MOST_COMMITS:
            yield RealMerge(commit, bases[0], (parents[0], parents[1]))


class Desk:
    """A new repository that has the objects of a project, and a person who merges in it."""

    def __init__(self, top: Path, project: Path, oracle: str, config: str) -> None:
        self.folder = top / "repository"
        self.oracle = {"PATH": f"{oracle}:{os.environ['PATH']}"} if oracle else {}
        git("init", "--quiet", "-b", "main", str(self.folder), cwd=top)
        objects = git("rev-parse", "--path-format=absolute", "--git-path", "objects", cwd=project)
        (self.folder / ".git/objects/info/alternates").write_text(f"{objects}\n")
        self.is_judged = bool(config)
        self.cli = Cli(self.folder, config)

    def git(self, *words: str, ok: Sequence[int] = (0,)) -> str:
        """Run the git that results are compared with."""
        return git(*words, cwd=self.folder, env=self.oracle, ok=ok)

    def made_by_merge(self, merge: RealMerge) -> Made:
        """Return what `git merge` makes of both sides."""
        done = run("merge-tree", "--write-tree", *merge.sides, cwd=self.folder, env=self.oracle, ok=(0, 1))
        return Made(done.stdout.decode().strip() if done.returncode == 0 else "")

    def made_by_rebases(self, merge: RealMerge, sides: Sequence[str]) -> Made:
        """Return what a loop of `git rebase` makes of the sides, in this order."""
        tip = merge.base
        for side in sides:
            self.git("checkout", "--quiet", "--force", "--detach", side)
            if run("rebase", "--quiet", tip, cwd=self.folder, env=self.oracle, ok=(0, 1)).returncode:
                self.git("rebase", "--quit")
                self.git("reset", "--quiet", "--hard")
                self.git("clean", "-fdxq")
                return Made("")
            tip = self.git("rev-parse", "HEAD")
        return Made(self.git("rev-parse", f"{tip}^{{tree}}"), tip)

    def compare(self, merge: RealMerge) -> Comparison:
        """Merge the sides by the whole command, and compare."""
        self.git("checkout", "--quiet", "--force", "-B", "main", merge.base)
        self.git("clean", "-fdxq")
        names = {}
        for name, side in zip(("first", "second"), merge.sides, strict=True):
            self.git("update-ref", f"refs/heads/{name}", side)
            names[name] = side
        self.cli("adopt", *names, "--base", merge.base)
        if self.is_judged:
            workspace = open_workspace(self.folder)
            tasks = workspace.tasks.values()
            workspace.store.save([with_fields(task, checks={"nothing": "true"}) for task in tasks])
        self.cli("approve", "--all", "--force")
        answer = self.cli.json("merge", ok=(0, 5, 6, 7))
        order = [task["id"] for task in (*answer["merged"], *answer["conflicted"])]
        published = Made("")
        if len(answer["merged"]) == 2:
            published = Made(*self.git("rev-parse", "orch/integration^{tree}", "orch/integration").split())
        held = [f"{task['id']}: {task.get('reason')}" for task in answer["held"]]
        return Comparison(
            merge=merge,
            human=self.git("rev-parse", f"{merge.commit}^{{tree}}"),
            merged=self.made_by_merge(merge),
            rebased=self.made_by_rebases(merge, [names[name] for name in order or ("first", "second")]),
            published=published,
            has_merges=bool(self.git("rev-list", "--merges", *merge.sides, f"^{merge.base}")),
            answer="; ".join(held),
        )

    def explain(self, comparison: Comparison) -> str:
        """Return the paths in which the published tree differs from that of the people, and in which by order alone."""
        if not comparison.published.tree:
            return comparison.answer
        trees = comparison.published.tree, comparison.human
        paths = self.git("diff-tree", "-r", "--name-only", "-z", *trees).split("\0")[:-1]
        moved = [path for path in paths if self._lines(trees[0], path) == self._lines(trees[1], path)]
        others = [path for path in paths if path not in moved]
        if not paths:
            return "as people"
        return f"other than people: {' '.join(others) or 'nothing'}; the same lines in another order: {' '.join(moved)}"

    def _lines(self, tree: str, path: str) -> list[bytes]:
        return sorted(run("cat-file", "blob", f"{tree}:{path}", cwd=self.folder, ok=(0, 128)).stdout.splitlines())


def _conflicts(project: Path, merge: RealMerge) -> bool:
    return run("merge-tree", "--write-tree", *merge.sides, cwd=project, ok=(0, 1)).returncode == 1


def main(arguments: list[str]) -> int:
    """Make merges again, print how each compares, and return 1 if one is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.property.real_merges")
    parser.add_argument("repository", type=Path)
    parser.add_argument("--merges", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--conflicts", action="store_true")
    parser.add_argument("--git", default="", metavar="FOLDER", help="the folder with the git to compare with")
    options = parser.parse_args(arguments)
    for variable in filter(foreign, [*os.environ]):
        del os.environ[variable]
    kinds = Counter[str]()
    with tempfile.TemporaryDirectory(prefix="gitorch-real-") as folder:
        top = Path(folder)
        os.environ.update(sealed(top), GIT_COMMITTER_DATE=DATE)
        merges = real_merges(options.repository, options.seed)
        if options.conflicts:
            merges = (merge for merge in merges if _conflicts(options.repository, merge))
        for number, merge in enumerate(itertools.islice(merges, options.merges)):
            place = top / str(number)
            place.mkdir()
            desk = Desk(place, options.repository, options.git, _AUTO if options.conflicts else "")
            try:
                comparison = desk.compare(merge)
                kind, why = comparison.kind, desk.explain(comparison)
            except (AssertionError, subprocess.SubprocessError) as error:
                kind, why = "WRONG: it failed", str(error)[-1500:]
            kinds[kind] += 1
            print(f"{merge.commit[:12]} {kind} | {why}", flush=True)
            shutil.rmtree(place, ignore_errors=True)
    for kind, count in kinds.most_common():
        print(f"{count:6} {kind}")
    return 1 if any(kind.startswith("WRONG") for kind in kinds) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
