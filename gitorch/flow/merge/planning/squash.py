"""Squash the commits of each task into one, with all of their messages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gitorch.git.repository import Commit
from gitorch.git.writing import unreferenced
from gitorch.model.naming import Oid
from gitorch.model.task import Task
from gitorch.replay import CommitRange, Replayed, Replayer

_TRAILER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*: .*|\(cherry picked from commit [0-9a-f]+\)")


class Squasher:
    """Squashes the own commits of each task.

    Tasks that build on a squashed one are replayed as usual: they have only their own commits.
    """

    def __init__(self, engine: Replayer, tasks: Iterable[Task]) -> None:
        self.engine = engine
        self._titles: Mapping[Oid, str] = {task.tip: task.title for task in tasks if task.tip}

    def squash(self, commits: CommitRange, onto: Oid, replayed: Replayed) -> Replayed:
        """Return a replay with its commits squashed, if there are several and they are a task's."""
        if len(replayed.pairs) < 2 or commits.tip not in self._titles:
            return replayed
        repository = self.engine.repository
        originals = repository.commits(old for old, _ in replayed.pairs)
        self.engine.keep(replayed.tip)
        tree = self.engine.tree(replayed.tip)
        tip = unreferenced.store_commit(
            repository, squashed_commit(originals, self._titles[commits.tip], tree, onto, repository.committer())
        )
        return msgspec.structs.replace(replayed, tip=tip, pairs=tuple((old, tip) for old, _ in replayed.pairs))


def squashed_commit(commits: Sequence[Commit], title: str, tree: Oid, parent: Oid, committer: str) -> bytes:
    """Return the bytes of one commit that replaces several.

    Its subject is the task's title, its body their messages, oldest first. Its author is the author of most of
    them (the latest of equals), with the date of their last commit; the others are co-authors. Repeated trailers are
    kept once.
    """
    authors = [_author(commit) for commit in commits]
    counts = Counter(name for name, _ in authors)
    author = max(reversed(counts), key=lambda name: counts[name])
    date = next(date for name, date in reversed(authors) if name == author)
    lines = [f"tree {tree}", f"parent {parent}", f"author {author} {date}", f"committer {committer}", "", ""]
    co_authors = [name for name in counts if name != author]
    return "\n".join(lines).encode("utf-8", "surrogateescape") + _message(commits, title, co_authors)


def _author(commit: Commit) -> tuple[str, str]:
    """Return the name and mail of a commit's author, and the date."""
    headers, _, _ = _text(commit).partition("\n\n")
    line = next(line for line in headers.split("\n") if line.startswith("author "))
    identity, _, date = line[7:].rpartition("> ")
    return f"{identity}>", date


def _message(commits: Sequence[Commit], title: str, co_authors: Sequence[str]) -> bytes:
    subject = " ".join(_printable(title).split()) or commits[0].subject
    bodies: list[str] = []
    trailers: dict[str, None] = {}
    for commit in commits:
        text, message_trailers = _split(_text(commit).partition("\n\n")[2].strip("\n"))
        trailers |= dict.fromkeys(message_trailers)
        first_line, _, body = text.partition("\n")
        if first_line:
            bodies.append(f"* {first_line}" + (f"\n\n{body.strip(chr(10))}" if body.strip() else ""))
    trailers |= dict.fromkeys(f"Co-authored-by: {name}" for name in co_authors)
    parts = [subject, "\n\n".join(bodies), "\n".join(trailers)]
    return ("\n\n".join(part for part in parts if part) + "\n").encode("utf-8", "surrogateescape")


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _text(commit: Commit) -> str:
    """Return a commit as text, decoded with its own encoding, or byte for byte if that fails."""
    headers = commit.raw.partition(b"\n\n")[0].split(b"\n")
    encoding = next((line[9:] for line in headers if line.startswith(b"encoding ")), b"utf-8")
    try:
        text = commit.raw.decode(encoding.decode("ascii"))
    except (LookupError, UnicodeError):
        text = commit.raw.decode("utf-8", "surrogateescape")
    return text.replace("\0", "")


def _split(text: str) -> tuple[str, list[str]]:
    """Return a message without its trailers, and the trailers: its last paragraph, if all of its lines are trailers."""
    body, gap, last = text.rpartition("\n\n")
    lines = last.split("\n")
    if gap and all(_TRAILER.fullmatch(line.rstrip("\r")) for line in lines if line) and last.strip():
        return body.rstrip("\n"), [line.rstrip("\r") for line in lines if line]
    return text, []
