"""Small conflicts in many languages, with the one right result."""

# ruff: noqa: E501 (one version of a file is one line)
from __future__ import annotations

import pytest

from gitorch.syntax.proposals import propose

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
    "go fields of a struct": (
        "a.go",
        "package a\n\ntype T struct {\n\tA int\n}\n",
        "package a\n\ntype T struct {\n\tA int\n\tB int\n}\n",
        "package a\n\ntype T struct {\n\tA int\n\tC string\n}\n",
        "package a\n\ntype T struct {\n\tA int\n\tB int\n\tC string\n}\n",
    ),
    "go cases": (
        "a.go",
        "package a\n\nfunc f(x int) {\n\tswitch x {\n\tcase 1:\n\t\ta()\n\t}\n}\n",
        "package a\n\nfunc f(x int) {\n\tswitch x {\n\tcase 1:\n\t\ta()\n\tcase 2:\n\t\tb()\n\t}\n}\n",
        "package a\n\nfunc f(x int) {\n\tswitch x {\n\tcase 1:\n\t\ta()\n\tcase 3:\n\t\tc()\n\t}\n}\n",
        "package a\n\nfunc f(x int) {\n\tswitch x {\n\tcase 1:\n\t\ta()\n\tcase 2:\n\t\tb()\n\tcase 3:\n\t\tc()\n\t}\n}\n",
    ),
    "go entries of a map": (
        "a.go",
        'package a\n\nvar m = map[string]int{\n\t"a": 1,\n}\n',
        'package a\n\nvar m = map[string]int{\n\t"a": 1,\n\t"b": 2,\n}\n',
        'package a\n\nvar m = map[string]int{\n\t"a": 1,\n\t"c": 3,\n}\n',
        'package a\n\nvar m = map[string]int{\n\t"a": 1,\n\t"b": 2,\n\t"c": 3,\n}\n',
    ),
    "javascript names of one import": (
        "a.js",
        'import { a } from "m";\n',
        'import { a, b } from "m";\n',
        'import { a, c } from "m";\n',
        'import { a, b, c } from "m";\n',
    ),
    "javascript methods": (
        "a.js",
        "class A {\n  f() {\n    return 1;\n  }\n}\n",
        "class A {\n  f() {\n    return 1;\n  }\n\n  g() {\n    return 2;\n  }\n}\n",
        "class A {\n  f() {\n    return 1;\n  }\n\n  h() {\n    return 3;\n  }\n}\n",
        "class A {\n  f() {\n    return 1;\n  }\n\n  g() {\n    return 2;\n  }\n\n  h() {\n    return 3;\n  }\n}\n",
    ),
    "javascript elements of an array": (
        "a.js",
        "x = [\n  a,\n];\n",
        "x = [\n  a,\n  b,\n];\n",
        "x = [\n  a,\n  c,\n];\n",
        "x = [\n  a,\n  b,\n  c,\n];\n",
    ),
    "typescript members of an interface": (
        "a.ts",
        "interface A {\n  x: number;\n}\n",
        "interface A {\n  x: number;\n  y: number;\n}\n",
        "interface A {\n  x: number;\n  z: string;\n}\n",
        "interface A {\n  x: number;\n  y: number;\n  z: string;\n}\n",
    ),
    "typescript cases": (
        "a.ts",
        "switch (x) {\n  case 1:\n    a();\n    break;\n}\n",
        "switch (x) {\n  case 1:\n    a();\n    break;\n  case 2:\n    b();\n    break;\n}\n",
        "switch (x) {\n  case 1:\n    a();\n    break;\n  case 3:\n    c();\n    break;\n}\n",
        "switch (x) {\n  case 1:\n    a();\n    break;\n  case 2:\n    b();\n    break;\n  case 3:\n    c();\n    break;\n}\n",
    ),
    "rust fields and variants": (
        "a.rs",
        "struct S {\n    a: i32,\n}\n\nenum E {\n    A,\n}\n",
        "struct S {\n    a: i32,\n    b: u8,\n}\n\nenum E {\n    A,\n    B,\n}\n",
        "struct S {\n    a: i32,\n    c: u16,\n}\n\nenum E {\n    A,\n    C(i32),\n}\n",
        "struct S {\n    a: i32,\n    b: u8,\n    c: u16,\n}\n\nenum E {\n    A,\n    B,\n    C(i32),\n}\n",
    ),
    "rust methods of an impl": (
        "a.rs",
        "impl S {\n    fn f(&self) {}\n}\n",
        "impl S {\n    fn f(&self) {}\n\n    fn g(&self) {}\n}\n",
        "impl S {\n    fn f(&self) {}\n\n    fn h(&self) {}\n}\n",
        "impl S {\n    fn f(&self) {}\n\n    fn g(&self) {}\n\n    fn h(&self) {}\n}\n",
    ),
    "rust uses": (
        "a.rs",
        "use std::fs;\n",
        "use std::fs;\nuse std::io;\n",
        "use std::fs;\nuse std::env;\n",
        "use std::fs;\nuse std::io;\nuse std::env;\n",
    ),
    "java imports and fields": (
        "A.java",
        "import a.A;\n\nclass X {\n    int x;\n}\n",
        "import a.A;\nimport a.B;\n\nclass X {\n    int x;\n    int y;\n}\n",
        "import a.A;\nimport a.C;\n\nclass X {\n    int x;\n    int z;\n}\n",
        "import a.A;\nimport a.B;\nimport a.C;\n\nclass X {\n    int x;\n    int y;\n    int z;\n}\n",
    ),
    "c members of a struct": (
        "a.c",
        "struct s {\n  int a;\n};\n",
        "struct s {\n  int a;\n  int b;\n};\n",
        "struct s {\n  int a;\n  long c;\n};\n",
        "struct s {\n  int a;\n  int b;\n  long c;\n};\n",
    ),
    "c macros": (
        "a.c",
        "#define A 1\n",
        "#define A 1\n#define B 2\n",
        "#define A 1\n#define C 3\n",
        "#define A 1\n#define B 2\n#define C 3\n",
    ),
    "ruby elements and keywords": (
        "a.rb",
        "f(a: 1)\nX = [\n  1,\n]\n",
        "f(a: 1, b: 2)\nX = [\n  1,\n  2,\n]\n",
        "f(a: 1, c: 3)\nX = [\n  1,\n  3,\n]\n",
        "f(a: 1, b: 2, c: 3)\nX = [\n  1,\n  2,\n  3,\n]\n",
    ),
    "shell functions": (
        "a.sh",
        "start() {\n  a\n}\n",
        "start() {\n  a\n}\n\none() {\n  b\n}\n",
        "start() {\n  a\n}\n\ntwo() {\n  c\n}\n",
        "start() {\n  a\n}\n\none() {\n  b\n}\n\ntwo() {\n  c\n}\n",
    ),
    "yaml nested mappings": (
        "a.yaml",
        "jobs:\n  a:\n    run: x\n",
        "jobs:\n  a:\n    run: x\n  b:\n    run: y\n",
        "jobs:\n  a:\n    run: x\n  c:\n    run: z\n",
        "jobs:\n  a:\n    run: x\n  b:\n    run: y\n  c:\n    run: z\n",
    ),
    "json nested objects and arrays": (
        "a.json",
        '{\n  "a": {\n    "x": 1\n  },\n  "l": [\n    1\n  ]\n}\n',
        '{\n  "a": {\n    "x": 1,\n    "y": 2\n  },\n  "l": [\n    1,\n    2\n  ]\n}\n',
        '{\n  "a": {\n    "x": 1,\n    "z": 3\n  },\n  "l": [\n    1,\n    3\n  ]\n}\n',
        '{\n  "a": {\n    "x": 1,\n    "y": 2,\n    "z": 3\n  },\n  "l": [\n    1,\n    2,\n    3\n  ]\n}\n',
    ),
    "toml elements of an array": (
        "a.toml",
        'a = [\n  "x",\n]\n',
        'a = [\n  "x",\n  "y",\n]\n',
        'a = [\n  "x",\n  "z",\n]\n',
        'a = [\n  "x",\n  "y",\n  "z",\n]\n',
    ),
    "python exceptions": (
        "a.py",
        "try:\n    run()\nexcept OSError:\n    pass\n",
        "try:\n    run()\nexcept OSError:\n    pass\nexcept KeyError:\n    a()\n",
        "try:\n    run()\nexcept OSError:\n    pass\nexcept ValueError:\n    b()\n",
        "try:\n    run()\nexcept OSError:\n    pass\nexcept KeyError:\n    a()\nexcept ValueError:\n    b()\n",
    ),
    "python members of an enumeration": (
        "a.py",
        "class E(IntEnum):\n    A = 1\n",
        "class E(IntEnum):\n    A = 1\n    B = 2\n",
        "class E(IntEnum):\n    A = 1\n    C = 3\n",
        "class E(IntEnum):\n    A = 1\n    B = 2\n    C = 3\n",
    ),
    "python statements at two places of one function": (
        "a.py",
        "def f():\n    a()\n    b()\n",
        "def f():\n    first()\n    a()\n    b()\n",
        "def f():\n    a()\n    b()\n    last()\n",
        "def f():\n    first()\n    a()\n    b()\n    last()\n",
    ),
    "python elements of a set and a tuple": (
        "a.py",
        "s = {1}\nt = (1, 2)\n",
        "s = {1, 2}\nt = (1, 2, 3)\n",
        "s = {1, 4}\nt = (1, 2, 5)\n",
        "s = {1, 2, 4}\nt = (1, 2, 3, 5)\n",
    ),
    "yaml value changed here, key renamed there": (
        "a.yaml",
        "a: 1\nlimit: 10\nz: 1\n",
        "a: 1\nlimit: 20\nz: 1\n",
        "a: 1\nmaximum: 10\nz: 1\n",
        "a: 1\nmaximum: 20\nz: 1\n",
    ),
    "python loop made a comprehension here, its value changed there": (
        "a.py",
        "def f(xs):\n    out = []\n    for x in xs:\n        out.append(x)\n    return out\n",
        "def f(xs):\n    return [x for x in xs]\n",
        "def f(xs):\n    out = []\n    for x in xs:\n        out.append(x + 1)\n    return out\n",
        "def f(xs):\n    return [x + 1 for x in xs]\n",
    ),
    "python statement before the other side's return": (
        "a.py",
        "def f():\n    a()\n",
        "def f():\n    a()\n    return 1\n",
        "def f():\n    a()\n    log()\n",
        "def f():\n    a()\n    log()\n    return 1\n",
    ),
    "python name that both sides import, in another order": (
        "a.py",
        "from m import p\n\nx = 1\n",
        "from m import O, p\n\nx = 1\n",
        "from m import p, O\n\nx = 1\n",
        "from m import O, p\n\nx = 1\n",
    ),
    "python names that both sides import, of which one is new": (
        "a.py",
        "from m import p\n",
        "from m import p, O\n",
        "from m import A, O, p\n",
        "from m import A, O, p\n",
    ),
    "python name that both sides import, one of them on a line of its own": (
        "a.py",
        "from m import (\n    b,\n    p,\n)\n",
        "from m import (\n    O,\n    b,\n    p,\n)\n",
        "from m import (\n    b,\n    O,\n    p,\n    q,\n)\n",
        "from m import (\n    O,\n    b,\n    p,\n    q,\n)\n",
    ),
    "python import that both sides add at another place": (
        "a.py",
        "import b\n\nx = 1\n",
        "from m import O\nimport b\n\nx = 1\ny = O\n",
        "import b\nfrom m import O\n\nx = 1\nz = O\n",
        "from m import O\nimport b\n\nx = 1\ny = O\nz = O\n",
    ),
    "typescript name that both sides import, in another order": (
        "a.ts",
        "import { p } from 'm';\n",
        "import { O, p } from 'm';\n",
        "import { p, O, q } from 'm';\n",
        "import { O, p, q } from 'm';\n",
    ),
    "javascript import that both sides add at another place": (
        "a.js",
        'import { b } from "b";\n\nx();\n',
        'import { O } from "m";\nimport { b } from "b";\n\nx();\ny();\n',
        'import { b } from "b";\nimport { O } from "m";\n\nx();\nz();\n',
        'import { O } from "m";\nimport { b } from "b";\n\nx();\ny();\nz();\n',
    ),
    "rust name that both sides import, in another order": (
        "a.rs",
        "use m::{p};\n\nfn f() {}\n",
        "use m::{O, p};\n\nfn f() {}\n",
        "use m::{p, O};\n\nfn f() {}\n",
        "use m::{O, p};\n\nfn f() {}\n",
    ),
    "go import that both sides add at another place": (
        "a.go",
        'package a\n\nimport (\n\t"m"\n)\n\nfunc f() {\n\tx()\n}\n',
        'package a\n\nimport (\n\t"io"\n\t"m"\n)\n\nfunc f() {\n\tx()\n\ty()\n}\n',
        'package a\n\nimport (\n\t"m"\n\t"io"\n)\n\nfunc f() {\n\tx()\n\tz()\n}\n',
        'package a\n\nimport (\n\t"io"\n\t"m"\n)\n\nfunc f() {\n\tx()\n\ty()\n\tz()\n}\n',
    ),
    "java import that both sides add at another place": (
        "A.java",
        "import a.B;\n\nclass X {\n    int x;\n}\n",
        "import a.A;\nimport a.B;\n\nclass X {\n    int x;\n    int y;\n}\n",
        "import a.B;\nimport a.A;\n\nclass X {\n    int x;\n    int z;\n}\n",
        "import a.A;\nimport a.B;\n\nclass X {\n    int x;\n    int y;\n    int z;\n}\n",
    ),
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
