"""What the wheel and the sdist hold, and what an installed `git orchestrate --help` opens."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support import installed
from tests.support.cli import ROOT

SHARED = {
    "share/gitorch/skill/SKILL.md",
    "share/man/man1/orchestrate.1",
    "share/man/man1/git-orchestrate.1",
    "share/man/man1/gitorch.1",
    "share/bash-completion/completions/orchestrate",
    "share/zsh/site-functions/_orchestrate",
    "share/fish/vendor_completions.d/orchestrate.fish",
}
LARGEST_WHEEL, LARGEST_INSTALL, LARGEST_IMPORT = 1_670_000, 4_450_000, 370_000
"""Bytes: of the wheel, of its files, and of the modules of gitorch that `status` imports."""


def build(source: Path, folder: Path, *targets: str) -> None:
    words = [word for target in targets for word in ("-t", target)]
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder), *words]
    subprocess.run(command, cwd=source, check=True, capture_output=True)


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build(ROOT, folder, "wheel", "sdist")
    return folder


@pytest.fixture
def wheel(distributions: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(distributions.glob("*.whl")))


def names(wheel: zipfile.ZipFile) -> set[str]:
    """Return the files of a wheel; shared ones by their place below the prefix."""
    return {name.partition(".data/data/")[2] or name for name in wheel.namelist() if ".dist-info/" not in name}


def test_the_wheel_is_complete(wheel: zipfile.ZipFile) -> None:
    """Every file of the package, the hooks that can be run, and what shells, man and editors look for."""
    package = {
        str(path.relative_to(ROOT))
        for folder in (ROOT / "gitorch", ROOT / "gitorch/_hooks")
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    schemas = {f"share/gitorch/schemas/{path.name}" for path in (ROOT / "docs/schemas").iterdir()}
    assert names(wheel) == package | SHARED | schemas
    assert {"gitorch/data/report.html", "gitorch/data/hooks/pre-push", "gitorch/py.typed"} <= names(wheel)
    for entry in wheel.infolist():
        is_hook = entry.filename.startswith("gitorch/_hooks/") and not entry.filename.endswith((".md", "/chain"))
        assert not is_hook or entry.external_attr >> 16 & stat.S_IXUSR, entry.filename


def test_the_sdist_builds_the_same_wheel(distributions: Path, wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    assert {"tests", "docs", "hooks", "examples", ".ci", "README.md", "LICENSE"} <= {*os.listdir(source)}
    build(source, tmp_path / "dist", "wheel")
    (again,) = (tmp_path / "dist").iterdir()
    assert names(zipfile.ZipFile(again)) == names(wheel)


def test_sizes_stay_small(distributions: Path, wheel: zipfile.ZipFile) -> None:
    """What is downloaded, installed, and read at each start."""
    assert next(distributions.glob("*.whl")).stat().st_size < LARGEST_WHEEL
    assert sum(entry.file_size for entry in wheel.infolist()) < LARGEST_INSTALL
    code = (
        "import sys, os, gitorch.cli.main, gitorch.cli.commands.status as s, gitorch.services.open\n"
        "files = [m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'gitorch' and m.__file__]\n"
        "print(sum(map(os.path.getsize, files)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < LARGEST_IMPORT


def test_the_whole_loop_works_from_the_wheel(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Nothing that a night needs is only in the source tree. `.ci/wheel` does it with every Python of a machine."""
    for entry in wheel.infolist():
        if entry.filename.startswith("gitorch/"):
            place = Path(wheel.extract(entry, tmp_path / "site"))
            place.chmod(entry.external_attr >> 16 & 0o777 or 0o644)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    code = "import gitorch; print(gitorch.__file__)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(tmp_path / "site" / "gitorch" / "__init__.py")
    installed.check([sys.executable, "-P", "-m", "gitorch"], tmp_path / "loop", environment)


def test_git_help_opens_the_man_page(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """With a wheel installed below a prefix whose man pages are on MANPATH."""
    if not shutil.which("man"):
        pytest.skip("man is not installed")
    for entry in wheel.namelist():
        if "/share/man/" in entry:
            target = tmp_path / entry.partition(".data/data/")[2]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(wheel.read(entry))
    program = tmp_path / "bin/git-orchestrate"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "MANPATH": str(tmp_path / "share/man"), "PATH": path, "MANWIDTH": "100"}
    words = ["git", "-c", "help.format=man", "orchestrate", "--help"]
    done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for phrase in ("orchestrate merge", "EXIT STATUS", "--max-agents", "queue work for coding agents"):
        assert phrase in done.stdout.replace("\N{HYPHEN}", "-")


def test_the_man_page_is_valid() -> None:
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    page = ROOT / "docs/man/orchestrate.1"
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)
