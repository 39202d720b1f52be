"""Both sides add something: under one name, key or number no merge is right; under two of them it is the union."""

# ruff: noqa: E501 (one version of a file is one line)
from __future__ import annotations

import pytest

from gitorch.syntax.proposals import propose

Versions = tuple[str, str, str, str]
"""The name of the file, base, ours, theirs."""

REFUSED: dict[str, Versions] = {
    "c struct twice": (
        "a.c",
        "int a;\n",
        "int a;\n\nstruct point {\n    int x;\n};\n",
        "int a;\n\nstruct point {\n    long y;\n};\n",
    ),
    "c union twice": (
        "a.c",
        "int a;\n",
        "int a;\n\nunion val {\n    int x;\n};\n",
        "int a;\n\nunion val {\n    long y;\n};\n",
    ),
    "c enum twice": (
        "a.c",
        "int a;\n",
        "int a;\n\nenum color {\n    RED\n};\n",
        "int a;\n\nenum color {\n    BLUE\n};\n",
    ),
    "c typedef struct twice": (
        "a.c",
        "int a;\n",
        "int a;\n\ntypedef struct {\n    int x;\n} point;\n",
        "int a;\n\ntypedef struct {\n    long y;\n} point;\n",
    ),
    "c global twice": ("a.c", "int a;\n", "int a;\nint limit = 1;\n", "int a;\nint limit = 2;\n"),
    "c global twice, types": ("a.c", "int a;\n", "int a;\nint limit;\n", "int a;\nlong limit;\n"),
    "c prototypes differ": ("a.c", "int a;\n", "int a;\nint run(int x);\n", "int a;\nint run(long x, int y);\n"),
    "c implicit enum": (
        "a.c",
        "enum e {\n    A,\n    B\n};\n",
        "enum e {\n    A,\n    X,\n    B\n};\n",
        "enum e {\n    A,\n    Y,\n    B\n};\n",
    ),
    "cpp class twice": (
        "a.cpp",
        "int a;\n",
        "int a;\n\nclass P {\n    int x;\n};\n",
        "int a;\n\nclass P {\n    long y;\n};\n",
    ),
    "cpp namespace fn twice": (
        "a.cpp",
        "namespace n {\nint a;\n}\n",
        "namespace n {\nint a;\nint f() { return 1; }\n}\n",
        "namespace n {\nint a;\nint f() { return 2; }\n}\n",
    ),
    "cpp enum class twice": ("a.cpp", "int a;\n", "int a;\nenum class E { X };\n", "int a;\nenum class E { Y };\n"),
    "md heading twice": (
        "a.md",
        "# A\n\ntext\n",
        "# A\n\ntext\n\n## Setup\n\nrun this\n",
        "# A\n\ntext\n\n## Setup\n\ndo that\n",
    ),
    "md heading twice setext": (
        "a.md",
        "A\n=\n\ntext\n",
        "A\n=\n\ntext\n\nSetup\n-----\n\nrun this\n",
        "A\n=\n\ntext\n\nSetup\n-----\n\ndo that\n",
    ),
    "rst heading twice": (
        "a.rst",
        "A\n=\n\ntext\n",
        "A\n=\n\ntext\n\nSetup\n-----\n\nrun this\n",
        "A\n=\n\ntext\n\nSetup\n-----\n\ndo that\n",
    ),
    "md link ref twice": ("a.md", "text\n", "text\n\n[a]: http://x.example\n", "text\n\n[a]: http://y.example\n"),
    "sql table twice": (
        "a.sql",
        "CREATE TABLE a (id int);\n",
        "CREATE TABLE a (id int);\nCREATE TABLE users (\n  id int\n);\n",
        "CREATE TABLE a (id int);\nCREATE TABLE users (\n  name text\n);\n",
    ),
    "sql column twice": (
        "a.sql",
        "CREATE TABLE a (\n  id int\n);\n",
        "CREATE TABLE a (\n  id int,\n  age int\n);\n",
        "CREATE TABLE a (\n  id int,\n  age text\n);\n",
    ),
    "makefile target twice": (
        "Makefile",
        "all:\n\techo a\n",
        "all:\n\techo a\n\ntest:\n\tpytest\n",
        "all:\n\techo a\n\ntest:\n\ttox\n",
    ),
    "makefile var twice": ("Makefile", "A = 1\n", "A = 1\nB = 2\n", "A = 1\nB = 3\n"),
    "dockerfile two cmd": ("Dockerfile", "FROM a\n", 'FROM a\nCMD ["a"]\n', 'FROM a\nCMD ["b"]\n'),
    "dockerfile env twice": ("Dockerfile", "FROM a\n", "FROM a\nENV X=1\n", "FROM a\nENV X=2\n"),
    "ini key twice": ("a.ini", "[a]\nx = 1\n", "[a]\nx = 1\ny = 2\n", "[a]\nx = 1\ny = 3\n"),
    "env key twice": (".env", "A=1\n", "A=1\nB=2\n", "A=1\nB=3\n"),
    "requirements twice": ("requirements.txt", "a==1\n", "a==1\nb==2\n", "a==1\nb==3\n"),
    "go.mod twice": (
        "go.mod",
        "module x\n\nrequire (\n\ta v1.0.0\n)\n",
        "module x\n\nrequire (\n\ta v1.0.0\n\tb v1.0.0\n)\n",
        "module x\n\nrequire (\n\ta v1.0.0\n\tb v1.1.0\n)\n",
    ),
    "proto field number": (
        "a.proto",
        "message A {\n  int32 a = 1;\n}\n",
        "message A {\n  int32 a = 1;\n  int32 b = 2;\n}\n",
        "message A {\n  int32 a = 1;\n  string c = 2;\n}\n",
    ),
    "proto field name": (
        "a.proto",
        "message A {\n  int32 a = 1;\n}\n",
        "message A {\n  int32 a = 1;\n  int32 b = 2;\n}\n",
        "message A {\n  int32 a = 1;\n  string b = 3;\n}\n",
    ),
    "proto message twice": (
        "a.proto",
        "message A {\n  int32 a = 1;\n}\n",
        "message A {\n  int32 a = 1;\n}\nmessage B {\n  int32 a = 1;\n}\n",
        "message A {\n  int32 a = 1;\n}\nmessage B {\n  string c = 1;\n}\n",
    ),
    "graphql type twice": (
        "a.graphql",
        "type A {\n  a: Int\n}\n",
        "type A {\n  a: Int\n}\ntype B {\n  b: Int\n}\n",
        "type A {\n  a: Int\n}\ntype B {\n  c: Int\n}\n",
    ),
    "go type twice struct": (
        "a.go",
        "package a\n",
        "package a\n\ntype P struct {\n\tX int\n}\n",
        "package a\n\ntype P struct {\n\tY int\n}\n",
    ),
    "go var twice": ("a.go", "package a\n", "package a\n\nvar Limit = 1\n", "package a\n\nvar Limit = 2\n"),
    "go const twice": ("a.go", "package a\n", "package a\n\nconst Limit = 1\n", "package a\n\nconst Limit = 2\n"),
    "go const group twice": (
        "a.go",
        "package a\n\nconst (\n\tA = 1\n)\n",
        "package a\n\nconst (\n\tA = 1\n\tB = 2\n)\n",
        "package a\n\nconst (\n\tA = 1\n\tB = 3\n)\n",
    ),
    "go iota insert middle": (
        "a.go",
        "package a\n\nconst (\n\tA = iota\n\tB\n)\n",
        "package a\n\nconst (\n\tA = iota\n\tX\n\tB\n)\n",
        "package a\n\nconst (\n\tA = iota\n\tY\n\tB\n)\n",
    ),
    "go default twice": (
        "a.go",
        "package a\n\nfunc f(x int) {\n\tswitch x {\n\tcase 1:\n\t\ta()\n\t}\n}\n",
        "package a\n\nfunc f(x int) {\n\tswitch x {\n\tcase 1:\n\t\ta()\n\tdefault:\n\t\tb()\n\t}\n}\n",
        "package a\n\nfunc f(x int) {\n\tswitch x {\n\tcase 1:\n\t\ta()\n\tdefault:\n\t\tc()\n\t}\n}\n",
    ),
    "go interface method twice": (
        "a.go",
        "package a\n\nfunc f() {\n\ta()\n}\n\ntype I interface {\n\tA()\n}\n",
        "package a\n\nfunc f() {\n\ta()\n}\n\ntype I interface {\n\tA()\n\tB(x int)\n}\n",
        "package a\n\nfunc f() {\n\ta()\n}\n\ntype I interface {\n\tA()\n\tB(s string)\n}\n",
    ),
    "go method on two receivers same": (
        "a.go",
        "package a\n\ntype T int\n",
        "package a\n\ntype T int\n\nfunc (t T) M() int { return 1 }\n",
        "package a\n\ntype T int\n\nfunc (x T) M() int { return 2 }\n",
    ),
    "go method ptr and value": (
        "a.go",
        "package a\n\ntype T int\n",
        "package a\n\ntype T int\n\nfunc (t *T) M() int { return 1 }\n",
        "package a\n\ntype T int\n\nfunc (t T) M() int { return 2 }\n",
    ),
    "java class twice": (
        "A.java",
        "class A {\n}\n",
        "class A {\n}\n\nclass B {\n    int x;\n}\n",
        "class A {\n}\n\nclass B {\n    long y;\n}\n",
    ),
    "java interface vs class": (
        "A.java",
        "class A {\n}\n",
        "class A {\n}\n\nclass B {\n    int x;\n}\n",
        "class A {\n}\n\ninterface B {\n    long y();\n}\n",
    ),
    "java record twice": (
        "A.java",
        "class A {\n}\n",
        "class A {\n}\n\nrecord B(int x) {\n}\n",
        "class A {\n}\n\nrecord B(long y) {\n}\n",
    ),
    "java annotation twice": (
        "A.java",
        "class A {\n}\n",
        "class A {\n}\n\n@interface B {\n    int x();\n}\n",
        "class A {\n}\n\n@interface B {\n    long y();\n}\n",
    ),
    "java method param names": (
        "A.java",
        "class A {\n    int a;\n}\n",
        "class A {\n    int a;\n    int f(int x) { return 1; }\n}\n",
        "class A {\n    int a;\n    int f(int y) { return 2; }\n}\n",
    ),
    "java default twice": (
        "A.java",
        "class A {\n    void f(int x) {\n        switch (x) {\n            case 1:\n                a();\n        }\n    }\n}\n",
        "class A {\n    void f(int x) {\n        switch (x) {\n            case 1:\n                a();\n                break;\n            default:\n                b();\n        }\n    }\n}\n",
        "class A {\n    void f(int x) {\n        switch (x) {\n            case 1:\n                a();\n                break;\n            default:\n                c();\n        }\n    }\n}\n",
    ),
    "rust struct twice": (
        "a.rs",
        "fn a() {}\n",
        "fn a() {}\n\nstruct P {\n    x: i32,\n}\n",
        "fn a() {}\n\nstruct P {\n    y: i64,\n}\n",
    ),
    "rust struct and enum": (
        "a.rs",
        "fn a() {}\n",
        "fn a() {}\n\nstruct P {\n    x: i32,\n}\n",
        "fn a() {}\n\nenum P {\n    Y,\n}\n",
    ),
    "rust union twice": (
        "a.rs",
        "fn a() {}\n",
        "fn a() {}\n\nunion P {\n    x: i32,\n}\n",
        "fn a() {}\n\nunion P {\n    y: i64,\n}\n",
    ),
    "rust macro twice": (
        "a.rs",
        "fn a() {}\n",
        "fn a() {}\n\nmacro_rules! m {\n    () => { 1 };\n}\n",
        "fn a() {}\n\nmacro_rules! m {\n    () => { 2 };\n}\n",
    ),
    "rust impl trait twice": (
        "a.rs",
        "struct P;\n",
        "struct P;\n\nimpl Display for P {\n    fn fmt(&self) -> i32 { 1 }\n}\n",
        "struct P;\n\nimpl Display for P {\n    fn fmt(&self) -> i32 { 2 }\n}\n",
    ),
    "rust impl same fn in two impls": (
        "a.rs",
        "struct P;\n",
        "struct P;\n\nimpl P {\n    fn f(&self) -> i32 { 1 }\n}\n",
        "struct P;\n\nimpl P {\n    fn f(&self) -> i32 { 2 }\n}\n",
    ),
    "rust wildcard twice": (
        "a.rs",
        "fn a(x: i32) -> i32 {\n    match x {\n        1 => 1,\n    }\n}\n",
        "fn a(x: i32) -> i32 {\n    match x {\n        1 => 1,\n        _ => 2,\n    }\n}\n",
        "fn a(x: i32) -> i32 {\n    match x {\n        1 => 1,\n        _ => 3,\n    }\n}\n",
    ),
    "rust two arms that catch all": (
        "a.rs",
        "fn a(x: i32) -> i32 {\n    match x {\n        1 => 1,\n    }\n}\n",
        "fn a(x: i32) -> i32 {\n    match x {\n        1 => 1,\n        n => 2,\n    }\n}\n",
        "fn a(x: i32) -> i32 {\n    match x {\n        1 => 1,\n        _ => 3,\n    }\n}\n",
    ),
    "rust enum implicit": (
        "a.rs",
        "#[repr(u8)]\nenum E {\n    A,\n    B,\n}\n",
        "#[repr(u8)]\nenum E {\n    A,\n    B,\n    C = 5,\n}\n",
        "#[repr(u8)]\nenum E {\n    A,\n    B,\n    D = 5,\n}\n",
    ),
    "rust trait impl method": (
        "a.rs",
        "trait T {\n    fn a();\n}\n",
        "trait T {\n    fn a();\n    fn b();\n}\n",
        "trait T {\n    fn a();\n    fn b(x: i32);\n}\n",
    ),
    "py class twice": ("a.py", "x = 1\n", "x = 1\n\n\nclass A:\n    a = 1\n", "x = 1\n\n\nclass A:\n    b = 2\n"),
    "py function and class": (
        "a.py",
        "x = 1\n",
        "x = 1\n\n\ndef a():\n    return 1\n",
        "x = 1\n\n\nclass a:\n    b = 2\n",
    ),
    "py decorated vs plain": (
        "a.py",
        "x = 1\n",
        "x = 1\n\n\n@cache\ndef a():\n    return 1\n",
        "x = 1\n\n\ndef a():\n    return 2\n",
    ),
    "py async vs plain": (
        "a.py",
        "x = 1\n",
        "x = 1\n\n\nasync def a():\n    return 1\n",
        "x = 1\n\n\ndef a():\n    return 2\n",
    ),
    "py __all__ twice": ("a.py", "x = 1\n", "x = 1\n__all__ = ['a']\n", "x = 1\n__all__ = ['b']\n"),
    "py else twice": (
        "a.py",
        "if a:\n    f()\n",
        "if a:\n    f()\nelse:\n    g()\n",
        "if a:\n    f()\nelse:\n    h()\n",
    ),
    "py finally twice": (
        "a.py",
        "try:\n    f()\nexcept E:\n    pass\n",
        "try:\n    f()\nexcept E:\n    pass\nfinally:\n    g()\n",
        "try:\n    f()\nexcept E:\n    pass\nfinally:\n    h()\n",
    ),
    "py case _ twice": (
        "a.py",
        "match x:\n    case 1:\n        a()\n",
        "match x:\n    case 1:\n        a()\n    case _:\n        b()\n",
        "match x:\n    case 1:\n        a()\n    case _:\n        c()\n",
    ),
    "py two cases that catch all": (
        "a.py",
        "match x:\n    case 1:\n        a()\n",
        "match x:\n    case 1:\n        a()\n    case _:\n        b()\n",
        "match x:\n    case 1:\n        a()\n    case y:\n        c()\n",
    ),
    "py key with other quotes": (
        "a.py",
        "X = {\n    'a': 1,\n}\n",
        "X = {\n    'a': 1,\n    'b': 1,\n}\n",
        "X = {\n    'a': 1,\n    \"b\": 2,\n}\n",
    ),
    "py keyword argument twice": ("a.py", "f(x)\n", "f(x, timeout=1)\n", "f(x, timeout=2)\n"),
    "js class twice": ("a.js", "let x;\n", "let x;\n\nclass A {\n  a() {}\n}\n", "let x;\n\nclass A {\n  b() {}\n}\n"),
    "js function and const": ("a.js", "let x;\n", "let x;\n\nfunction a() {}\n", "let x;\n\nconst a = 1;\n"),
    "js exported const twice": (
        "a.js",
        "let x;\n",
        "let x;\n\nexport const a = 1;\n",
        "let x;\n\nexport const a = 2;\n",
    ),
    "js export fn twice": (
        "a.js",
        "let x;\n",
        "let x;\n\nexport function a() { return 1 }\n",
        "let x;\n\nexport function a() { return 2 }\n",
    ),
    "js method twice": (
        "a.js",
        "class A {\n  x() {}\n}\n",
        "class A {\n  x() {}\n  y() { return 1 }\n}\n",
        "class A {\n  x() {}\n  y() { return 2 }\n}\n",
    ),
    "js field twice": (
        "a.js",
        "class A {\n  x = 1\n}\n",
        "class A {\n  x = 1\n  y = 1\n}\n",
        "class A {\n  x = 1\n  y = 2\n}\n",
    ),
    "js default twice": (
        "a.js",
        "switch (x) {\n  case 1:\n    a()\n    break\n}\n",
        "switch (x) {\n  case 1:\n    a()\n    break\n  default:\n    b()\n}\n",
        "switch (x) {\n  case 1:\n    a()\n    break\n  default:\n    c()\n}\n",
    ),
    "ts enum twice": ("a.ts", "let x;\n", "let x;\n\nenum A {\n  B\n}\n", "let x;\n\nenum A {\n  C\n}\n"),
    "ts enum values": (
        "a.ts",
        "enum A {\n  B = 1,\n}\n",
        "enum A {\n  B = 1,\n  C = 2,\n}\n",
        "enum A {\n  B = 1,\n  D = 2,\n}\n",
    ),
    "ts enum member twice": (
        "a.ts",
        "enum A {\n  B = 1,\n}\n",
        "enum A {\n  B = 1,\n  C = 2,\n}\n",
        "enum A {\n  B = 1,\n  C = 3,\n}\n",
    ),
    "ts enum implicit": (
        "a.ts",
        "enum A {\n  B,\n  Z,\n}\n",
        "enum A {\n  B,\n  C,\n  Z,\n}\n",
        "enum A {\n  B,\n  D,\n  Z,\n}\n",
    ),
    "ts namespace fn": (
        "a.ts",
        "namespace N {\n  let a;\n}\n",
        "namespace N {\n  let a;\n  function f() { return 1 }\n}\n",
        "namespace N {\n  let a;\n  function f() { return 2 }\n}\n",
    ),
    "ts interface twice": (
        "a.ts",
        "let x;\n",
        "let x;\n\ninterface A {\n  a: number;\n}\n",
        "let x;\n\ninterface A {\n  a: string;\n}\n",
    ),
    "json nested key objects": ("a.json", '{"a": 1}\n', '{"a": 1, "b": {"x": 1}}\n', '{"a": 1, "b": {"y": 2}}\n'),
    "json multi-line nested": (
        "a.json",
        '{\n  "a": 1\n}\n',
        '{\n  "a": 1,\n  "b": {\n    "x": 1\n  }\n}\n',
        '{\n  "a": 1,\n  "b": {\n    "x": 2\n  }\n}\n',
    ),
    "yaml nested key": ("a.yaml", "a: 1\n", "a: 1\nb:\n  x: 1\n", "a: 1\nb:\n  y: 2\n"),
    "yaml anchor twice": ("a.yaml", "a: 1\n", "a: 1\nb: &x\n  p: 1\n", "a: 1\nc: &x\n  q: 2\n"),
    "yaml list name twice": (
        "a.yaml",
        "jobs:\n  - name: a\n    run: x\n",
        "jobs:\n  - name: a\n    run: x\n  - name: b\n    run: y\n",
        "jobs:\n  - name: a\n    run: x\n  - name: b\n    run: z\n",
    ),
    "yaml quoted key": ("a.yaml", "a: 1\n", "a: 1\nb: 2\n", 'a: 1\n"b": 3\n'),
    "toml dotted key": ("a.toml", "a = 1\n", "a = 1\nb.c = 2\n", "a = 1\nb.c = 3\n"),
    "toml quoted key": ("a.toml", "a = 1\n", "a = 1\nb = 2\n", 'a = 1\n"b" = 3\n'),
    "toml table header nested twice": ("a.toml", "a = 1\n", "a = 1\n\n[t.u]\nx = 1\n", "a = 1\n\n[t.u]\ny = 1\n"),
    "toml table and array": ("a.toml", "a = 1\n", "a = 1\n\n[t]\nx = 1\n", "a = 1\n\n[[t]]\ny = 1\n"),
    "toml key and table": ("a.toml", "a = 1\n", "a = 1\nt = 1\n", "a = 1\n\n[t]\ny = 1\n"),
    "css same selector": (
        "a.css",
        "a {\n  x: 1;\n}\n",
        "a {\n  x: 1;\n}\n\n.b {\n  color: red;\n}\n",
        "a {\n  x: 1;\n}\n\n.b {\n  color: blue;\n}\n",
    ),
    "css same selector diff props": (
        "a.css",
        "a {\n  x: 1;\n}\n",
        "a {\n  x: 1;\n}\n\n.b {\n  color: red;\n}\n",
        "a {\n  x: 1;\n}\n\n.b {\n  margin: 1px;\n  color: blue;\n}\n",
    ),
    "css keyframes twice": (
        "a.css",
        "a {\n  x: 1;\n}\n",
        "a {\n  x: 1;\n}\n\n@keyframes k {\n  from { top: 0; }\n}\n",
        "a {\n  x: 1;\n}\n\n@keyframes k {\n  from { top: 1px; }\n}\n",
    ),
    "css custom property twice": (
        "a.css",
        ":root {\n  --a: 1;\n}\n",
        ":root {\n  --a: 1;\n  --b: 1;\n}\n",
        ":root {\n  --a: 1;\n  --b: 2;\n}\n",
    ),
    "css media twice": (
        "a.css",
        "a {\n  x: 1;\n}\n",
        "a {\n  x: 1;\n}\n\n@media print {\n  a { x: 2; }\n}\n",
        "a {\n  x: 1;\n}\n\n@media print {\n  a { x: 3; }\n}\n",
    ),
    "ruby class twice": (
        "a.rb",
        "x = 1\n",
        "x = 1\n\nclass A\n  def a; 1; end\nend\n",
        "x = 1\n\nclass A\n  def a; 2; end\nend\n",
    ),
    "ruby module twice": ("a.rb", "x = 1\n", "x = 1\n\nmodule A\n  B = 1\nend\n", "x = 1\n\nmodule A\n  B = 2\nend\n"),
    "ruby hash key": ("a.rb", "x = {\n  a: 1,\n}\n", "x = {\n  a: 1,\n  b: 2,\n}\n", "x = {\n  a: 1,\n  b: 3,\n}\n"),
    "ruby singleton method twice": (
        "a.rb",
        "class A\n  x\nend\n",
        "class A\n  x\n  def self.f; 1; end\nend\n",
        "class A\n  x\n  def self.f; 2; end\nend\n",
    ),
    "ruby else twice": (
        "a.rb",
        "case x\nwhen 1 then a\nend\n",
        "case x\nwhen 1 then a\nelse b\nend\n",
        "case x\nwhen 1 then a\nelse c\nend\n",
    ),
    "bash var twice": ("a.sh", "A=1\n", "A=1\nB=2\n", "A=1\nB=3\n"),
    "bash export twice": ("a.sh", "A=1\n", "A=1\nexport B=2\n", "A=1\nexport B=3\n"),
    "bash alias twice": ("a.sh", "A=1\n", "A=1\nalias b=c\n", "A=1\nalias b=d\n"),
    "bash case * twice": (
        "a.sh",
        "case $x in\na) f ;;\nesac\n",
        "case $x in\na) f ;;\n*) g ;;\nesac\n",
        "case $x in\na) f ;;\n*) h ;;\nesac\n",
    ),
    "bash function keyword": ("a.sh", "A=1\n", "A=1\nf() {\n  a\n}\n", "A=1\nfunction f {\n  b\n}\n"),
    "gitattributes twice": (".gitattributes", "*.a text\n", "*.a text\n*.b binary\n", "*.a text\n*.b text\n"),
    "codeowners twice": ("CODEOWNERS", "/a @x\n", "/a @x\n/b @y\n", "/a @x\n/b @z\n"),
    "changelog version twice": (
        "CHANGELOG.md",
        "# Changes\n\n## 1.0\n\n- a\n",
        "# Changes\n\n## 1.1\n\n- b\n\n## 1.0\n\n- a\n",
        "# Changes\n\n## 1.1\n\n- c\n\n## 1.0\n\n- a\n",
    ),
}

UNITED: dict[str, Versions] = {
    "c two structs": (
        "a.c",
        "int a;\n",
        "int a;\n\nstruct p {\n    int x;\n};\n",
        "int a;\n\nstruct q {\n    int x;\n};\n",
    ),
    "c forward then others": (
        "a.c",
        "struct p;\n",
        "struct p;\n\nstruct q *f(struct p *x);\n",
        "struct p;\n\nstruct p {\n    int x;\n};\n",
    ),
    "c same local in two functions": (
        "a.c",
        "int a;\n",
        "int a;\n\nint f(void) {\n    int n = 1;\n    return n;\n}\n",
        "int a;\n\nint g(void) {\n    int n = 2;\n    return n;\n}\n",
    ),
    "c uses of one struct": (
        "a.c",
        "struct p;\n",
        "struct p;\n\nint f(struct p *x);\n",
        "struct p;\n\nint g(struct p *x);\n",
    ),
    "c typedefs": (
        "a.c",
        "int a;\n",
        "int a;\ntypedef struct {\n    int x;\n} p;\n",
        "int a;\ntypedef struct {\n    int x;\n} q;\n",
    ),
    "c externs": ("a.c", "int a;\n", "int a;\nextern int b;\n", "int a;\nextern int c;\n"),
    "c enum append": (
        "a.c",
        "enum e {\n    A,\n    B\n};\n",
        "enum e {\n    A,\n    B,\n    C\n};\n",
        "enum e {\n    A,\n    B,\n    D\n};\n",
    ),
    "c enum values": (
        "a.c",
        "enum e {\n    A = 1,\n};\n",
        "enum e {\n    A = 1,\n    B = 2,\n};\n",
        "enum e {\n    A = 1,\n    C = 4,\n};\n",
    ),
    "cpp overloads": (
        "a.cpp",
        "int a;\n",
        "int a;\n\nint f(int x) {\n    return 1;\n}\n",
        "int a;\n\nint f(long x) {\n    return 2;\n}\n",
    ),
    "cpp methods of two classes": (
        "a.cpp",
        "int a;\n",
        "int a;\n\nint A::f() {\n    return 1;\n}\n",
        "int a;\n\nint B::f() {\n    return 2;\n}\n",
    ),
    "cpp overloads in class": (
        "a.cpp",
        "class A {\n    int a;\n};\n",
        "class A {\n    int a;\n    int f(int x);\n};\n",
        "class A {\n    int a;\n    int f(long x);\n};\n",
    ),
    "cpp classes": (
        "a.cpp",
        "int a;\n",
        "int a;\n\nclass A {\n    int x;\n};\n",
        "int a;\n\nclass B {\n    int x;\n};\n",
    ),
    "go receivers": (
        "a.go",
        "package a\n",
        "package a\n\nfunc (a A) M() int { return 1 }\n",
        "package a\n\nfunc (b *B) M() int { return 2 }\n",
    ),
    "go interface methods": (
        "a.go",
        "package a\n\ntype I interface {\n\tA()\n}\n",
        "package a\n\ntype I interface {\n\tA()\n\tB()\n}\n",
        "package a\n\ntype I interface {\n\tA()\n\tC()\n}\n",
    ),
    "go types": (
        "a.go",
        "package a\n",
        "package a\n\ntype P struct {\n\tX int\n}\n",
        "package a\n\ntype Q struct {\n\tX int\n}\n",
    ),
    "go iota append": (
        "a.go",
        "package a\n\nconst (\n\tA = iota\n\tB\n)\n",
        "package a\n\nconst (\n\tA = iota\n\tB\n\tC\n)\n",
        "package a\n\nconst (\n\tA = iota\n\tB\n\tD\n)\n",
    ),
    "java overloads": (
        "A.java",
        "class A {\n    int a;\n}\n",
        "class A {\n    int a;\n    int f(int x) { return 1; }\n}\n",
        "class A {\n    int a;\n    int f(long x) { return 2; }\n}\n",
    ),
    "java types": (
        "A.java",
        "class A {\n}\n",
        "class A {\n}\n\nrecord B(int x) {\n}\n",
        "class A {\n}\n\n@interface C {\n    int x();\n}\n",
    ),
    "java constructors": (
        "A.java",
        "class A {\n    int a;\n}\n",
        "class A {\n    int a;\n    A(int x) { a = x; }\n}\n",
        "class A {\n    int a;\n    A(String s) { a = 1; }\n}\n",
    ),
    "rust impls": (
        "a.rs",
        "struct P;\nstruct Q;\n",
        "struct P;\nstruct Q;\n\nimpl Display for P {\n    fn fmt(&self) -> i32 { 1 }\n}\n",
        "struct P;\nstruct Q;\n\nimpl Display for Q {\n    fn fmt(&self) -> i32 { 2 }\n}\n",
    ),
    "rust traits for one type": (
        "a.rs",
        "struct P;\n",
        "struct P;\n\nimpl Display for P {\n    fn fmt(&self) -> i32 { 1 }\n}\n",
        "struct P;\n\nimpl Debug for P {\n    fn fmt(&self) -> i32 { 2 }\n}\n",
    ),
    "rust arms before catch": (
        "a.rs",
        "fn a(x: i32) -> i32 {\n    match x {\n        1 => 1,\n        _ => 0,\n    }\n}\n",
        "fn a(x: i32) -> i32 {\n    match x {\n        1 => 1,\n        2 => 2,\n        _ => 0,\n    }\n}\n",
        "fn a(x: i32) -> i32 {\n    match x {\n        1 => 1,\n        3 => 3,\n        _ => 0,\n    }\n}\n",
    ),
    "rust signatures": (
        "a.rs",
        "trait T {\n    fn a();\n}\n",
        "trait T {\n    fn a();\n    fn b();\n}\n",
        "trait T {\n    fn a();\n    fn c();\n}\n",
    ),
    "rust macros": (
        "a.rs",
        "fn a() {}\n",
        "fn a() {}\n\nmacro_rules! m {\n    () => { 1 };\n}\n",
        "fn a() {}\n\nmacro_rules! n {\n    () => { 1 };\n}\n",
    ),
    "rust arm and catch": (
        "a.rs",
        "fn a(x: i32) -> i32 {\n    match x {\n        1 => 1,\n    }\n}\n",
        "fn a(x: i32) -> i32 {\n    match x {\n        1 => 1,\n        2 => 2,\n    }\n}\n",
        "fn a(x: i32) -> i32 {\n    match x {\n        1 => 1,\n        _ => 3,\n    }\n}\n",
    ),
    "py except order": (
        "a.py",
        "try:\n    f()\nexcept E:\n    pass\n",
        "try:\n    f()\nexcept E:\n    pass\nexcept:\n    g()\n",
        "try:\n    f()\nexcept E:\n    pass\nexcept F:\n    h()\n",
    ),
    "py case order": (
        "a.py",
        "match x:\n    case 1:\n        a()\n",
        "match x:\n    case 1:\n        a()\n    case _:\n        b()\n",
        "match x:\n    case 1:\n        a()\n    case 2:\n        c()\n",
    ),
    "py classes same method": (
        "a.py",
        "x = 1\n",
        "x = 1\n\n\nclass A:\n    def f(self):\n        return 1\n",
        "x = 1\n\n\nclass B:\n    def f(self):\n        return 2\n",
    ),
    "js classes": ("a.js", "let x;\n", "let x;\n\nclass A {\n  a() {}\n}\n", "let x;\n\nclass B {\n  a() {}\n}\n"),
    "js case and default": (
        "a.js",
        "switch (x) {\n  case 1:\n    a()\n    break\n}\n",
        "switch (x) {\n  case 1:\n    a()\n    break\n  case 2:\n    b()\n    break\n}\n",
        "switch (x) {\n  case 1:\n    a()\n    break\n  default:\n    c()\n}\n",
    ),
    "ts enum append": ("a.ts", "enum A {\n  B,\n}\n", "enum A {\n  B,\n  C,\n}\n", "enum A {\n  B,\n  D,\n}\n"),
    "ts enum values": (
        "a.ts",
        "enum A {\n  B = 1,\n}\n",
        "enum A {\n  B = 1,\n  C = 2,\n}\n",
        "enum A {\n  B = 1,\n  D = 3,\n}\n",
    ),
    "ts overload in interfaces": (
        "a.ts",
        "let x;\n",
        "let x;\n\ninterface A {\n  a: number;\n}\n",
        "let x;\n\ninterface B {\n  a: string;\n}\n",
    ),
    "json arrays": (
        "a.json",
        '{\n  "a": [\n    {"k": 1}\n  ]\n}\n',
        '{\n  "a": [\n    {"k": 1},\n    {"k": 2}\n  ]\n}\n',
        '{\n  "a": [\n    {"k": 1},\n    {"k": 3}\n  ]\n}\n',
    ),
    "json keys": (
        "a.json",
        '{\n  "a": 1\n}\n',
        '{\n  "a": 1,\n  "b": {"x": 1}\n}\n',
        '{\n  "a": 1,\n  "c": {"x": 2}\n}\n',
    ),
    "yaml maps": ("a.yaml", "a: 1\n", "a: 1\nb:\n  x: 1\n", "a: 1\nc:\n  x: 2\n"),
    "yaml steps": (
        "a.yaml",
        "steps:\n  - name: a\n    run: x\n",
        "steps:\n  - name: a\n    run: x\n  - name: b\n    run: y\n",
        "steps:\n  - name: a\n    run: x\n  - name: c\n    run: z\n",
    ),
    "toml tables": ("a.toml", "a = 1\n", "a = 1\n\n[t]\nx = 1\n", "a = 1\n\n[u]\nx = 2\n"),
    "toml arrays of tables": ("a.toml", "a = 1\n", "a = 1\n\n[[t]]\nx = 1\n", "a = 1\n\n[[t]]\nx = 2\n"),
    "toml sub-tables": ("a.toml", "[t]\nx = 1\n", "[t]\nx = 1\n\n[t.a]\nx = 1\n", "[t]\nx = 1\n\n[t.b]\nx = 2\n"),
    "toml root key and table": ("a.toml", "a = 1\n", "a = 1\nb = 2\n", "a = 1\n\n[t]\nx = 1\n"),
    "css rules": (
        "a.css",
        "a {\n  x: 1;\n}\n",
        "a {\n  x: 1;\n}\n\n.b {\n  color: red;\n}\n",
        "a {\n  x: 1;\n}\n\n.c {\n  color: red;\n}\n",
    ),
    "css media": (
        "a.css",
        "a {\n  x: 1;\n}\n",
        "a {\n  x: 1;\n}\n\n@media print {\n  a { x: 2; }\n}\n",
        "a {\n  x: 1;\n}\n\n@media screen {\n  a { x: 3; }\n}\n",
    ),
    "css declarations": ("a.css", "a {\n  x: 1;\n}\n", "a {\n  x: 1;\n  y: 1;\n}\n", "a {\n  x: 1;\n  z: 1;\n}\n"),
    "ruby classes": (
        "a.rb",
        "x = 1\n",
        "x = 1\n\nclass A\n  def a; 1; end\nend\n",
        "x = 1\n\nclass B\n  def a; 2; end\nend\n",
    ),
    "bash cases": (
        "a.sh",
        "case $x in\na) f ;;\nesac\n",
        "case $x in\na) f ;;\nb) g ;;\nesac\n",
        "case $x in\na) f ;;\nc) h ;;\nesac\n",
    ),
    "bash aliases": ("a.sh", "A=1\n", "A=1\nalias b=c\n", "A=1\nalias d=e\n"),
    "md sections": (
        "a.md",
        "# A\n\ntext\n",
        "# A\n\ntext\n\n## Setup\n\nrun this\n",
        "# A\n\ntext\n\n## Use\n\nrun this\n",
    ),
    "md same sub-section": (
        "a.md",
        "# A\n\ntext\n",
        "# A\n\ntext\n\n## One\n\n### Added\n\nx\n",
        "# A\n\ntext\n\n## Two\n\n### Added\n\ny\n",
    ),
    "md bullets": ("a.md", "# A\n\n- a\n", "# A\n\n- a\n- b\n", "# A\n\n- a\n- c\n"),
    "md code with hashes": ("a.md", "# A\n", "# A\n\n```sh\n# run\na\n```\n", "# A\n\n```sh\n# run\nb\n```\n"),
    "rst sections": (
        "a.rst",
        "A\n=\n\ntext\n",
        "A\n=\n\ntext\n\nSetup\n-----\n\nrun\n",
        "A\n=\n\ntext\n\nUse\n---\n\nrun\n",
    ),
    "sql tables": (
        "a.sql",
        "CREATE TABLE a (id int);\n",
        "CREATE TABLE a (id int);\nCREATE TABLE b (\n  id int\n);\n",
        "CREATE TABLE a (id int);\nCREATE TABLE c (\n  id int\n);\n",
    ),
    "sql inserts": (
        "a.sql",
        "INSERT INTO a VALUES (1);\n",
        "INSERT INTO a VALUES (1);\nINSERT INTO a VALUES (2);\n",
        "INSERT INTO a VALUES (1);\nINSERT INTO a VALUES (3);\n",
    ),
    "makefile": (
        "Makefile",
        "all:\n\techo a\n",
        "all:\n\techo a\n\ntest:\n\tpytest\n",
        "all:\n\techo a\n\nlint:\n\tpytest\n",
    ),
    "phony": (
        "Makefile",
        "all:\n\techo a\n",
        "all:\n\techo a\n\n.PHONY: test\ntest:\n\tpytest\n",
        "all:\n\techo a\n\n.PHONY: lint\nlint:\n\tpytest\n",
    ),
    "dockerfile": ("Dockerfile", "FROM a\n", "FROM a\nRUN a\n", "FROM a\nRUN b\n"),
    "ini sections": ("a.ini", "[a]\nx = 1\n", "[a]\nx = 1\n\n[b]\nx = 1\n", "[a]\nx = 1\n\n[c]\nx = 2\n"),
    "env": (".env", "A=1\n", "A=1\nB=2\n", "A=1\nC=3\n"),
    "requirements": ("requirements.txt", "a==1\n", "a==1\nb==2\n", "a==1\nc==3\n"),
    "go.mod": (
        "go.mod",
        "module x\n\nrequire (\n\ta v1.0.0\n)\n",
        "module x\n\nrequire (\n\ta v1.0.0\n\tb v1.0.0\n)\n",
        "module x\n\nrequire (\n\ta v1.0.0\n\tc v1.1.0\n)\n",
    ),
    "proto messages": (
        "a.proto",
        'syntax = "proto3";\n',
        'syntax = "proto3";\n\nmessage B {\n  int32 a = 1;\n}\n',
        'syntax = "proto3";\n\nmessage C {\n  string a = 1;\n}\n',
    ),
    "proto fields": (
        "a.proto",
        "message A {\n  int32 a = 1;\n}\n",
        "message A {\n  int32 a = 1;\n  int32 b = 2;\n}\n",
        "message A {\n  int32 a = 1;\n  string c = 3;\n}\n",
    ),
    "graphql": (
        "a.graphql",
        "type A {\n  a: Int\n}\n",
        "type A {\n  a: Int\n}\ntype B {\n  a: Int\n}\n",
        "type A {\n  a: Int\n}\ntype C {\n  a: Int\n}\n",
    ),
    "gitattributes": (".gitattributes", "*.a text\n", "*.a text\n*.b binary\n", "*.a text\n*.c text\n"),
    "gitignore": (".gitignore", "a\n", "a\nb\n", "a\nc\n"),
    "txt notes": ("notes.txt", "a\n", "a\nnote: b\n", "a\nnote: c\n"),
    "c enum with a value and without": (
        "a.c",
        "enum e {\n    A = 1,\n    B = 2\n};\n",
        "enum e {\n    A = 1,\n    B = 2,\n    C = 3\n};\n",
        "enum e {\n    A = 1,\n    B = 2,\n    D\n};\n",
    ),
    "py a bare except goes last": (
        "a.py",
        "try:\n    f()\nexcept E:\n    pass\n",
        "try:\n    f()\nexcept E:\n    pass\nexcept:\n    g()\n",
        "try:\n    f()\nexcept E:\n    pass\nexcept Exception:\n    h()\n",
    ),
}


def contents(versions: Versions, *, reverse: bool) -> list[str]:
    """Return what is proposed, in one order of landing or the other."""
    path, base, ours, theirs = versions
    first, second = (theirs, ours) if reverse else (ours, theirs)
    return [found.content.decode() for found in propose(path, base.encode(), first.encode(), second.encode())]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", REFUSED)
def test_nothing_is_declared_twice(name: str, reverse: bool) -> None:
    assert contents(REFUSED[name], reverse=reverse) == []


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", UNITED)
def test_what_both_add_is_there(name: str, reverse: bool) -> None:
    """Every proposal has all that either side added, and there is one."""
    _, base, ours, theirs = UNITED[name]
    found = contents(UNITED[name], reverse=reverse)
    assert found
    added = (lines_of(ours) | lines_of(theirs)) - lines_of(base)
    assert all(added <= lines_of(merged) for merged in found)


def lines_of(text: str) -> set[str]:
    """Return the lines of a text without what separates them."""
    return {line.strip(" \t,") for line in text.splitlines()}
