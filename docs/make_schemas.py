"""Write the JSON Schemas of the answers and of the configuration to docs/schemas: `python docs/make_schemas.py`."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gitorch.cli import schema
from gitorch.cli.schema.answer import JsonAnswer
from gitorch.services import settings

FOLDER = Path(__file__).parent / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
WIDTH = 110
STREAMED = {f"gitorch/{name}/1" for name in ("event", "log", "run", "error")}


def documents() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of every answer, by the command's name."""
    groups: defaultdict[str, list[type[JsonAnswer]]] = defaultdict(list)
    for answer in answers():
        groups[str(answer.__struct_config__.tag)].append(answer)
    return {identifier.split("/")[1]: document(identifier, group) for identifier, group in sorted(groups.items())}


def stream() -> dict[str, Any]:
    """Return the JSON Schema of a line of any stream: what `run`, `watch` and `log` print."""
    return document("gitorch/stream/1", [answer for answer in answers() if answer.__struct_config__.tag in STREAMED])


def answers() -> Iterator[type[JsonAnswer]]:
    """Yield all kinds of answers, in the order in which the modules define them."""
    for module in pkgutil.iter_modules(schema.__path__, f"{schema.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            is_answer = isinstance(value, type) and issubclass(value, JsonAnswer) and value is not JsonAnswer
            if is_answer and value.__module__ == module.name:
                yield value


def document(identifier: str, group: Sequence[type[JsonAnswer]]) -> dict[str, Any]:
    """Return one JSON Schema, which allows any answer of a group."""
    references, definitions = msgspec.json.schema_components(group, ref_template="#/$defs/{name}")
    for definition in definitions.values():
        definition.pop("title", None)  # repeats the name of the definition
    for struct in structs_of(group):
        describe_fields(struct, definitions[struct.__name__])
    head = {"$schema": DIALECT, "$id": identifier, "title": identifier}
    body = references[0] if len(references) == 1 else {"anyOf": list(references)}
    return without_suffix(
        {**head, **body, "$defs": {name: definitions[name] for name in sorted(definitions, key=shown_name)}}
    )


def structs_of(group: Sequence[type[JsonAnswer]]) -> Iterator[type[msgspec.Struct]]:
    """Yield these answers and the structs that they hold, each once."""
    pending: list[Any] = [msgspec.inspect.type_info(answer) for answer in group]
    visited: set[type] = set()
    while pending:
        info = pending.pop()
        if isinstance(info, msgspec.inspect.StructType) and info.cls not in visited:
            visited.add(info.cls)
            yield info.cls
            pending += [field.type for field in info.fields]
        elif isinstance(info, msgspec.inspect.UnionType):
            pending += info.types
        elif isinstance(info, msgspec.inspect.ListType):
            pending.append(info.item_type)


def describe_fields(struct: type[msgspec.Struct], definition: dict[str, Any]) -> None:
    """Put the docstrings of a struct's fields into its definition."""
    names = dict(zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True))
    for base in reversed(struct.__mro__):
        if base.__module__.startswith(schema.__name__):
            for field, text in field_docstrings(base):
                definition["properties"][names[field]]["description"] = text


def field_docstrings(struct: type) -> Iterator[tuple[str, str]]:
    """Yield the fields of a struct that a docstring follows."""
    (tree,) = ast.parse(inspect.getsource(struct)).body
    assert isinstance(tree, ast.ClassDef)
    for field, follower in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match follower:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield field.target.id, inspect.cleandoc(text)


def shown_name(name: str) -> str:
    """Return the name of a struct in the schemas: `Task` for `TaskJson`."""
    return name.removesuffix("Json")


def without_suffix(value: Any) -> Any:
    """Return a document with the definitions' shown names."""
    if isinstance(value, list):
        return [without_suffix(item) for item in value]
    if not isinstance(value, dict):
        return value
    renamed = {shown_name(key): without_suffix(item) for key, item in value.items()}
    reference = renamed.get("$ref")
    return {**renamed, "$ref": shown_name(reference)} if isinstance(reference, str) else renamed


def formatted(value: Any, indent: str = "") -> str:
    """Return a value as JSON; what fits into a line is written in one."""
    text = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(text) <= WIDTH or not isinstance(value, (dict, list)):
        return text
    inner = f"{indent} "  # these files are a tenth of an installation
    if isinstance(value, list):
        items = [formatted(item, inner) for item in value]
        return f"[\n{inner}" + f",\n{inner}".join(items) + f"\n{indent}]"
    items = [f"{json.dumps(key)}: {formatted(item, inner)}" for key, item in value.items()]
    return f"{{\n{inner}" + f",\n{inner}".join(items) + f"\n{indent}}}"


def texts() -> dict[str, str]:
    """Return the content of every file in docs/schemas, by its name."""
    everything = {**documents(), "stream": stream(), "orchestrate.toml": settings.schema()}
    return {f"{name}.json": formatted(content) + "\n" for name, content in everything.items()}


def main() -> None:
    """Write all files, and remove those of answers that no longer exist."""
    FOLDER.mkdir(exist_ok=True)
    current = texts()
    for name, text in current.items():
        (FOLDER / name).write_text(text, "utf-8")
    for path in FOLDER.glob("*.json"):
        if path.name not in current:
            path.unlink()


if __name__ == "__main__":
    main()
