"""Every subset of six tasks: what `preview` checks out is what `merge` publishes, or both refuse alike.

    python -m tests.bench.subsets

The tasks are a graph in which two branches change the same line. Each subset is previewed, merged and undone by real
commands. Exits with 1 if a tree or a reason differs.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections import Counter
from pathlib import Path

from gitorch.services.open import open_workspace
from tests.bench.night import sealed
from tests.support.cli import Cli
from tests.support.days import adopt, approve, branch
from tests.support.git import commit, commit_on_branch, git, standard

NAMES = ("a", "b", "c", "d", "e", "f")
DIFFER = "DIFFERENT"
_CONFLICT = 7


def main() -> None:
    """Try all subsets, and print how many agree."""
    with tempfile.TemporaryDirectory(prefix="gitorch-subsets-") as place:
        sealed(Path(place))
        cli = _six_tasks(Path(place) / "shop")
        is_empty = cli("preview", ok=2).text == "" and cli.json("merge")["merged"] == []
        approve(open_workspace(cli.folder), *NAMES)
        subsets = [names for size in range(1, len(NAMES) + 1) for names in itertools.combinations(NAMES, size)]
        counts = Counter(_compared(cli, names) for names in subsets)
    print(f"no task: {'nothing in either' if is_empty else DIFFER}")
    for words, count in counts.items():
        print(f"{count} subsets: {words}")
    sys.exit(1 if counts[DIFFER] or not is_empty else 0)


def _six_tasks(folder: Path) -> Cli:
    """Return six finished tasks: b builds on a, d on c, f on b, and a and c change the same line of one file."""
    standard(folder)
    commit(folder, "Shared", {"shared.txt": "one\ntwo\nthree\n"})
    commit_on_branch(folder, "work/a", "main", ("A\n", {"a.txt": "a\n", "shared.txt": "ONE\ntwo\nthree\n"}))
    branch(folder, "work/b", "b.txt", base="work/a")
    commit_on_branch(folder, "work/c", "main", ("C\n", {"shared.txt": "1\ntwo\nthree\n"}))
    branch(folder, "work/d", "d.txt", base="work/c")
    branch(folder, "work/e", "e.txt")
    branch(folder, "work/f", "f.txt", base="work/b")
    adopt(open_workspace(folder), "work/*")
    return Cli(folder, GITORCH_SANDBOX_MODE="off")


def _compared(cli: Cli, names: tuple[str, ...]) -> str:
    """Preview, merge and undo one subset; return how the two agree."""
    preview = cli.json("preview", *names, ok=(0, _CONFLICT))
    merge = cli.json("merge", *names, ok=(0, _CONFLICT))
    tree = git("rev-parse", "orch/integration^{tree}", cwd=cli.folder)
    cli("undo")
    is_same = [task["id"] for task in merge["merged"]] == preview["tasks"] and tree == preview["tree"]
    if not is_same or (preview["conflicted"], preview["held"]) != (merge["conflicted"], merge["held"]):
        return DIFFER
    return "one tree, with the same tasks left out for the same reasons" if merge["conflicted"] else "one tree"


if __name__ == "__main__":
    main()
