"""A question as text, and the object in a model's words."""

from __future__ import annotations

import json

import pytest

from gitorch.agents import AGENTS, QUESTIONERS
from gitorch.agents.question import Message, Question, as_prompt, object_in
from gitorch.config import AgentSettings
from gitorch.model.outcome import Exit, ExitReason

QUESTION = Question(
    instructions="You plan.", material="# Map", messages=(Message("user", "Build it"),), schema={"type": "object"}
)
EXITED = Exit(cause="exited", exit_code=0)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"b": [1]}}',
        ' \n{"a": {"b": [1]}}\n ',
        'Sure, here it is:\n{"a": {"b": [1]}}\nTell me if {it} suits you.',
        'As asked:\n```json\n{"a": {"b": [1]}}\n```\nDone.',
        '```\n{"a": {"b": [1]}}\n```',
        'Not {"x": 1} but {"a": {"b": [1]}}',
        'Set {braces} and } before {"a": {"b": [1]}}',
        '```python\nd = {}\n```\n```json\n{"a": {"b": [1]}}\n```',
    ],
)
def test_the_object_is_found_in_what_is_around_it(text: str) -> None:
    """Prose and code fences around a JSON object do no harm; of several objects the longest one is meant."""
    assert object_in(text) == {"a": {"b": [1]}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot do that.",
        '{"a": 1',
        '{"a": 1,}',
        "{'a': 1}",
        "[1, 2]",
        '"words"',
        "null",
        '{"a": NaN}',
        '{"a": "\\ud83d"}',
        "{" * 100_000,
        '{"a":' * 100_000,
        "[" * 100_000,
        "\udcff{",
    ],
)
def test_what_is_no_object_is_none(text: str) -> None:
    """Cut off, almost JSON, not an object, not Unicode, nested without end: no object, and no exception."""
    assert object_in(text) is None


def test_one_message_is_sent_as_it_is() -> None:
    """A prompt for a first question is the material and the user's words, byte for byte."""
    assert as_prompt(QUESTION) == "# Map\n\nBuild it"


def test_a_conversation_says_who_said_what() -> None:
    """Each message of a longer conversation is headed by whose it is."""
    messages = (Message("user", "one"), Message("assistant", "two"), Message("user", "three"))
    text = as_prompt(Question(instructions="", material="", messages=messages, schema={}))
    assert text == "# The user said\n\none\n\n# You answered\n\ntwo\n\n# The user said\n\nthree"


def test_every_kind_of_agent_with_a_model_can_be_asked() -> None:
    """There is a way to ask for each kind of agent whose answer has a form; commands and ACP agents answer in prose."""
    assert set(QUESTIONERS) == set(AGENTS) - {"command", "acp"}


@pytest.mark.parametrize("kind", sorted(QUESTIONERS))
def test_the_model_and_the_arguments_of_the_configuration_are_used(kind: str) -> None:
    """`model` and `args` of an agent hold for questions too."""
    settings = AgentSettings(kind="command", path="/bin/prog", model="m-1", args=("--one", "two"))
    argv = QUESTIONERS[kind].send(settings, QUESTION).argv
    assert argv[argv.index("--one") + 1] == "two"
    assert argv[argv.index("-m" if kind == "codex" else "--model") + 1] == "m-1"


def test_without_a_model_the_command_lines_choose_their_own() -> None:
    """No `model` in the configuration: none on the command line."""
    for kind, flag in (("claude", "--model"), ("codex", "-m")):
        assert flag not in QUESTIONERS[kind].send(AgentSettings(kind="command"), QUESTION).argv


def test_the_last_result_of_claude_counts() -> None:
    """`structured_output` is preferred to the text; a synthetic model's name is not a model's."""
    stream = [
        {"type": "assistant", "message": {"model": "claude-x", "content": [{"type": "text", "text": "hm"}]}},
        {"type": "assistant", "message": {"model": "<synthetic>", "content": [{"type": "text", "text": "oh"}]}},
        {"type": "result", "is_error": False, "result": "{}", "structured_output": {"a": 1}},
        {"type": "result", "is_error": False, "result": '{"b": 2}', "structured_output": {"b": 2}},
    ]
    lines = [json.dumps(record).encode() + b"\n" for record in stream]
    answer = QUESTIONERS["claude"].answer(AgentSettings(kind="claude"), lines, "", EXITED)
    assert (answer.value, answer.model, answer.text) == ({"b": 2}, "claude-x", '{"b": 2}')


@pytest.mark.parametrize("kind", sorted(QUESTIONERS))
def test_without_a_final_event_there_is_no_answer(kind: str) -> None:
    """An agent that exits 0 and says nothing, or rubbish, has not answered."""
    for lines in ([], [b"{}\n", b"\xff\n", b'{"type": "assistant"}\n']):
        answer = QUESTIONERS[kind].answer(AgentSettings(kind="command"), lines, "", EXITED)
        assert answer.outcome.ending is not ExitReason.COMPLETED
        assert answer.value is None
