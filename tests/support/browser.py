"""A real browser without a window: what a page looks like to it, and what it does."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import msgspec
import pytest

_CHROMIUM = shutil.which("chromium")
NEEDED = pytest.mark.skipif(_CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
_DARK, _LIGHT = 0, 1
_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-extensions"),
    *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"),
)
_SECONDS = 120.0


class Visit(msgspec.Struct, frozen=True):
    """What came of opening a page: its document after scripts ran, the console, and the log of the network."""

    document: str
    console: str
    network: str


def visit(page: Path, folder: Path) -> Visit:
    """Open a page and let its scripts run."""
    network = folder / "network.json"
    done = _chromium(folder, f"--log-net-log={network}", "--dump-dom", page.as_uri())
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return Visit(done.stdout, console, network.read_text("utf-8", "replace"))


def corner_colour(page: Path, folder: Path, *, width: int, is_dark: bool) -> tuple[int, ...]:
    """Return the colour of the top left pixel of a page's picture, as red, green and blue."""
    picture = folder / f"{width}-{is_dark}.png"
    theme = f"--blink-settings=preferredColorScheme={_DARK if is_dark else _LIGHT}"
    _chromium(folder, theme, f"--window-size={width},900", f"--screenshot={picture}", page.as_uri())
    return _first_pixel(picture.read_bytes())


def _chromium(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = (str(_CHROMIUM), *_QUIET, f"--user-data-dir={folder / 'profile'}", *options)
    return subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=True)


def _first_pixel(png: bytes) -> tuple[int, ...]:
    """Return the first pixel of a PNG; every filter leaves this pixel as it is."""
    content, position = b"", 8
    while position < len(png):
        (length,) = struct.unpack(">I", png[position : position + 4])
        if png[position + 4 : position + 8] == b"IDAT":
            content += png[position + 8 : position + 8 + length]
        position += 12 + length
    return tuple(zlib.decompress(content)[1:4])
