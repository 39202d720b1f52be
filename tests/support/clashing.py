"""Small random nights of tasks that clash in code: some conflicts have a right resolution, and some have none.

Each task adds words that nobody else has, so that a tree tells by its words whose work is in it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from gitorch.model.naming import Oid
from tests.support.histories import HistoryWriter, Tree

WORDS = re.compile(r"[A-Za-z_]\w*")

_SHOP = """\
import os
import sys

PRICES = {
    "apple": 1,
    "pear": 2,
}


class Shop:
    def __init__(self):
        self.items = []

    def open(self, door):
        return opened

    def close(self):
        return closed
"""
_ODD_NAME = 'odd "name" ü.py'
_START = {
    "shop.py": _SHOP,
    _ODD_NAME: "def first():\n    return 1\n\n\ndef second():\n    return 2\n",
    "entries.json": '{\n  "one": 1,\n  "two": 2\n}\n',
    "CHANGES.md": "# Changes\n\n- Start\n",
    "plain.txt": "".join(f"line {word}\n" for word in "a b c d e f g h i j k l".split()),
    "list.txt": "first\n",
    "lib/util.py": "def helper():\n    return helped\n",
}
_ATTRIBUTES = ("", "", "list.txt merge=union\n", "plain.txt -merge\n", "*.py diff=python\nlist.txt merge=union\n")

Change = Callable[[dict[str, str], str, random.Random], None]


class Rule(msgspec.Struct, frozen=True):
    """A check: all these words are in the tree, or (`together` is False) not all of them are."""

    words: tuple[str, ...]
    together: bool = True

    def command(self) -> str:
        """Return the check as a command of the shell."""
        union = " && ".join(f"grep -rqw {word} --exclude-dir=.git ." for word in self.words)
        return union if self.together else f"! {{ {union}; }}"

    def holds(self, words: frozenset[str]) -> bool:
        """Return whether a tree with these words passes."""
        return words.issuperset(self.words) is self.together


class Work(msgspec.Struct, frozen=True):
    """The branch of one task: the words that it adds and removes, and its own checks; `merges` others' commits."""

    name: str
    base: Oid
    tip: Oid
    adds: frozenset[str]
    removes: frozenset[str]
    checks: tuple[Rule, ...]
    merges: bool


class Night(msgspec.Struct, frozen=True):
    """Tasks in flight on one commit, and the check of the repository."""

    seed: int
    onto: Oid
    check: Rule
    works: tuple[Work, ...]


class _Branch(msgspec.Struct):
    base: int
    tip: int
    files: dict[str, str]
    start: dict[str, str]
    words: list[str] = []
    merges: bool = False


def write_night(repository: Path, seed: int, size: int = 5) -> Night:
    """Write the commits of a night into a repository; no ref points at them."""
    dice, writer = random.Random(seed), HistoryWriter()
    theme = dice.sample(_CHANGES, 2)
    files = dict(_START)
    if rules := dice.choice(_ATTRIBUTES):
        files[".gitattributes"] = rules
    start = onto = writer.commit(dice, _tree(files), [])
    later = dict(files)
    for number in range(dice.choice((0, 0, 1, 2))):
        _change(dice, theme)(later, f"m{number}", dice)
        onto = writer.commit(dice, _tree(later), [onto])
    branches: list[_Branch] = []
    for number in range(dice.randint(2, size)):
        branch = _begin(dice, branches, (start, files), (onto, later))
        for commit in range(dice.choice((1, 1, 2))):
            word = f"t{number}x{commit}"
            _change(dice, theme)(branch.files, word, dice)
            branch.words.append(word)
            branch.tip = writer.commit(dice, _tree(branch.files), [branch.tip])
        branches.append(branch)
    if len(branches) > 2 and dice.random() < 0.15:
        _cross(dice, writer, branches[0], branches[1], onto if dice.random() < 0.5 else None)
    oids = writer.write(repository)
    works = [
        _work(dice, f"t{number}", oids[branch.base], oids[branch.tip], branch, branches)
        for number, branch in enumerate(branches)
    ]
    everyone = [branch.words[0] for branch in branches]
    refuses = dice.random() < 0.2
    check = Rule(tuple(dice.sample(everyone, 2)), together=False) if refuses else Rule(("Shop",))
    return Night(seed, oids[onto], check, tuple(works))


def _begin(dice: random.Random, branches: Sequence[_Branch], *stands: tuple[int, dict[str, str]]) -> _Branch:
    """Begin a branch on main, on what main was before, or on another branch."""
    tip, files = dice.choice(stands)
    if branches and dice.random() < 0.2:
        below = dice.choice(branches)
        tip, files = below.tip, below.files
    return _Branch(tip, tip, dict(files), dict(files))


def _cross(dice: random.Random, writer: HistoryWriter, one: _Branch, other: _Branch, third: int | None) -> None:
    """Merge two branches into each other (criss-cross), one of them with a third parent (octopus)."""
    tips = one.tip, other.tip
    files = {**one.files, **other.files}
    extra = [third] if third is not None else []
    one.tip = writer.commit(dice, _tree(files), [*tips, *extra])
    other.tip = writer.commit(dice, _tree(files), [*reversed(tips)])
    for branch in (one, other):
        branch.files, branch.merges = dict(files), True


def _work(dice: random.Random, name: str, base: Oid, tip: Oid, branch: _Branch, branches: Sequence[_Branch]) -> Work:
    before, after = words_of(branch.start), words_of(branch.files)
    others = [other.words[0] for other in branches if other is not branch]
    checks = [Rule((word,)) for word in branch.words if word in after]
    if dice.random() < 0.15:
        checks = []  # nothing that it changes can be proven
    elif dice.random() < 0.2:
        checks.append(Rule((*branch.words[:1], dice.choice(others)), together=False))
    return Work(name, base, tip, after - before, before - after, tuple(checks), branch.merges)


def _change(dice: random.Random, theme: Sequence[Change]) -> Change:
    """Return a change: mostly one of the night's theme, so that tasks meet."""
    return dice.choice(theme if dice.random() < 0.6 else (*_CHANGES, *_MOVES))


def words_of(files: dict[str, str]) -> frozenset[str]:
    """Return the words in files and in their names."""
    return frozenset(WORDS.findall("\n".join((*files, *files.values()))))


def _tree(files: dict[str, str]) -> Tree:
    return {path: ("100644", content.encode()) for path, content in files.items()}


def _replace(files: dict[str, str], word: str, path: str, old: str, new: str) -> None:
    """Replace the first `old` in a file; where it is gone, write a file of its own for the word."""
    content = files.get(path, "")
    if old in content:
        files[path] = content.replace(old, new, 1)
    else:
        files[f"new/{word}.txt"] = f"{word}\n"


def _member(files: dict[str, str], word: str, dice: random.Random) -> None:
    if "shop.py" in files:
        files["shop.py"] += f"\n    def {word}(self):\n        return {dice.randrange(9)}\n"


def _entry(files: dict[str, str], word: str, dice: random.Random) -> None:
    _replace(files, word, "shop.py", "\n}\n", f'\n    "{word}": {dice.randrange(9)},\n}}\n')


def _import(files: dict[str, str], word: str, dice: random.Random) -> None:
    _replace(files, word, "shop.py", "import sys\n", f"import sys\nimport {word}\n")


def _json(files: dict[str, str], word: str, dice: random.Random) -> None:
    _replace(files, word, "entries.json", "\n}", f',\n  "{word}": {dice.randrange(9)}\n}}')


def _changelog(files: dict[str, str], word: str, dice: random.Random) -> None:
    files["CHANGES.md"] = files.get("CHANGES.md", "") + f"- Add {word}\n"


def _listed(files: dict[str, str], word: str, dice: random.Random) -> None:
    files["list.txt"] = files.get("list.txt", "") + f"{word}\n"


def _body(files: dict[str, str], word: str, dice: random.Random) -> None:
    """Change one function in a way of its own: two of these have no right resolution."""
    _replace(files, word, "shop.py", dice.choice(("return opened", "return closed")), f"return {word}")


def _parameter(files: dict[str, str], word: str, dice: random.Random) -> None:
    _replace(files, word, "shop.py", "self, door", f"self, door, {word}=None")


def _line(files: dict[str, str], word: str, dice: random.Random) -> None:
    _replace(files, word, "plain.txt", f"line {dice.choice('abcdefghijkl')}\n", f"line {word}\n")


def _function(files: dict[str, str], word: str, dice: random.Random) -> None:
    if _ODD_NAME in files:
        files[_ODD_NAME] += f"\n\ndef {word}():\n    return {dice.randrange(9)}\n"


def _rename(files: dict[str, str], word: str, dice: random.Random) -> None:
    path = dice.choice(("lib/util.py", _ODD_NAME, "list.txt"))
    if path in files:
        files[f"lib/{word}.py"] = files.pop(path)


def _delete(files: dict[str, str], word: str, dice: random.Random) -> None:
    files.pop(dice.choice(("plain.txt", "list.txt", "lib/util.py")), None)
    files[f"new/{word}.txt"] = f"{word}\n"


def _file(files: dict[str, str], word: str, dice: random.Random) -> None:
    files[f"{dice.choice(('new', 'lib', 'deep/er'))}/{word}.txt"] = f"{word}\n"


_CHANGES = (_member, _json, _changelog, _line, _entry, _import, _listed, _body, _parameter, _function)
_MOVES = (_rename, _delete, _file)
