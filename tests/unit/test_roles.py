"""Routing: which specialist a task calls for."""

from __future__ import annotations

import string
from collections import Counter
from pathlib import Path

import pytest
import tomli
from hypothesis import given, strategies as st

from gitorch import data
from gitorch.model.roles import GENERALIST, Role, built_in_roles, generalist, route

TABLES = Path(__file__).parents[1] / "support"
BUILT_IN = built_in_roles()


def titles(name: str) -> list[tuple[str, str]]:
    """Return the lines of a table: a title, and the specialist that a person would send it to."""
    lines = (TABLES / name).read_text("utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return [(title, role) for role, title in pairs]


def chosen(title: str) -> str:
    return route(title, BUILT_IN)[0].name


def test_nine_of_ten_titles_go_where_a_person_would_send_them() -> None:
    """The table was written before the weights; at least 90 % of it goes right."""
    table = titles("titles.tsv")
    assert len(table) >= 80
    shares = Counter(role for _, role in table)
    assert set(shares) == set(BUILT_IN)
    assert shares[GENERALIST] >= len(table) / 4
    assert len(missed(table)) <= len(table) / 10, missed(table)


@pytest.mark.parametrize(
    ("table", "share"),
    [
        ("titles.tsv", 0.9),
        ("titles-held-out.tsv", 0.9),
        ("titles-third.tsv", 0.9),
        ("titles-backlog.tsv", 0.9),
        ("titles-backlog-held-out.tsv", 0.8),
    ],
)
def test_few_titles_go_to_a_wrong_specialist(table: str, share: float) -> None:
    """Most mistakes are the harmless ones, of the generalist: a wrong specialist gets one in twenty at most."""
    found = titles(table)
    assert len(missed(found)) <= len(found) * (1 - share), missed(found)
    wrong = [one for one in missed(found) if one[2] != GENERALIST]
    assert len(wrong) <= len(found) / 20, wrong


def missed(table: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Return the titles that go elsewhere than a person would send them: title, specialist, and where they go."""
    return [(title, role, chosen(title)) for title, role in table if chosen(title) != role]


def test_no_word_is_listed_twice_or_cannot_be_found() -> None:
    """Each word has one weight in a vocabulary, and a title that is nothing but the word gives it its points."""
    tables = tomli.loads(Path(data.__file__).with_name("specialists.toml").read_text("utf-8"))
    assert set(tables) == set(BUILT_IN)
    for name, table in tables.items():
        words = [word for level in table.get("words", {}).values() for word in level]
        assert [word for word, count in Counter(words).items() if count > 1] == []
        role = Role(name="one", instructions="x", match=dict.fromkeys(words, 3))
        lost = [word for word in words if route(word, {GENERALIST: generalist(), "one": role})[0] is not role]
        assert lost == [], name


@pytest.mark.parametrize(
    ("title", "role"),
    [
        ("docs: how the webhook payloads look", "specifications-engineer"),
        ("[ui] loading takes long", "frontend-ui-engineer"),
        ("fix(backend): wrong rounding on Terraform exports", "backend-systems-engineer"),
        ("Wrong rounding: backend on Terraform", GENERALIST),
    ],
)
def test_the_label_of_a_title_counts_twice(title: str, role: str) -> None:
    """What stands before the colon or in brackets is what its author says that it belongs to."""
    assert chosen(title) == role


def test_joined_words_are_read_apart_too() -> None:
    """Names of classes and variables speak as the words that they are made of; halves of words do not."""
    assert chosen("Set StorageClass on install") == "aws-cloud-architect"
    assert chosen("Rename connection_pool") == "backend-systems-engineer"
    assert chosen("Rename Uinput and guiBuild") == GENERALIST


def test_what_a_file_is_called_says_nothing_where_its_place_speaks() -> None:
    """A page about the database is still a page; a file in no known place is read like other words."""
    assert chosen("Update docs/database-api.md") == "specifications-engineer"
    assert chosen("Update lib/database-api.zig") == "backend-systems-engineer"


@pytest.mark.parametrize(
    ("title", "never"),
    [
        ("Fix email template", "ml-systems-architect"),  # the seed saw "ai" in "email"
        ("Fix email template", "llm-architect"),
        ("Update the build guide", "frontend-ui-engineer"),  # and "ui" in "build guide"
        ("Separate the retired accounts", "backend-systems-engineer"),
    ],
)
def test_words_match_whole_or_not_at_all(title: str, never: str) -> None:
    """A word inside another word says nothing about the work."""
    assert chosen(title) != never


@given(st.sampled_from(sorted(BUILT_IN)), st.text(string.ascii_letters, min_size=1, max_size=5), st.data())
def test_a_word_with_letters_around_it_is_another_word(name: str, around: str, data: st.DataObject) -> None:
    """No signal of any role fires inside a longer word."""
    word = data.draw(st.sampled_from(sorted(BUILT_IN[name].match) or ["x"]))
    one = Role(name="one", instructions="x", match={word: 3})
    roles = {GENERALIST: generalist(), "one": one}
    assert route(f"Do {word} now", roles)[0].name == "one"
    assert route(f"Do z{around}{word} now", roles)[0].name == GENERALIST
    assert route(f"Do {word}q{around} now", roles)[0].name == GENERALIST


def test_a_tie_is_for_the_generalist_and_said() -> None:
    """Two specialists that are equally near are told, with what spoke for them."""
    role, why = route("Terraform the backend", BUILT_IN)
    assert role is generalist()
    assert why == "backend-systems-engineer and aws-cloud-architect are equally near: backend, terraform"


def test_a_choice_is_explained_by_what_decided_it() -> None:
    """The reason names the words, the strongest first; where none speaks, it says that."""
    assert route("Add a page to the React frontend", BUILT_IN)[1] == "react, frontend, page"
    assert route("Rename a variable", BUILT_IN)[1] == "no word or path calls for a specialist"
    assert route("Handle a table", BUILT_IN)[1] == "no specialist stands out (weak match: table)"


def test_paths_count_like_words() -> None:
    """What a task is confined to, and files that its title names, tell the specialist."""
    assert route("Fix the rounding", BUILT_IN, paths=("web/cart/**",))[0].name == "frontend-ui-engineer"
    assert route("Fix the rounding in src/components/cart.tsx", BUILT_IN)[0].name == "frontend-ui-engineer"
    role, why = route("Tidy infra/main.tf", BUILT_IN)
    assert (role.name, why) == ("aws-cloud-architect", "infra/main.tf")
    assert route("Fix the rounding", BUILT_IN, paths=("src/money.py",))[0] is generalist()


def test_the_prompt_is_read_where_the_title_says_nothing() -> None:
    """A title decides alone where it can; else the prompt does if it is clear, and one word in it is not."""
    clear = "Orders time out. Look at the SQL of the REST endpoint and at the database's connection pool."
    assert route("See below", BUILT_IN, prompt=clear)[0].name == "backend-systems-engineer"
    assert route("Write a tutorial", BUILT_IN, prompt=clear)[0].name == "specifications-engineer"
    assert route("See below", BUILT_IN, prompt="It says so in the docs.")[0] is generalist()
    assert route("See below", BUILT_IN, prompt="x" * 10_000 + clear)[0] is generalist()
    assert route("Handle a table", BUILT_IN, prompt=clear)[0].name == "backend-systems-engineer"
    assert route("Terraform the backend", BUILT_IN, prompt=clear)[0].name == "backend-systems-engineer"
    assert route("Terraform the backend", BUILT_IN, prompt="As always.")[1].endswith("equally near: backend, terraform")
    assert route("Fix this", BUILT_IN, prompt="See web/cart.tsx and web/list.tsx")[0].name == "frontend-ui-engineer"


@given(st.text(max_size=200), st.text(max_size=200), st.lists(st.text(max_size=20), max_size=3))
def test_any_text_has_a_role(title: str, prompt: str, paths: list[str]) -> None:
    """Routing is total: whatever somebody writes, one of the roles is chosen and a reason is given."""
    role, why = route(title, BUILT_IN, prompt=prompt, paths=paths)
    assert BUILT_IN[role.name] is role
    assert why


def test_the_specialists_of_the_seed_are_there_with_instructions_worth_reading() -> None:
    """Each of the ten says what good work is, how it is done and what is handed over, and no two say the same."""
    assert len(BUILT_IN) == 11
    for role in BUILT_IN.values():
        assert role.purpose
        assert "Good work" in role.instructions
        assert "How you work:" in role.instructions
        assert "Hand over:" in role.instructions
    assert len({role.instructions for role in BUILT_IN.values()}) == 11
