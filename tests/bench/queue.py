"""What grows with the queue and with the notes: `submit`, and merging twenty branches."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from tests.bench import command
from tests.bench.branches import Made
from tests.bench.table import Row, in_turns
from tests.support.git import git, standard

BRANCHES = 20


def submit(folder: Path, rounds: int, count: int = 10_000) -> Row:
    """Measure `submit` of one task with an empty queue and with a long one; both files are due to be written."""
    small, large = standard(folder / "empty-queue"), standard(folder / "long-queue")
    command.queue(small, [])
    command.queue(large, command.queued(count))
    empty, full = in_turns([lambda: _submit(small), lambda: _submit(large)], rounds)
    what = f"`submit` of one task with {count:,} queued, to an empty queue"
    return _growth(what, full, empty, 1.4, 1.2)


def _submit(place: Path) -> float:
    command.age(place / ".git/gitorch/tasks.toml")
    return command.run(place, "submit", "One more thing").seconds


def merge_with_queue(made: Made, folder: Path, rounds: int) -> Row:
    """Measure a merge of twenty branches with a hundred and with ten thousand tasks in the queue."""
    places = [folder / f"queue-{count}" for count in (100, 10_000)]
    for place, count in zip(places, (100, 10_000), strict=True):
        command.copy(made.folder, place)
        command.queue(place, [*command.approved(made), *command.queued(count, start=BRANCHES + 1)])
    few, many = in_turns([lambda: _merge(places[0], made, folder), lambda: _merge(places[1], made, folder)], rounds)
    return _growth("merging 20 branches with 10,000 tasks in the queue, to the same with 100", many, few, 1.3, 1.1)


def merge_with_notes(made: Made, folder: Path, rounds: int) -> Row:
    """Measure a merge of twenty branches into a repository with ten and with a hundred thousand notes."""
    places = [folder / f"notes-{count}" for count in (10_000, 100_000)]
    for place, count in zip(places, (10_000, 100_000), strict=True):
        command.copy(made.folder, place)
        git("fast-import", "--quiet", "--date-format=raw", cwd=place, input=b"".join(_notes(count)))
        command.queue(place, command.approved(made))
    few, many = in_turns([lambda: _merge(places[0], made, folder), lambda: _merge(places[1], made, folder)], rounds)
    return _growth("notes 10,000 to 100,000, merging 20", many, few, 1.1, 1.03)


def _merge(template: Path, made: Made, folder: Path) -> float:
    return command.merge(command.copy(template, folder / "copy"), made).seconds


def _notes(count: int) -> Iterator[bytes]:
    """Yield a commit of notes on ids that no commit has, spread over folders as git does."""
    dice = random.Random(count)
    yield b"commit refs/notes/gitorch\ncommitter N <n@example.com> 1600000000 +0000\ndata 5\nnotes\n"
    for _ in range(count):
        name = b"%040x" % dice.getrandbits(160)
        path = b"/".join([name[:2], name[2:]] if count < 65_536 else [name[:2], name[2:4], name[4:]])
        line = b'{"v":1,"kind":"attempt","task":"%s"}\n' % name[:8]
        yield b"M 100644 inline %s\ndata %d\n%s\n" % (path, len(line), line)


def _growth(what: str, large: float, small: float, must: float, aim: float) -> Row:
    figure = f"{large / small:.2f}x ({large:.2f} s : {small:.2f} s)"
    return Row(what, figure, f"≤ {must:g}x", f"≤ {aim:g}x", large / small <= must)
