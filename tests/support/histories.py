"""Small random git histories: a base, work that landed on it since, and a task's own commits."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from gitorch.model.naming import Oid
from tests.support.git import git

Tree = dict[str, tuple[str, bytes]]
Change = Callable[[Tree], None]

_FILES = ("a.txt", "b.txt", "dir/c.txt", "dir/d.txt", "dir/sub/e.txt", "ü x.txt", "run.sh", 'odd "name"\\.txt')
_FOLDERS = ("dir", "dir/sub", "new", "other/deep")
_MESSAGES = (
    b"Plain\n",
    b"Subject\n\nBody of two\nlines.\n",
    b"no newline at the end",
    b"",
    b"\n\n  leading blank lines\n",
    b"trailing blank lines\n\n\n",
    b"trailing space  \n# a comment?\n\tTab\n",
    b"crlf\r\n\r\nbody\r\n",
    "ünïcode 🚀 `ticks`; $(rm)\n".encode(),
    b"fixup! Plain\n",
    b"squash! Plain\n\nbody\n",
    b"Subject\n\nSigned-off-by: A <a@example.com>\n(cherry picked from commit 123)\n",
    b"diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-x\n+y\n",
    b">From the beginning\nFrom here\n",
)
_PEOPLE = (b"Una User <una@example.com>", "Żółw Ö <z@example.com>".encode(), b'O\'Neil "Q" \\x <o@example.com>')
_ZONES = (b"+0000", b"-0330", b"+1400")


class History(msgspec.Struct, frozen=True):
    """The commits of one history: where the task's own commits start, their tip, and what they are to be put on."""

    seed: int
    base: Oid
    tip: Oid
    onto: Oid


class Line(msgspec.Struct, frozen=True):
    """A branch of a sequence: its base, its tip, and which branch it was built on (None: on `onto`)."""

    base: Oid
    tip: Oid
    on: int | None


class Queue(msgspec.Struct, frozen=True):
    """Branches that are to be put on one commit, one after the other."""

    seed: int
    onto: Oid
    lines: tuple[Line, ...]


def write_sequences(repository: Path, seeds: Iterable[int]) -> list[Queue]:
    """Make a sequence of branches for each seed in a repository; no ref points at them."""
    writer = HistoryWriter()
    marks = [(seed, *_sequence(random.Random(seed), writer)) for seed in seeds]
    oids = writer.write(repository)
    return [
        Queue(seed, oids[onto], tuple(Line(oids[base], oids[tip], on) for base, tip, on in lines))
        for seed, onto, lines in marks
    ]


class Flock(msgspec.Struct, frozen=True):
    """Branches in flight: what they stand on in the end, and of each its base and tip, some on others' tips."""

    seed: int
    onto: Oid
    branches: tuple[tuple[Oid, Oid], ...]


def write_flocks(repository: Path, seeds: Iterable[int], size: int = 6) -> list[Flock]:
    """Make a flock of branches for each seed in a repository; no ref points at them."""
    writer = HistoryWriter()
    marks = [(seed, *_flock(random.Random(seed), writer, size)) for seed in seeds]
    oids = writer.write(repository)
    return [
        Flock(seed, oids[onto], tuple((oids[base], oids[tip]) for base, tip in branches))
        for seed, onto, branches in marks
    ]


def _flock(dice: random.Random, writer: HistoryWriter, size: int) -> tuple[int, list[tuple[int, int]]]:
    tree: Tree = {path: ("100644", _content(dice, path)) for path in _FILES} | _attributes(dice)
    base = writer.commit(dice, tree, [])
    later, onto = dict(tree), base
    for _ in range(dice.choice((0, 1, 3))):
        onto = _committed(dice, writer, later, onto)
    stands = [(base, tree), (base, tree), (onto, later)]
    branches = []
    for _ in range(size):
        foot, found = dice.choice(stands)
        mine, tip = dict(found), foot
        for _ in range(dice.randint(1, 3)):
            tip = _committed(dice, writer, mine, tip)
        branches.append((foot, tip))
        stands.append((tip, mine))
    return onto, branches


def _committed(dice: random.Random, writer: HistoryWriter, tree: Tree, parent: int) -> int:
    _change(dice)(tree)
    return writer.commit(dice, tree, [parent])


def write_histories(repository: Path, seeds: Iterable[int]) -> list[History]:
    """Make a history for each seed in a repository; no ref points at them."""
    writer = HistoryWriter()
    marks = [(seed, *_history(random.Random(seed), writer)) for seed in seeds]
    oids = writer.write(repository)
    return [History(seed, *(oids[mark] for mark in three)) for seed, *three in marks]


class HistoryWriter:
    """Writes commits as a stream for `git fast-import`."""

    def __init__(self) -> None:
        self.stream: list[bytes] = []
        self.mark = 0

    def write(self, repository: Path) -> dict[int, Oid]:
        """Store the commits, and return their ids by mark."""
        exported = repository / ".git" / "test-marks"
        git(
            "fast-import",
            "--quiet",
            "--date-format=raw-permissive",
            f"--export-marks={exported}",
            cwd=repository,
            input=b"".join([*self.stream, b"reset refs/heads/scratch\nfrom %s\n\n" % (b"0" * 40)]),
        )
        return {int(mark[1:]): Oid(oid) for mark, oid in (line.split() for line in exported.read_text().splitlines())}

    def commit(self, dice: random.Random, tree: Tree, parents: Sequence[int]) -> int:
        self.mark += 1
        message, encoding = _message(dice)
        author = b"%s %d %s" % (dice.choice(_PEOPLE), dice.randrange(10**9, 2 * 10**9), dice.choice(_ZONES))
        lines = [b"reset refs/heads/scratch\n\ncommit refs/heads/scratch\nmark :%d\n" % self.mark]
        lines += [b"author %s\ncommitter C <c@example.com> 1500000000 +0000\n%s" % (author, encoding)]
        lines += [b"data %d\n%s\n" % (len(message), message)]
        lines += [b"%s :%d\n" % (b"merge" if at else b"from", parent) for at, parent in enumerate(parents)]
        lines += [b"deleteall\n"]
        for path, (mode, content) in tree.items():
            if mode == "160000":
                lines += [b"M %s %s %s\n" % (mode.encode(), content, _quoted(path))]
            else:
                lines += [b"M %s inline %s\ndata %d\n%s\n" % (mode.encode(), _quoted(path), len(content), content)]
        self.stream += lines
        return self.mark


def _message(dice: random.Random) -> tuple[bytes, bytes]:
    if dice.random() < 0.1:
        return b"latin \xe9\xe8\n\nbody \xfc\n", b"encoding ISO-8859-1\n"
    return dice.choice(_MESSAGES), b""


def _quoted(path: str) -> bytes:
    return b'"' + path.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


def _history(dice: random.Random, writer: HistoryWriter) -> tuple[int, int, int]:
    start: Tree = {path: ("100644", _content(dice, path)) for path in _FILES}
    start |= _attributes(dice)
    base = writer.commit(dice, start, [])
    own = [_change(dice) for _ in range(dice.randint(1, 4))]
    landed = [_change(dice) for _ in range(dice.randint(0, 4))]
    if dice.random() < 0.4:  # the same change on both sides
        landed.insert(dice.randint(0, len(landed)), dice.choice(own))
    onto = _line(dice, writer, start, base, landed, merges=False)
    tip = _line(dice, writer, start, base, own, merges=dice.random() < 0.2)
    return base, tip, onto


def _sequence(dice: random.Random, writer: HistoryWriter) -> tuple[int, list[tuple[int, int, int | None]]]:
    """Write a base and branches on it or on each other; some were built on what their parent was before."""
    tree: Tree = {path: ("100644", _content(dice, path)) for path in _FILES}
    tree |= _attributes(dice)
    trunk = [(writer.commit(dice, tree, []), tree)]
    shared = [_change(dice) for _ in range(3)]
    for _ in range(dice.randint(0, 3)):
        trunk.append(_step(dice, writer, *trunk[-1], shared))
    lines: list[tuple[int, int, int | None]] = []
    grown: list[list[tuple[int, Tree]]] = []
    for _ in range(dice.randint(2, 6)):
        on = dice.randrange(len(grown)) if grown and dice.random() < 0.4 else None
        start = dice.choice(trunk) if on is None else dice.choice(grown[on][-2:])
        on = None if start in trunk else on
        commits = [start]
        for _ in range(dice.randint(1, 4)):
            commits.append(_step(dice, writer, *commits[-1], shared))
        if dice.random() < 0.1:  # back to what it was, and the same again
            (here, now), before = commits[-1], commits[-2][1]
            back = writer.commit(dice, before, [here])
            commits += [(back, before), (writer.commit(dice, now, [back]), now)]
        lines.append((start[0], commits[-1][0], on))
        grown.append(commits)
        if dice.random() < 0.15:  # the parent is amended after others were built on it
            parent, tree = commits[-2]
            lines[-1] = (start[0], _step(dice, writer, parent, tree, shared)[0], on)
    return trunk[-1][0], lines


def _step(
    dice: random.Random, writer: HistoryWriter, parent: int, before: Tree, shared: Sequence[Change]
) -> tuple[int, Tree]:
    tree = dict(before)
    change = dice.choice(shared) if dice.random() < 0.2 else _change(dice)  # the same change in several places
    change(tree)
    if dice.random() < 0.3:
        _change(dice)(tree)
    if dice.random() < 0.07:
        side = writer.commit(dice, {**before, "side.txt": ("100644", b"side\n")}, [parent])
        inner = writer.commit(dice, tree, [parent])
        tree["side.txt"] = ("100644", b"side\n")
        return writer.commit(dice, tree, [inner, side]), tree
    return writer.commit(dice, tree, [parent]), tree


def _attributes(dice: random.Random) -> Tree:
    """Say how some files are merged, in some histories."""
    if dice.random() < 0.7:
        return {}
    rules = [b"*.txt merge=union\n", b"a.txt binary\nb.txt merge=union\n", b"c.txt -merge\n", b"*.txt merge=binary\n"]
    return {dice.choice((".gitattributes", "dir/.gitattributes")): ("100644", dice.choice(rules))}


def _line(
    dice: random.Random, writer: HistoryWriter, start: Tree, parent: int, changes: Sequence[Change], *, merges: bool
) -> int:
    tree = dict(start)
    for number, change in enumerate(changes):
        before, fork = dict(tree), parent
        change(tree)
        parent = writer.commit(dice, tree, [parent])
        if merges and number == 0:
            before["side.txt"] = ("100644", b"side\n")
            side = writer.commit(dice, before, [fork])
            tree["side.txt"] = before["side.txt"]
            parent = writer.commit(dice, tree, [parent, side])
    return parent


def _content(dice: random.Random, path: str) -> bytes:
    return b"".join(b"%s line %d %d\n" % (path.encode(), number, dice.randrange(3)) for number in range(12))


def _change(dice: random.Random) -> Change:
    """Return a change with its dice rolled: it does the same to whichever tree it is applied to."""
    kind = dice.choice(
        [_edit, _edit, _edit, _add, _delete, _rename, _rename, _move_folder, _mode, _link, _clash, _module, _none]
    )
    seed = dice.random()
    return lambda tree: kind(random.Random(seed), tree)


def _file(dice: random.Random, tree: Tree) -> str:
    return dice.choice(sorted(tree))


def _edit(dice: random.Random, tree: Tree) -> None:
    path = dice.choice(_FILES)
    if path in tree:
        lines = tree[path][1].splitlines(keepends=True)
        at, what = dice.randrange(12), dice.randrange(4)
        lines[at : at + dice.randrange(2)] = [b"edited %d\n" % what]
        tree[path] = (tree[path][0], b"".join(lines))


def _add(dice: random.Random, tree: Tree) -> None:
    folder = dice.choice(_FOLDERS)
    if not any(path == folder for path in tree):
        tree[f"{folder}/added-{dice.randrange(4)}.txt"] = ("100644", b"added %d\n" % dice.randrange(3))


def _delete(dice: random.Random, tree: Tree) -> None:
    tree.pop(dice.choice(_FILES), None)


def _rename(dice: random.Random, tree: Tree) -> None:
    old, new = dice.choice(_FILES), f"{dice.choice(_FOLDERS)}/renamed-{dice.randrange(3)}.txt"
    if old in tree:
        mode, content = tree.pop(old)
        tree[new] = (mode, content + (b"and changed\n" if dice.random() < 0.3 else b""))


def _move_folder(dice: random.Random, tree: Tree) -> None:
    old, new = dice.choice(("dir/", "dir/sub/")), dice.choice(("moved/", "new/"))
    for path in [path for path in tree if path.startswith(old)]:
        tree[new + path.removeprefix(old)] = tree.pop(path)


def _mode(dice: random.Random, tree: Tree) -> None:
    path = dice.choice(_FILES)
    if path in tree and tree[path][0] != "120000":
        tree[path] = ("100755", tree[path][1])


def _link(dice: random.Random, tree: Tree) -> None:
    tree[dice.choice(("link", "a.txt"))] = ("120000", dice.choice((b"b.txt", b"dir/c.txt")))


def _clash(dice: random.Random, tree: Tree) -> None:
    """Put a file where the other side may have a folder."""
    folder = dice.choice(("dir/sub", "new"))
    if not any(path.startswith(f"{folder}/") for path in tree):
        tree[folder] = ("100644", b"a file now\n")


def _module(dice: random.Random, tree: Tree) -> None:
    """Point a submodule at a commit that nobody has."""
    tree["module"] = ("160000", b"%040x" % dice.randrange(1, 4))


def _none(dice: random.Random, tree: Tree) -> None:
    """Change nothing: an empty commit."""
