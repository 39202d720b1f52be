"""Conflicts that gitorch resolves and proves: proposed, taken, noted, taken back, and refused by a check."""

from __future__ import annotations

import functools
import json
import shlex
from pathlib import Path

import pytest

from tests.support import terminal
from tests.support.cli import OBEDIENT, Cli, told
from tests.support.git import commit, git

CONFIG = """\
[checks]
test = "grep -q 'class Shop' shop.py"
"""

SHOP = "class Shop:\n    def __init__(self):\n        self.items = []\n"


def member(name: str, check: str | None = None, gate: Path | None = None) -> str:
    """Return a task that adds a member to the class once the gate is there.

    Its own check looks for the member, unless that is empty.
    """
    own = f"grep -q 'def {name}' shop.py" if check is None else check
    wait = [f"until [ -e {shlex.quote(str(gate))} ]; do sleep 0.05; done"] if gate else []
    lines = f"printf '%s\\n' '' '    def {name}(self):' '        return 1' >> shop.py"
    prompt = told(name, *wait, lines, f"git commit -qam {name}")
    checks = f"checks = {{ own = {json.dumps(own)} }}\n" if own else ""
    return f"[[task]]\nprompt = {json.dumps(prompt)}\n{checks}"


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    commit(repository_folder, "shop", {"shop.py": SHOP})
    return Cli(repository_folder, OBEDIENT + CONFIG)


def night(cli: Cli, *tasks: str) -> None:
    cli("submit", "-F", "-", input="".join(tasks).encode())
    cli.run()
    cli("approve", "--all")


def shop(cli: Cli, ref: str = "orch/integration") -> str:
    return git("show", f"{ref}:shop.py", cwd=cli.folder)


def test_three_members_of_one_class(cli: Cli) -> None:
    """Named by a dry run, left by a merge, taken with --resolved, noted on the commits, and taken back by undo."""
    night(cli, member("total"), member("clear"), member("first"))
    plan = cli.json("merge", "--dry-run", ok=7)
    assert [(entry["id"], entry["with"], entry["proven"]) for entry in plan["resolutions"]] == [
        ("clear", ["total"], True),
        ("first", ["total", "clear"], True),
    ]
    assert all(entry["paths"] == ["shop.py"] and entry["evidence"] for entry in plan["resolutions"])
    merged = cli.json("merge", ok=7)
    assert [entry["id"] for entry in merged["merged"]] == ["total"]
    assert "clear" not in shop(cli)
    resolved = cli.json("merge", "--resolved")
    assert [entry["id"] for entry in resolved["merged"]] == ["clear", "first"]
    assert all(f"def {name}" in shop(cli) for name in ("total", "clear", "first"))
    lines = git("notes", "--ref=gitorch", "show", "orch/integration", cwd=cli.folder).split("\n")
    (noted,) = [line for line in map(json.loads, lines) if line["kind"] == "resolved"]
    assert noted["tree"] == git("rev-parse", "orch/integration^{tree}", cwd=cli.folder)
    assert noted["checks"] == ["test", "total: own", "clear: own", "first: own"]
    assert noted["inputs"][0]["result"] == git("rev-parse", "orch/integration:shop.py", cwd=cli.folder)
    cli("undo")
    assert "clear" not in shop(cli)
    again = cli.json("merge", "--dry-run", ok=7)
    assert again["resolved"] == [], "what was taken back is not remembered"


def test_a_check_refuses_a_wrong_resolution(cli: Cli) -> None:
    """Both sides are green alone, and their union is not: the conflict stays, and nothing is published."""
    night(cli, member("total", "! grep -q 'def clear' shop.py"), member("clear"))
    merged = cli.json("merge", "--resolved", ok=7)
    assert [entry["id"] for entry in merged["merged"]] == ["total"]
    (entry,) = merged["resolutions"]
    assert (entry["proven"], entry["reason"]) == (False, "check total: own fails")
    assert "clear" not in shop(cli)


def test_auto_publishes_what_is_proven_and_off_nothing(cli: Cli) -> None:
    night(cli, member("total"), member("clear"))
    assert "resolutions" not in cli.json("merge", "-c", "merge.resolve=off", "--dry-run", ok=7)
    assert "merge.resolve is off" in cli("merge", "-c", "merge.resolve=off", "--resolved", ok=2).stderr
    merged = cli.json("merge", "-c", "merge.resolve=auto")
    assert [entry["id"] for entry in merged["merged"]] == ["total", "clear"]


def test_auto_publishes_in_a_run(repository_folder: Path) -> None:
    """What finishes later conflicts with what the run has merged by itself, and goes in once it is proven."""
    commit(repository_folder, "shop", {"shop.py": SHOP})
    cli = Cli(repository_folder, OBEDIENT + CONFIG + '[merge]\nauto = "finished"\nresolve = "auto"\n')
    cli("submit", "-F", "-", input=(member("total") + member("clear")).encode())
    cli.run()
    assert cli.states() == {"total": "merged", "clear": "merged"}
    assert all(f"def {name}" in shop(cli) for name in ("total", "clear"))
    lines = git("notes", "--ref=gitorch", "show", "orch/integration", cwd=cli.folder).split("\n")
    (noted,) = [line for line in map(json.loads, lines) if line["kind"] == "resolved"]
    assert noted["tree"] == git("rev-parse", "orch/integration^{tree}", cwd=cli.folder)


def test_without_checks_a_resolution_is_only_shown(cli: Cli) -> None:
    night(cli, member("total"), member("clear", ""))
    merged = cli.json("merge", "--resolved", ok=7)
    assert [entry["id"] for entry in merged["merged"]] == ["total"]
    assert [entry["reason"] for entry in merged["resolutions"]] == ["clear has no check of its own"]
    assert "not proven: clear has no check of its own" in cli("merge", "--dry-run", ok=7).text


@terminal.NEEDED
def test_what_a_resolution_changed(cli: Cli, tmp_path: Path) -> None:
    """Only that: both sides as sides, the result with the side of each line, before and after it is published."""
    cli("submit", "-F", "-", input=(member("total") + member("clear")).encode())
    cli.run()
    environment = {**cli.environment, "PAGER": "cat", "NO_COLOR": "1"}
    with terminal.terminal(tmp_path, cli.folder, environment) as screen:
        screen.orchestrate("review", "clear")
        screen.shows("[d]iff [h]unks")
        screen.press("m")
        screen.shows("clear with total: proven by ", ">     def clear(self):", "[d]iff [h]unks")
        screen.press("a")
        screen.shows("approved clear")
    cli("approve", "total")
    text = cli("diff", "clear", "--resolution").text
    assert "clear with total: proven by " in text
    place = text.index("shop.py:4 (structure)")
    sides = ["total\n<\n<     def total(self):", "clear\n>\n>     def clear(self):", "the result\n"]
    positions = [text.index(side, place) for side in sides]
    assert positions == sorted(positions)
    assert text[positions[2] :].splitlines()[1:] == [
        "",
        "<     def total(self):",
        "          return 1",
        "",
        ">     def clear(self):",
        "          return 1",
    ]
    assert "__init__" not in text, "what no conflict is about is not shown"
    assert not [line for line in text.splitlines() if line.startswith(("+", "-"))]
    proposed = cli.json("diff", "clear", "--resolution")
    (entry,) = proposed["resolutions"]
    assert (entry["with"], entry["commit"], entry["proven"]) == (["total"], None, True)
    (hunk,) = entry["files"][0]["hunks"]
    assert hunk["result"] == [*hunk["ours"], *hunk["theirs"]]
    refused = cli.error("diff", "total", "--resolution", exit=3)
    assert (refused["code"], refused["fix"]) == ("no-resolution", ["orchestrate diff clear --resolution"])
    assert "--resolution takes no other options" in cli("diff", "clear", "--resolution", "--stat", ok=2).stderr
    cli("merge", "--resolved")
    published = cli.json("diff", "clear", "--resolution")
    (entry,) = published["resolutions"]
    assert entry["commit"] == git("rev-parse", "orch/integration", cwd=cli.folder)
    assert entry["files"][0]["hunks"] == [hunk]
    assert cli.error("diff", "total", "--resolution", exit=3)["code"] == "no-resolution"


@pytest.mark.parametrize("order", [("total", "clear", "first"), ("first", "total", "clear")])
def test_the_candidate_does_not_depend_on_what_finishes_first(cli: Cli, tmp_path: Path, order: tuple[str, ...]) -> None:
    """What finishes on top of a green candidate is proven as well, and in the order of the queue."""
    members = {"total": None, "clear": None, "first": "! grep -q 'def clear' shop.py"}
    tasks = [member(name, check, tmp_path / f"{name}.gate") for name, check in members.items()]
    cli("submit", "-F", "-", input="".join(tasks).encode())

    def is_judged(*names: str) -> bool:
        """Return whether a green candidate speaks of exactly these tasks."""
        candidate = cli.json("status")["candidate"]
        if candidate is None or candidate["checks"]["judgement"] != "green":
            return not names
        return {*candidate["tasks"], *(entry["id"] for entry in candidate["left_out"])} == {*names}

    with cli.start("run") as run:
        for place, name in enumerate(order):
            run.goes_on_until(functools.partial(is_judged, *order[:place]))
            (tmp_path / f"{name}.gate").touch()
        assert run.end().code == 0
    resolutions = cli.json("status")["candidate"]["resolutions"]
    assert [(entry["id"], entry["proven"], entry["reason"]) for entry in resolutions] == [
        ("clear", True, None),
        ("first", False, "check first: own fails"),
    ]
    assert [name for name in members if f"def {name}" in shop(cli, "orch/candidate")] == ["total", "clear"]


def test_the_candidate_carries_what_is_proven(cli: Cli) -> None:
    """`status`, `task`, `review` and `merge -n` name each with kind, evidence and sides; what is published is that."""
    refuting = "! grep -q 'def clear' shop.py"
    cli("submit", "-F", "-", input=(member("total") + member("clear") + member("first", refuting)).encode())
    cli.run()
    assert all(f"def {name}" in shop(cli, "orch/candidate") for name in ("total", "clear"))
    assert "first" not in shop(cli, "orch/candidate")
    (proven, refuted) = cli.json("status")["candidate"]["resolutions"]
    assert (proven["id"], proven["with"], proven["kinds"]) == ("clear", ["total"], ["structure"])
    assert proven["proven"]
    assert proven["evidence"]
    assert (refuted["id"], refuted["proven"], refuted["reason"]) == ("first", False, "check first: own fails")
    (file,) = proven["files"]
    sides = [git("cat-file", "blob", file[name], cwd=cli.folder) for name in ("base", "ours", "theirs", "result")]
    added = [[name for name in ("total", "clear") if f"def {name}" in side] for side in sides]
    assert added == [[], ["total"], ["clear"], ["total", "clear"]]
    assert git("rev-parse", "orch/candidate^{tree}", cwd=cli.folder) == proven["tree"]
    for words in (("status",), ("task", "clear"), ("review", "clear")):
        assert "with total in shop.py (structure): proven by " in cli(*words).text, words
    assert cli.json("task", "clear")["resolution"] == proven
    cli("approve", "total", "clear")
    assert "with total in shop.py (structure): proven by " in cli("merge", "--dry-run", ok=7).text
    (planned,) = cli.json("merge", "--dry-run", ok=7)["resolutions"]
    fields = ("id", "with", "paths", "kinds", "evidence", "proven", "files", "tree")
    assert {name: planned[name] for name in fields} == {name: proven[name] for name in fields}
    cli.json("merge", "--resolved")
    assert git("rev-parse", "orch/integration^{tree}", cwd=cli.folder) == proven["tree"]
