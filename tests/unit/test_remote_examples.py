"""The examples of workers: they are well formed, and start workers with options that exist."""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from gitorch.cli.commands.worker import worker_command
from gitorch.services.workers.server_and_tunnel import is_destination
from tests.support.cli import ROOT

EXAMPLES = ROOT / "examples" / "remote"
_CALL = re.compile(r"orchestrate (worker [^\n>&\"]*)")


def options(words: list[str]) -> dict[str, object]:
    """Return the options of a call of `orchestrate worker`; fail for one that it does not have."""
    assert words[0] == "worker"
    context: click.Context = worker_command.make_context("worker", words[1:], resilient_parsing=False)
    return context.params


def calls(path: Path) -> list[dict[str, object]]:
    text = (
        path.read_text("utf-8").replace("$home", "me@home").replace('"${TMPDIR:-/tmp}/gitorch-$SLURM_JOB_ID"', "/tmp/w")
    )
    return [options(shlex.split(call)) for call in _CALL.findall(re.sub(r"(?m)^\s*#.*$", "", text))]


@pytest.mark.parametrize("name", ["many-hosts.sh", "gitorch-worker.service", "workers.sbatch"])
def test_each_starts_a_worker_that_joins(name: str) -> None:
    """The line is one that `worker` understands."""
    (call,) = calls(EXAMPLES / name)
    assert is_destination(str(call["join"]))
    assert isinstance(call["slots"], int)


@pytest.mark.parametrize("name", ["many-hosts.sh", "workers.sbatch"])
def test_scripts_are_scripts(name: str) -> None:
    """A shell reads them to their ends."""
    subprocess.run(["/bin/sh", "-n", str(EXAMPLES / name)], check=True)


def test_the_unit_lets_agents_end() -> None:
    """systemd sends SIGTERM to the worker alone, and waits."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(EXAMPLES / "gitorch-worker.service")
    assert unit.sections() == ["Unit", "Service", "Install"]
    assert unit["Service"]["KillMode"] == "mixed"
    assert unit["Service"]["TimeoutStopSec"] == "2h"


def test_the_deployment_is_whole() -> None:
    """Labels match, volumes are there, and the call is one of `worker`."""
    manifest = yaml.safe_load((EXAMPLES / "workers.yaml").read_text("utf-8"))
    assert (manifest["apiVersion"], manifest["kind"]) == ("apps/v1", "Deployment")
    template = manifest["spec"]["template"]
    assert manifest["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
    (container,) = template["spec"]["containers"]
    assert container["args"][0] == "orchestrate"
    assert options(container["args"][1:])["prefix"] == "ssh://me@home"
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in template["spec"]["volumes"]
    }
