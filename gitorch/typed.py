"""Typed values from JSON, MessagePack and plain objects, safe in threads.

msgspec (0.17 to 0.22) builds its description of a struct when the struct is first used, and crashes with signal 11 if a
second thread uses the struct meanwhile. So every description is built here, under a lock. ruff refuses the functions of
msgspec everywhere else.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")

_lock = threading.Lock()
_described: set[Any] = set()


@overload
def from_object(value: object, kind: type[T], *, text_keys: bool = False) -> T: ...
@overload
def from_object(value: object, kind: Any, *, text_keys: bool = False) -> Any: ...
def from_object(value: object, kind: Any, *, text_keys: bool = False) -> Any:
    """Return plain values as a typed one; raise `msgspec.ValidationError` if they are invalid.

    With `text_keys`, keys of mappings are texts, as in TOML, whatever their type will be.
    """
    _describe(kind)
    return msgspec.convert(value, kind, str_keys=text_keys)


@overload
def from_json(content: bytes | str, kind: type[T]) -> T: ...
@overload
def from_json(content: bytes | str, kind: Any = Any) -> Any: ...
def from_json(content: bytes | str, kind: Any = Any) -> Any:
    """Return the value of a JSON text; raise `msgspec.DecodeError` if it is not JSON or not of this type."""
    _describe(kind)
    try:
        return msgspec.json.decode(content, type=kind)
    except RecursionError as error:
        raise msgspec.DecodeError("it is nested too deeply") from error


def from_msgpack(content: bytes | memoryview, kind: type[T]) -> T:
    """Return the value of a MessagePack text; raise `msgspec.DecodeError` if it is invalid."""
    _describe(kind)
    try:
        return msgspec.msgpack.decode(content, type=kind)
    except RecursionError as error:
        raise msgspec.DecodeError("it is nested too deeply") from error


def _describe(kind: Any) -> None:
    if kind not in _described:
        with _lock:
            msgspec.convert([], list[kind])
            _described.add(kind)
