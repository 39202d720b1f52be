"""Signals of dependencies that a branch adds, changes or removes, in the manifests of the usual languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gitorch.flow.review.signals.recipes import ReadText
from gitorch.flow.review.signals.rules import signal
from gitorch.flow.review.signals.settings_diff import Settings, read_settings
from gitorch.flow.review.values import RiskSignal
from gitorch.git.diff.file_patches import NO_FILE, FilePatch
from gitorch.git.diff.patch_lines import PatchLine

_TABLES = {
    "package.json": r"(?:dev|peer|optional|bundled)?[dD]ependencies\.(.+)",
    "Cargo.toml": r"(?:.*\.)?(?:dev-|build-)?dependencies\.([^.]+)",
    "composer.json": r"require(?:-dev)?\.(.+)",
    "Pipfile": r"(?:dev-)?packages\.([^.]+)",
    "pyproject.toml": r"tool\.poetry\.(?:group\.[^.]+\.)?(?:dev-)?dependencies\.([^.]+)",
}
"""The settings that are dependencies; the group is the name."""

_LISTS = re.compile(
    r"project\.dependencies|project\.optional-dependencies\..+|dependency-groups\..+|build-system\.requires"
)
_LINES = {
    r"(?:^|/)(?:requirements|constraints)[\w./-]*\.(?:txt|in)$": (
        r"^\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:[=<>!~@;#]|$)"
    ),
    r"(?:^|/)go\.mod$": r"^\s*(?:require )?([\w.-]+\.[a-z]+/\S+)\s+v\S+",
    r"(?:^|/)Gemfile$|\.gemspec$": r"""^\s*(?:gem|s(?:pec)?\.add_\w*dependency)\s*\(?["']([^"']+)["']""",
    r"(?:^|/)pom\.xml$": r"<artifactId>([^<]+)</artifactId>",
    r"\.gradle(?:\.kts)?$": (r"""^\s*(?:implementation|api|\w+Only|test\w+|kapt)\s*\(?["']([^"':]+:[^"':]+)"""),
    r"(?:^|/)mix\.exs$": r"^\s*\{:(\w+),",
    r"(?:^|/)environment\.ya?ml$": r"^\s*-\s*([a-z][\w.-]*)\s*(?:[=<>]|$)",
}
"""Lines that are dependencies, by the path of their file; the group is the name."""


def dependency_signals(file: FilePatch, before: ReadText, after: ReadText) -> Iterator[RiskSignal]:
    """Yield the signals of a manifest's changed dependencies."""
    old, new = _dependencies(file, before, after)
    for name in sorted({*old, *new}):
        earlier, later = old.get(name), new.get(name)
        if earlier == later:
            continue
        line = _line_of(file, name)
        if earlier is None:
            yield signal("dependency-added", f"a new dependency: {name}{_source(later)}", file.path, line)
        else:
            word = "removed" if later is None else "changed"
            yield signal("dependency-changed", f"the dependency {name} was {word}{_source(later)}", file.path, line)


def _dependencies(file: FilePatch, before: ReadText, after: ReadText) -> tuple[dict[str, str], dict[str, str]]:
    name = file.path.rpartition("/")[2]
    if name in _TABLES:
        old = _declared(name, read_settings(_as_toml(file.old_path), before(file.old_path)))
        return old, _declared(name, read_settings(_as_toml(file.path), after(file.path)))
    pattern = next((line for path, line in _LINES.items() if re.search(path, file.path)), "")
    if not pattern:
        return {}, {}
    return _in_lines(pattern, file.removed), _in_lines(pattern, file.added)


def _as_toml(path: str) -> str:
    return f"{path}.toml" if path.endswith("Pipfile") else path


def _declared(name: str, settings: Settings | None) -> dict[str, str]:
    declared: dict[str, str] = {}
    for key, value in (settings or {}).items():
        if match := re.fullmatch(_TABLES[name], re.sub(r"\.(?:version|git|path|url|features|optional)$", "", key)):
            declared[match[1]] = declared.get(match[1], "") + str(value)
        elif name == "pyproject.toml" and _LISTS.fullmatch(key) and isinstance(value, list):
            declared |= dict(map(_requirement, filter(_is_text, value)))
    declared.pop("python", None)
    return declared


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _requirement(text: str) -> tuple[str, str]:
    name = re.match(r"[\w.-]*", text)
    return (name[0].lower().replace("_", "-") if name else text), text


def _in_lines(pattern: str, lines: list[PatchLine]) -> dict[str, str]:
    matches = [(line.text.strip(), re.search(pattern, line.text)) for line in lines]
    return {match[1]: text for text, match in matches if match}


def _source(requirement: str | None) -> str:
    """Say that a dependency does not come from the registry."""
    is_elsewhere = requirement and re.search(r"git\+|https?://|git@|file:|\.git\b|github:", requirement)
    return " (not from the registry)" if is_elsewhere else ""


def _line_of(file: FilePatch, name: str) -> int:
    if file.new_mode == NO_FILE:
        return 0
    pattern = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.I)
    line = next((line for line in file.added if pattern.search(line.text.replace("_", "-"))), None)
    return (line.new or 0) if line else (file.hunks[0].new if file.hunks else 0)
