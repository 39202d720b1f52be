"""A morning with a stopwatch: from `orchestrate` to everything merged, at a terminal.

    python -m tests.bench.stopwatch

Ten finished branches: eight good ones, one whose check fails, and one that conflicts with another. A person at a
terminal of 80 columns looks, approves, sends the bad one back with a comment, merges, lets the conflict be done again,
and merges that. Every key is pressed through tmux and counted; the words of the comment are not. What agents and checks
do takes no time here, so the seconds are gitorch's own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.git import CONFIG
from tests.support.terminal import Terminal, terminal

GOOD = 8

AGENT = """\
#!/bin/sh -e
brief=$(cat)
name=$(printf '%s' "$brief" | sed -n 's/^# Task: Write //p' | head -1)
case "$name" in
one) sed -i 's/^shared.*/shared by one/' shared.txt ;;
clash) sed -i "s/^shared.*/$(cat shared.txt) and clash/" shared.txt ;;
esac
echo "$name" > "$name.txt"
case "$brief" in
*"Comments of the review"*) rm -f bad.mark ;;
*) test "$name" != bad || echo x > bad.mark ;;
esac
git add -A; git commit -qm "Write $name"
"""
NAMES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "bad", "clash")
"""Eight good ones, the bad one, and the one that conflicts with the first."""


def main() -> None:
    """Prepare the night, work through the morning, and print a table of what that took."""
    with tempfile.TemporaryDirectory(prefix="gitorch-stopwatch-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        environment = _environment(folder)
        repository = _night(folder, environment)
        rows = _morning(folder, repository, environment)
    print("| step | commands | keys | seconds |\n|---|---|---|---|")
    for step, commands, keys, seconds in rows:
        print(f"| {step} | {commands} | {keys} | {seconds:.1f} |")
    commands, keys = sum(row[1] for row in rows), sum(row[2] for row in rows)
    print(f"| **all** | **{commands}** | **{keys}** | **{sum(row[3] for row in rows):.1f}** |")


def _environment(folder: Path) -> dict[str, str]:
    home = folder / "home"
    (home / "config" / "gitorch").mkdir(parents=True)
    (home / "gitconfig").write_text(CONFIG)
    agent, editor = folder / "agent.sh", folder / "editor.sh"
    agent.write_text(AGENT)
    editor.write_text('#!/bin/sh\nsed -i -e "1i remove the mark" "$1"\n')
    for program in (agent, editor):
        program.chmod(0o755)
    (home / "config" / "gitorch" / "config.toml").write_text(
        f'agent = "worker"\n[agents.worker]\nkind = "command"\ncommand = ["{agent}"]\n'
        '[checks]\ntest = "test ! -e bad.mark"\n'
    )
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GITORCH_SANDBOX_MODE": "off",
        "LANG": "C.UTF-8",
        "PAGER": "cat",
        "VISUAL": str(editor),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def _night(folder: Path, environment: Mapping[str, str]) -> Path:
    """Return a repository with ten finished tasks."""
    repository = folder / "repo"
    repository.mkdir()

    def call(*words: str) -> None:
        subprocess.run(words, cwd=repository, env=environment, check=True, capture_output=True)

    call("git", "init", "-q", "-b", "main")
    (repository / "shared.txt").write_text("shared\n")
    call("git", "add", "-A")
    call("git", "commit", "-qm", "Start")
    for name in NAMES:
        call("orchestrate", "submit", f"Write {name}")
    subprocess.run(["orchestrate", "run", "-q"], cwd=repository, env=environment, check=False, capture_output=True)
    return repository


Row = tuple[str, int, int, float]
"""A step: what it is, commands, keys, seconds."""


def _morning(folder: Path, repository: Path, environment: Mapping[str, str]) -> list[Row]:
    rows: list[Row] = []
    with terminal(folder, repository, environment, (80, 24)) as screen:
        screen.type("PS1='ready> '")
        screen.shows("ready> '", "ready> ")

        def step(what: str, *lines: str, says: str = "") -> None:
            started, strokes = time.monotonic(), screen.strokes
            for line in lines:
                screen.clear()
                screen.type(line)
                if line == "orchestrate review":
                    _verdicts(screen)
                    continue
                screen.settled(says, "ready> ")
            rows.append((what, len(lines), screen.strokes - strokes, time.monotonic() - started))

        step("look", "orchestrate")
        step("review ten branches: nine approved, one sent back", "orchestrate review")
        step("merge: eight go in, one conflicts", "orchestrate merge", says="conflict")
        step("the bad one and the conflict are done again", "orchestrate retry write-clash", "orchestrate run -q")
        step("review these two", "orchestrate review")
        step("merge the rest", "orchestrate merge")
    answer = subprocess.run(
        ["git", "ls-tree", "--name-only", "orch/integration"],
        cwd=repository,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    missing = {f"{name}.txt" for name in NAMES} - set(answer.stdout.split())
    if missing:
        raise SystemExit(f"not merged: {', '.join(sorted(missing))}")
    return rows


def _verdicts(screen: Terminal) -> None:
    """Give a verdict on each card that is shown: what fails is sent back, the rest approved."""
    while True:
        shown = screen.settled("")
        text = "\n".join(shown).rstrip()
        if text.endswith("ready>"):
            return
        if not text.endswith("[?]"):
            time.sleep(0.05)
            continue
        screen.clear()
        screen.press("r" if "exit code" in text else "a")


if __name__ == "__main__":
    main()
