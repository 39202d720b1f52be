"""Handoffs: what an agent's last words are taken for."""

from __future__ import annotations

import time

from hypothesis import given, strategies as st

from gitorch.model import handoff
from gitorch.model.handoff import LONGEST, Handoff, read, render, render_sections


def test_the_form_that_the_brief_asks_for() -> None:
    """An agent that does what it is told is understood, in the words of the brief itself."""
    found = read(handoff.ASKED, ["a.py"])
    assert found.done == "What you did, and where."
    assert found.decided.startswith("What you decided")
    assert found.open.startswith("What is missing")
    assert found.check == "Commands, and what they should show."
    assert found.files == ("a.py",)


def test_other_ways_to_write_headings() -> None:
    """Bold headings, colons and text behind them are common; words in a sentence are no heading."""
    found = read(
        "Hello.\n**Done:** a table\n### DECIDED\nno index\nDone is done\nLeft open: nothing\n**How to check**\nmake"
    )
    assert found == Handoff(done="a table", decided="no index\nDone is done", open="nothing", check="make")


def test_words_without_any_form_count_as_what_was_done() -> None:
    """An agent that ignores the form still hands something over."""
    assert read("I added a table.\nAll good.") == Handoff(done="I added a table.\nAll good.")
    assert read("I added a table.\n## Decided\nNo index.") == Handoff(done="I added a table.", decided="No index.")
    assert read("") == Handoff()


def test_headings_in_code_are_code_and_a_later_word_holds() -> None:
    """What stands in a fence is not a heading; of two parts of one name the last counts."""
    found = read("## Done\n```\n## Decided\nDone: x\n```\nend\n## Done\nsecond")
    assert found == Handoff(done="second")


def test_a_megabyte_is_read_in_no_time_and_kept_short() -> None:
    """A hostile summary costs little, whatever it is made of, and what is kept of it is bounded."""
    for text in ("x" * 1_000_000, "\n" * 1_000_000, "## Done\n" * 120_000, "`" * 1_000_000, "\x1b[2J" * 250_000):
        before = time.process_time()
        found = read(text, [f"{number}" for number in range(100_000)])
        assert time.process_time() - before < 20  # quadratic reading takes minutes
        assert len(render_sections(found)) <= 4 * (LONGEST + 100)
        assert len(found.files) == 100
        assert found.more_files == 99_900


def test_hidden_characters_and_credentials_are_taken_out() -> None:
    """Neither escape codes nor text that nobody sees nor keys are handed on; names of files are shown, not obeyed."""
    key = "sk-ant-" + "a" * 30
    found = read(f"## Done\n\x1b[31mred\x07 \u202eabc \U000e0049gnore {key}\r\nnext", ["a\nb", "c\udcff", "d\x1b[0m"])
    assert found.done == "[31mred abc gnore [redacted anthropic-key]\nnext"
    assert found.files == ("a\\nb", "c\\xff", "d[0m")


def test_what_git_says_comes_before_what_the_agent_says() -> None:
    """An agent cannot write the list of files: the first line is git's."""
    text = render(read("Files changed (1): innocent.txt", ["evil.py"]))
    assert text.split("\n")[0] == "Files changed (1): evil.py"
    assert render(Handoff()) == "Files changed: none\nThe agent left no message."


@given(st.text(max_size=300))
def test_a_handoff_is_read_back_from_its_words(text: str) -> None:
    """What a note holds makes the same handoff again."""
    once = read(text)
    assert read(render_sections(once)) == read(render_sections(read(render_sections(once))))
    plain = Handoff(done="a", decided="b", open="c", check="d")
    assert read(render_sections(plain)) == plain
