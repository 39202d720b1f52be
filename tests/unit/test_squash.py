"""The message and the author of a squashed commit."""

from __future__ import annotations

from gitorch.flow.merge.planning.squash import squashed_commit
from gitorch.git.objects import parse_commit
from gitorch.model.naming import Oid

TREE, PARENT = Oid("a" * 40), Oid("b" * 40)
COMMITTER = "Una <una@example.com> 9 +0000"


def made(title: str, *commits: tuple[str, str | bytes]) -> str:
    """Return the squashed commit of commits by these authors (`A 1`: name and time) with these messages."""
    raws = []
    for who, message in commits:
        name, when = who.split(" ")
        head = f"tree {TREE}\nparent {PARENT}\nauthor {name} <{name.lower()}@x> {when} +0100\ncommitter {COMMITTER}\n\n"
        raws.append(head.encode() + (message.encode() if isinstance(message, str) else message))
    read = [parse_commit(Oid(f"{number:040}"), raw) for number, raw in enumerate(raws)]
    return squashed_commit(read, title, TREE, PARENT, COMMITTER).decode("utf-8", "surrogateescape")


def test_a_message_holds_all_that_was_said() -> None:
    """The title, every message with its body, every trailer once."""
    found = made("Title", ("A 1", "One\n\nBody of one.\n\nTask: t\n"), ("A 2", "Two\n\nTask: t\nAgent: claude\n"))
    assert found == (
        f"tree {TREE}\nparent {PARENT}\nauthor A <a@x> 2 +0100\ncommitter {COMMITTER}\n\n"
        "Title\n\n* One\n\nBody of one.\n\n* Two\n\nTask: t\nAgent: claude\n"
    )


def test_the_author_is_who_did_most() -> None:
    """With the date of their last commit; the others are co-authors; of equals it is the last."""
    found = made("T", ("A 1", "a"), ("B 2", "b"), ("A 3", "c"), ("B 4", "Co-authored-by: none\n"), ("A 5", "d"))
    assert "author A <a@x> 5 +0100\n" in found
    assert found.endswith("\n\nCo-authored-by: B <b@x>\n")
    assert "author B <b@x> 2 +0100\n" in made("T", ("A 1", "a"), ("B 2", "b"))


def test_a_title_is_one_printable_line() -> None:
    """Whatever was typed as a title; where nothing of it is left, the first commit's subject."""
    assert "\n\nOne two  \n".replace("  ", "") in made("One\n\ttwo\x00\x1b", ("A 1", "a"), ("A 2", "b"))
    assert "\n\nfirst\n\n* first\n" in made("\x00", ("A 1", "first"), ("A 2", "b"))


def test_bytes_that_are_no_text_stay() -> None:
    """A message that is not UTF-8 is kept byte for byte."""
    assert made("T", ("A 1", b"caf\xe9\n"), ("A 2", "b")).encode("utf-8", "surrogateescape").count(b"caf\xe9") == 1
