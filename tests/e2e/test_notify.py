"""A run tells a person what happens by `notify.command`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.cli import OBEDIENT, Cli, does, saved


def test_a_run_tells_of_its_end(repository_folder: Path, tmp_path: Path) -> None:
    """Each event is one call of the command; one that fails is a warning, and the run ends as it would."""
    log = tmp_path / "events"
    settings = f"""{OBEDIENT}[notify]\ncommand = ["/bin/sh", "-c", "cat >> {log}; echo >> {log}"]\n"""
    cli = Cli(repository_folder, settings)
    cli.queue(
        does("Work", saved("a.txt", "a"), id="work"),
        does("Fail", "exit 3", id="fail"),
    )
    cli.run(ok=(6, 9))
    events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    kinds = [event["kind"] for event in events]
    assert kinds[-1] == "run-ended"
    assert "1 finished" in events[-1]["title"]
    assert all(event["repository"] == str(cli.folder) for event in events)

    cli.queue(does("More", saved("b.txt", "b"), id="more"))
    answer = cli.run("--json", "-c", "notify.command=['/nonexistent/notify']")
    assert "a notification could not be sent" in answer.stream[-1]["troubles"][0]
