"""Small conflicts in many languages, with the one right result."""

# ruff: noqa: E501 (one version of a file is one line)
from __future__ import annotations

import pytest

from gitorch.syntax import propose

# name of the file, base, ours, theirs, merged
CASES = {
    "python imports": (
        "a.py",
        "import os\n\nx = 1\n",
        "import os\nimport sys\n\nx = 1\n",
        "import os\nimport re\n\nx = 1\n",
        "import os\nimport sys\nimport re\n\nx = 1\n",
    ),
    "python names of one import": (
        "a.py",
        "from m import a\n",
        "from m import a, b\n",
        "from m import a, c\n",
        "from m import a, b, c\n",
    ),
    "python names of an import that one side broke over lines": (
        "a.py",
        "from m import a\n",
        "from m import (\n    a,\n    b,\n)\n",
        "from m import a, c\n",
        "from m import (\n    a,\n    b,\n    c,\n)\n",
    ),
    "python __all__": (
        "a.py",
        '__all__ = ["a"]\n',
        '__all__ = ["a", "b"]\n',
        '__all__ = ["a", "c"]\n',
        '__all__ = ["a", "b", "c"]\n',
    ),
    "python methods": (
        "a.py",
        "class A:\n    def f(self):\n        pass\n",
        "class A:\n    def f(self):\n        pass\n\n    def g(self):\n        pass\n",
        "class A:\n    def f(self):\n        pass\n\n    def h(self):\n        return 1\n",
        "class A:\n    def f(self):\n        pass\n\n    def g(self):\n        pass\n\n    def h(self):\n        return 1\n",
    ),
    "python functions": (
        "a.py",
        "def f():\n    pass\n",
        "def f():\n    pass\n\n\ndef g():\n    pass\n",
        "def f():\n    pass\n\n\ndef h():\n    pass\n",
        "def f():\n    pass\n\n\ndef g():\n    pass\n\n\ndef h():\n    pass\n",
    ),
    "python first statement of a block": (
        "a.py",
        "def f():\n    c()\n",
        "def f():\n    import a\n    c()\n",
        "def f():\n    import b\n    c()\n",
        "def f():\n    import a\n    import b\n    c()\n",
    ),
    "python keyword arguments": (
        "a.py",
        "f(a)\n",
        "f(a, b=1)\n",
        "f(a, c=2)\n",
        "f(a, b=1, c=2)\n",
    ),
    "python arguments where there were none": ("a.py", "f()\n", "f(b=1)\n", "f(c=2)\n", "f(b=1, c=2)\n"),
    "python parameters with defaults": (
        "a.py",
        "def f(a):\n    pass\n",
        "def f(a, b=1):\n    pass\n",
        "def f(a, c=2):\n    pass\n",
        "def f(a, b=1, c=2):\n    pass\n",
    ),
    "python dictionary entries": (
        "a.py",
        'd = {\n    "a": 1,\n}\n',
        'd = {\n    "a": 1,\n    "b": 2,\n}\n',
        'd = {\n    "a": 1,\n    "c": 3,\n}\n',
        'd = {\n    "a": 1,\n    "b": 2,\n    "c": 3,\n}\n',
    ),
    "python argument changed here and added there": (
        "a.py",
        "f(a, b)\n",
        "f(a, x)\n",
        "f(a, b, c=1)\n",
        "f(a, x, c=1)\n",
    ),
    "python decorator here and body there": (
        "a.py",
        "def f(x):\n    return g(x)\n",
        "@cache\ndef f(x):\n    return g(x)\n",
        "def f(x):\n    return g(x, k=1)\n",
        "@cache\ndef f(x):\n    return g(x, k=1)\n",
    ),
    "python docstring and code": (
        "a.py",
        'def f(a):\n    """Do it."""\n    return a\n',
        'def f(a, b=1):\n    """Do it.\n\n    :param b: the first\n    """\n    return a\n',
        'def f(a, c=2):\n    """Do it.\n\n    :param c: the second\n    """\n    return a\n',
        'def f(a, b=1, c=2):\n    """Do it.\n\n    :param b: the first\n\n    :param c: the second\n    """\n    return a\n',
    ),
    "python match arms": (
        "a.py",
        "match x:\n    case 1:\n        a()\n",
        "match x:\n    case 1:\n        a()\n    case 2:\n        b()\n",
        "match x:\n    case 1:\n        a()\n    case 3:\n        c()\n",
        "match x:\n    case 1:\n        a()\n    case 2:\n        b()\n    case 3:\n        c()\n",
    ),
    "python statement under a guard here, argument there": (
        "a.py",
        "def f(x):\n    start()\n    run(x)\n    stop()\n",
        "def f(x):\n    start()\n    if x:\n        run(x)\n    stop()\n",
        "def f(x):\n    start()\n    run(x, fast=True)\n    stop()\n",
        "def f(x):\n    start()\n    if x:\n        run(x, fast=True)\n    stop()\n",
    ),
    "python formatter here, code there": (
        "a.py",
        "x = {'a': 1, 'b': 2}\ny = 1\n",
        'x = {\n    "a": 1,\n    "b": 2,\n}\ny = 1\n',
        "x = {'a': 1, 'b': 2}\ny = 2\n",
        'x = {\n    "a": 1,\n    "b": 2,\n}\ny = 2\n',
    ),
    "python condition extended by both": (
        "a.py",
        "if a:\n    f()\n",
        "if a or b:\n    f()\n",
        "if a or c:\n    f()\n",
        "if a or b or c:\n    f()\n",
    ),
    "python two names for one value": (
        "a.py",
        "def f(a):\n    return [g(x) for x in sorted(a)]\n",
        "def f(a, b=1):\n    first = [g(x) for x in sorted(a)]\n    if b:\n        first = first[:b]\n    return first\n",
        "def f(a, c=1):\n    second = [g(x) for x in sorted(a)]\n    if c:\n        second.pop(c)\n    return second\n",
        "def f(a, b=1, c=1):\n    first = [g(x) for x in sorted(a)]\n    if b:\n        first = first[:b]\n    if c:\n"
        "        first.pop(c)\n    return first\n",
    ),
    "javascript object": (
        "a.js",
        "module.exports = {\n  a: 1,\n};\n",
        "module.exports = {\n  a: 1,\n  b: 2,\n};\n",
        "module.exports = {\n  a: 1,\n  c: 3,\n};\n",
        "module.exports = {\n  a: 1,\n  b: 2,\n  c: 3,\n};\n",
    ),
    "typescript imports, members, enumeration": (
        "a.ts",
        "import { a } from 'x';\n\nclass A {\n  x = 1;\n}\n\nenum E { A }\n",
        "import { a, b } from 'x';\n\nclass A {\n  x = 1;\n\n  f(): void {\n    b();\n  }\n}\n\nenum E { A, B }\n",
        "import { a, c } from 'x';\n\nclass A {\n  x = 1;\n\n  g(): void {\n    c();\n  }\n}\n\nenum E { A, C }\n",
        "import { a, b, c } from 'x';\n\nclass A {\n  x = 1;\n\n  f(): void {\n    b();\n  }\n\n  g(): void {\n    c();\n  }\n}"
        "\n\nenum E { A, B, C }\n",
    ),
    "tsx attributes": (
        "a.tsx",
        "const a = <A x={1} />;\n",
        "const a = <A x={1} y={2} />;\n",
        "const a = <A x={1} z={3} />;\n",
        "const a = <A x={1} y={2} z={3} />;\n",
    ),
    "go imports, statements, functions": (
        "a.go",
        'package a\n\nimport (\n\t"fmt"\n)\n\nfunc f() {\n\tx()\n}\n',
        'package a\n\nimport (\n\t"fmt"\n\t"os"\n)\n\nfunc f() {\n\tx()\n\ty()\n}\n\nfunc g() {}\n',
        'package a\n\nimport (\n\t"fmt"\n\t"io"\n)\n\nfunc f() {\n\tx()\n\tz()\n}\n\nfunc h() {}\n',
        'package a\n\nimport (\n\t"fmt"\n\t"os"\n\t"io"\n)\n\nfunc f() {\n\tx()\n\ty()\n\tz()\n}\n\nfunc g() {}\n\nfunc h() {}\n',
    ),
    "rust match arms and names of a use": (
        "a.rs",
        "use a::{b};\n\nfn f(x: i32) -> i32 {\n    match x {\n        1 => 1,\n        _ => 0,\n    }\n}\n",
        "use a::{b, c};\n\nfn f(x: i32) -> i32 {\n    match x {\n        1 => 1,\n        2 => 2,\n        _ => 0,\n    }\n}\n",
        "use a::{b, d};\n\nfn f(x: i32) -> i32 {\n    match x {\n        1 => 1,\n        3 => 3,\n        _ => 0,\n    }\n}\n",
        "use a::{b, c, d};\n\nfn f(x: i32) -> i32 {\n    match x {\n        1 => 1,\n        2 => 2,\n        3 => 3,\n"
        "        _ => 0,\n    }\n}\n",
    ),
    "java methods": (
        "A.java",
        "class A {\n    int x;\n}\n",
        "class A {\n    int x;\n\n    int f() {\n        return 1;\n    }\n}\n",
        "class A {\n    int x;\n\n    int g() {\n        return 2;\n    }\n}\n",
        "class A {\n    int x;\n\n    int f() {\n        return 1;\n    }\n\n    int g() {\n        return 2;\n    }\n}\n",
    ),
    "c includes, enumeration, functions": (
        "a.c",
        "#include <a.h>\n\nenum e { A = 1 };\n\nint f(void) { return 1; }\n",
        "#include <a.h>\n#include <b.h>\n\nenum e { A = 1, B = 2 };\n\nint f(void) { return 1; }\n\nint g(void) { return 2; }\n",
        "#include <a.h>\n#include <c.h>\n\nenum e { A = 1, C = 3 };\n\nint f(void) { return 1; }\n\nint h(void) { return 3; }\n",
        "#include <a.h>\n#include <b.h>\n#include <c.h>\n\nenum e { A = 1, B = 2, C = 3 };\n\nint f(void) { return 1; }\n"
        "\nint g(void) { return 2; }\n\nint h(void) { return 3; }\n",
    ),
    "c++ members": (
        "a.cpp",
        "class A {\n  int x;\n};\n",
        "class A {\n  int x;\n  int y;\n};\n",
        "class A {\n  int x;\n  int z;\n};\n",
        "class A {\n  int x;\n  int y;\n  int z;\n};\n",
    ),
    "ruby methods": (
        "a.rb",
        "class A\n  def f\n    1\n  end\nend\n",
        "class A\n  def f\n    1\n  end\n\n  def g\n    2\n  end\nend\n",
        "class A\n  def f\n    1\n  end\n\n  def h\n    3\n  end\nend\n",
        "class A\n  def f\n    1\n  end\n\n  def g\n    2\n  end\n\n  def h\n    3\n  end\nend\n",
    ),
    "shell cases": (
        "a.sh",
        "case $1 in\n  a) echo 1 ;;\nesac\n",
        "case $1 in\n  a) echo 1 ;;\n  b) echo 2 ;;\nesac\n",
        "case $1 in\n  a) echo 1 ;;\n  c) echo 3 ;;\nesac\n",
        "case $1 in\n  a) echo 1 ;;\n  b) echo 2 ;;\n  c) echo 3 ;;\nesac\n",
    ),
    "css declarations and rules": (
        "a.css",
        "a {\n  color: red;\n}\n",
        "a {\n  color: red;\n  width: 1px;\n}\n\nb {\n  top: 0;\n}\n",
        "a {\n  color: red;\n  height: 1px;\n}\n\ni {\n  left: 0;\n}\n",
        "a {\n  color: red;\n  width: 1px;\n  height: 1px;\n}\n\nb {\n  top: 0;\n}\n\ni {\n  left: 0;\n}\n",
    ),
    "json keys without a trailing comma": (
        "a.json",
        '{\n  "a": 1\n}\n',
        '{\n  "a": 1,\n  "b": 2\n}\n',
        '{\n  "a": 1,\n  "c": 3\n}\n',
        '{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}\n',
    ),
    "toml keys and tables": (
        "a.toml",
        "[a]\nx = 1\n\n[b]\ny = 1\n",
        "[a]\nx = 1\nz = 2\n\n[b]\ny = 1\n\n[c]\nq = 1\n",
        "[a]\nx = 1\nw = 3\n\n[b]\ny = 1\n\n[d]\nr = 1\n",
        "[a]\nx = 1\nz = 2\nw = 3\n\n[b]\ny = 1\n\n[c]\nq = 1\n\n[d]\nr = 1\n",
    ),
    "yaml keys and entries": (
        "a.yaml",
        "a:\n  b: 1\nl:\n  - x\n",
        "a:\n  b: 1\n  c: 2\nl:\n  - x\n  - y\n",
        "a:\n  b: 1\n  d: 3\nl:\n  - x\n  - z\n",
        "a:\n  b: 1\n  c: 2\n  d: 3\nl:\n  - x\n  - y\n  - z\n",
    ),
    "changelog entries": (
        "CHANGELOG.md",
        "# 1.0\n\n- a\n\n# 0.9\n",
        "# 1.0\n\n- a\n- the first\n\n# 0.9\n",
        "# 1.0\n\n- a\n- the second\n\n# 0.9\n",
        "# 1.0\n\n- a\n- the first\n- the second\n\n# 0.9\n",
    ),
    "no language": ("notes", "a\nb\n", "a\nx\nb\n", "a\ny\nb\n", "a\nx\ny\nb\n"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_first_proposal_is_right(name: str) -> None:
    path, *versions, merged = CASES[name]
    base, ours, theirs = (version.encode() for version in versions)
    proposals = propose(path, base, ours, theirs)
    assert proposals, "no proposal"
    assert proposals[0].content.decode() == merged


@pytest.mark.parametrize("name", CASES)
def test_line_ends_of_windows_are_kept(name: str) -> None:
    path, *texts = CASES[name]
    base, ours, theirs, merged = (text.replace("\n", "\r\n").encode() for text in texts)
    proposals = propose(path, base, ours, theirs)
    assert proposals, "no proposal"
    assert proposals[0].content == merged


@pytest.mark.parametrize("name", CASES)
def test_a_file_without_final_line_end_stays_so(name: str) -> None:
    path, *texts = CASES[name]
    base, ours, theirs, merged = (text.rstrip("\n").encode() for text in texts)
    proposals = propose(path, base, ours, theirs)
    assert proposals, "no proposal"
    assert proposals[0].content == merged
