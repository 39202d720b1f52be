"""Tables of languages: what a grammar does not say about its kinds of node."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import msgspec
import tomli

from gitorch import typed

_NAMES = (
    "bash", "c", "cpp", "css", "go", "java", "javascript", "json", "python", "ruby", "rust", "toml", "typescript",
    "tsx", "yaml",
)  # fmt: skip


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """One grammar and its table.

    - `texts` are leaves merged by lines and words, of which `comments` are prose.
    - `inner` nodes begin with their first child: the space before them belongs to that child.
    - `blocks` hold statements or entries, one a line; the entries of `lists` have commas between them.
    - `keys`: the paths of fields that identify a node among its siblings ("name", "receiver+name", "1.left",
      "trait?+type" where there may be no trait).
    - `units` have a name that is theirs alone in a scope; `exclusive` entries, of which a list has one per key.
    - `declares`: further kinds whose name is theirs alone, with the path of the name; those that are `bodied` only with
      a body. `overloads`: the path of the types that two of one name may differ in. `repeatable` ones share a name;
      that of `file_wide` ones is theirs in the whole file.
    - `sequences` hold entries that are told apart by their place.
    - `quotes_are_optional`: a key is the same with quotes. `is_data`: a key may only be where a version has it.
    - `bindings`: kinds that give a name a value, with the path of the name.
    - `once`: kinds that a scope may have once if they contain this word.
    - `catch_alls`: cases after which no other is reached, with an expression for their first tokens.
    - `jumps` end a block: no statement after them is reached.
    - `headed`: compound statements, with the path of their first body.
    - `parameters`: lists in which every caller has to give the `required` kinds, and in which
      `separators_of_parameters` change what the parameters after them mean.
    - `functions` are scopes of local names; with `hoists`, `name = value` gives a name to a value.
    - `enumerations` are blocks in which no value may be there twice. In those that are `counted`, with the kinds of
      their entries, one without a value counts on from the one before, if the block contains the `counter_word`.
    - `calls`: kinds of call, with the field of the function that is called.
    - `imports`: kinds of import, with the field of the imported names ("" for every child); they bind the names in
      their own scope if `imports_are_local`, else in the file.
    - `words` name lists for the evidence.
    """

    name: str
    grammar: str
    function: str = "language"
    extensions: tuple[str, ...]
    texts: frozenset[str] = frozenset()
    comments: frozenset[str] = frozenset()
    inner: frozenset[str] = frozenset()
    blocks: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    keys: dict[str, str] = {}
    units: frozenset[str] = frozenset()
    exclusive: frozenset[str] = frozenset()
    declares: dict[str, str] = {}
    bodied: frozenset[str] = frozenset()
    overloads: dict[str, str] = {}
    repeatable: frozenset[str] = frozenset()
    file_wide: frozenset[str] = frozenset()
    sequences: frozenset[str] = frozenset()
    quotes_are_optional: bool = False
    is_data: bool = False
    bindings: dict[str, str] = {}
    once: dict[str, str] = {}
    catch_alls: dict[str, str] = {}
    jumps: frozenset[str] = frozenset()
    headed: dict[str, str] = {}
    parameters: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    separators_of_parameters: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    hoists: bool = False
    enumerations: frozenset[str] = frozenset()
    counted: dict[str, str] = {}
    counter_word: str = ""
    calls: dict[str, str] = {}
    imports: dict[str, str] = {}
    imports_are_local: bool = False
    words: dict[str, str] = {}


def language_of(path: str) -> Language | None:
    """Return the language of a file by its name; None if there is no table for it."""
    dot = path.rfind(".")
    return _by_extension().get(path[dot:].lower()) if dot >= 0 else None


@cache
def _by_extension() -> dict[str, Language]:
    languages = [_load(name) for name in _NAMES]
    return {extension: language for language in languages for extension in language.extensions}


def _load(name: str) -> Language:
    return typed.from_object(_table(name), Language)


def _table(name: str) -> dict[str, Any]:
    """Return the table of a language, on top of the one that it is like."""
    table = tomli.loads(resources.files(__package__).joinpath(f"{name}.toml").read_text("utf-8"))
    like = table.pop("like", None)
    return table if like is None else {**_table(like), **table}
