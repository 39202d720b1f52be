"""How many finished features of a public benchmark land, by what means, and how many of them break.

    python -m tests.bench.cooperbench --dataset DIR --repositories DIR --python PATH [--tasks click/2068 ...]

DIR of the data set is a copy of `dataset/` of github.com/cooperbench/CooperBench; the repositories are in
`DIR/click`, `DIR/jinja` and `DIR/dirty-equals`, as clones. PATH is a Python that has what the projects' tests need
(pytest, pytest-mock, trio, markupsafe, pytz). Each feature of a task is one branch on the task's base. Its own tests
are its check: all landed features' tests and the existing tests run in one process, the test files under names of
their own.

A feature lands if its files merge and every check is green on the tree. Wrong landings are counted on the final tree.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitorch.syntax import SyntaxProposal, propose

Files = Mapping[str, bytes]

TASKS = {
    "click/2068": ("pallets_click_task/task2068", "click"),
    "click/2800": ("pallets_click_task/task2800", "click"),
    "jinja/1465": ("pallets_jinja_task/task1465", "jinja"),
    "jinja/1559": ("pallets_jinja_task/task1559", "jinja"),
    "dirty-equals/43": ("samuelcolvin_dirty_equals_task/task43", "dirty-equals"),
}


@dataclass(frozen=True)
class Feature:
    """One branch: its changed files, its test files, and the size of its change in lines."""

    name: str
    files: Files
    tests: Files
    lines: int


@dataclass(frozen=True)
class Landing:
    """The files of the landed tree, and what went in."""

    files: Files
    features: tuple[Feature, ...] = ()
    kinds: tuple[str, ...] = ()


@dataclass
class Night:
    """One task of the benchmark as a night of branches, and the runs of tests that it took so far."""

    name: str
    base: Path
    features: list[Feature]
    python: str
    existing_red: frozenset[str] = frozenset()
    runs: int = 0
    verdicts: dict[tuple[object, ...], frozenset[str]] = field(default_factory=dict)

    def red(self, landing: Landing) -> frozenset[str]:
        """Return the tests that fail on a tree: the existing ones and those of each landed feature."""
        key = (tuple(sorted(landing.files.items())), tuple(feature.name for feature in landing.features))
        if key not in self.verdicts:
            self.runs += 1
            self.verdicts[key] = run_tests(self, landing) - self.existing_red
        return self.verdicts[key]

    def base_file(self, path: str) -> bytes | None:
        file = self.base / path
        return file.read_bytes() if file.exists() else None


def git(folder: Path, *arguments: str, content: bytes | None = None) -> bytes:
    return subprocess.run(
        ["git", *arguments], cwd=folder, input=content, capture_output=True, check=True
    ).stdout  # fmt: skip


def load_night(name: str, dataset: Path, repositories: Path, python: str, work: Path) -> Night:
    """Build the branches of a task from its patches."""
    folder, repository = dataset / TASKS[name][0], repositories / TASKS[name][1]
    base_commit = re.search(r"git checkout ([0-9a-f]{40})", (folder / "Dockerfile").read_text())
    if base_commit is None:
        raise SystemExit(f"{folder}/Dockerfile names no commit")
    base = work / name.replace("/", "-")
    base.mkdir()
    subprocess.run(["tar", "x", "-C", base], input=git(repository, "archive", base_commit[1]), check=True)
    numbers = sorted(int(path.name.removeprefix("feature")) for path in folder.glob("feature*"))
    features = [load_feature(base, folder / f"feature{number}", work) for number in numbers]
    night = Night(name, base, features, python)
    night.existing_red = run_tests(night, Landing({}))
    return night


def load_feature(base: Path, folder: Path, work: Path) -> Feature:
    files, lines = patched(base, folder / "feature.patch", work)
    tests, _ = patched(base, folder / "tests.patch", work)
    return Feature(folder.name, files, tests, lines)


def patched(base: Path, patch: Path, work: Path) -> tuple[Files, int]:
    """Return the files that a patch changes, as they are afterwards, and the number of changed lines."""
    copy = Path(tempfile.mkdtemp(dir=work)) / "tree"
    shutil.copytree(base, copy)
    git(copy, "init", "-q")
    git(copy, "apply", "--ignore-whitespace", str(patch.resolve()))
    names = git(copy, "apply", "--numstat", "-z", str(patch.resolve())).decode().split("\0")[:-1]
    stats = [name.split("\t") for name in names]
    files = {path: (copy / path).read_bytes() for _, _, path in stats}
    shutil.rmtree(copy.parent)
    return files, sum(int(added) + int(removed) for added, removed, _ in stats)


def run_tests(night: Night, landing: Landing) -> frozenset[str]:
    """Run the existing tests and the landed features' own, and return the names of those that fail."""
    folder = Path(tempfile.mkdtemp(dir=night.base.parent))
    tree = folder / "tree"
    shutil.copytree(night.base, tree)
    own = {
        path.replace(".py", f"__{feature.name}.py"): content
        for feature in landing.features
        for path, content in feature.tests.items()
    }
    for path, content in {**landing.files, **own}.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
    report = folder / "report.xml"
    source = tree / "src" if (tree / "src").exists() else tree
    command = [night.python, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors",
               f"--junitxml={report}", "tests"]  # fmt: skip
    environment = {"PYTHONPATH": str(source), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=False, timeout=1800)
    red = failed_tests(report)
    shutil.rmtree(folder)
    return red


def failed_tests(report: Path) -> frozenset[str]:
    if not report.exists():
        return frozenset({"no report: the tests did not start"})
    cases = ElementTree.parse(report).getroot().iter("testcase")
    return frozenset(
        f"{case.get('classname')}::{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    )


def merge_text(base: bytes | None, ours: bytes | None, theirs: bytes, work: Path) -> bytes | None:
    """Return git's own merge of one file; None for a conflict."""
    if ours == base:
        return theirs
    names = []
    for name, content in (("ours", ours), ("base", base), ("theirs", theirs)):
        (work / name).write_bytes(content or b"")
        names.append(name)
    merged = subprocess.run(["git", "merge-file", "-p", *names], cwd=work, capture_output=True, check=False)
    return merged.stdout if merged.returncode == 0 else None


def candidates(night: Night, landing: Landing, feature: Feature, limit: int) -> list[Landing]:
    """Return the trees in which a feature may land: git's merge, or proposals for the files in conflict."""
    merged: dict[str, bytes] = {}
    conflicts: dict[str, list[SyntaxProposal]] = {}
    for path, theirs in feature.files.items():
        base = night.base_file(path)
        ours = landing.files.get(path, base)
        clean = merge_text(base, ours, theirs, night.base.parent)
        if clean is None:
            conflicts[path] = propose(path, base, ours or b"", theirs, limit=limit) if limit else []
        else:
            merged[path] = clean
    kinds = tuple(landing.kinds)
    if not conflicts:
        return [Landing({**landing.files, **merged}, (*landing.features, feature), (*kinds, "text"))]
    rounds = max(map(len, conflicts.values())) if all(conflicts.values()) else 0
    landings = []
    for number in range(rounds if limit else 0):
        chosen = {path: options[min(number, len(options) - 1)] for path, options in conflicts.items()}
        kind = sorted(proposal.kind for proposal in chosen.values())[-1]
        files = {**landing.files, **merged, **{path: proposal.content for path, proposal in chosen.items()}}
        landings.append(Landing(files, (*landing.features, feature), (*kinds, kind)))
    return landings


def land_by_text(night: Night, order: Iterable[Feature]) -> Landing:
    """Land what git merges without a conflict, first come, first served; nothing is tested."""
    landing = Landing({})
    for feature in order:
        landing = next(iter(candidates(night, landing, feature, 0)), landing)
    return landing


def land(night: Night, order: Iterable[Feature], *, limit: int, most_runs: int) -> Landing:
    """Land features one by one; those without a proposal are tried again after the others.

    `limit` bounds the proposals for a feature. It is given up after two that fail in the same test, and one that was
    tested and failed is not tested again: what landed since then does not mend it.
    """
    landing = Landing({})
    waiting = list(order)
    start = night.runs
    progress = True
    while progress:
        progress = False
        for feature in list(waiting):
            reds: list[frozenset[str]] = []
            for candidate in candidates(night, landing, feature, limit):
                if night.runs - start >= most_runs or (len(reds) > 1 and reds[-1] & reds[-2]):
                    break
                reds.append(night.red(candidate))
                if not reds[-1]:
                    landing, progress = candidate, True
                    break
            if reds:
                waiting.remove(feature)
    return landing


def pairs(night: Night) -> tuple[int, int]:
    """Return how many pairs of features conflict, and how many of these get a proposal."""
    conflicting = proposed = 0
    for number, first in enumerate(night.features):
        for second in night.features[number + 1 :]:
            landed = Landing(first.files, (first,), ("text",))
            if candidates(night, landed, second, 0):
                continue
            conflicting += 1
            proposed += bool(candidates(night, landed, second, 1))
    return conflicting, proposed


def report(night: Night, most_runs: int) -> tuple[int, int, int]:
    """Print a night's figures; return landed features, wrong landings and runs of tests."""
    alone = [feature for feature in night.features if not night.red(Landing(feature.files, (feature,)))]
    first_come = land_by_text(night, alone)
    before, used = night.runs, cpu()
    smallest_first = sorted(alone, key=lambda feature: feature.lines)
    landing = land(night, smallest_first, limit=6, most_runs=most_runs)
    runs, spent = night.runs - before, cpu() - used
    wrong = len(night.red(landing)) if landing.features else 0
    conflicting, proposed = pairs(night)
    kinds = {kind: landing.kinds.count(kind) for kind in sorted(set(landing.kinds))}
    columns = [
        f"{night.name:16} features {len(night.features):2}, green alone {len(alone):2}",
        f"first come {len(first_come.features):2}",
        f"landed {len(landing.features):2} {kinds}",
        f"wrong {wrong}",
        f"runs {runs:2}",
        f"cpu {spent:.0f} s",
        f"pairs with a proposal {proposed}/{conflicting}",
    ]
    print(" | ".join(columns), flush=True)
    return len(landing.features), wrong, runs


def cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--repositories", type=Path, required=True)
    parser.add_argument("--python", required=True, help="a Python with what the projects' tests need")
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--most-runs", type=int, default=60, help="bound for the runs of tests of one night")
    parsed = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as work:
        totals = [
            report(load_night(name, parsed.dataset, parsed.repositories, parsed.python, Path(work)), parsed.most_runs)
            for name in parsed.tasks
        ]
    landed, wrong, runs = (sum(column) for column in zip(*totals, strict=True))
    print(f"sum: landed {landed}, wrong landings {wrong}, runs of tests {runs}")


if __name__ == "__main__":
    main()
