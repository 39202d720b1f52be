"""The data files: each is complete, consistent, and read only by what uses it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import tomli

from gitorch import data
from gitorch.agents.prices import Tokens, dollars, priced
from gitorch.flow.planning.heuristics.lexicon import lexicon
from gitorch.flow.planning.heuristics.templates import templates
from gitorch.model.roles import built_in_roles

FOLDER = Path(data.__file__).parent


def test_every_template_names_parts_and_roles_that_exist() -> None:
    """A misspelt key would silently drop a part, a dependency or a role."""
    parts = templates().parts
    keys = [part.key for part in parts]
    assert len(set(keys)) == len(keys)
    assert {key for part in parts for key in part.after} <= set(keys)
    assert {key for kind in (*templates().kinds, *templates().features) for key in kind.parts} <= set(keys)
    assert {part.role for part in parts} <= set(built_in_roles())


def test_every_pattern_of_the_lexicon_and_the_templates_compiles_alone() -> None:
    """Patterns are joined by `|`: a parenthesis that one of them leaves open must not be closed by another."""
    patterns = lexicon().patterns
    words = [word for name in patterns.__struct_fields__ for word in getattr(patterns, name)]
    words += [word for kind in (*templates().kinds, *templates().features) for word in kind.words]
    assert len(words) > 150
    for word in words:
        re.compile(word)


def test_no_word_of_the_lexicon_is_listed_twice() -> None:
    """Words are lower case, and listed once in each list."""
    tables = tomli.loads((FOLDER / "lexicon.toml").read_text("utf-8"))
    lists = {**tables, **tables.pop("patterns")}
    for name, words in lists.items():
        assert len(set(words)) == len(words), name
        assert [word for word in words if word != word.lower()] == [], name


def test_every_price_is_positive_and_ordered() -> None:
    """Output costs more than input, and reading from the cache costs less; long prompts cost more."""
    names = tomli.loads((FOLDER / "prices.toml").read_text("utf-8"))
    assert len(names) >= 16
    for name in names:
        read = dollars(name, Tokens(cache_read_input_tokens=1_000))
        prompt = dollars(name, Tokens(input_tokens=1_000))
        output = dollars(name, Tokens(output_tokens=1_000))
        long = dollars(name, Tokens(input_tokens=1_000_000))
        assert read is not None
        assert prompt is not None
        assert output is not None
        assert long is not None
        assert 0 < read < prompt < output
        assert long / 1_000 >= prompt * 0.999_999
        assert priced(f"{name}-20260131") or not name.startswith("claude")
    assert not priced("a-model-of-tomorrow")


@pytest.mark.parametrize("module", ["gitorch.model.roles", "gitorch.agents.prices", "gitorch.flow.planning.heuristics"])
def test_importing_a_module_reads_no_table(module: str) -> None:
    """Start-up does not pay for tables: they are read by the first call that needs them."""
    code = f"import sys; sys.addaudithook(lambda event, args: event == 'open' and print(args[0])); import {module}"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert module.rpartition(".")[2] in output
    assert ".toml" not in output
