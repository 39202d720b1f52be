"""Packages whose modules are imported on first use (PEP 562), so that a command loads only what it needs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType


def submodules(package: str) -> Callable[[str], ModuleType]:
    """Return the `__getattr__` of a package: it imports a module when it is used as an attribute."""

    def import_module(name: str) -> ModuleType:
        full_name = f"{package}.{name}"
        try:
            return importlib.import_module(full_name)
        except ModuleNotFoundError as error:
            if error.name != full_name:
                raise
            raise AttributeError(f"module {package!r} has no attribute {name!r}") from None

    return import_module
