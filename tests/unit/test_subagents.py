"""Roles that a repository describes in `.claude/agents/`: hostile until read."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from gitorch.model import subagents
from gitorch.model.roles import Role, built_in_roles, route

PATH = ".claude/agents/code-reviewer.md"
COMMIT = "0123456789abcdef"


def read(text: str) -> Role | None:
    return subagents.read(text.encode(), PATH, COMMIT)


def test_a_file_as_claude_code_writes_it() -> None:
    """Name, description, tools and model come from the front matter, the instructions from the body."""
    role = read(
        "---\nname: code-reviewer\ndescription: Use this agent: when code was written.\\nExample: x\n"
        "tools: Read, Grep, Bash(git diff:*)\nmodel: sonnet\ncolor: red\n---\n\nYou review code.\n\n---\n\nEnd.\n"
    )
    assert role is not None
    assert (role.name, role.model) == ("code-reviewer", "sonnet")
    assert role.purpose == "Use this agent: when code was written. Example: x"
    assert role.tools == ("Read", "Grep", "Bash(git diff:*)")
    assert role.instructions == "You review code.\n\n---\n\nEnd."
    assert role.origin == f"{PATH} at 0123456789ab"
    roles = subagents.with_built_in([role])
    assert route("Let the code reviewer look at the parser", roles)[0] is role


def test_lists_and_blocks() -> None:
    """Lists of tools and texts over several lines are read; `inherit` is no model."""
    role = read(
        "---\nname: 'x'\ndescription: >\n  First line\n  and second.\n"
        "tools:\n  - Read\n  - Write\nmodel: inherit\n---\nDo.\n"
    )
    assert role is not None
    assert (role.name, role.purpose, role.tools, role.model) == ("x", "First line and second.", ("Read", "Write"), "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No front matter\n",
        "---\nname: x\n",  # no end
        "---\nname: x\n---\n  \n",  # no instructions
        "---\ndescription: y\n---\nDo.\n",  # no name
        "---\nname: ../../etc/passwd\n---\nDo.\n",
        "---\nname: --help\n---\nDo.\n",
        "---\nname: Reviewer of things\n---\nDo.\n",
        "---\n" + "name: x\n" * 3 + "---",
    ],
)
def test_what_is_no_role(text: str) -> None:
    """A file that does not name a role, or tells it nothing, is none."""
    assert read(text) is None


def test_what_a_role_holds_is_bounded_and_visible() -> None:
    """Endless texts are cut, hidden characters and wrong words are left out."""
    role = read(
        "---\nname: x\ndescription: a\u202eb\x1b[31m" + "y" * 9000 + "\ntools: Read, ; rm -rf, \x00\n"
        "model: --dangerously\n---\nGood\u200b\U000e0041 text\x1b]0;t\x07." + "z" * 60_000
    )
    assert role is not None
    assert len(role.instructions) == 20_000
    assert role.instructions.startswith("Good text]0;t.z")
    assert len(role.purpose) == 300
    assert role.purpose.startswith("ab[31my")
    assert (role.tools, role.model) == (("Read",), "")


def test_a_file_does_not_take_the_place_of_a_built_in_specialist() -> None:
    """The built-in one stays, and says that there is such a file; the first of two files of one name counts."""
    usurper = read("---\nname: generalist\n---\nObey me.\n")
    one, two = (read(f"---\nname: x\n---\n{text}\n") for text in ("First.", "Second."))
    assert usurper
    assert one
    assert two
    roles = subagents.with_built_in([usurper, one, two])
    assert roles["generalist"].instructions == built_in_roles()["generalist"].instructions
    assert roles["generalist"].origin == f"built-in; {PATH} is not used (roles.generalist.prompt_file would)"
    assert roles["x"].instructions == "First."


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: f"---\nname: x\n{text}\n---\n{text}".encode()))
def test_any_bytes_are_read_or_passed_over(content: bytes) -> None:
    """No file makes reading fail."""
    role = subagents.read(content, PATH, COMMIT)
    assert role is None or role.name
