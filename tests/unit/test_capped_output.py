"""Of the output of a program, the beginning and the end are kept, and a line says how much is missing."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from gitorch.executors import capped_output
from gitorch.executors.capped_output import CappedOutput, missing_line
from gitorch.executors.output_reader import LONGEST_LINE, follow, open_output
from gitorch.executors.output_redaction import OutputRedactor
from gitorch.executors.protocol import Running, missing_bytes
from gitorch.model.credentials import redaction
from gitorch.model.credentials.scan import Scanner
from gitorch.model.outcome import Exit

LIMIT = 8_000
SCANNER = Scanner(redaction.table())
PLAIN = Scanner({})


@contextmanager
def output(limit: int = LIMIT, scanner: Scanner = SCANNER) -> Iterator[tuple[Path, CappedOutput]]:
    """A new output in a new folder."""
    with tempfile.TemporaryDirectory() as name:
        descriptor = os.open(name, os.O_RDONLY)
        try:
            yield Path(name), CappedOutput(descriptor, "stdout", limit, OutputRedactor(scanner))
        finally:
            os.close(descriptor)


def read(folder: Path, tail: int | None = None) -> bytes:
    """Return what a reader sees."""
    with open_output(folder, "stdout", tail=tail) as file:
        return file.read()


def lines(count: int, first: int = 0) -> bytes:
    """Return numbered lines of 20 bytes."""
    return b"".join(b"line %014d\n" % number for number in range(first, first + count))


def on_disk(folder: Path) -> int:
    """Return the bytes in a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())


def check(content: bytes, written: bytes, limit: int = LIMIT) -> None:
    """Check that content is the beginning, one line about what is missing, and the end."""
    head, line, tail = content.partition(b"[gitorch: ")
    if not line:
        assert content == written
        return
    number, _, tail = tail.partition(b" bytes are missing here]\n")
    # the line starts at the beginning of a line: a line end may have been added
    cut = written[: len(written) - int(number) - len(tail)]
    assert head in (cut, cut + b"\n")
    assert written.endswith(tail)
    assert len(cut) >= limit // 2 - 1
    assert len(tail) >= limit // 8


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.booleans()), max_size=60), st.integers(200, LIMIT))
def test_beginning_and_end_are_kept(pieces: list[tuple[int, bool]], limit: int) -> None:
    """At every moment, whatever the sizes of the pieces are, and on bounded disk."""
    written = b""
    with output(limit, PLAIN) as (folder, capped):
        for count, is_read in pieces:
            data = lines(count, len(written) // 20)
            written += data
            capped.take(data)
            if is_read:
                capped.settle()
                check(read(folder), written, limit)
                assert on_disk(folder) <= limit
        capped.finish()
        assert capped.received == len(written)
        content = read(folder)
        check(content, written, limit)
        assert (folder / "stdout").read_bytes() == content
        assert on_disk(folder) <= limit + 100
        assert read(folder, tail=70) == content[-70:]


@given(st.lists(st.integers(0, 300), max_size=30), st.integers(1, 5))
@settings(deadline=None)
def test_a_follower_gets_what_the_file_has(counts: list[int], every: int) -> None:
    """A reader that is slower than the program misses the middle, and is told how much."""
    written = b""
    with output(LIMIT, PLAIN) as (folder, capped):

        def steps() -> Iterator[Running | Exit]:
            nonlocal written
            for number, count in enumerate(counts):
                data = lines(count, len(written) // 20)
                written += data
                capped.take(data)
                if number % every == 0:
                    yield Running(1, 0.0)
            capped.finish()
            while True:
                yield Exit(cause="exited")

        polled = steps()
        *received, end = follow(folder, "stdout", lambda: next(polled), pause=0)
    assert isinstance(end, Exit)
    total = 0
    for line in received:
        assert isinstance(line, bytes)
        if missing := missing_bytes(line):
            total += missing
        else:
            assert line == lines(1, total // 20)
            total += len(line)
    assert total == len(written)


def test_too_fast_for_redaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a program printed last is there, and nothing of a credential whose line was cut."""
    monkeypatch.setattr(capped_output, "_SHARE", 0.0)
    monkeypatch.setattr(capped_output, "_START_SECONDS", -1.0)
    token = "ghp_" + "b" * 36
    written = b"".join(b"%06d key %s\n" % (number, token.encode()) for number in range(30_000))
    with output(400_000) as (folder, capped):
        for start in range(0, len(written), 65_537):
            capped.take(written[start : start + 65_537])
        capped.take(b"the end\n")
        capped.finish()
        content = read(folder)
        assert on_disk(folder) < 500_000
    assert b"bb" not in content
    assert content.startswith(b"000000 key [redacted github-token]\n")
    assert content.endswith(b"029999 key [redacted github-token]\nthe end\n")
    assert content.count(b"bytes are missing here]\n") == 1
    following = content.partition(b"missing here]\n")[2].splitlines()
    assert all(line.endswith(b"[redacted github-token]") for line in following[:-1])


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program goes on; what could not be stored is counted."""
    is_full = False
    write = os.write

    def limited(descriptor: int, data: bytes) -> int:
        if is_full:
            raise OSError(errno.ENOSPC, "no space")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", limited)
    with output() as (folder, capped):
        capped.take(lines(10))
        is_full = True
        capped.take(lines(20, 10))
        is_full = False
        capped.take(lines(5, 30))
        capped.finish()
        content = read(folder)
    assert content.startswith(lines(10) + missing_line(20 * 20 + 20))
    assert content.endswith(lines(4, 31))


def test_an_endless_line_is_read_in_parts() -> None:
    """It costs a reader no more memory than one part."""
    with output(8 * LONGEST_LINE, PLAIN) as (folder, capped):
        for _ in range(40):
            capped.take(b"x" * 65_536)
        capped.finish()
        with open_output(folder, "stdout") as file:
            parts = list(file)
        events = list(follow(folder, "stdout", lambda: Exit(cause="exited")))
    assert b"".join(parts) == b"x" * 40 * 65_536
    assert max(map(len, parts)) <= LONGEST_LINE
    assert max(len(event) for event in events if isinstance(event, bytes)) <= 2 * LONGEST_LINE


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_not_read(tmp_path: Path, kind: str) -> None:
    """An agent without a sandbox can put anything there; a reader neither follows nor waits."""
    (tmp_path / "secret").write_text("secret")
    path = tmp_path / "stdout"
    if kind == "link":
        path.symlink_to("secret")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert read(tmp_path) == b""
    assert list(follow(tmp_path, "stdout", lambda: Exit(cause="exited"))) == [Exit(cause="exited")]
