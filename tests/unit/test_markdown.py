"""Markdown: front matter, titles, and checklists, whose open items are tasks."""

from __future__ import annotations

import pytest

from gitorch.flow.intake import TaskDraft, read
from gitorch.model.task import Priority
from tests.support.intake import one, refusal


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "matter",
    [
        "+++\npriority = 'high'\nafter = ['a', 'b']\nchecks.test = 'pytest'\ntimeout = '5m'\n+++\n",
        "---\npriority: high\nafter: [a, b]\nchecks: {test: pytest}\ntimeout: 5m\n---\n",
        "\ufeff---\npriority: High\nafter:\n  - a\n  - b\nchecks:\n  test: pytest\ntimeout: 300\n---  \n",
    ],
)
def test_front_matter(matter: str, end: str) -> None:
    """Front matter in TOML or YAML is the task's settings; the first heading is its title, the body its prompt."""
    body = "\nSome words.\n\n# Limit the rate\n\n```\n# not a heading\n```\n"
    draft = one((matter + body).replace("\n", end), "rate.md")
    assert draft == TaskDraft(
        title="Limit the rate",
        prompt=body.replace("\n", end),
        priority=Priority.HIGH,
        after=("a", "b"),
        checks={"test": "pytest"},
        timeout=300.0,
        origin="rate.md:1",
    )


def test_titles_of_markdown() -> None:
    """A title in the front matter comes first, then the first heading, then the first line."""
    assert one("---\ntitle: From above\n---\n# Heading\n", "a.md").title == "From above"
    assert one("---\nrole: x\n---\n\nJust words\n", "a.md").title == "Just words"
    assert one("---\ntitle: Only this\n---\n", "a.md").prompt == "Only this"
    assert one("Words first\n\nThe `heading`\n===\n", "a.md").title == "The `heading`"
    assert one("Just words\n", "a.md") == TaskDraft(title="Just words", prompt="Just words\n", origin="a.md")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("---\nrole: x\nrolle: y\n---\nz", "a.md:3: unknown key rolle; did you mean role?"),
        ("+++\nrole = 'x'\nrolle = 'y'\n+++\nz", "a.md:3: unknown key rolle; did you mean role?"),
        ("---\ntitle: no\n---\nz", "a.md:2: title: Expected `str`, got `bool`"),
        ("---\ntitle: x\nid: 012\n---\nz", "a.md:3: id: Expected `str`, got `int`"),
        ("---\nrole: [x\n---\nz", "a.md:3  "),
        ("---\nrole: x\n bad: y\n---\nz", "a.md:3  "),
        ("+++\nrole = x\n+++\nz", "a.md:2:8  "),
        ("---\njust words\n---\nz", "a.md:1: the front matter must be a table of keys and values"),
        ("---\nprompt: x\n---\nz", "a.md:2: the text below is the prompt"),
        ("---\nrole: !!python/object:os.system x\n---\nz", "a.md:2  could not determine a constructor"),
        ("---\ncontext: &a [1]\nrole: *a\n---\nz", "a.md:3  aliases are not supported"),
        ("---\ncontext: 2024-99-99\n---\nz", "a.md:1  the front matter cannot be read"),
        ("---\ncontext: \x00\n---\nz", "a.md:1  the front matter cannot be read"),
        ("---\nrole: x\n---\n  \n", "a.md:1: the text of the task is empty"),
    ],
)
def test_mistakes_in_front_matter(text: str, told: str) -> None:
    """What is wrong is told with the line in the whole file."""
    assert refusal(text, "a.md").what.startswith(told)


CHECKLIST = """\
# TODO

- [x] done already
- [ ] Add a users table
- [ ] Add a login page (after: Add a users table, 3)
  It needs a form,
  and `code`.

      indented code

  - a plain point
  - [ ] Nested work
  - [x] nested and done
* [ ] Another marker
1. [ ] Numbered
   > quoted
- no box
- [] no box either
- [ ]not a box

```
- [ ] inside a code block
```

- [ ] T012 [P] Write tests (after T003)
\t- plain, with a tab
> - [ ] Quoted item
"""


def test_a_checklist() -> None:
    """Open items are tasks, with their plain text as the prompt; what is done, or no item, is none."""
    drafts = read(CHECKLIST.encode(), "TODO.md")
    assert [(draft.title, draft.id, draft.after) for draft in drafts] == [
        ("Add a users table", "", ()),
        ("Add a login page", "", ("Add a users table", "3", "TODO.md:12")),
        ("Nested work", "", ()),
        ("Another marker", "", ()),
        ("Numbered", "", ()),
        ("Write tests", "t012", ("T003",)),
        ("Quoted item", "", ()),
    ]
    assert drafts[0].prompt == "Add a users table"
    assert drafts[1].origin == "TODO.md:5"
    assert drafts[4].prompt == "Numbered\n> quoted"
    assert drafts[5].prompt == "Write tests\n- plain, with a tab"


def test_the_prompt_of_an_item() -> None:
    """Nested text belongs to its item, dedented, without the tasks that stand in it."""
    text = "- [ ] First line\n  second line (after: a)\n\n  more\n\n      code\n\n  - point\n    - deeper\n"
    text += "  - [ ] own task\n"
    first, second = read(text.encode(), "a.md")
    assert first.prompt == "First line\nsecond line\n\nmore\n\n    code\n\n- point\n  - deeper"
    assert first.after == ("a", "a.md:10")
    assert second.prompt == "own task"


def test_an_item_without_words() -> None:
    """An open item that says nothing is told with its line."""
    assert refusal("- [ ] a\n- [ ] (after: a)\n", "a.md").what.startswith("a.md:2: the text of the task is empty")
