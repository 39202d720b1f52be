"""The GitHub Action: its steps run, in a clone of a remote that has the branches and notes of a night."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.support import forkserver
from tests.support.cli import ROOT, Cli, does, saved
from tests.support.git import git

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]


def test_no_input_is_part_of_a_script() -> None:
    """Who can choose an input must not be able to write shell: inputs come as variables."""
    assert ACTION["runs"]["using"] == "composite"
    assert all("${{" not in step["run"] for step in STEPS)
    expressions = re.findall(r"\$\{\{ *([\w.-]+) *\}\}", json.dumps(ACTION))
    assert {name for name in expressions if name.startswith("inputs.")} <= {
        f"inputs.{name}" for name in ACTION["inputs"]
    }


def post(tmp_path: Path) -> Path:
    """Run the steps in the clone of a remote, with a `gh` that notes what it gets; return the folder of that."""
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    forkserver.server().install(programs)
    (programs / "gh").write_text('#!/bin/sh\nprintf "%s\\n" "$@" >"$0.words"; cat "$5" >"$0.body"\n')
    (programs / "gh").chmod(0o755)
    files = {name: str(tmp_path / name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_ENV")}
    environment = {**os.environ, **files, "RUNNER_TEMP": str(tmp_path), "PATH": f"{programs}:{os.environ['PATH']}"}
    values = {"REMOTE": "origin", "ISSUE": "12", "REPORT": str(tmp_path / "gitorch-report.md")}
    for step in STEPS[1:]:
        variables = Path(files["GITHUB_ENV"])
        values |= dict(line.split("=", 1) for line in variables.read_text().splitlines()) if variables.exists() else {}
        environment |= {"night": values.get("night", "")}
        subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=tmp_path / "clone",
            env={**environment, **{name: values.get(name, "") for name in step.get("env", {})}},
            check=True,
            stdin=subprocess.DEVNULL,
        )
    return programs


def test_the_report_is_posted(repository_folder: Path, tmp_path: Path) -> None:
    cli = Cli(repository_folder)
    cli.queue(does("Add a page", saved("page.txt", "p")), does("Add <b>search</b>", saved("search.txt", "s")))
    cli.run()
    cli("approve", "add-a-page")
    cli("merge")
    git("clone", "-q", "--bare", str(repository_folder), str(tmp_path / "origin"), cwd=tmp_path)
    git("push", "-q", str(tmp_path / "origin"), "refs/notes/gitorch", cwd=repository_folder)
    git("clone", "-q", str(tmp_path / "origin"), str(tmp_path / "clone"), cwd=tmp_path)
    programs = post(tmp_path)
    report = (tmp_path / "gitorch-report.md").read_text("utf-8")
    assert "2 of 2 tasks finished" in report
    assert "add-b-search-b" in report
    assert "<b>" not in report
    assert (tmp_path / "GITHUB_STEP_SUMMARY").read_text("utf-8") == report
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == f"report={tmp_path}/gitorch-report.md\n"
    assert (programs / "gh.words").read_text().split() == [
        "issue",
        "comment",
        "12",
        "--body-file",
        f"{tmp_path}/gitorch-report.md",
    ]
    assert (programs / "gh.body").read_text("utf-8") == report


def test_a_workspace_is_used_again(repository_folder: Path, tmp_path: Path) -> None:
    """A runner that keeps its clone, with a branch of gitorch's checked out, reports the night that was pushed last."""
    cli = Cli(repository_folder)
    cli.queue(does("Add a page", saved("page.txt", "p")))
    cli.run()
    refs = "refs/notes/gitorch:refs/notes/gitorch", "+refs/heads/*:refs/heads/*"
    git("init", "-q", "--bare", str(tmp_path / "origin"), cwd=tmp_path)
    git("push", "-q", str(tmp_path / "origin"), *refs, cwd=repository_folder)
    git("clone", "-q", "--branch", "orch/add-a-page", str(tmp_path / "origin"), str(tmp_path / "clone"), cwd=tmp_path)
    before = git("for-each-ref", cwd=tmp_path / "clone")
    post(tmp_path)
    assert "1 of 1 task finished" in (tmp_path / "gitorch-report.md").read_text("utf-8")
    cli("reject", "add-a-page")
    cli.queue(does("Add search", saved("search.txt", "s")))
    cli.run()
    git("push", "-q", "--prune", str(tmp_path / "origin"), *refs, cwd=repository_folder)
    post(tmp_path)
    report = (tmp_path / "gitorch-report.md").read_text("utf-8")
    assert "add-search" in report
    assert report.startswith("# clone: 1 of 2 tasks finished")
    assert git("for-each-ref", cwd=tmp_path / "clone") == before


def test_before_anything_is_pushed(repository_folder: Path, tmp_path: Path) -> None:
    """A remote without branches and notes of gitorch is no failure: the report says that there are no tasks."""
    git("clone", "-q", str(repository_folder), str(tmp_path / "clone"), cwd=tmp_path)
    post(tmp_path)
    assert "there are no tasks" in (tmp_path / "gitorch-report.md").read_text("utf-8")
