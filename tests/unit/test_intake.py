"""What a person hands in as text, NDJSON or a folder: prompts stay exact, titles are short, mistakes have a place."""

from __future__ import annotations

import contextlib
import json
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings, strategies as st

from gitorch.errors import InvalidInput
from gitorch.flow.intake import context_text, from_text, headline, read, read_folder, shortened
from tests.support.intake import one, refusal
from tests.support.scale import scaled
from tests.support.tasks import texts


@settings(max_examples=scaled(200))
@given(texts)
@example("`rm -rf` ; \"q\" 'p' \r\n\r\n🚀\0$(x)")
def test_text_is_the_prompt(text: str) -> None:
    """Any text is a prompt byte for byte, or is blank and refused; its title is one printable line."""
    if not text.strip():
        with pytest.raises(InvalidInput) as refused:
            from_text(text)
        assert refused.value.code == "empty-prompt"
        return
    draft = from_text(text)
    assert draft.prompt == text
    assert draft.title
    assert len(draft.title.splitlines()) == 1
    assert not any(unicodedata.category(character) == "Cc" for character in draft.title)


@settings(max_examples=scaled(100))
@given(texts)
def test_a_plain_file_is_the_prompt(text: str) -> None:
    """A text file's content is its task's prompt, byte for byte."""
    if text.strip():
        assert one(text, "task.txt").prompt == text


@settings(max_examples=scaled(100))
@given(texts, texts)
def test_ndjson_is_exact(title: str, prompt: str) -> None:
    """Whatever can be written in JSON arrives as it was."""
    if prompt.strip():
        line = json.dumps({"title": title, "prompt": prompt, "context": {"x": prompt}})
        draft = one(line + "\n", "-")
        assert draft.prompt == prompt
        assert draft.title == (" ".join(title.split()) or from_text(prompt).title)
        assert json.loads(draft.context) == {"x": prompt}


@settings(max_examples=scaled(60))
@given(texts)
def test_a_body_below_front_matter_is_exact(body: str) -> None:
    """What stands below the front matter is the prompt, byte for byte."""
    if body.strip():
        assert one(f"+++\ntitle = 'T'\n+++\n{body}", "a.md").prompt == body


@settings(max_examples=scaled(60))
@given(texts)
def test_no_content_crashes(text: str) -> None:
    """Any content, under any name, is tasks or a refusal."""
    for name in ("a.toml", "a.md", "a.ndjson", "a", "-"):
        for source in (text, f"---\n{text}\n---\n{text}", f"[[task]]\n{text}", f"- [ ] {text}\n- [ ] {text}"):
            with contextlib.suppress(InvalidInput):
                assert all(draft.title and draft.prompt.strip() for draft in read(source.encode(), name))


@pytest.mark.parametrize("text", ["", " \n\t\r\n", "\u2003"])
def test_blank_text(text: str) -> None:
    """Nothing to do is not a task, however it comes."""
    with pytest.raises(InvalidInput, match="the text of the task is empty"):
        from_text(text)
    assert refusal(text, "-").what == "standard input: the text of the task is empty"


def test_what_was_not_utf8() -> None:
    """An argument or a file that is not UTF-8 is refused, and named."""
    with pytest.raises(InvalidInput, match="not UTF-8") as refused:
        from_text(b"caf\xe9".decode("utf-8", "surrogateescape"))
    assert refused.value.code == "not-utf8"
    assert refusal(b"caf\xe9", "a.txt").what == "a.txt is not UTF-8 text"
    assert refusal('{"title": "x", "prompt": "\\ud800"}', "a.ndjson").what.startswith("a.ndjson:1: ")
    assert refusal('---\ntitle: "\\ud800"\n---\n', "a.md").code in ("not-utf8", "yaml-syntax")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Add a users table", "Add a users table"),
        ("\n\n  Fix   the\tbug \n\nmore", "Fix the bug"),
        ("# Heading\n\ntext", "Heading"),
        ("```\n---\nReal words\n", "Real words"),
        ("🚀", "🚀"),
        ("***", "***"),
        ("\ufeffWith a mark", "With a mark"),
        ("bell\x07 and \x1b[31mred", "bell and [31mred"),
        ("a\0b", "a b"),
    ],
)
def test_titles(text: str, title: str) -> None:
    """The title is the first line that says something."""
    assert headline(text) == title


def test_long_titles_are_cut_at_a_word() -> None:
    """A title fits into a terminal, in columns and not in characters."""
    words = "word " * 30
    assert headline(words) == ("word " * 14).strip() + "…"
    assert headline("x" * 200) == "x" * 71 + "…"
    assert headline("漢" * 200) == "漢" * 35 + "…"
    assert headline("e\u0301" * 72) == "e\u0301" * 72
    assert shortened("exactly ten", 11) == "exactly ten"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])), st.integers(2, 80))
def test_shortened_fits(line: str, width: int) -> None:
    """No line is wider than it may be."""
    columns = sum(
        0 if unicodedata.combining(one) else 1 + (unicodedata.east_asian_width(one) in "WF")
        for one in shortened(line, width)
    )
    assert columns <= width


def test_a_large_prompt() -> None:
    """Five megabytes are a prompt like any other."""
    text = "Do this:\n" + "0123456789abcdef `;` 🚀\r\n" * 200_000
    assert len(text) > 4_500_000
    for name in ("-", "a.txt", "a.md"):
        assert one(text, name).prompt == text
    assert one(json.dumps({"prompt": text}), "a.ndjson").prompt == text
    assert one(f"+++\n+++\n{text}", "a.md").prompt == text
    quoted = json.dumps(text, ensure_ascii=False)
    assert one(f"[[task]]\nprompt = {quoted}\n", "a.toml").prompt == text
    multi = text.replace("\r", "")
    assert one(f"[[task]]\nprompt = '''\n{multi}'''\n", "a.toml").prompt == multi


@pytest.mark.parametrize("name", ["a.toml", "a.ndjson", "a.md"])
def test_no_task(name: str) -> None:
    """A file without a task is an error, not an empty night."""
    text = {"a.toml": "[defaults]\n", "a.ndjson": "\n", "a.md": "- [x] done\n"}[name]
    assert refusal(text, name).what == f"{name} contains no open task"


def test_deep_nesting() -> None:
    """A file that is made to exhaust a reader is refused."""
    deep = "[" * 100_000
    for name, text in (
        ("a.toml", f"[[task]]\ntitle = 't'\ncontext = {deep}"),
        ("a.ndjson", deep),
        ("a.ndjson", '{"title": "t", "context": ' + deep),
        ("a.md", f"---\ncontext: {'[' * 5000}\n---\nx"),
    ):
        assert refusal(text, name).what.startswith(name)


@pytest.mark.parametrize("text", ["# Title\n\nDo x:\n\n- [ ] criterion\n", "Please do\n- [ ] a"])
def test_standard_input_is_one_task(text: str) -> None:
    """Text that comes by a pipe is one task, unless it says that it is a format."""
    assert one(text, "-").prompt == text


def test_ndjson() -> None:
    """One object a line is one task, with the same keys."""
    lines = b'{"id": "a", "title": "A"}\n\n{"prompt": "Do b\\nnow", "after": ["a"], "budget": 1.5}\n'
    first, second = read(lines, "-")
    assert (first.id, first.prompt, first.origin) == ("a", "A", "standard input:1")
    assert (second.title, second.after, second.budget, second.origin) == ("Do b", ("a",), 1.5, "standard input:3")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"title": "a"}\n{"titel": "b"}', "a.jsonl:2: unknown key titel; did you mean title?"),
        ('{"title": "a"}\n{"title": ', "a.jsonl:2: "),
        ("[1]", "a.jsonl:1: each line must be one JSON object"),
        ('{"title": 3}', "a.jsonl:1: title: Expected `str`, got `int`"),
    ],
)
def test_mistakes_in_ndjson(text: str, told: str) -> None:
    """What is wrong is told with its line."""
    assert refusal(text, "a.jsonl").what.startswith(told)


@pytest.mark.parametrize(
    "text", ['{"error": "this is a log"}', "{ not json", "[[taskforce]] meets", "---\nA line\n---\nmore"]
)
def test_what_only_looks_like_a_format(text: str) -> None:
    """Standard input that is not surely a format is a prompt."""
    assert one(text, "-").prompt == text


def test_context() -> None:
    """Context is always JSON text: what is JSON stays byte for byte, other text becomes a JSON string."""
    assert context_text('{"a":  1}') == '{"a":  1}'
    assert json.loads(context_text("see docs")) == "see docs"
    assert json.loads(context_text({"when": datetime(2026, 1, 1, tzinfo=UTC)})) == {"when": "2026-01-01T00:00:00Z"}


def test_a_folder(tmp_path: Path) -> None:
    """A folder's tasks files are read in the order of their names; hidden and other files are not."""
    for name, text in {
        "2-b.md": "B",
        "1-a.toml": "[[task]]\ntitle = 'A1'\n[[task]]\ntitle = 'A2'\n",
        "3-done.md": "- [x] done\n",
        ".hidden.md": "H",
        "notes.txt": "N",
    }.items():
        (tmp_path / name).write_text(text)
    assert [draft.title for draft in read_folder(tmp_path)] == ["A1", "A2", "B"]


def test_an_empty_folder(tmp_path: Path) -> None:
    """A folder without tasks is an error."""
    with pytest.raises(InvalidInput, match="contains no open task"):
        read_folder(tmp_path)
