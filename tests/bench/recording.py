"""Record the first hour of a stranger in a clean Debian, typed into a real terminal.

    python -m tests.bench.recording ROOTS js rust go python      # ROOTS/js, ROOTS/rust, ...: see container.py

What the terminal showed goes to `docs/recordings`; `docs/make_pictures.py` draws it. The agent is a script that writes
a function and its test. Exits with 1 if a command fails or the work is not green. `first_hour.py` measures the same.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.first_hour import LIMIT, Kind, Stranger, build, kinds
from tests.support.cli import ROOT
from tests.support.terminal import Terminal, terminal

KINDS = {"js": "npm", "rust": "cargo", "go": "go", "python": "pip"}
RECORDINGS = ROOT / "docs/recordings"
COLUMNS = 104

EVENING = (
    "pip install --quiet gitorch-*.whl",
    "orchestrate demo --no-input >demo.txt 2>&1 && tail -n 2 demo.txt",
    "cd shop",
    "orchestrate init",
    "orchestrate config trust --yes",
    "git add .orchestrate.toml && git commit --quiet --message 'Configure gitorch'",
    "orchestrate submit 'Add a mean' --agent script",
    "orchestrate run",
)
MORNING = (
    "orchestrate review add-a-mean",
    "orchestrate merge",
    "orchestrate undo",
    "orchestrate status",
)
KEYS = {"orchestrate review add-a-mean": "a"}
"""What is pressed when a command asks."""

_PROMPT = re.compile(r"(?m)^(\d*)\$(?: |$)")
"""The prompt of the shell: the last exit code, if it is not 0, and a dollar."""


class Session:
    """A shell of the stranger on a terminal."""

    def __init__(self, screen: Terminal, stranger: Stranger) -> None:
        self.screen = screen
        stranger.environment |= {"PS1": "${?#0}$ ", "TERM": "screen-256color"}
        words = stranger.words(["bash", "--norc", "-i"], stranger.home)
        file = screen.folder / "enter.sh"
        file.write_text(f"exec {shlex.join(words)}\n")
        screen.type(f"exec sh {shlex.quote(str(file))}")
        screen.shows("\n$")

    def type(self, lines: Sequence[str]) -> str:
        """Type these lines one after the other, and return all that the terminal shows then, with its styles."""
        self.screen.clear()
        self.screen.press("Enter")
        self._wait(1, "the shell")
        for number, line in enumerate(lines, 2):
            self.screen.type(line)
            if key := KEYS.get(line):
                self.screen.shows("[d]iff")
                self.screen.press(key)
            self._wait(number, line)
        return _without_the_edges(self.screen.styled)

    def _wait(self, prompts: int, line: str) -> None:
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            shown = _PROMPT.findall(self.screen.text)
            if any(shown):
                sys.exit(f"error: {line} exits with {next(filter(None, shown))}:\n{self.screen.text}")
            if len(shown) >= prompts:
                return
            time.sleep(0.2)
        sys.exit(f"error: {line} does not end:\n{self.screen.text}")


def _without_the_edges(shown: str) -> str:
    """Return it without the empty lines around it and the prompt that waits for the next line."""
    lines = [line.rstrip() for line in shown.strip("\n").split("\n")]
    if lines[-1].endswith("$"):
        lines.pop()
    return "\n".join(lines) + "\n"


def record(kind: Kind, root: Path, wheel: Path, folder: Path) -> dict[str, str]:
    """Walk the path, and return what each half of it showed."""
    with (folder / "log").open("w") as log:
        stranger = Stranger(folder, "auto", log.write, root)
        stranger.begin(kind, {"script": kind.right})
        stranger.take(wheel)
        stranger.call("python3", "-m", "venv", "venv")
        size = (COLUMNS, 60)
        with terminal(folder, folder, {"PATH": os.environ["PATH"]}, size) as screen:
            session = Session(screen, stranger)
            halves = {"evening": session.type(EVENING), "morning": session.type(MORNING)}
        task = stranger.tasks()["add-a-mean"]
    if task["checks"]["passed"] is not True or task["state"] != "approved":
        sys.exit(f"error: {kind.name} is not green: {task}")
    return halves


def main() -> None:
    """Record each language, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", type=Path)
    parser.add_argument("languages", nargs="*", choices=KINDS, default=[*KINDS])
    options = parser.parse_args()
    RECORDINGS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gitorch-recording-") as temporary:
        wheel = build(Path(temporary, "dist"))
        for language in options.languages:
            folder = Path(temporary, language)
            folder.mkdir()
            begun = time.monotonic()
            halves = record(kinds()[KINDS[language]], options.roots.resolve() / language, wheel, folder)
            print(f"{language}: {time.monotonic() - begun:.0f} s, load {os.getloadavg()[1]:.0f}", flush=True)
            for half, shown in halves.items():
                (RECORDINGS / f"{language}-{half}.txt").write_text(shown)


if __name__ == "__main__":
    main()
