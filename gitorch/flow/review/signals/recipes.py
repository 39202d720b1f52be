"""Targets of Makefiles and justfiles, scripts of `package.json`, and which of them the checks of a repository run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

from gitorch.flow.review.signals.settings_diff import read_settings

ReadText: TypeAlias = Callable[[str], str]
"""Returns the content of a path at one commit; an empty text if there is no such file."""

OWN_FILES = (".orchestrate.toml", ".orchestrate.local.toml")
CHECKS = "checks."
NEEDS = "needs "
MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
"""The files that make looks for, in its order."""

JUSTFILES = ("justfile", "Justfile", ".justfile")
_PACKAGE = "package.json"
_SCRIPTS = "scripts."
_DEFAULT = ""
_TARGET = re.compile(r"^@?([A-Za-z_][\w./-]*)(?: [\w=\"' ]*)?:(?!=)(.*)$")
_GOAL = re.compile(r"^\.DEFAULT_GOAL\s*:?:?=\s*([\w./-]+)", re.MULTILINE)
_SEPARATOR = re.compile(r"&&|\|\|?|;|\n")
_MAKE = re.compile(r"(?:^|[\s@+(-])(?:g?make|\$[({]MAKE[)}])((?:\s+\S+)*)$")
_JUST = re.compile(r"(?:^|[\s@])just((?:\s+\S+)*)$")
_PACKAGE_MANAGER = re.compile(r"(?:^|[\s@])(?:npm|yarn|pnpm|bun)((?:\s+\S+)+)$")
_WITH_VALUE = frozenset({"-C", "-f", "-I", "-o", "-W", "--directory", "--file", "--justfile", "--working-directory"})
_NO_NAME = re.compile(r"^-|^\d*[<>]|=|^\d+$")
_SHORT_NAMES = {"t": "test", "tst": "test"}


def recipes(text: str) -> dict[str, str]:
    """Return the recipe of each target of a Makefile or justfile, with what it needs in the first line."""
    recipe_lines: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.split("\n"):
        if match := _TARGET.match(line):
            lines = recipe_lines.setdefault(match[1], [])
            if match[2].strip():
                lines.append(NEEDS + match[2].strip())
        elif line.startswith((" ", "\t")) and line.strip() and not line.strip().startswith("#"):
            lines.append(line.strip())
        elif line.strip() and not line.startswith("#"):
            lines = []
    return {name: "\n".join(recipe) for name, recipe in recipe_lines.items()}


def default_target(text: str) -> str | None:
    """Return the target of a Makefile or justfile that runs if none is named: the first one; None if there is none."""
    goals = _GOAL.findall(text)
    return goals[-1] if goals else next(iter(recipes(text)), None)


def run_by_checks(before: ReadText) -> frozenset[str]:
    """Return the targets and scripts that the checks of a commit run, also by way of others.

    Targets are names; scripts are settings: `scripts.test`.
    """
    settings = read_settings(OWN_FILES[0], before(OWN_FILES[0])) or {}
    pending = [command for key, command in settings.items() if key.startswith(CHECKS) and isinstance(command, str)]
    if not pending:
        return frozenset()
    makefile = next((text for path in MAKEFILES if (text := before(path))), "")
    justfile = next((text for path in JUSTFILES if (text := before(path))), "")
    targets = {"just": recipes(justfile), "make": recipes(makefile)}
    defaults = {"just": default_target(justfile), "make": default_target(makefile)}
    scripts = read_settings(_PACKAGE, before(_PACKAGE)) or {}
    called_names: set[tuple[str, str]] = set()
    while pending:
        for program, name in _called(pending.pop()):
            called = (program, name if name != _DEFAULT else defaults.get(program) or _DEFAULT)
            if called in called_names:
                continue
            called_names.add(called)
            recipe = scripts.get(called[1]) if program == "run" else targets[program].get(called[1])
            if not isinstance(recipe, str):
                continue
            pending.append(recipe)
            if recipe.startswith(NEEDS):
                needed = recipe.partition("\n")[0].removeprefix(NEEDS)
                pending += [f"{program} {word}" for word in re.findall(r"[A-Za-z_][\w./-]*", needed)]
    return frozenset(name for _, name in called_names if name)


def _called(command: str) -> Iterator[tuple[str, str]]:
    """Yield what a command runs, each as a program and a target or a setting; no target is the default one."""
    for part in _SEPARATOR.split(command):
        for program, pattern in (("make", _MAKE), ("just", _JUST)):
            if match := pattern.search(part.strip()):
                names = _names(match[1].split())
                yield from ((program, name) for name in (names[:1] if program == "just" else names) or [_DEFAULT])
        if match := _PACKAGE_MANAGER.search(part.strip()):
            words = _names(match[1].split())
            name = next(iter(words[words.index("run") + 1 :] if "run" in words else words), "")
            name = _SHORT_NAMES.get(name, name)
            yield from (("run", f"{_SCRIPTS}{prefix}{name}") for prefix in ("pre", "", "post") if name)


def _names(words: list[str]) -> list[str]:
    """Return the words of a command that are no options, no values of options, no settings and no numbers."""
    earlier = ["", *words]
    pairs = zip(words, earlier, strict=False)
    return [
        word
        for word, before in pairs
        if before not in _WITH_VALUE
        and not word.startswith(("-", ">", "2>"))
        and "=" not in word
        and not word.isdigit()
    ]
