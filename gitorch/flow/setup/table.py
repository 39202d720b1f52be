"""Toolchains that a table names: those whose commands depend on nothing but the files they are recognized by."""

from __future__ import annotations

from functools import cache

import msgspec

from gitorch import data
from gitorch.flow.setup.values import ProjectFiles, Setup, Toolchain


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of `toolchains.toml`, which explains its fields."""

    name: str
    files: tuple[str, ...]
    program: str
    checks: dict[str, str]
    contains: str = ""
    prepare: tuple[str, ...] = ()
    copy: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    is_last_resort: bool = False


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    toolchains: tuple[Row, ...]


def detect(files: ProjectFiles) -> list[Toolchain]:
    """Return the toolchains of the table that a project has; of rows with the same name, the first that fits."""
    toolchains: dict[str, Toolchain] = {}
    for row in rows():
        evidence = files.first(*row.files)
        if evidence and row.name not in toolchains and (not row.contains or files.matches([evidence], row.contains)):
            toolchains[row.name] = _toolchain(row, evidence, files)
    return list(toolchains.values())


@cache
def rows() -> tuple[Row, ...]:
    """Return the table, read once."""
    return data.load("toolchains.toml", _Table).toolchains


def _toolchain(row: Row, evidence: str, files: ProjectFiles) -> Toolchain:
    setups = [Setup(checks=row.checks)]
    if row.copy and set(row.copy) <= files.ignored:
        setups.append(Setup(checks=row.checks, copy=row.copy))
    if row.prepare:
        setups.append(Setup(checks=row.checks, run=row.prepare, hosts=row.hosts))
    return Toolchain(
        name=row.name,
        evidence=evidence,
        program=row.program,
        setups=tuple(setups),
        is_last_resort=row.is_last_resort,
    )
