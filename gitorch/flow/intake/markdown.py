"""Markdown: front matter (TOML between `+++`, YAML between `---`) and the text that is the prompt."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from gitorch import config
from gitorch.errors import InvalidInput
from gitorch.flow.intake.checklist import is_checklist, read_checklist
from gitorch.flow.intake.draft import TaskDraft, from_text, headline
from gitorch.flow.intake.entry import to_draft


class FrontMatter(NamedTuple):
    """Front matter and the text that follows it."""

    fence: str
    header: str
    body: str


def front_matter(text: str) -> FrontMatter | None:
    """Return the front matter at the beginning of a text; None if there is none."""
    match = re.match(r"\ufeff?(\+\+\+|---)[ \t]*\r?\n(.*?)^\1[ \t]*(?:\r?\n|\Z)", text, re.DOTALL | re.MULTILINE)
    return FrontMatter(match[1], match[2], text[match.end() :]) if match else None


def read_markdown(text: str, name: str) -> list[TaskDraft]:
    """Read a Markdown file: one task with front matter, or one for each open item, or one for all text."""
    if matter := front_matter(text):
        return [_with_matter(matter, name)]
    if is_checklist(text):
        return list(read_checklist(text.removeprefix("\ufeff"), name))
    draft = from_text(text, origin=name)
    heading = _heading(text)
    return [msgspec.structs.replace(draft, title=heading) if heading else draft]


def _with_matter(matter: FrontMatter, name: str) -> TaskDraft:
    locate = _FrontMatterLocator(matter.header, name)
    if matter.fence == "+++":
        # an empty first line keeps the line numbers right
        table: object = config.parse("\n" + matter.header, name).settings
    else:
        table = _from_yaml(matter.header, name)
    if not isinstance(table, dict):
        raise InvalidInput("task-invalid", f"{name}:1: the front matter must be a table of keys and values")
    if "prompt" in table and matter.body.strip():
        raise InvalidInput(
            "task-invalid", f"{locate('prompt')}: the text below is the prompt, so prompt cannot also be a key"
        )
    body = {"prompt": matter.body} if matter.body.strip() else {}
    heading = {"title": _heading(matter.body)} if "title" not in table else {}
    return to_draft({**table, **body, **heading}, locate)


class _FrontMatterLocator:
    """Locates keys in front matter, whose first line is line 2 of the file."""

    def __init__(self, header: str, name: str) -> None:
        self.lines, self.name = header.split("\n"), name

    def __call__(self, key: str) -> str:
        index = config.find_key(self.lines, key, prefix=r"\[?")
        return f"{self.name}:{(-1 if index is None else index) + 2}"


def _from_yaml(text: str, name: str) -> object:
    # imported here: it takes 60 ms, and few files have YAML front matter
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses aliases: with them, a few lines could expand to more than fits into memory."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.MarkedYAMLError(problem="aliases are not supported", problem_mark=self._mark())
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
    """Return the first heading near the top of a text."""
    # imported here: it takes 80 ms, and most submissions are plain text
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(text[:65_536])
    headings = (tokens[index + 1].content for index, token in enumerate(tokens) if token.type == "heading_open")
    return next((headline(content) for content in headings if content.strip()), "")
