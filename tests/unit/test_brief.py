"""The brief: what an agent is told."""

from __future__ import annotations

from hypothesis import given, strategies as st

from gitorch.model import handoff
from gitorch.model.brief import HANDOFF_BUDGET, first_brief, fix_brief, go_on_brief
from gitorch.model.handoff import Handoff, TaskHandoff
from gitorch.model.markdown_fences import fenced
from gitorch.model.naming import Oid, TaskId
from gitorch.model.roles import built_in_roles, generalist
from gitorch.model.task import CheckResult, Comment, Task
from tests.support.tasks import make_task


def task(prompt: str, **fields: object) -> Task:
    return make_task(id=TaskId("t"), number=1, title="T", prompt=prompt, branch="orch/t", **fields)


@given(st.text(min_size=1))
def test_the_prompt_is_in_the_brief_byte_for_byte(prompt: str) -> None:
    """Whatever somebody asks for arrives as it was written."""
    assert prompt in first_brief(task(prompt), generalist(), {})


def test_comments_come_with_their_places_and_numbers() -> None:
    """The next attempt knows what the reviewer meant, and where."""
    said = (Comment(text="use scrypt", file="auth.py", line=7), Comment(text="add a test"))
    text = first_brief(task("x", comments=said, attempts=1), generalist(), {})
    assert "1. `auth.py:7`: use scrypt" in text
    assert "2. add a test" in text


def handed(name: str, words: str, *files: str) -> TaskHandoff:
    return TaskHandoff(task=TaskId(name), title=f"Add {name}", handoff=handoff.read(words, files))


def test_the_whole_checklist_is_told_in_its_order() -> None:
    """Goal, task, criteria, role, conventions, scope, handoffs, comments, checks, how to finish, what is forbidden."""
    said = (Comment(text="use scrypt", file="auth.py", line=7),)
    one = task(
        "Do it.",
        goal="A shop",
        acceptance=("logs in", "logs out"),
        paths=("src/**",),
        context='{"port": 1}',
        comments=said,
        attempts=1,
    )
    before = [handed("db", "## Done\nA table.", "users.sql")]
    text = first_brief(one, built_in_roles()["backend-systems-engineer"], {"test": "pytest -q"}, before, ["AGENTS.md"])
    parts = [
        *("# Goal", "A shop", "# Task: T", "Do it.", "# Acceptance criteria", "- logs in\n- logs out", "# Your role"),
        *("backend-systems-engineer", "Hand over:", "# Conventions", "`AGENTS.md`", "# Scope", "`src/**`", "# Context"),
        *('{"port": 1}', "# What this builds on", "not instructions", "## db: Add db", "users.sql", "A table."),
        *("# Comments of the review", "1. `auth.py:7`: use scrypt", "# How your work will be checked", "`pytest -q`"),
        *(
            "orchestrate context list",
            "# How to finish",
            "`orch/t`",
            "## Left open",
            "# What is not allowed",
            "not push",
        ),
    ]
    places = [text.find(part) for part in parts]
    assert -1 not in places, parts[places.index(-1)]
    assert places == sorted(places)


def test_a_brief_holds_only_what_there_is() -> None:
    """A task without goal, criteria, scope, context, dependencies, comments and checks has no empty headings."""
    headings = [line for line in first_brief(task("x"), generalist(), {}).splitlines() if line.startswith("# ")]
    assert headings == ["# Task: T", "# Your role", "# The other agents", "# How to finish", "# What is not allowed"]


def test_a_fence_cannot_be_broken_out_of() -> None:
    """Output that holds a fence stays inside a longer one."""
    assert fenced("```\nEND").startswith("````\n")


_BREAKERS = st.sampled_from(["```", "````", "``````````", "~~~", "\n", "\r", "# Task: other", "`", "\u2028", " ", "x"])


_BROKEN = st.lists(_BREAKERS, max_size=30).map("".join)


@given(_BROKEN, st.lists(_BREAKERS, max_size=5).map("".join), _BROKEN)
def test_no_handoff_leaves_its_fence(words: str, name: str, prompt: str) -> None:
    """A reader of Markdown sees what another agent wrote as code, whatever it wrote: here, markdown-it's reading."""
    from markdown_it import MarkdownIt

    said = (Comment(text=prompt),)
    one = task(f"x\n{prompt}\nx", goal=prompt, acceptance=(prompt,), comments=said)
    text = first_brief(one, generalist(), {}, [handed("db", f"START {words} STOP", f"f{name}")])
    tokens = MarkdownIt().parse(text)
    fences = [token for token in tokens if token.type == "fence" and "Files changed" in token.content]
    assert len(fences) == 1
    assert fences[0].content.rstrip().endswith("STOP")


def test_handoffs_share_a_budget_and_the_nearest_come_first() -> None:
    """What does not fit is cut, then left out with the command that shows it; the brief stays bounded."""
    many = [handed(f"t{number}", "## Done\n" + "word " * 5000) for number in range(30)]
    text = first_brief(task("x"), generalist(), {}, many)
    assert len(text) < HANDOFF_BUDGET + 6000
    assert text.index("## t0:") < text.index("## t29:")
    assert "[cut here for length]" in text
    assert "Left out here for length: `orchestrate context show t29`" in text


def test_a_title_of_another_task_is_one_line() -> None:
    """A title cannot open a section of its own."""
    one = TaskHandoff(task=TaskId("db"), title="A\n# Task: other\x1b[2J", handoff=Handoff())
    assert "\n## db: A # Task: other[2J\n" in first_brief(task("x"), generalist(), {}, [one])


def test_what_comes_back_asks_for_the_handoff_again() -> None:
    """A session that mends checks or goes on ends with a message for the whole task."""
    assert "in the form described" in fix_brief([])
    assert "in the form described" in go_on_brief()


def test_failing_checks_are_told_with_the_end_of_their_output() -> None:
    """The last lines say what is wrong; ten thousand before them do not."""
    result = CheckResult(name="test", command="pytest", tree=Oid("0"), exit_code=1)
    text = fix_brief([(result, "\n".join(f"line {number}" for number in range(1000)))])
    assert "line 999" in text
    assert "line 5\n" not in text
    assert "exit code 1" in text
