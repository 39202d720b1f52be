"""Draw the pictures of the README and the tutorial from what real commands print: `python docs/make_pictures.py [TO]`.

Each picture is taken in the demo's temporary repository, after the steps of the demo before it, and is written as a
light and a dark SVG. Nothing is drawn by hand: run it again after a change of what commands print. `--recordings` draws
only what `python -m tests.bench.recording` has recorded.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from gitorch.services import demo
from gitorch.services.demo import Demo

COLUMNS = 104
ROWS = 60
HERE = Path(__file__).resolve().parent

PICTURES = {
    "orchestrate status": "status",
    "orchestrate review": "review",
    "orchestrate diff add-a-users-table": "diff",
    "orchestrate merge --dry-run": "merge",
}
"""The steps of the demo that are drawn, and the names of their pictures."""


def _theme(background: str, foreground: str, colours: str) -> TerminalTheme:
    return TerminalTheme(_rgb(background), _rgb(foreground), [_rgb(colour) for colour in colours.split()])


def _rgb(code: str) -> tuple[int, int, int]:
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)


# black, red, green, yellow, blue, magenta, cyan, white
_LIGHT = _theme("ffffff", "24292f", "24292f b4141e 146e32 8c5a00 095ac8 783cbe 006e82 505a64")
_DARK = _theme("161b22", "e6edf3", "484f58 ff7b72 56d364 e3b341 79c0ff d2a8ff 56d4dd c9d1d9")
THEMES = {"": _LIGHT, "-dark": _DARK}

# rich's own frame loads a font over the network; ours loads nothing
_FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
  <style>
    .{unique_id}-matrix {{
      font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
      font-size: {char_height}px;
      line-height: {line_height}px;
      font-variant-east-asian: full-width;
    }}
    .{unique_id}-title {{ font-size: 18px; font-family: system-ui, sans-serif; }}
    {styles}
  </style>
  <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
  </defs>
  {chrome}
  <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
  </g>
</svg>
"""


def terminal_output(command: str, shop: Demo) -> str:
    """Return what a command prints on a terminal of its own, with its colours."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**shop.environment, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    environment.pop("NO_COLOR", None)
    words = [sys.executable, "-m", "gitorch", *command.split()[1:]]
    # narration is left out: a progress bar is erased by cursor movements, which a picture cannot follow
    process = subprocess.Popen(
        words, cwd=shop.repository, stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.DEVNULL, env=environment
    )
    os.close(slave)
    content = _read(master)
    os.close(master)
    process.wait()
    return content.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    """Read until the last process has closed the terminal."""
    content = b""
    while True:
        try:
            chunk = os.read(terminal, 65_536)
        except OSError:  # the end of a terminal on Linux
            return content
        if not chunk:
            return content
        content += chunk


def svg(title: str, shown: Text, name: str, theme: TerminalTheme) -> str:
    """Return an SVG of a terminal that shows a text."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="standard")
    console.print(shown)
    return console.export_svg(title=title, theme=theme, code_format=_FRAME, unique_id=name)


def draw(folder: Path, name: str, title: str, shown: Text) -> None:
    """Write a picture, light and dark."""
    for suffix, theme in THEMES.items():
        (folder / f"{name}{suffix}.svg").write_text(svg(title, shown, f"{name}{suffix}", theme), "utf-8")


def typed(line: str) -> Text:
    """Return a line behind a prompt, and the end of the line."""
    return Text.assemble(("$ ", "dim"), (line, "bold"), "\n")


def draw_recordings(target: Path) -> None:
    """Draw what terminals showed: one picture for each text file, with the typed lines as in the others."""
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted((HERE / "recordings").glob("*.txt")):
        shown = Text()
        for line in AnsiDecoder().decode(file.read_text("utf-8")):
            shown += typed(line.plain[2:]) if line.plain.startswith("$ ") else line + Text("\n")
        shown.rstrip()
        draw(target, file.stem, " in the ".join(file.stem.split("-")), shown)


def main(target: Path) -> None:
    """Run the demo, and draw each step that has a picture the first time it is reached."""
    pending = dict(PICTURES)
    with tempfile.TemporaryDirectory(prefix="gitorch-pictures-") as folder:
        shop = demo.build(Path(folder), os.environ)
        for _, command in demo.LOOP:
            if command in pending:
                shown = typed(command) + Text.from_ansi(terminal_output(command, shop))
                draw(target, pending.pop(command), command, shown)
            else:
                demo.call(shop, command)


if __name__ == "__main__":
    given = [word for word in sys.argv[1:] if word != "--recordings"]
    place = Path(given[0]) if given else HERE
    draw_recordings(place / "recordings")
    if "--recordings" not in sys.argv:
        main(place)
