"""Markdown: front matter (TOML between `+++`, YAML between `---`) and the text that is the prompt."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from gitorch import config
from gitorch.errors import InvalidInput
from gitorch.flow.intake.checklist import is_checklist, read_checklist
from gitorch.flow.intake.draft import Draft, from_text, headline
from gitorch.flow.intake.entry import to_draft


class Matter(NamedTuple):
    """Front matter and what follows it."""

    fence: str
    header: str
    body: str


def front_matter(text: str) -> Matter | None:
    """Return the front matter at the beginning of a text; None where there is none."""
    found = re.match(r"\ufeff?(\+\+\+|---)[ \t]*\r?\n(.*?)^\1[ \t]*(?:\r?\n|\Z)", text, re.DOTALL | re.MULTILINE)
    return Matter(found[1], found[2], text[found.end() :]) if found else None


def read_markdown(text: str, name: str) -> list[Draft]:
    """Read a Markdown file: one task with front matter, or each open item of a checklist, or one task of all of it."""
    if matter := front_matter(text):
        return [_with_matter(matter, name)]
    if is_checklist(text):
        return list(read_checklist(text.removeprefix("\ufeff"), name))
    draft = from_text(text, origin=name)
    heading = _heading(text)
    return [msgspec.structs.replace(draft, title=heading) if heading else draft]


def _with_matter(matter: Matter, name: str) -> Draft:
    places = _MatterPlaces(matter.header, name)
    if matter.fence == "+++":
        # the line before keeps the numbers of lines right
        table: object = config.parse("\n" + matter.header, name).settings
    else:
        table = _from_yaml(matter.header, name)
    if not isinstance(table, dict):
        raise InvalidInput("task-invalid", f"{name}:1: the front matter must be keys with values")
    if "prompt" in table and matter.body.strip():
        raise InvalidInput("task-invalid", f"{places('prompt')}: the prompt is the text below, and cannot be a key too")
    body = {"prompt": matter.body} if matter.body.strip() else {}
    heading = {"title": _heading(matter.body)} if "title" not in table else {}
    return to_draft({**table, **body, **heading}, places)


class _MatterPlaces:
    """Where keys stand in front matter, whose first line is the file's second."""

    def __init__(self, header: str, name: str) -> None:
        self.lines, self.name = header.split("\n"), name

    def __call__(self, key: str) -> str:
        index = config.find_key(self.lines, key, prefix=r"\[?")
        return f"{self.name}:{(-1 if index is None else index) + 2}"


def _from_yaml(text: str, name: str) -> object:
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads plain YAML: with aliases, a few lines could stand for more than fits into memory."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.MarkedYAMLError(problem="aliases are not read", problem_mark=self._mark())
            return super().compose_node(parent, index)

        def _mark(self) -> Any:
            return self.peek_event().start_mark  # type: ignore[no-untyped-call]

    try:
        return {} if not text.strip() else yaml.load(text, Loader)  # noqa: S506 (a safe loader, made stricter)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise InvalidInput("yaml-syntax", f"{name}:{line}  {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInput("yaml-syntax", f"{name}:1  the front matter cannot be read: {error}") from error


def _heading(text: str) -> str:
    """Return the first heading; one that deserves the name stands near the top."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(text[:65_536])
    found = (tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open")
    return next((headline(content) for content in found if content.strip()), "")
