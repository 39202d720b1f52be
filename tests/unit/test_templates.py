"""Templates are compiled once for each installation, and lexers are the ones that pygments would choose."""

from __future__ import annotations

import sys
from pathlib import Path
from types import CodeType

import jinja2
import pytest
from pygments import lexers
from pygments.util import ClassNotFound

from gitorch.cli.views.reporting import templates
from gitorch.cli.views.reporting.lexers import lexer_class

NAMES = (
    *("a.py", "a.h", "a.html", "a.pl", "a.m", "a.sql", "a.ts", "a.R", "a.json", "Makefile", "x.mk", "CMakeLists.txt"),
    *("Dockerfile", ".bashrc", "a.tar.gz", "README", "A.PY", "", "a.php5", "main.tf", "a.1", "a.toml", "*.py", "[a]"),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_lexer_is_the_one_of_pygments(name: str) -> None:
    """The quick choice agrees with the library's slow one."""
    try:
        expected = type(lexers.get_lexer_for_filename(name))
    except ClassNotFound:
        expected = None
    assert lexer_class(name) is expected


class _Compiles(jinja2.Environment):
    """Counts what is compiled."""

    count = 0

    def _compile(self, source: str, filename: str) -> CodeType:
        type(self).count += 1
        return super()._compile(source, filename)


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[_Compiles]:
    """Environments that count, with compiled files below `tmp_path`."""

    class Counted(_Compiles):
        pass

    monkeypatch.setattr(jinja2, "Environment", Counted)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "compiled"))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return Counted


def _load() -> None:
    environment = templates.environment()
    environment.filters |= {"line": str, "block": str, "short": str}
    environment.get_template("report.html")


def test_a_template_is_compiled_once(compiled: type[_Compiles], tmp_path: Path) -> None:
    """The second process that needs a template reads it compiled; what is no compiled template is replaced."""
    _load()
    _load()
    assert compiled.count == 1
    (file,) = (path for path in (tmp_path / "compiled").rglob("*") if path.is_file())
    file.write_bytes(b"no template")
    _load()
    _load()
    assert compiled.count == 2


def test_a_read_only_installation_compiles_each_time(compiled: type[_Compiles], tmp_path: Path) -> None:
    """Where nothing can be stored, and where Python is told to store nothing, templates still work."""
    (tmp_path / "compiled").write_text("not a folder")
    _load()
    _load()
    assert compiled.count == 2


def test_nothing_is_stored_where_python_stores_nothing(
    compiled: type[_Compiles], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PYTHONDONTWRITEBYTECODE is obeyed."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    _load()
    assert compiled.count == 1
    assert not (tmp_path / "compiled").exists()
