"""Signals of changed checks: gitorch's own configuration, test runners, linters, scripts and Makefile targets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitorch.flow.review.signals.recipes import (
    JUSTFILES,
    MAKEFILES,
    NEEDS,
    OWN_FILES,
    ReadText,
    default_target,
    recipes,
    run_by_checks,
)
from gitorch.flow.review.signals.rules import is_in, signal
from gitorch.flow.review.signals.settings_diff import Settings, read_settings, weakened
from gitorch.flow.review.values import RiskSignal
from gitorch.git.diff.file_patches import NO_FILE, FilePatch

_JUDGING = ("checks.", "review.require_checks", "merge.verify")
_TOOLS = {
    "pyproject.toml": r"tool\.(?:pytest|coverage|mypy|ruff|(?:based)?pyright|pylint|flake8|tox|nox|bandit|ty)\b",
    "setup.cfg": r"(?:tool:pytest|mypy|flake8|coverage|pylint|pycodestyle)",
    "tox.ini": r"",
    "package.json": r"(?:jest|nyc|c8|vitest|mocha|ava|eslintConfig|xo|tap)\b",
    "Cargo.toml": r"(?:lints|workspace\.lints)\b",
    "tsconfig": r"(?:compilerOptions\.(?:strict|no[A-Z]|skipLibCheck|allow|checkJs|exact|use)|exclude)",
}
"""The settings in a file with other contents that are about checks."""

_CHECKING = re.compile(
    r"(?:^|[:_-])(?:tests?|checks?|lint|typecheck|types?|ci|verify|validate|cov(?:erage)?)(?:$|[:_-])"
)
_INSTALLS = frozenset({"preinstall", "install", "postinstall", "prepare", "prepublish", "prepublishOnly", "prepack"})
_IDLE = re.compile(
    r"^\s*(?:@?-?(?:true|:|exit 0|echo\b[^&|;]*|printf\b[^&|;]*))?\s*(?:(?:;|&&)\s*(?:exit 0|true))?\s*$"
)


def changed_checks(file: FilePatch, before: ReadText, after: ReadText) -> Iterator[RiskSignal]:
    """Yield the signals of one file that decides about checks."""
    name = file.path.rpartition("/")[2]
    if file.path in OWN_FILES:
        yield from _own(file, before, after)
    elif is_in(file.path, "runners"):
        yield from _runner(file, before, after)
    if name == "package.json":
        yield from _scripts(file, before, after)
    elif is_in(file.path, "commands") and not name.endswith((".sh", ".py", ".ini", ".yml", ".yaml")):
        yield from _targets(file, before, after)


def _versions(file: FilePatch, before: ReadText, after: ReadText) -> tuple[Settings | None, Settings | None]:
    """Return the settings of both versions; of one that does not exist, none at all."""
    return read_settings(file.old_path, before(file.old_path)), read_settings(file.path, after(file.path))


def _own(file: FilePatch, before: ReadText, after: ReadText) -> Iterator[RiskSignal]:
    old, new = _versions(file, before, after)
    if file.new_mode == NO_FILE:
        yield signal("checks-changed", "gitorch's configuration was deleted", file.path)
    elif old is None or new is None:
        yield signal("checks-changed", "gitorch's configuration cannot be read", file.path, 1)
    else:
        for key in sorted({*old, *new}):
            if old.get(key) == new.get(key):
                continue
            is_judging = key.startswith(_JUDGING) and (key in old or not key.startswith("checks."))
            word = "removed" if key not in new else "changed" if key in old else "added"
            kind = "checks-changed" if is_judging else "config-changed"
            subject = f"the check {key[7:]}" if key.startswith("checks.") else f"the setting {key}"
            yield signal(kind, f"{subject} was {word}", file.path, _line_of(file, key))


def _runner(file: FilePatch, before: ReadText, after: ReadText) -> Iterator[RiskSignal]:
    tools = next((tools for name, tools in _TOOLS.items() if name in file.path), "")
    if file.new_mode == NO_FILE:
        yield signal("check-weakened", "the configuration of a check was deleted", file.path)
        return
    old, new = _versions(file, before, after)
    if old is None or new is None:
        if not tools:
            yield signal("test-config", "the configuration of a check was changed", file.path, _first_line(file))
        return
    old, new = ({key: value for key, value in settings.items() if re.match(tools, key)} for settings in (old, new))
    changes = weakened(old, new) if file.old_mode != NO_FILE else {}
    for key, words in changes.items():
        yield signal("check-weakened", words, file.path, _line_of(file, key))
    other_keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key) and key not in changes]
    if other_keys and not changes:
        yield signal("test-config", f"{other_keys[0]} was changed", file.path, _line_of(file, other_keys[0]))


def _scripts(file: FilePatch, before: ReadText, after: ReadText) -> Iterator[RiskSignal]:
    old, new = _versions(file, before, after)
    run = run_by_checks(before)
    for key in sorted({*(old or {}), *(new or {})}):
        table, _, name = key.partition(".")
        if table != "scripts":
            continue
        earlier, later = ((settings or {}).get(key) for settings in (old, new))
        line = _line_of(file, key)
        if name in _INSTALLS and later is not None and later != earlier:
            yield signal("install-script", f"{name} runs by itself: {later}", file.path, line)
        elif earlier != later and earlier is None and key in run:
            yield signal("test-command", f"the script {name} was added, and a check runs it", file.path, line)
        elif earlier != later and earlier is not None and (_CHECKING.search(name) or key in run):
            yield _command(f"the script {name}", str(earlier), None if later is None else str(later), file.path, line)


def _targets(file: FilePatch, before: ReadText, after: ReadText) -> Iterator[RiskSignal]:
    earlier_text = before(file.old_path) if file.old_mode != NO_FILE else ""
    later_text = after(file.path) if file.new_mode != NO_FILE else ""
    old, new = recipes(earlier_text), recipes(later_text)
    run = run_by_checks(before)
    for name, recipe in old.items():
        if (_CHECKING.search(name) or name in run) and new.get(name) != recipe:
            yield _command(f"the target {name}", recipe, new.get(name), file.path, _line_of(file, name))
    first, later_first = default_target(earlier_text), default_target(later_text)
    has_default = file.path.rpartition("/")[2] in (*MAKEFILES, *JUSTFILES)
    if has_default and first and later_first and first != later_first:
        kind = "check-weakened" if first in run and _is_idle(new.get(later_first, "")) else "test-command"
        words = f"the target that runs by default is {later_first}, and was {first}"
        yield signal(kind, words, file.path, _line_of(file, later_first))
    if file.old_mode == NO_FILE and (hidden := _hidden_makefile(file.path, before)):
        yield signal("test-command", f"make reads it instead of {hidden}", file.path)


def _hidden_makefile(path: str, before: ReadText) -> str | None:
    """Return the Makefile that a new one beside it hides from make; None if there is none."""
    folder, slash, name = path.rpartition("/")
    later = MAKEFILES[MAKEFILES.index(name) + 1 :] if name in MAKEFILES else ()
    return next((other for other in later if before(f"{folder}{slash}{other}")), None)


def _command(what: str, old: str, new: str | None, path: str, line: int) -> RiskSignal:
    if new is None:
        return signal("check-weakened", f"{what} was removed", path, line)
    if not _is_idle(old) and _is_idle(new):
        return signal("check-weakened", f"{what} does nothing now", path, line)
    lost = [part.strip() for part in re.split(r"&&|\n|;", old) if part.strip() and part.strip() not in new]
    if lost and all(part.strip() in old for part in re.split(r"&&|\n|;", new)):
        return signal("check-weakened", f"{what} has no `{lost[0]}` any more", path, line)
    return signal("test-command", f"{what} was changed", path, line)


def _is_idle(recipe: str) -> bool:
    """Return whether a command does nothing and ends well; what a target needs first is no command of it."""
    lines = recipe.split("\n")
    commands = [line for line in lines if not line.startswith(NEEDS)]
    return all(map(_IDLE.match, commands)) and (bool(commands) or not lines)


def _line_of(file: FilePatch, key: str) -> int:
    """Return the line of a setting: an added line that names it, the place of a removed one, or the first change."""
    if file.new_mode == NO_FILE:
        return 0
    for name in reversed(re.split(r"[.:]", key)):
        pattern = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
        for line in (*file.added, *file.removed):
            if pattern.search(line.text):
                return line.new or 0
    return _first_line(file)


def _first_line(file: FilePatch) -> int:
    return min((line.new or 0 for line in (*file.added, *file.removed)), default=0)
