"""Conflicts where no merge is right: nothing is proposed."""

# ruff: noqa: E501 (one version of a file is one line)
from __future__ import annotations

import pytest

from gitorch.syntax.proposals import propose

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
    "two versions in a string": (
        "a.py",
        "__version__ = '2.8.0'\n",
        "__version__ = '2.9.0.dev1'\n",
        "__version__ = '2.8.1.dev1'\n",
    ),
    "two versions in a project's file": (
        "a.toml",
        '[p]\nversion = "2.9.0"\n',
        '[p]\nversion = "2.10.0.dev1"\n',
        '[p]\nversion = "2.9.1.dev1"\n',
    ),
    "two versions in json": ("a.json", '{"version": "1.2.3"}\n', '{"version": "1.3.3"}\n', '{"version": "1.2.4"}\n'),
    "two versions in yaml": ("a.yaml", "version: 1.2.3\n", "version: 1.3.3\n", "version: 1.2.4\n"),
    "two versions in a text": (
        "a.txt",
        "Release v1.2.3 is out\n",
        "Release v1.3.3 is out\n",
        "Release v1.2.4 is out\n",
    ),
    "two dates in a text": ("a.txt", "released 2026-11-30\n", "released 2026-12-30\n", "released 2026-11-29\n"),
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
    "an import that shadows one at another place": (
        "a.py",
        "import os\n\nx = 1\n",
        "from a import load\nimport os\n\nx = 1\ny = 2\n",
        "import os\nfrom b import load\n\nx = 1\nz = 2\n",
    ),
    "one name imported from one module under two names": (
        "a.py",
        "from m import a\n",
        "from m import p as x, a\n",
        "from m import a, q as x\n",
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
    "the same struct field twice in go": (
        "a.go",
        "package a\n\ntype T struct {\n\tA int\n}\n",
        "package a\n\ntype T struct {\n\tA int\n\tB int\n}\n",
        "package a\n\ntype T struct {\n\tA int\n\tB string\n}\n",
    ),
    "the same case twice in go": (
        "a.go",
        "package a\n\nfunc f(x int) {\n\tswitch x {\n\tcase 1:\n\t\ta()\n\t}\n}\n",
        "package a\n\nfunc f(x int) {\n\tswitch x {\n\tcase 1:\n\t\ta()\n\tcase 2:\n\t\tb()\n\t}\n}\n",
        "package a\n\nfunc f(x int) {\n\tswitch x {\n\tcase 1:\n\t\ta()\n\tcase 2:\n\t\tc()\n\t}\n}\n",
    ),
    "the same method twice in go": (
        "a.go",
        "package a\n\ntype T struct{}\n",
        "package a\n\ntype T struct{}\n\nfunc (t T) F() int {\n\treturn 1\n}\n",
        "package a\n\ntype T struct{}\n\nfunc (t T) F() int {\n\treturn 2\n}\n",
    ),
    "a function renamed here and newly called there in go": (
        "a.go",
        "package a\n\nfunc load() {}\n\nfunc run() {\n\tstart()\n}\n",
        "package a\n\nfunc read() {}\n\nfunc run() {\n\tstart()\n}\n",
        "package a\n\nfunc load() {}\n\nfunc run() {\n\tstart()\n}\n\nfunc again() {\n\tload()\n}\n",
    ),
    "the same variable twice in javascript": (
        "a.js",
        "start();\n",
        "start();\nconst limit = 1;\n",
        "start();\nconst limit = 2;\n",
    ),
    "the same property twice in javascript": (
        "a.js",
        "const a = {\n  x: 1,\n};\n",
        "const a = {\n  x: 1,\n  y: 2,\n};\n",
        "const a = {\n  x: 1,\n  y: 3,\n};\n",
    ),
    "two default exports in javascript": (
        "a.js",
        "start();\n",
        "start();\n\nexport default function one() {}\n",
        "start();\n\nexport default function two() {}\n",
    ),
    "the same interface member twice in typescript": (
        "a.ts",
        "interface A {\n  x: number;\n}\n",
        "interface A {\n  x: number;\n  y: number;\n}\n",
        "interface A {\n  x: number;\n  y: string;\n}\n",
    ),
    "one type narrowed by both in typescript": (
        "a.ts",
        "let a: any = f();\n",
        "let a: string = f();\n",
        "let a: number = f();\n",
    ),
    "the same field twice in rust": (
        "a.rs",
        "struct S {\n    a: i32,\n}\n",
        "struct S {\n    a: i32,\n    b: i32,\n}\n",
        "struct S {\n    a: i32,\n    b: u8,\n}\n",
    ),
    "one name imported from two places in rust": (
        "a.rs",
        "use std::fs;\n",
        "use std::fs;\nuse a::Load;\n",
        "use std::fs;\nuse b::Load;\n",
    ),
    "the same variant twice in rust": (
        "a.rs",
        "enum E {\n    A,\n}\n",
        "enum E {\n    A,\n    B(i32),\n}\n",
        "enum E {\n    A,\n    B(String),\n}\n",
    ),
    "the same field twice in java": (
        "A.java",
        "class A {\n    int x;\n}\n",
        "class A {\n    int x;\n    int y = 1;\n}\n",
        "class A {\n    int x;\n    long y = 2;\n}\n",
    ),
    "one name imported from two packages in java": (
        "A.java",
        "import java.util.Map;\n\nclass A {}\n",
        "import java.util.Map;\nimport java.util.List;\n\nclass A {}\n",
        "import java.util.Map;\nimport java.awt.List;\n\nclass A {}\n",
    ),
    "two superclasses in java": (
        "A.java",
        "class A {\n    int x;\n}\n",
        "class A extends B {\n    int x;\n}\n",
        "class A extends C {\n    int x;\n}\n",
    ),
    "the same macro twice in c": (
        "a.c",
        "#define A 1\n",
        "#define A 1\n#define B 2\n",
        "#define A 1\n#define B 3\n",
    ),
    "the same member twice in c": (
        "a.c",
        "struct s {\n  int a;\n};\n",
        "struct s {\n  int a;\n  int b;\n};\n",
        "struct s {\n  int a;\n  long b;\n};\n",
    ),
    "two returns at one place in c": (
        "a.c",
        "int f(int x) {\n  start();\n}\n",
        "int f(int x) {\n  start();\n  return 1;\n}\n",
        "int f(int x) {\n  start();\n  return 2;\n}\n",
    ),
    "the same method twice in ruby": (
        "a.rb",
        "class A\n  def f\n    1\n  end\nend\n",
        "class A\n  def f\n    1\n  end\n\n  def g\n    2\n  end\nend\n",
        "class A\n  def f\n    1\n  end\n\n  def g\n    3\n  end\nend\n",
    ),
    "the same case twice in a shell script": (
        "a.sh",
        'case "$1" in\n  a) x ;;\nesac\n',
        'case "$1" in\n  a) x ;;\n  b) y ;;\nesac\n',
        'case "$1" in\n  a) x ;;\n  b) z ;;\nesac\n',
    ),
    "the same function twice in a shell script": (
        "a.sh",
        "start\n",
        "start\nstop() {\n  echo 1\n}\n",
        "start\nstop() {\n  echo 2\n}\n",
    ),
    "the same declaration twice in css": (
        "a.css",
        "a {\n  top: 0;\n}\n",
        "a {\n  top: 0;\n  left: 1px;\n}\n",
        "a {\n  top: 0;\n  left: 2px;\n}\n",
    ),
    "the same key in a nested yaml mapping": (
        "a.yaml",
        "jobs:\n  test:\n    runs: a\n",
        "jobs:\n  test:\n    runs: a\n    env: b\n",
        "jobs:\n  test:\n    runs: a\n    env: c\n",
    ),
    "the same json key in a nested object": (
        "a.json",
        '{\n  "a": {\n    "b": 1\n  }\n}\n',
        '{\n  "a": {\n    "b": 1,\n    "c": 2\n  }\n}\n',
        '{\n  "a": {\n    "b": 1,\n    "c": 3\n  }\n}\n',
    ),
    "one version pinned twice in toml": (
        "Cargo.toml",
        '[dependencies]\na = "1"\n',
        '[dependencies]\na = "1"\nb = "2"\n',
        '[dependencies]\na = "1"\nb = "3"\n',
    ),
    "a function made async here and called without await there": (
        "a.py",
        "def load():\n    return 1\n\n\ndef run():\n    start()\n",
        "def read():\n    return 1\n\n\ndef run():\n    start()\n",
        "def load():\n    return 1\n\n\ndef run():\n    start()\n    return load()\n",
    ),
    "a class that both give another base": (
        "a.py",
        "class A(Base):\n    pass\n",
        "class A(One):\n    pass\n",
        "class A(Two):\n    pass\n",
    ),
    "a default that both set": (
        "a.py",
        "def f(a=1):\n    return a\n",
        "def f(a=2):\n    return a\n",
        "def f(a=3):\n    return a\n",
    ),
    "two exceptions for the same kind of error": (
        "a.py",
        "try:\n    run()\nexcept OSError:\n    pass\n",
        "try:\n    run()\nexcept OSError:\n    pass\nexcept ValueError:\n    a()\n",
        "try:\n    run()\nexcept OSError:\n    pass\nexcept ValueError:\n    b()\n",
    ),
    "an inverted condition here, an added branch there": (
        "a.py",
        "if a:\n    x()\nelse:\n    y()\n",
        "if not a:\n    y()\nelse:\n    x()\n",
        "if a:\n    x()\nelif b:\n    z()\nelse:\n    y()\n",
    ),
    "a decorator that both add with other arguments": (
        "a.py",
        "def f():\n    pass\n",
        "@cache(1)\ndef f():\n    pass\n",
        "@cache(2)\ndef f():\n    pass\n",
    ),
    "one string with two new endings": (
        "a.py",
        'x = "a b"\n',
        'x = "a c"\n',
        'x = "a d"\n',
    ),
    "one operator, two new ones": (
        "a.go",
        "package a\n\nvar x = a + b\n",
        "package a\n\nvar x = a - b\n",
        "package a\n\nvar x = a * b\n",
    ),
    "one new name, two values": (
        "a.py",
        "x = 1\n",
        "x = 1\nlimit = 2\n",
        "x = 1\nlimit = 3\n",
    ),
    "one new local variable, two values": (
        "a.py",
        "def f():\n    a()\n",
        "def f():\n    v = one()\n    a()\n",
        "def f():\n    v = two()\n    a()\n",
    ),
    "one new attribute, two values": (
        "a.py",
        "class A:\n    def __init__(self):\n        self.a = 1\n",
        "class A:\n    def __init__(self):\n        self.a = 1\n        self.b = 2\n",
        "class A:\n    def __init__(self):\n        self.a = 1\n        self.b = 3\n",
    ),
    "two returns at one place": (
        "a.py",
        "def f():\n    a()\n",
        "def f():\n    a()\n    return 1\n",
        "def f():\n    a()\n    return 2\n",
    ),
    "one new variable, two values in go": (
        "a.go",
        "package a\n\nfunc f() {\n\ta()\n}\n",
        "package a\n\nfunc f() {\n\ta()\n\tx := 1\n}\n",
        "package a\n\nfunc f() {\n\ta()\n\tx := 2\n}\n",
    ),
    "one new variable of a package, two values in go": (
        "a.go",
        "package a\n\nvar a = 1\n",
        "package a\n\nvar a = 1\nvar b = 2\n",
        "package a\n\nvar a = 1\nvar b = 3\n",
    ),
    "one new variable, two values in java": (
        "A.java",
        "class A { void f() {\n    a();\n} }\n",
        "class A { void f() {\n    a();\n    int x = 1;\n} }\n",
        "class A { void f() {\n    a();\n    int x = 2;\n} }\n",
    ),
    "one new variable, two values in c": (
        "a.c",
        "int a;\n",
        "int a;\nint b = 1;\n",
        "int a;\nint b = 2;\n",
    ),
    "one new binding, two values in rust": (
        "a.rs",
        "fn f() {\n    a();\n}\n",
        "fn f() {\n    a();\n    let x = 1;\n}\n",
        "fn f() {\n    a();\n    let x = 2;\n}\n",
    ),
    "one new variable, two values in a shell script": (
        "a.sh",
        "a=1\n",
        "a=1\nb=2\n",
        "a=1\nb=3\n",
    ),
    "one new constant, two values in ruby": (
        "a.rb",
        "A = 1\n",
        "A = 1\nB = 2\n",
        "A = 1\nB = 3\n",
    ),
    "two packages of one name in go": (
        "a.go",
        'package a\n\nimport (\n\t"fmt"\n)\n',
        'package a\n\nimport (\n\t"fmt"\n\t"a/rand"\n)\n',
        'package a\n\nimport (\n\t"fmt"\n\t"b/rand"\n)\n',
    ),
    "one name imported from two modules in typescript": (
        "a.ts",
        'import { a } from "a";\n',
        'import { a } from "a";\nimport { x } from "b";\n',
        'import { a } from "a";\nimport { x } from "c";\n',
    ),
    "one default import from two modules in typescript": (
        "a.ts",
        'import a from "a";\n',
        'import a from "a";\nimport x from "b";\n',
        'import a from "a";\nimport x from "c";\n',
    ),
    "one entry of a yaml list, two values": (
        "a.yaml",
        "l:\n  - name: a\n",
        "l:\n  - name: a\n  - name: b\n    v: 1\n",
        "l:\n  - name: a\n  - name: b\n    v: 2\n",
    ),
    "the same rule twice in css": (
        "a.css",
        "a { top: 0; }\n",
        "a { top: 0; }\nb { left: 1px; }\n",
        "a { top: 0; }\nb { left: 2px; }\n",
    ),
    "the same alias twice in c++": (
        "a.cpp",
        "int a;\n",
        "int a;\nusing T = int;\n",
        "int a;\nusing T = long;\n",
    ),
    "the same typedef twice in c": (
        "a.c",
        "int a;\n",
        "int a;\ntypedef int T;\n",
        "int a;\ntypedef long T;\n",
    ),
    "the same type twice in typescript": (
        "a.ts",
        "let a = 1;\n",
        "let a = 1;\ntype T = number;\n",
        "let a = 1;\ntype T = string;\n",
    ),
    "a version of numbers": ("a.py", "VERSION = (2, 7, 0)\n", "VERSION = (2, 8, 0)\n", "VERSION = (2, 7, 1)\n"),
    "a version with a word": ("a.py", "V = (2, 7, 'dev')\n", "V = (2, 8, 'dev')\n", "V = (2, 7, 'final')\n"),
    "a date": ("a.py", "d = date(2020, 5, 1)\n", "d = date(2020, 6, 1)\n", "d = date(2020, 5, 9)\n"),
    "a color in javascript": ("a.js", "c = [255, 0, 0];\n", "c = [0, 0, 0];\n", "c = [255, 0, 255];\n"),
    "a version in toml": ("a.toml", "v = [2, 7, 0]\n", "v = [2, 8, 0]\n", "v = [2, 7, 1]\n"),
    "a range in rust": (
        "a.rs",
        "const R: (i8, i8) = (-1, 1);\n",
        "const R: (i8, i8) = (-2, 1);\n",
        "const R: (i8, i8) = (-1, 2);\n",
    ),
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
