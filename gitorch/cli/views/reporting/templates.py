"""The HTML templates of gitorch, compiled once for each installation."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket

from gitorch import data
from gitorch.storage import atomic

_FOLDER = Path(data.__file__).parent


class _CompiledTemplates(jinja2.BytecodeCache):
    """Compiled templates next to the compiled modules of `gitorch.data`, by the rules that Python has for those.

    Compiling takes 0.2 s, more than the rest of a report. Another folder, such as the user's cache, would be writable
    for agents that run without a sandbox, and what is in it is executed.
    """

    def load_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError), _file(bucket).open("rb") as file:
            bucket.load_bytecode(file)

    def dump_bytecode(self, bucket: Bucket) -> None:
        if sys.dont_write_bytecode:
            return
        with suppress(OSError):  # an installation that is read-only
            file = _file(bucket)
            file.parent.mkdir(parents=True, exist_ok=True)
            atomic.replace(file, bucket.bytecode_to_string(), concurrent=True)


def _file(bucket: Bucket) -> Path:
    source = _FOLDER / f"{bucket.key}.jinja-{jinja2.__version__}.py"
    return Path(cache_from_source(str(source)))


def environment() -> jinja2.Environment:
    """Return the environment that loads the templates of `gitorch.data`; what they show is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        bytecode_cache=_CompiledTemplates(),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
