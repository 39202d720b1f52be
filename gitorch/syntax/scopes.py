"""Names and entries by scope: what a merge must not define twice, and what it must not use any more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import count as count_up, pairwise

from gitorch.syntax import words
from gitorch.syntax.declared import catches_all, declarations, item_name, overload
from gitorch.syntax.likeness import key_of
from gitorch.syntax.nodes import Node

_NAME = re.compile(rb"[^\W\d]\w*")
_VERSION = re.compile(rb"v\d+")
"""The last part of a path of a Go module, which is not its name."""
_NUMBER = re.compile(rb"-?\w*\d\w*")
_ITEM = re.compile(r"#\d+")
_ENUMERATION = re.compile(rb"Enum|Flag")


Versions = tuple[Node, Node, Node]

# units below these levels are compared one by one: file, class, block of the class
_LEVELS = 3


def unchanged_texts(versions: Versions, merged: Node) -> frozenset[bytes]:
    """Return the texts of upper nodes that all versions have; nothing has to be looked for in these."""
    unchanged: set[bytes] = set()
    levels = [[root] for root in (merged, *versions)]
    for _ in range(_LEVELS):
        levels = [
            [child for node in level for child in node.children if node.text not in unchanged] for level in levels
        ]
        first, *sides = ({child.text for child in level} for level in levels)
        unchanged |= first.intersection(*sides)
    return frozenset(unchanged)


def repeated_entry(versions: Versions, merged: Node, unchanged: frozenset[bytes]) -> str | None:
    """Return which name, key, header or value the merge has more often in one scope than any side."""
    counts = [Counter(_entries(version, unchanged)) for version in versions]
    for entry, count in Counter(_entries(merged, unchanged)).items():
        if count > 1 and count > max(before[entry] for before in counts):
            return f"{entry[1]} is there twice"
    return None


def entry_elsewhere(versions: Versions, merged: Node, unchanged: frozenset[bytes]) -> str | None:
    """Return which entry of a file of data, such as a key, the merge has in a place where no version has it."""
    if merged.language.is_data:
        known = {(_ITEM.sub("", scope), name) for version in versions for scope, name in _entries(version, unchanged)}
        for scope, name in _entries(merged, unchanged):
            if (_ITEM.sub("", scope), name) not in known:
                return f"{name} is where no side has it"
    return None


def _entries(root: Node, unchanged: frozenset[bytes]) -> Iterator[tuple[str, str]]:
    """Yield the entries of each scope of a file, with the scope; not those inside of unchanged parts."""
    pending = [(root, "")]
    repeatable: set[tuple[str, str]] = set()
    items = count_up()
    while pending:
        node, scope = pending.pop()
        in_enumeration = node.kind in node.language.enumerations or scope.endswith("/enumeration")
        for child in node.children:
            is_item = node.kind in node.language.sequences or child.kind in child.language.repeatable
            entries = [*_entry(child, scope, in_enumeration)]
            if child.kind in child.language.repeatable:
                entries = [entry for entry in entries if entry not in repeatable]
                repeatable.update(entries)
            yield from entries
            if is_item and (name := item_name(child)):
                yield scope, f"“{_decoded(name)}”"
            if child.text not in unchanged and child.kind not in node.language.texts and child.children:
                inner = f"{_scope_of(child, scope)}/enumeration" if _is_enumeration(node) else _scope_of(child, scope)
                pending.append((child, f"{inner}#{next(items)}" if is_item else inner))


def _entry(node: Node, scope: str, in_enumeration: bool) -> Iterator[tuple[str, str]]:
    language = node.language
    of_file = "" if node.kind in language.file_wide else scope
    yield from ((of_file, f"“{_decoded(name)}”") for name in declarations(node))
    if node.kind in language.imports:
        yield from ((scope if language.imports_are_local else "", f"“{_decoded(name)}”") for name in _imported(node))
    elif node.kind in language.headed:
        yield scope, f"“{_decoded(_header(node))}”"
    if node.kind in language.once and any(child.text == language.once[node.kind].encode() for child in node.children):
        yield scope, f"“{language.once[node.kind]}”"
    if in_enumeration:
        number = words.tokens(node.text)[-1:] if b"=" in node.text else ()
        if number and _NUMBER.fullmatch(number[0]):
            yield scope, f"the value {_decoded(number[0])}"


def repeated_binding(versions: Versions, merged: Node, unchanged: frozenset[bytes]) -> str | None:
    """Return a name that the base does not have and that the merge gives more values in one scope than any side."""
    counts = [Counter(_bindings(version, unchanged)) for version in versions]
    in_base = words.count_names(versions[0].text)
    for (scope, name), count in Counter(_bindings(merged, unchanged)).items():
        if count > max(1, *(before[scope, name] for before in counts)) and not in_base[name]:
            return f"“{_decoded(name)}” gets a value from both sides"
    return None


def _bindings(root: Node, unchanged: frozenset[bytes]) -> Iterator[tuple[str, bytes]]:
    pending = [(root, "")]
    while pending:
        node, scope = pending.pop()
        path = node.language.bindings.get(node.kind)
        name = node.by_path(path) if path is not None else None
        if name is not None:
            yield from ((scope, word) for word in _NAME.findall(name.text)[-1:])
        if node.text not in unchanged and node.kind not in node.language.texts:
            inner = _scope_of(node, scope) if _has_own_names(node) else scope
            pending += [(child, inner) for child in node.children]


def _has_own_names(node: Node) -> bool:
    language = node.language
    return any(node.kind in kinds for kinds in (language.blocks, language.units, language.functions, language.headed))


def unreached_statement(versions: Versions, merged: Node, unchanged: frozenset[bytes]) -> str | None:
    """Return that the merge has a statement after a jump, or a case after one for all the rest, and no side has."""
    if sum(_unreached(merged, unchanged)) > max(sum(_unreached(version, unchanged)) for version in versions):
        return "a statement or a case is where it is never reached"
    return None


def _unreached(root: Node, unchanged: frozenset[bytes]) -> Iterator[bool]:
    pending = [root]
    while pending:
        node = pending.pop()
        code = [child for child in node.children if child.named and child.kind not in child.language.comments]
        yield from (_is_jump(one) and not _is_label(other) for one, other in pairwise(code))
        yield from (catches_all(one) and one.kind == other.kind for one, other in pairwise(code))
        pending += [child for child in node.children if child.text not in unchanged]


def _is_jump(node: Node) -> bool:
    """Return whether a statement is a jump; some grammars wrap it in a statement of its own."""
    inner = [child for child in node.children if child.named]
    return node.kind in node.language.jumps or (
        node.kind == "expression_statement" and len(inner) == 1 and inner[0].kind in node.language.jumps
    )


def _is_label(node: Node) -> bool:
    return node.kind.startswith("label")


def imported_by_both(base: Node, ours: Node, theirs: Node) -> frozenset[bytes]:
    """Return the texts of imports, or of names of an import, that both sides add to a node."""
    added = {child.text for child in ours.children} - {child.text for child in base.children}
    return frozenset(child.text for child in theirs.children if child.text in added and _is_import(child, theirs))


def _is_import(node: Node, parent: Node) -> bool:
    language = node.language
    if not node.named or node.kind in language.blocks or node.kind in language.comments:
        return False
    return any(one.kind in language.imports for one in (parent, node, *node.children))


def _imported(node: Node) -> Iterator[bytes]:
    """Yield the names that an import binds: of `a as b` the last one."""
    imports = node.language.imports
    field = "name" if node.by_field("name") is not None else imports[node.kind]
    if node.text.rstrip(b"; ").endswith(b"*"):
        return
    for child in node.children:
        is_list = any(inner.kind in imports for inner in (child, *child.descendants()))
        if child.named and (child.field == field or not field) and not is_list:
            yield from [name for name in _NAME.findall(child.text) if not _VERSION.fullmatch(name)][-1:]


def _header(node: Node) -> bytes:
    """Return the tokens of a compound statement before its body."""
    body = node.by_path(node.language.headed[node.kind])
    header = node.text if body is None else node.text[: node.text.find(body.text)]
    return b" ".join(words.tokens(header))


def _scope_of(node: Node, scope: str) -> str:
    key = overload(node) or key_of(node)
    if key is not None:
        return f"{scope}/{_decoded(key)}"
    if node.kind in node.language.headed:
        return f"{scope}/{_decoded(_header(node))}"
    return f"{scope}/{node.field or node.kind}"


def _is_enumeration(node: Node) -> bool:
    """Return whether a class is an enumeration by the names of its bases."""
    bases = node.by_field("superclasses")
    return bases is not None and bool(_ENUMERATION.search(bases.text))


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def removed_name_in_use(versions: Versions, merged: Node, unchanged: frozenset[bytes]) -> str | None:
    """Return a name that one side removed or renamed where the merge still uses it."""
    base, ours, theirs = (dict(functions_of(version, unchanged)) for version in versions)
    for path, function in functions_of(merged, unchanged):
        triple = [side.get(path) for side in (base, ours, theirs)]
        if not all(triple):
            continue
        before, *sides = (version for version in triple if version is not None)
        names = names_of(function)
        for side in sides:
            removed = _bound(before) - names_of(side)
            if removed & names:
                return f"“{_decoded(sorted(removed & names)[0])}” is used where the other side removed it"
    return None


def removed_unit_in_use(versions: Versions, merged: Node, unchanged: frozenset[bytes]) -> str | None:
    """Return the name of a function or class that one side removed from the file, where the merge still uses it."""
    base, *sides = versions
    in_merged = words.count_names(merged.text)
    for side in sides:
        in_side = words.count_names(side.text)
        missing = {name for name in words.count_names(base.text) if not in_side[name] and in_merged[name]}
        units = missing & _unit_names(base, unchanged) if missing else set()
        if units:
            name = sorted(units)[0]
            return f"“{_decoded(name)}” is used where the other side removed it"
    return None


def _unit_names(root: Node, unchanged: frozenset[bytes]) -> set[bytes]:
    names: set[bytes] = set()
    pending = [root]
    while pending:
        node = pending.pop()
        key = key_of(node) if node.kind in node.language.units else None
        names |= {key} if key is not None else set()
        pending += [child for child in node.children if child.text not in unchanged]
    return names


def functions_of(root: Node, unchanged: frozenset[bytes]) -> Iterator[tuple[str, Node]]:
    """Yield the outermost functions of a file with their paths of names; not those inside of unchanged parts."""
    pending: list[tuple[Node, str]] = [(root, "")]
    while pending:
        node, path = pending.pop()
        for child in node.children:
            if child.text in unchanged or not child.children:
                continue
            key = key_of(child)
            inner = path if key is None else f"{path}/{_decoded(key)}"
            if child.kind in child.language.functions:
                yield inner, child
            else:
                pending.append((child, inner))


def names_of(node: Node) -> set[bytes]:
    """Return the names in the code of a node; words in texts and comments are none."""
    leaves = (leaf for leaf in node.descendants() if not leaf.children and leaf.kind not in leaf.language.texts)
    return {name for leaf in leaves for name in _NAME.findall(leaf.text)}


def _bound(function: Node) -> set[bytes]:
    """Return the names that a function binds: its parameters and what it assigns."""
    names: set[bytes] = set()
    for node in function.descendants():
        if node.kind in node.language.parameters:
            names |= {name for child in node.children if child.named for name in _NAME.findall(child.text)[:1]}
        elif node.field == "left" or (node.kind in ("identifier",) and node.field == "pattern"):
            names |= set(_NAME.findall(node.text)[:1])
    return names
