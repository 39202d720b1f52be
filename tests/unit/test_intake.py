"""What a person hands in becomes the tasks that were meant, byte for byte, or is refused with file and line."""

from __future__ import annotations

import contextlib
import json
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gitorch.errors import InvalidInput
from gitorch.flow.intake import Draft, context_text, from_text, headline, read, read_folder, resolve, shortened
from gitorch.model.naming import TaskId, task_id
from gitorch.model.task import Priority, State, Task, by_id
from tests.support.scale import scaled
from tests.support.tasks import texts


def one(source: str | bytes, name: str) -> Draft:
    (draft,) = read(source if isinstance(source, bytes) else source.encode(), name)
    return draft


def refusal(source: str | bytes, name: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as refused:
        read(source if isinstance(source, bytes) else source.encode(), name)
    return refused.value


# text


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
    with pytest.raises(InvalidInput, match="there is nothing to do"):
        from_text(text)
    assert refusal(text, "-").what == "standard input: there is nothing to do: the task's text is empty"


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


# TOML

TASKS = """\
# tonight
[defaults]
agent = "claude"
priority = "low"
checks = { lint = "ruff check" }

[[task]]
id = "users"
title = "Add a users table"
prompt = '''
Add it.
[[task]]
title = "not a task"
'''
priority = "HIGH"
paths = ["src/**"]
checks.test = "pytest -q"
budget = 2
timeout = "1h30m"
base = "dev"
context = { ticket = 7, tags = ["a"] }

[[task]]
title = "Add a login page"
after = ["users", 3]
role = "tester"
timeout = 90
context = '{"a":  1}'
"""


def test_a_tasks_file() -> None:
    """Every key means what it says; defaults hold where a task says nothing, and tables of checks are joined."""
    first, second = read(TASKS.encode(), "tasks.toml")
    assert first == Draft(
        id="users",
        title="Add a users table",
        prompt='Add it.\n[[task]]\ntitle = "not a task"\n',
        agent="claude",
        priority=Priority.HIGH,
        paths=("src/**",),
        checks={"lint": "ruff check", "test": "pytest -q"},
        budget=2.0,
        timeout=5400.0,
        base="dev",
        context='{"ticket":7,"tags":["a"]}',
        origin="tasks.toml:7",
    )
    assert second == Draft(
        title="Add a login page",
        prompt="Add a login page",
        agent="claude",
        priority=Priority.LOW,
        after=("users", "3"),
        role="tester",
        checks={"lint": "ruff check"},
        timeout=90.0,
        context='{"a":  1}',
        origin="tasks.toml:23",
    )
    assert read(TASKS.encode(), "-")[0].title == first.title
    assert read(TASKS.replace("\n", "\r\n").encode(), "tasks.toml")[1].title == second.title


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('role = "tester"', 'rolle = "tester"'), "tasks.toml:26: unknown key rolle; did you mean role?"),
        (("budget = 2", "depends_on = ['x']"), "tasks.toml:18: unknown key depends_on; did you mean after?"),
        (("[defaults]", "[default]"), "tasks.toml:2: unknown key default; did you mean defaults?"),
        (('agent = "claude"', 'title = "x"'), "tasks.toml:3: unknown key title"),
        (("budget = 2", "budget = -2"), "tasks.toml:18: budget: Expected `float` >= 0.0"),
        (("budget = 2", 'budget = "2"'), "tasks.toml:18: budget: Expected `float`, got `str`"),
        (
            ('priority = "HIGH"', 'priority = "urgent"'),
            "tasks.toml:15: priority: Invalid enum value 'urgent'; it must be high, ",
        ),
        (('timeout = "1h30m"', 'timeout = "soon"'), "tasks.toml:19: timeout: 'soon' is not a duration"),
        (('checks.test = "pytest -q"', "checks.test = 3"), "tasks.toml:17: checks: Expected `str`, got `int`"),
        (('paths = ["src/**"]', "paths = [3]"), "tasks.toml:16: paths: Expected `str`, got `int`"),
        (('title = "Add a login page"\n', ""), "tasks.toml:23: there is nothing to do"),
        (("timeout = 90", "timeout = = 90"), "tasks.toml:27:11  "),
        (
            ('[defaults]\nagent = "claude"\npriority = "low"\nchecks = { lint = "ruff check" }', "defaults = 3"),
            "tasks.toml:2: defaults must be a table",
        ),
    ],
)
def test_mistakes_in_a_tasks_file(change: tuple[str, str], told: str) -> None:
    """What is wrong is told with file, line, and the near miss."""
    assert change[0] in TASKS
    assert refusal(TASKS.replace(*change), "tasks.toml").what.startswith(told)


@pytest.mark.parametrize("text", ["task = 3", "[task]\ntitle = 'x'", "task = ['x']"])
def test_a_task_is_a_table_of_its_own(text: str) -> None:
    """The way to write a task is told."""
    assert refusal(text, "a.toml").what == "a.toml:1: each task must be a table of its own: [[task]]"


def test_inline_tasks() -> None:
    """A task that is written inline is a task, too."""
    assert [draft.title for draft in read(b"task = [{title='a'}, {title='b'}]", "a.toml")] == ["a", "b"]


@pytest.mark.parametrize("name", ["a.toml", "a.ndjson", "a.md"])
def test_no_task(name: str) -> None:
    """A file without a task is an error, not an empty night."""
    text = {"a.toml": "[defaults]\n", "a.ndjson": "\n", "a.md": "- [x] done\n"}[name]
    assert refusal(text, name).what == f"{name} holds no open task"


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


# Markdown


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
    assert draft == Draft(
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
    assert one("Just words\n", "a.md") == Draft(title="Just words", prompt="Just words\n", origin="a.md")


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
        ("---\njust words\n---\nz", "a.md:1: the front matter must be keys with values"),
        ("---\nprompt: x\n---\nz", "a.md:2: the prompt is the text below"),
        ("---\nrole: !!python/object:os.system x\n---\nz", "a.md:2  could not determine a constructor"),
        ("---\ncontext: &a [1]\nrole: *a\n---\nz", "a.md:3  aliases are not read"),
        ("---\ncontext: 2024-99-99\n---\nz", "a.md:1  the front matter cannot be read"),
        ("---\ncontext: \x00\n---\nz", "a.md:1  the front matter cannot be read"),
        ("---\nrole: x\n---\n  \n", "a.md:1: there is nothing to do"),
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
        ("Add a login page", "", ("Add a users table", "3")),
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
    assert first.after == ("a",)
    assert second.prompt == "own task"


def test_an_item_without_words() -> None:
    """An open item that says nothing is told with its line."""
    assert refusal("- [ ] a\n- [ ] (after: a)\n", "a.md").what.startswith("a.md:2: there is nothing to do")


@pytest.mark.parametrize("text", ["# Title\n\nDo x:\n\n- [ ] criterion\n", "Please do\n- [ ] a"])
def test_standard_input_is_one_task(text: str) -> None:
    """Text that comes by a pipe is one task, unless it says that it is a format."""
    assert one(text, "-").prompt == text


# NDJSON


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


# folders


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
    with pytest.raises(InvalidInput, match="holds no open task"):
        read_folder(tmp_path)


# names


def draft(title: str, *after: str, name: str = "") -> Draft:
    return Draft(title=title, prompt=title, id=name, after=after, origin=f"file:{title}")


def existing(*names: str) -> dict[TaskId, Task]:
    return by_id([Task(id=TaskId(name), number=at, title=name, prompt="x") for at, name in enumerate(names, start=1)])


def resolved(
    *drafts: Draft, beside: dict[TaskId, Task] | None = None, taken: tuple[str, ...] = ()
) -> dict[str, tuple[str, ...]]:
    return {task.id: task.after for task in resolve(drafts, beside or {}, 10, taken=taken)}


def test_a_task_has_all_that_its_draft_says() -> None:
    """Everything that was asked for is in the task, which is queued, numbered, and new."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    full = Draft(
        title="Add it",
        prompt="Add it\0\r\n",
        agent="codex",
        role="tester",
        priority=Priority.HIGH,
        checks={"t": "x"},
        paths=("a",),
        context="{}",
        base="dev",
        budget=1.0,
        timeout=2.0,
    )
    assert resolve([full, full], {}, 7, created=now)[1] == Task(
        id=TaskId("add-it-2"),
        number=8,
        title="Add it",
        prompt="Add it\0\r\n",
        agent="codex",
        role="tester",
        priority=Priority.HIGH,
        checks={"t": "x"},
        paths=("a",),
        context="{}",
        from_ref="dev",
        budget=1.0,
        timeout=2.0,
        created=now,
        state=State.QUEUED,
    )


def test_ids_are_unique() -> None:
    """Made names keep out of the way of asked ones, of tasks that exist, and of names that are taken."""
    drafts = [draft("Users"), draft("users!"), draft("other", name="users-2"), draft("Candidate")]
    found = resolved(*drafts, beside=existing("users-3"), taken=("users",))
    assert list(found) == ["users-4", "users-5", "users-2", "candidate-2"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("users", "file:B: there is a task called users already"),
        ("own", "file:B: two tasks are called own"),
        ("Not ok", "file:B: 'Not ok' cannot be a task's name"),
        ("integration", "file:B: 'integration' cannot be a task's name"),
        ("gone", "file:B: there is a task called gone already"),
    ],
)
def test_a_name_that_cannot_be_had(name: str, told: str) -> None:
    """An id that was asked for is given, or refused with the reason."""
    with pytest.raises(InvalidInput) as refused:
        resolved(draft("A", name="own"), draft("B", name=name), beside=existing("users"), taken=("gone",))
    assert refused.value.what == told


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("own-id", "own-id"),
        ("add-a-users-table", "add-a-users-table"),
        ("Add a users table!", "add-a-users-table"),
        ("OWN-ID", "own-id"),
        ("login-page", "login-page"),
        ("2", "logout"),
        ("#2", "logout"),
        ("login", "login-page"),
        ("add", "add-a-users-table"),
    ],
)
def test_names_of_dependencies(wanted: str, found: str) -> None:
    """A dependency is found by id, title, number, or a beginning that only one has."""
    drafts = [draft("Add a users table"), draft("Something", name="own-id"), draft("last", wanted)]
    assert resolved(*drafts, beside=existing("login-page", "logout"))["last"] == (found,)


def test_the_same_file_twice() -> None:
    """Titles mean the tasks of the same batch, not those of an earlier one with the same titles."""
    drafts = [draft("Users"), draft("Login", "users")]
    before = by_id(resolve(drafts, {}, 1))
    assert resolved(*drafts, beside=before) == {"users-2": (), "login-2": ("users-2",)}


def test_a_task_with_the_title_of_what_it_waits_for() -> None:
    """A new task can wait for an older one of the same name."""
    assert resolved(draft("Users", "users"), beside=existing("users")) == {"users-2": ("users",)}


def test_a_dependency_is_named_once() -> None:
    """Two names for one task are one dependency."""
    assert resolved(draft("a", "users", "1", "us"), beside=existing("users")) == {"a": ("users",)}


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("logn-page", "file:x: x waits for logn-page, which does not exist"),
        ("99", "file:x: x waits for 99, which does not exist"),
        ("", "file:x: x waits for , which does not exist"),
        ("lo", "file:x: x waits for lo, which could be login-page, logout"),
        ("Same", "file:x: x waits for Same, which could be same-2, same-3"),
    ],
)
def test_dependencies_that_are_not_sure(wanted: str, told: str) -> None:
    """Nothing is guessed: what is unknown, or could be two, is named."""
    drafts = [draft("Same"), draft("Same!"), draft("x", wanted)]
    with pytest.raises(InvalidInput) as refused:
        resolved(*drafts, beside=existing("login-page", "logout", "same"))
    assert refused.value.what == told
    if wanted == "logn-page":
        assert refused.value.why == "did you mean login-page?"


@pytest.mark.parametrize("drafts", [[draft("a", "b"), draft("b", "c"), draft("c", "a")], [draft("a", "a", name="a")]])
def test_cycles(drafts: list[Draft]) -> None:
    """A cycle is refused by name, also the smallest."""
    with pytest.raises(InvalidInput, match="these tasks wait for each other: a -> "):
        resolved(*drafts)


def test_what_left_the_task_file_does_not_matter() -> None:
    """That an existing task waits for one that was merged and cleaned up keeps nobody from submitting."""
    old = Task(id=TaskId("b"), number=1, title="b", prompt="b", after=(TaskId("merged-long-ago"),))
    assert resolved(draft("c", "b"), beside={old.id: old}) == {"c": ("b",)}


@settings(max_examples=scaled(50))
@given(st.lists(st.tuples(texts, st.lists(st.integers(0, 5), max_size=2)), min_size=1, max_size=6))
def test_any_batch_becomes_sound_tasks(batch: list[tuple[str, list[int]]]) -> None:
    """Whatever the titles, every task has a lawful id of its own, and waits for the ones it named by number."""
    drafts = [
        Draft(title=headline(title), prompt="x", id=f"id-{at}" if at % 2 else "") for at, (title, _) in enumerate(batch)
    ]
    first = resolve(drafts, {}, 1)
    assert len({task.id for task in first}) == len(batch)
    assert all(task_id(task.id) for task in first)
    assume(not any(task.id[0].isdigit() for task in first))  # a name that could be meant by a number
    numbered = [
        msgspec.structs.replace(one, id="", after=tuple(str(n + 1) for n in wanted if n < len(batch)))
        for one, (_, wanted) in zip(drafts, batch, strict=True)
    ]
    second = resolve(numbered, by_id(first), 100)
    for task, (_, wanted) in zip(second, batch, strict=True):
        assert len(task.after) <= len(set(wanted))


def test_goal_and_acceptance_criteria_come_with_a_task() -> None:
    """A tasks file says what a task is part of and what must hold at the end; one criterion may be plain text."""
    text = '[defaults]\ngoal = "A shop"\n[[task]]\ntitle = "One"\nacceptance = ["a", "b"]\n[[task]]\ntitle = "Two"\n'
    one, two = resolve(read((text + 'acceptance = "c"\n').encode(), "tasks.toml"), {}, 1)
    assert (one.goal, one.acceptance) == ("A shop", ("a", "b"))
    assert (two.goal, two.acceptance) == ("A shop", ("c",))
