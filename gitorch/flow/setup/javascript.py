"""JavaScript and TypeScript: the package manager by its lock file, and the scripts of `package.json`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from gitorch import typed
from gitorch.flow.setup.values import ProjectFiles, Setup, Toolchain

_REGISTRIES = ("registry.npmjs.org", "registry.yarnpkg.com")
_STUB = re.compile(r"no test specified")
_WATCHES = re.compile(r"--watch\b|--watchAll\b|\bnodemon\b")
_SCRIPTS = {
    "test": ("test",),
    "types": ("typecheck", "type-check", "check-types", "check:types", "types", "tsc"),
    "lint": ("lint",),
}
"""Checks, and the names of the scripts that they run: the first that exists."""


class Manager(msgspec.Struct, frozen=True):
    """A package manager: how it installs exactly what its lock file says, and how it runs scripts.

    `everywhere` runs a script in each package of a workspace that has it.
    """

    name: str
    install: str
    script: str
    everywhere: str
    hosts: tuple[str, ...] = _REGISTRIES[:1]


_NPM = Manager("npm", "npm ci", "npm run --silent {}", "npm run --silent {} --workspaces --if-present")
_UNLOCKED = Manager("npm", "npm install --no-save --no-package-lock", _NPM.script, _NPM.everywhere)
_PNPM = Manager(
    "pnpm", "pnpm install --frozen-lockfile", "pnpm run --silent {}", "pnpm --recursive run --if-present {}"
)
_YARN_1 = Manager(
    "yarn", "yarn install --frozen-lockfile", "yarn --silent run {}", "yarn --silent workspaces run {}", _REGISTRIES
)
_YARN = Manager("yarn", "yarn install --immutable", "yarn run {}", "yarn workspaces foreach --all run {}", _REGISTRIES)
_BUN = Manager("bun", "bun install --frozen-lockfile", "bun run --silent {}", "bun run --filter '*' {}")


def detect(files: ProjectFiles) -> list[Toolchain]:
    """Return the package at the top, or else the packages in folders of the top."""
    if package := _package(files, ""):
        return [package]
    folders = {path.split("/")[0] for path in files.paths if path.count("/") == 1 and path.endswith("/package.json")}
    packages = (_package(files.under(folder), folder) for folder in sorted(folders - {"node_modules"}))
    return [package for package in packages if package]


def _package(files: ProjectFiles, folder: str) -> Toolchain | None:
    package = _parsed(files, "package.json")
    if package is None:
        return None
    manager = _manager(files, package)
    checks = _checks(files, package, manager)
    if not checks:
        return None
    prefix = f"cd {folder} && " if folder else ""
    name = f"{manager.name} in {folder}" if folder else manager.name
    checks = {check: prefix + command for check, command in checks.items()}
    install = Setup(checks=checks, run=(prefix + manager.install,), hosts=manager.hosts)
    copied = tuple(f"{folder}/{path}" if folder else path for path in sorted(files.ignored) if _holds_modules(path))
    setups = [Setup(checks=checks)] if not _needs_modules(files, package) else []
    if copied:
        setups.append(Setup(checks=checks, copy=copied))
    return Toolchain(
        name=name,
        evidence=f"{folder}/package.json" if folder else "package.json",
        program=manager.name,
        setups=(*setups, install),
    )


def _manager(files: ProjectFiles, package: Mapping[str, Any]) -> Manager:
    declared = str(package.get("packageManager", ""))
    if files.first("pnpm-lock.yaml") or declared.startswith("pnpm@"):
        return _PNPM
    if files.first("bun.lock", "bun.lockb") or declared.startswith("bun@"):
        return _BUN
    if files.first("yarn.lock") or declared.startswith("yarn@"):
        return _YARN_1 if files.matches(["yarn.lock"], r"# yarn lockfile v1") else _YARN
    return _NPM if files.first("package-lock.json", "npm-shrinkwrap.json") else _UNLOCKED


def _checks(files: ProjectFiles, package: Mapping[str, Any], manager: Manager) -> dict[str, str]:
    scripts = _scripts(package)
    member_scripts: set[str] = set()
    if package.get("workspaces") or files.first("pnpm-workspace.yaml"):
        members = (path for path in files.paths if path.endswith("/package.json") and "node_modules/" not in path)
        member_scripts = {name for path in members for name in _scripts(_parsed(files, path) or {})}
    checks = {}
    for check, names in _SCRIPTS.items():
        if script := next((name for name in names if name in scripts), ""):
            checks[check] = manager.script.format(script)
        elif shared := next((name for name in names if name in member_scripts), ""):
            checks[check] = manager.everywhere.format(shared)
    if not checks and files.matches(["tsconfig.json"], r"\S") and "typescript" in _dependencies(package):
        checks["types"] = "node_modules/.bin/tsc --noEmit"
    return checks


def _scripts(package: Mapping[str, Any]) -> set[str]:
    """Return the scripts that end by themselves and do something."""
    scripts = package.get("scripts")
    texts = scripts if isinstance(scripts, dict) else {}
    return {
        name
        for name, text in texts.items()
        if isinstance(text, str) and text.strip() and not _STUB.search(text) and not _WATCHES.search(text)
    }


def _needs_modules(files: ProjectFiles, package: Mapping[str, Any]) -> bool:
    if _dependencies(package):
        return True
    members = (path for path in files.paths if path.endswith("/package.json") and "node_modules/" not in path)
    return any(_dependencies(_parsed(files, path) or {}) for path in members)


def _dependencies(package: Mapping[str, Any]) -> set[str]:
    tables = (package.get(key) for key in ("dependencies", "devDependencies", "optionalDependencies"))
    return {name for table in tables if isinstance(table, dict) for name in table}


def _holds_modules(path: str) -> bool:
    return path.split("/")[-1] in ("node_modules", ".pnp.cjs", ".yarn")


def _parsed(files: ProjectFiles, path: str) -> Mapping[str, Any] | None:
    if path not in files.paths:
        return None
    try:
        package = typed.from_json(files.read(path))
    except msgspec.DecodeError:
        return None
    return package if isinstance(package, dict) else None
