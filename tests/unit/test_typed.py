"""Typed values in threads: msgspec by itself crashes the interpreter when two threads use a type for the first time."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from gitorch import typed

_FIRST_USES = """
import sys, threading
import msgspec
from gitorch import typed

class Builtin:
    from_object = staticmethod(lambda value, kind: msgspec.convert(value, kind))

def kinds():
    class Inner(msgspec.Struct):
        numbers: list[int] = []
        words: dict[str, list[str]] = {}
    class Outer(msgspec.Struct):
        inner: Inner
        pairs: dict[str, tuple[int, ...]] = {}
    return Outer, list[Outer]

library = {"gitorch": typed, "msgspec": Builtin}[sys.argv[1]]
sys.setswitchinterval(1e-6)
for _ in range(1_000):
    outer, several = kinds()
    start = threading.Barrier(2)
    values = []
    def use(kind, value):
        start.wait()
        values.append(library.from_object(value, kind))
    table = {"inner": {"numbers": [1]}, "pairs": {"a": [1, 2]}}
    threads = [threading.Thread(target=use, args=pair) for pair in ((outer, table), (several, [table]))]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert len(values) == 2
"""


def test_two_threads_use_a_type_for_the_first_time() -> None:
    subprocess.run([sys.executable, "-c", _FIRST_USES, "gitorch"], check=True, timeout=120)


def test_values_are_checked() -> None:
    assert typed.from_json(b"[1, 2]", tuple[int, ...]) == (1, 2)
    assert typed.from_json('{"a": null}') == {"a": None}
    assert typed.from_object({"1": "a"}, dict[int, str], text_keys=True) == {1: "a"}
    assert typed.from_msgpack(msgspec.msgpack.encode([1]), list[int]) == [1]
    with pytest.raises(msgspec.ValidationError):
        typed.from_object({"1": "a"}, dict[int, str])
    with pytest.raises(msgspec.DecodeError):
        typed.from_json(b"[1,", list[int])
