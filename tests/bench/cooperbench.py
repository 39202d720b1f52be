"""How many finished features of a public benchmark `orchestrate merge` lands, by what means, and how many break.

    python -m tests.bench.cooperbench --dataset DIR --repositories DIR --python PATH [--tasks click/2068 ...]

DIR of the data set is a copy of `dataset/` of github.com/cooperbench/CooperBench; the repositories are in
`DIR/click`, `DIR/jinja` and `DIR/dirty-equals`, as clones. PATH is a Python that has what the projects' tests need
(pytest, pytest-mock, trio, markupsafe, pytz). Each feature of a task is one branch on the task's base, and a task of
gitorch whose own check runs the feature's own tests; the check of the repository runs the existing ones. Features that
fail alone are not approved. The rest goes through `orchestrate merge --resolved`.

A wrong landing is a landed feature whose own tests fail on the final tree, or an existing test that newly fails there.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gitorch.model.naming import Oid, TaskId
from gitorch.model.task import State
from gitorch.services.open import open_workspace
from tests.bench import cooperbench_check
from tests.bench.table import cpu
from tests.support.tasks import make_task

TASKS = {
    "click/2068": ("pallets_click_task/task2068", "click"),
    "click/2800": ("pallets_click_task/task2800", "click"),
    "jinja/1465": ("pallets_jinja_task/task1465", "jinja"),
    "jinja/1559": ("pallets_jinja_task/task1559", "jinja"),
    "dirty-equals/43": ("samuelcolvin_dirty_equals_task/task43", "dirty-equals"),
}
_ROOT = Path(__file__).parents[2]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one night. `runs` are the trees on which the merge started tests, `commands` the runs of pytest."""

    name: str
    features: int
    alone: int
    first_come: int
    by_order: int
    rungs: Mapping[str, int]
    wrong: int
    runs: int
    commands: int
    cpu: float

    @property
    def landed(self) -> int:
        return sum(self.rungs.values())


class Night:
    """One task of the benchmark: a repository with a branch for each feature, and gitorch's tasks."""

    def __init__(self, name: str, dataset: Path, clone: Path, python: str, work: Path) -> None:
        self.name, self.python, self.work = name, python, work
        self.repository, self.log, self.red = work / "repository", work / "log", work / "red.json"
        self.environment = {
            **{key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ},
            "HOME": str(work),
            "PYTHONPATH": str(_ROOT),
            "GITORCH_SANDBOX_MODE": "off",
            **{
                f"GIT_{who}_{what}": "bench@example.com"
                for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")
            },
        }
        self._build(dataset, clone)

    def _build(self, dataset: Path, clone: Path) -> None:
        found = re.search(r"git checkout ([0-9a-f]{40})", (dataset / "Dockerfile").read_text())
        if found is None:
            raise SystemExit(f"{dataset}/Dockerfile names no commit")
        self.repository.mkdir()
        files = self.git("archive", found[1], cwd=clone)
        subprocess.run(["tar", "x", "-C", self.repository], input=files, check=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.base = self._committed("base")
        self.red.write_text("[]")
        self.red.write_text(json.dumps(sorted(self.failures("existing"))))
        numbers = sorted(int(path.name.removeprefix("feature")) for path in dataset.glob("feature*"))
        self.features = [self._feature(dataset / f"feature{number}") for number in numbers]
        self.git("checkout", "--quiet", "main")
        check = shlex.join(self._check("existing"))
        settings = self.work / ".config/gitorch/config.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text(f"[checks]\nexisting = {json.dumps(check)}\n")
        self._queue()

    def _feature(self, folder: Path) -> str:
        """Make the branch of a feature without its tests, and put these aside; return its name."""
        self.git("checkout", "--quiet", "-B", f"orch/{folder.name}", self.base)
        self.git("apply", "--ignore-whitespace", str(folder.resolve() / "tests.patch"))
        changed = self.git("ls-files", "-z", "--modified", "--others", "--exclude-standard").decode().split("\0")[:-1]
        for path in changed:
            place = self.work / "tests" / folder.name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes((self.repository / path).read_bytes())
        self.git("reset", "--quiet", "--hard")
        self.git("clean", "-fdq")
        self.git("apply", "--ignore-whitespace", str(folder.resolve() / "feature.patch"))
        self._committed(folder.name)
        return folder.name

    def _committed(self, message: str) -> str:
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD").decode().strip()

    def _queue(self) -> None:
        tasks = [
            make_task(
                id=TaskId(name),
                number=number,
                title=name,
                prompt=name,
                state=State.FINISHED,
                branch=f"orch/{name}",
                base=Oid(self.base),
                tip=Oid(self.git("rev-parse", f"orch/{name}").decode().strip()),
                attempts=1,
                adopted=True,
                checks={"tests": shlex.join(self._check(name))},
            )
            for number, name in enumerate(self.features, start=1)
        ]
        open_workspace(self.repository).store.save(tasks)

    def _check(self, name: str) -> list[str]:
        words = [sys.executable, cooperbench_check.__file__, self.python, str(self.red), str(self.log), name]
        return [*words, str(self.work / "tests" / name)] if name != "existing" else words

    def git(self, *words: str, cwd: Path | None = None, ok: Sequence[int] = (0,)) -> bytes:
        done = subprocess.run(["git", *words], cwd=cwd or self.repository, env=self.environment, capture_output=True)
        if done.returncode not in ok:
            raise SystemExit(f"git {' '.join(words)}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def orchestrate(self, *words: str) -> dict[str, Any]:
        """Run a command of gitorch, and return its answer; it may end with a conflict or a failed check."""
        done = subprocess.run(
            [sys.executable, "-m", "gitorch", *words, "--json"], cwd=self.repository, env=self.environment,
            capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode not in (0, 5, 6, 7):
            raise SystemExit(
                f"orchestrate {' '.join(words)}: {done.returncode}\n{done.stderr.decode()}{done.stdout.decode()}"
            )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def failures(self, name: str) -> list[str]:
        """Run a check on what is checked out; return the tests that fail."""
        subprocess.run(self._check(name), cwd=self.repository, env=self.environment, capture_output=True, check=False)
        tests: list[str] = json.loads(self.log.read_text().splitlines()[-1])[3]
        return tests

    def runs(self) -> list[tuple[str, str]]:
        """Return the tree and the check of each run of pytest so far."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [(line[0], line[1]) for line in map(json.loads, lines)]

    def first_come(self, names: Sequence[str]) -> int:
        """Return how many features a loop of rebases lands, first come, first served."""
        self.git("checkout", "--quiet", "--detach", "main")
        landed = 0
        for name in names:
            tip = self.git("rev-parse", "HEAD").decode().strip()
            self.git("rebase", "--quiet", tip, self.git("rev-parse", f"orch/{name}").decode().strip(), ok=(0, 1))
            if self.git("ls-files", "--unmerged"):
                self.git("rebase", "--abort")
                self.git("checkout", "--quiet", "--detach", tip)
            else:
                landed += 1
        self.git("checkout", "--quiet", "main")
        return landed

    def wrong(self, landed: Sequence[str]) -> int:
        """Return how many landed features fail their tests on the final tree, plus one if an existing test does."""
        self.git("checkout", "--quiet", "--detach", "orch/integration")
        broken = [name for name in ("existing", *landed) if self.failures(name)]
        self.git("checkout", "--quiet", "main")
        if broken:
            print(f"{self.name}: broken on the final tree: {', '.join(broken)}")
        return len(broken)


def measure(night: Night) -> Figures:
    """Take a night through the commands of a morning."""
    night.orchestrate("check", *night.features)
    alone = passing(night)
    night.orchestrate("approve", *alone)
    first_come = night.first_come(alone)
    by_order = len(night.orchestrate("-c", "merge.resolve=off", "merge", "--dry-run")["merged"])
    before, used = len(night.runs()), cpu()
    answer = night.orchestrate("merge", "--resolved")
    spent, runs = cpu() - used, night.runs()[before:]
    landed = [entry["id"] for entry in answer["merged"]]
    kinds = {
        entry["id"]: "+".join(sorted(entry["kinds"])) for entry in answer.get("resolutions", ()) if entry["proven"]
    }
    for entry in answer.get("resolutions", ()):
        if not entry["proven"]:
            print(f"{night.name}: {entry['id']}: {entry['reason']}")
    return Figures(
        name=night.name,
        features=len(night.features),
        alone=len(alone),
        first_come=first_come,
        by_order=by_order,
        rungs=Counter(kinds.get(name, "text") for name in landed),
        wrong=night.wrong(landed),
        runs=len({tree for tree, _ in runs}),
        commands=len(runs),
        cpu=spent,
    )


def passing(night: Night) -> list[str]:
    """Return the features whose checks pass on their own branch."""
    tasks = night.orchestrate("status")["tasks"]
    return [task["id"] for task in tasks if task["checks"]["passed"]]


def row(figures: Figures) -> str:
    rungs = ", ".join(f"{kind} {count}" for kind, count in sorted(figures.rungs.items()))
    cells = [figures.name, figures.features, figures.alone, figures.first_come, figures.by_order]
    cells += [f"**{figures.landed}** ({rungs})", figures.wrong, f"{figures.runs} ({figures.commands})"]
    return f"| {' | '.join(map(str, cells))} | {figures.cpu:.0f} s |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--repositories", type=Path, required=True)
    parser.add_argument("--python", required=True, help="a Python with what the projects' tests need")
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    parsed = parser.parse_args(arguments)
    print("| task | features | green alone | first come | by order | landed | wrong | trees tested (runs) | CPU |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    rows = []
    for name in parsed.tasks:
        with tempfile.TemporaryDirectory() as folder:
            task, clone = TASKS[name]
            night = Night(name, parsed.dataset / task, parsed.repositories / clone, parsed.python, Path(folder))
            rows.append(measure(night))
            print(row(rows[-1]), flush=True)
    total = Figures(
        name="sum",
        rungs=sum((Counter(figures.rungs) for figures in rows), Counter[str]()),
        **{
            field: sum(getattr(figures, field) for figures in rows)
            for field in ("features", "alone", "first_come", "by_order", "wrong", "runs", "commands", "cpu")
        },
    )
    print(row(total))


if __name__ == "__main__":
    main()
