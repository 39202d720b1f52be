"""Instances whose modules are imported on first use, so that a run loads only the agents that it needs."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import TypeVar

_T = TypeVar("_T")


class Instances(Mapping[str, _T]):
    """One instance of each of these classes (`package.module:Class`), made when it is asked for."""

    def __init__(self, classes: Mapping[str, str]) -> None:
        self._classes = classes
        self._made: dict[str, _T] = {}

    def __getitem__(self, name: str) -> _T:
        if name not in self._made:
            module, _, class_name = self._classes[name].partition(":")
            self._made[name] = getattr(importlib.import_module(module), class_name)()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._classes

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)
