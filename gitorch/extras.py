"""The command that adds an extra to gitorch as it is installed here: from a folder, a wheel, git or an index."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


def install_command(extra: str, folders: Sequence[str] | None = None, environment: Path | None = None) -> str:
    """Return the command that installs an extra into this environment.

    `folders` are where packages are found (`sys.path`), `environment` is the folder of the interpreter's environment.
    """
    folders = sys.path if folders is None else folders
    environment = Path(sys.prefix) if environment is None else environment
    # not importlib.metadata: it takes 40 ms to import
    records = (record for folder in folders for record in sorted(Path(folder).glob("gitorch-*.dist-info")))
    record = next(records, None)
    source, parts = _source(record, extra) if record else ((f"gitorch[{extra}]",), ())
    python = environment / "bin" / "python"
    if (environment / "pipx_metadata.json").exists():
        words = ("pipx", "inject", "gitorch", *parts) if parts else ("pipx", "install", "--force", *source)
    elif (environment / "uv-receipt.toml").exists() and source:
        words = ("uv", "tool", "install", "--force", *source)
    elif any((Path(folder) / "pip").is_dir() for folder in folders):
        words = (str(python), "-m", "pip", "install", *source, *parts)
    else:
        words = ("uv", "pip", "install", "--python", str(python), *source, *parts)
    return shlex.join(words)


def _source(record: Path, extra: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return where gitorch came from, with the extra; or if that is gone, the packages that the extra consists of."""
    origin = _origin(record)
    url = str(origin.get("url", ""))
    if not url:
        return (f"gitorch[{extra}]",), ()
    if vcs := origin.get("vcs_info"):
        return (f"gitorch[{extra}] @ {vcs['vcs']}+{url}",), ()
    if not url.startswith("file:"):
        return (f"gitorch[{extra}] @ {url}",), ()
    path = Path(unquote(urlsplit(url).path))
    if path.exists():
        editable = ("--editable",) if origin.get("dir_info", {}).get("editable") else ()
        return (*editable, f"{path}[{extra}]"), ()
    metadata = (record / "METADATA").read_text("utf-8")
    parts = re.findall(rf"(?m)^Requires-Dist: ([^;\n]*?) *; *extra == ['\"]{re.escape(extra)}['\"]$", metadata)
    return (), tuple(parts)


def _origin(record: Path) -> Mapping[str, Any]:
    """Return what the installer wrote of the place that a package came from (PEP 610); empty for an index."""
    file = record / "direct_url.json"
    details = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return details if isinstance(details, dict) else {}
