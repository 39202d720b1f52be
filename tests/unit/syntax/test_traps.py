"""Conflicts where no merge is right: nothing is proposed."""

# ruff: noqa: E501 (one version of a file is one line)
from __future__ import annotations

import pytest

from gitorch.syntax import propose

# name of the file, base, ours, theirs
TRAPS = {
    "both change one signature": (
        "a.py",
        "def f(a):\n    return a\n",
        "def f(a, b):\n    return a + b\n",
        "def f(a, c):\n    return a * c\n",
    ),
    "both append a required parameter": (
        "a.py",
        "def f(a):\n    return a\n",
        "def f(a, b):\n    use(b)\n    return a\n",
        "def f(a, c):\n    return a\n",
    ),
    "both append a parameter in go": (
        "a.go",
        "package a\n\nfunc f(a int) {\n\tx()\n}\n",
        "package a\n\nfunc f(a int, b int) {\n\tx()\n}\n",
        "package a\n\nfunc f(a int, c string) {\n\tx()\n}\n",
    ),
    "the same function twice with other bodies": (
        "a.py",
        "x = 1\n",
        "x = 1\n\n\ndef f():\n    return 1\n",
        "x = 1\n\n\ndef f():\n    return 2\n",
    ),
    "the same method twice in java": (
        "A.java",
        "class A {\n    int x;\n}\n",
        "class A {\n    int x;\n\n    int f() {\n        return 1;\n    }\n}\n",
        "class A {\n    int x;\n\n    int f() {\n        return 2;\n    }\n}\n",
    ),
    "the same function twice in rust": (
        "a.rs",
        "const X: i32 = 1;\n",
        "const X: i32 = 1;\n\nfn f() -> i32 {\n    1\n}\n",
        "const X: i32 = 1;\n\nfn f() -> i32 {\n    2\n}\n",
    ),
    "deleted here and changed there": (
        "a.py",
        "x = 1\n\n\ndef f():\n    return 1\n\n\ny = 2\n",
        "x = 1\n\n\ny = 2\n",
        "x = 1\n\n\ndef f():\n    return 2\n\n\ny = 2\n",
    ),
    "the same dictionary key": (
        "a.py",
        'd = {\n    "a": 1,\n}\n',
        'd = {\n    "a": 1,\n    "b": 2,\n}\n',
        'd = {\n    "a": 1,\n    "b": 3,\n}\n',
    ),
    "the same keyword argument": ("a.py", "f(a)\n", "f(a, b=1)\n", "f(a, b=2)\n"),
    "the same json key": ("a.json", '{"a": 1}\n', '{"a": 1, "b": 2}\n', '{"a": 1, "b": 3}\n'),
    "the same yaml key": ("a.yaml", "a: 1\n", "a: 1\nb: 2\n", "a: 1\nb: 3\n"),
    "the same toml key": ("a.toml", "a = 1\n", "a = 1\nb = 2\n", "a = 1\nb = 3\n"),
    "the same toml table": ("a.toml", "[a]\nx = 1\n", "[a]\nx = 1\n\n[b]\ny = 1\n", "[a]\nx = 1\n\n[b]\nz = 2\n"),
    "overlapping renames": (
        "a.py",
        "def f(value):\n    return value\n",
        "def f(amount):\n    return amount\n",
        "def f(number):\n    return number\n",
    ),
    "an import that shadows": (
        "a.py",
        "import os\n",
        "import os\nfrom a import load\n",
        "import os\nfrom b import load\n",
    ),
    "an import that a definition shadows": (
        "a.py",
        "import os\n\nx = 1\n",
        "import os\nfrom a import load\n\nx = 1\n",
        "import os\n\nx = 1\n\n\ndef load():\n    pass\n",
    ),
    "reordered parameters here, a new one there": (
        "a.py",
        "def f(a, b=1):\n    pass\n",
        "def f(b, a=1):\n    pass\n",
        "def f(a, b=1, c=2):\n    pass\n",
    ),
    "keyword-only parameters here, a new one there": (
        "a.py",
        "def f(a, b=1):\n    pass\n",
        "def f(a, *, b=1):\n    pass\n",
        "def f(a, c=2, b=1):\n    pass\n",
    ),
    "renamed here and newly used there": (
        "a.py",
        "def f(name):\n    start()\n    run(name)\n",
        "def f(names):\n    start()\n    run(names)\n",
        "def f(name):\n    start(name)\n    run(name)\n    stop(name)\n",
    ),
    "a method renamed here and newly used there": (
        "a.py",
        "class A:\n    def load(self):\n        return 1\n\n    def run(self):\n        return 2\n",
        "class A:\n    def read(self):\n        return 1\n\n    def run(self):\n        return 2\n\n    def stop(self):\n        return 4\n",
        "class A:\n    def load(self):\n        return 1\n\n    def run(self):\n        return 2\n\n    def again(self):\n        return self.load()\n",
    ),
    "two early returns with the same test": (
        "a.py",
        "def f(x):\n    return x\n",
        "def f(x):\n    if x > 10:\n        return 10\n    return x\n",
        "def f(x):\n    if x > 10:\n        return 11\n    return x\n",
    ),
    "enumeration values that collide": (
        "a.py",
        "class E(IntEnum):\n    A = 1\n",
        "class E(IntEnum):\n    A = 1\n    B = 2\n",
        "class E(IntEnum):\n    A = 1\n    C = 2\n",
    ),
    "enumeration values that collide in c": (
        "a.c",
        "enum e {\n  A = 1,\n};\n",
        "enum e {\n  A = 1,\n  B = 2,\n};\n",
        "enum e {\n  A = 1,\n  C = 2,\n};\n",
    ),
    "the same case twice": (
        "a.py",
        "match x:\n    case 1:\n        a()\n",
        "match x:\n    case 1:\n        a()\n    case 2:\n        b()\n",
        "match x:\n    case 1:\n        a()\n    case 2:\n        c()\n",
    ),
    "the same case twice in typescript": (
        "a.ts",
        "switch (x) {\n  case 1:\n    a();\n    break;\n}\n",
        "switch (x) {\n  case 1:\n    a();\n    break;\n  case 2:\n    b();\n    break;\n}\n",
        "switch (x) {\n  case 1:\n    a();\n    break;\n  case 2:\n    c();\n    break;\n}\n",
    ),
    "the same match arm in rust": (
        "a.rs",
        "fn f() {\n    match x {\n        1 => a(),\n    }\n}\n",
        "fn f() {\n    match x {\n        1 => a(),\n        2 => b(),\n    }\n}\n",
        "fn f() {\n    match x {\n        1 => a(),\n        2 => c(),\n    }\n}\n",
    ),
    "two statements under a guard here, one between them there": (
        "a.py",
        "def f(x):\n    start()\n    stop()\n    end()\n",
        "def f(x):\n    if x:\n        start()\n        stop()\n    end()\n",
        "def f(x):\n    start()\n    run()\n    stop()\n    end()\n",
    ),
    "two locks around one block": (
        "a.py",
        "def f():\n    run()\n    stop()\n",
        "def f():\n    with first:\n        run()\n    stop()\n",
        "def f():\n    with second:\n        run()\n    stop()\n",
    ),
    "two calls around one value": ("a.py", "x = load(a)\n", "x = first(load(a))\n", "x = second(load(a))\n"),
    "a call copied here and changed there": (
        "a.py",
        "def f(a):\n    save(a, path)\n    return a\n",
        "def f(a):\n    save(a, path)\n    save(a, copy)\n    return a\n",
        "def f(a):\n    save(a, path, sync=True)\n    return a\n",
    ),
    "one value, two new ones": ("a.py", "limit = 1\n", "limit = 2\n", "limit = 3\n"),
    "one expression extended by both": ("a.py", "x = a\n", "x = a + b\n", "x = a * c\n"),
    "one line of prose, two new ones": ("a.md", "It is fast.\n", "It is quick.\n", "It is slow.\n"),
    "no language, one line changed by both": ("notes", "a b c\n", "a x c\n", "a y c\n"),
    "binary files": ("a.bin", "a\0b\n", "a\0c\n", "a\0d\n"),
    "conflict marks in a version": ("a.py", "x = 1\n", "<<<<<<< a\nx = 2\n", "x = 1\ny = 1\n"),
}


@pytest.mark.parametrize("name", TRAPS)
def test_nothing_is_proposed(name: str) -> None:
    path, base, ours, theirs = TRAPS[name]
    proposals = propose(path, base.encode(), ours.encode(), theirs.encode())
    assert [proposal.content.decode() for proposal in proposals] == []


@pytest.mark.parametrize("name", TRAPS)
def test_nothing_is_proposed_in_the_other_order_of_landing(name: str) -> None:
    path, base, ours, theirs = TRAPS[name]
    proposals = propose(path, base.encode(), theirs.encode(), ours.encode())
    assert [proposal.content.decode() for proposal in proposals] == []
