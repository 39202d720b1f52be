"""Python: the project manager by its lock file, the test runner and linters by their settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import tomli

from gitorch.flow.setup.values import ProjectFiles, Setup, Toolchain

_HOSTS = ("pypi.org", "files.pythonhosted.org")
_PROJECT = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "tox.ini", "pytest.ini", "Pipfile")
_NAMING_PYTEST = ("pyproject.toml", "setup.cfg", "setup.py", "tox.ini", "Pipfile", "noxfile.py")
_TEST_EXTRAS = ("test", "tests", "testing", "dev", "all")
_REQUIREMENTS = (
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-test.txt",
    "requirements_dev.txt",
    "dev-requirements.txt",
    "test-requirements.txt",
    "requirements/dev.txt",
    "requirements/test.txt",
    "requirements/tests.txt",
)
_MANAGERS = (
    ("uv", ("uv.lock",), "uv sync --quiet --frozen {}", "uv run --quiet --frozen "),
    ("poetry", ("poetry.lock",), "poetry install --quiet --no-interaction {}", "poetry run "),
    ("pdm", ("pdm.lock",), "pdm sync --quiet {}", "pdm run "),
    ("pipenv", ("Pipfile.lock",), "pipenv sync --dev {}", "pipenv run "),
)
"""Managers: their names, lock files, how they install what is locked, and how they run a program in its environment."""

_EXTRA = {"uv": "--extra", "poetry": "--extras", "pdm": "--group"}
"""The option with which a manager installs an extra, too."""

_VENV = "python3 -m venv .venv && echo '*' >.venv/.gitignore"
# the folder ignores itself: what a preparation makes is not an agent's work


def detect(files: ProjectFiles) -> list[Toolchain]:
    """Return the Python project at the top, if it has tests or linters."""
    evidence = files.first(*_PROJECT) or files.first("conftest.py", "tests/conftest.py", "manage.py")
    if not evidence and not any(re.fullmatch(r"(?:tests?/)?test_\w+\.py", path) for path in files.paths):
        return []
    settings = _pyproject(files)
    checks = _checks(files, settings)
    if not checks:
        return []
    for name, locks, install, run in _MANAGERS:
        if lock := files.first(*locks):
            setup = Setup(checks=_through(run, checks), run=(_installing(name, install, settings),), hosts=_HOSTS)
            return [Toolchain(name=name, evidence=lock, program=name, setups=(setup,))]
    if "hatch" in settings.get("tool", {}) and "envs" in settings["tool"]["hatch"]:
        setup = Setup(checks=_through("hatch run ", checks), hosts=_HOSTS)
        return [Toolchain(name="hatch", evidence="pyproject.toml", program="hatch", setups=(setup,))]
    return [
        Toolchain(
            name="python",
            evidence=evidence or "test files",
            program="python3",
            setups=(Setup(checks=_as_is(files, checks)), _virtual_environment(files, settings, checks)),
        )
    ]


def _checks(files: ProjectFiles, settings: Mapping[str, Any]) -> dict[str, str]:
    tool = settings.get("tool", {})
    tests = _test_command(files)
    checks = {"test": tests} if tests else {}
    if "ruff" in tool or files.first("ruff.toml", ".ruff.toml"):
        checks["lint"] = "python3 -m ruff check"
    elif files.first(".flake8") or files.matches(["setup.cfg", "tox.ini"], r"(?m)^\[flake8\]"):
        checks["lint"] = "python3 -m flake8"
    if "mypy" in tool or files.first("mypy.ini", ".mypy.ini"):
        names_files = "files" in tool.get("mypy", {}) or files.matches(["mypy.ini", ".mypy.ini"], r"(?m)^files\s*=")
        checks["types"] = "python3 -m mypy" if names_files else "python3 -m mypy ."
    return checks


def _test_command(files: ProjectFiles) -> str:
    requirements = [path for path in files.paths if "requirements" in path and path.endswith(".txt")]
    configured = files.first("pytest.ini", "conftest.py", "tests/conftest.py", "test/conftest.py")
    if configured or files.matches([*_NAMING_PYTEST, *requirements], r"\bpytest\b"):
        return "python3 -m pytest -q"
    if "manage.py" in files.paths:
        return "python3 manage.py test"
    tests = [path for path in files.paths if re.fullmatch(r"(?:(tests?)/)?(?:.+/)?test_?\w*\.py", path)]
    folders = {path.split("/")[0] for path in tests if "/" in path}
    if not tests:
        return ""
    folder = next((name for name in ("tests", "test") if name in folders), "")
    start = f" -s {folder} -t ." if folder and f"{folder}/__init__.py" in files.paths else f" -s {folder or '.'}"
    return f"python3 -m unittest discover -q{start}"


def _as_is(files: ProjectFiles, checks: Mapping[str, str]) -> dict[str, str]:
    """Return commands for the Python on the PATH, which must import this worktree and not an installed checkout."""
    has_src = any(path.startswith("src/") and path.endswith(".py") for path in files.paths)
    return {name: f"PYTHONPATH=src {command}" if has_src else command for name, command in checks.items()}


def _through(run: str, checks: Mapping[str, str]) -> dict[str, str]:
    return {name: run + command.replace("python3 ", "python ", 1) for name, command in checks.items()}


def _virtual_environment(files: ProjectFiles, settings: Mapping[str, Any], checks: Mapping[str, str]) -> Setup:
    words = [f"-r {path}" for path in _REQUIREMENTS if path in files.paths]
    if "project" in settings or files.first("setup.py", "setup.cfg"):
        extras = settings.get("project", {}).get("optional-dependencies", {})
        extra_names = ",".join(name for name in _TEST_EXTRAS if name in extras)
        words.append(f"-e '.[{extra_names}]'" if extra_names else "-e .")
    words += [f"--group {name}" for name in _TEST_EXTRAS if name in settings.get("dependency-groups", {})]
    modules = [command.split(" -m ")[1].split()[0] for command in checks.values() if " -m " in command]
    words += [module for module in modules if module not in ("unittest",)]
    pip = ".venv/bin/python -m pip install --quiet --disable-pip-version-check "
    commands = {name: command.replace("python3 ", ".venv/bin/python ", 1) for name, command in checks.items()}
    return Setup(checks=commands, run=(_VENV, *((pip + " ".join(words),) if words else ())), hosts=_HOSTS)


def _installing(manager: str, install: str, settings: Mapping[str, Any]) -> str:
    extras = settings.get("project", {}).get("optional-dependencies", {})
    extra = next((name for name in _TEST_EXTRAS if name in extras), "")
    options = [f"{_EXTRA[manager]} {extra}"] if extra and manager in _EXTRA else []
    if manager == "uv":  # which installs only the group dev unasked
        groups = settings.get("dependency-groups", {})
        options += [f"--group {name}" for name in _TEST_EXTRAS if name in groups and name != "dev"]
    return install.format(" ".join(options)).strip()


def _pyproject(files: ProjectFiles) -> dict[str, Any]:
    if "pyproject.toml" not in files.paths:
        return {}
    try:
        return tomli.loads(files.read("pyproject.toml"))
    except tomli.TOMLDecodeError:
        return {}
