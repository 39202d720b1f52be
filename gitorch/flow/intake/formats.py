"""Tasks files, Markdown, checklists, NDJSON and plain text, read as drafts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Annotated, Any, NamedTuple

import msgspec

from gitorch import config
from gitorch.errors import InvalidInput
from gitorch.flow.intake.draft import STDIN, Draft, from_text, headline, place_of
from gitorch.model.task import Priority

Locate = Callable[[str], str]
"""Returns where a key stands: `tasks.toml:12`; for "" where its task begins."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One task as a file spells it."""

    id: str = ""
    title: str = ""
    prompt: str = ""
    agent: str = ""
    role: str = ""
    priority: Priority = Priority.NORMAL
    after: tuple[str | int, ...] | str | int = ()
    checks: dict[str, str] = {}
    paths: tuple[str, ...] | str = ()
    goal: str = ""
    acceptance: tuple[str, ...] | str = ()
    context: Any = ""
    base: str = ""
    budget: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    timeout: Annotated[float, msgspec.Meta(ge=0)] | str = 0.0


_KEYS = _Entry.__struct_fields__


_DEFAULTS = tuple(key for key in _KEYS if key not in ("id", "title", "prompt"))


_MEANT = {"depends_on": "after", "dependencies": "after", "needs": "after", "description": "prompt", "name": "id"}


def read(source: bytes, name: str) -> list[Draft]:
    """Read the tasks in a file's content; how it is read is told by the file's name, else by how it begins.

    TOML (`[defaults]`, `[[task]]`), Markdown with front matter (one task), a Markdown checklist (each open item),
    NDJSON (one object a line), or plain text (one task). Raises `InvalidInput` that names file and line, also when
    there is no task in it.
    """
    drafts = _read(source, name)
    if not drafts:
        raise InvalidInput("no-tasks", f"{name} holds no open task")
    return drafts


def read_folder(folder: Path) -> list[Draft]:
    """Read all tasks files (`*.md`, `*.toml`) of a folder, in the order of their names."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".md", ".toml") and path.name[0] != ".")
    drafts = [draft for path in files for draft in _read(path.read_bytes(), path.name)]
    if not drafts:
        raise InvalidInput("no-tasks", f"{folder} holds no open task", why="only *.md and *.toml files are read")
    return drafts


def context_text(value: object) -> str:
    """Return a task's context as JSON text: text that is JSON already stays as it is."""
    if isinstance(value, str):
        try:
            msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return msgspec.json.encode(value).decode()
        return value
    return msgspec.json.encode(value).decode()


def _read(source: bytes, name: str) -> list[Draft]:
    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("not-utf8", f"{name} is not UTF-8 text", why=str(error)) from error
    reader = _READERS.get(PurePath(name).suffix.lower()) or _recognised(text)
    return reader(text, STDIN if name == "-" else name)


def _recognised(text: str) -> Callable[[str, str], list[Draft]]:
    """Tell by its beginning what a file without a telling name is; what is not surely a format is plain text."""
    lines = text.removeprefix("\ufeff").split("\n", 200)
    first = next((line.strip() for line in lines if line.strip() and line.lstrip()[0] != "#"), "")
    if (matter := _matter(text)) and re.match(r"\s*[\w-]+\s*[:=]", matter.header):
        return _from_markdown
    if re.fullmatch(r"\[\[\s*task\s*\]\]\s*(#.*)?|\[\s*defaults\s*\]\s*(#.*)?", first):
        return _from_toml
    return _from_lines if first.startswith("{") and _describes_task(first) else _from_plain


def _describes_task(line: str) -> bool:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return False
    return isinstance(found, dict) and bool({"title", "prompt"} & found.keys())


def _from_plain(text: str, name: str) -> list[Draft]:
    return [from_text(text, origin=name)]


def _from_lines(text: str, name: str) -> list[Draft]:
    return [
        _draft(_object(line, f"{name}:{number}"), _always(f"{name}:{number}"))
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1)
        if line.strip()
    ]


def _always(origin: str) -> Locate:
    return lambda _key: origin


def _object(line: str, origin: str) -> Mapping[str, object]:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput("json-syntax", f"{origin}: {error}") from error
    if not isinstance(found, dict):
        raise InvalidInput("task-invalid", f"{origin}: each line must be one JSON object")
    return found


def _from_toml(text: str, name: str) -> list[Draft]:
    places = _TomlPlaces(text, name)
    try:
        document = config.parse(text.removeprefix("\ufeff"), name).settings
    except RecursionError as error:
        raise InvalidInput("toml-syntax", f"{name}: {error}") from error
    _refuse_unknown(document, ("defaults", "task"), places.of_top)
    defaults, tables = document.get("defaults", {}), document.get("task", [])
    if not isinstance(defaults, dict):
        raise InvalidInput("task-invalid", f"{places.of_top('defaults')}: defaults must be a table: [defaults]")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InvalidInput("task-invalid", f"{places.of_top('task')}: each task must be a table of its own: [[task]]")
    _refuse_unknown(defaults, _DEFAULTS, places.of_default)
    return [_draft(_over(defaults, table), places.of_task(at)) for at, table in enumerate(tables)]


def _over(defaults: Mapping[str, object], table: Mapping[str, object]) -> dict[str, object]:
    both = (defaults.get("checks"), table.get("checks"))
    checks = {"checks": {**both[0], **both[1]}} if isinstance(both[0], dict) and isinstance(both[1], dict) else {}
    return {**defaults, **table, **checks}


class _TomlPlaces:
    """Where keys stand in a tasks file (no TOML reader tells)."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.lines = _TOML_TEXT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text).split("\n")
        self.headers = [at for at, line in enumerate(self.lines) if re.match(r"\s*\[\[\s*task\s*\]\]", line)]

    def of_top(self, key: str) -> str:
        return self._in(key, 0, len(self.lines), rf"\s*\[*\s*{re.escape(key)}\b")

    def of_default(self, key: str) -> str:
        start = next((at for at, line in enumerate(self.lines) if re.match(r"\s*\[\s*defaults\b", line)), 0)
        return self._in(key, start, len(self.lines), rf"(\s*\[\s*defaults\s*\.)?\s*{re.escape(key)}\b")

    def of_task(self, number: int) -> Locate:
        def locate(key: str) -> str:
            if number >= len(self.headers):  # written inline: `task = [{...}]`
                return self.of_top("task")
            end = self.headers[number + 1] if number + 1 < len(self.headers) else len(self.lines)
            return self._in(key, self.headers[number], end, rf"(\s*\[\s*task\s*\.)?\s*{re.escape(key)}\b")

        return locate

    def _in(self, key: str, start: int, end: int, pattern: str) -> str:
        found = (at for at in range(start, end) if key and re.match(pattern, self.lines[at]))
        return f"{self.name}:{next(found, start) + 1}"


_TOML_TEXT = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+"""'
    r"|'''(?:[^']++|'(?!''))*+'''"
    r'|"(?:[^"\\\n]++|\\.)*+"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*",
    re.DOTALL,
)


class _Matter(NamedTuple):
    """Front matter and what follows it."""

    fence: str
    header: str
    body: str


def _matter(text: str) -> _Matter | None:
    found = re.match(r"\ufeff?(\+\+\+|---)[ \t]*\r?\n(.*?)^\1[ \t]*(?:\r?\n|\Z)", text, re.DOTALL | re.MULTILINE)
    return _Matter(found[1], found[2], text[found.end() :]) if found else None


def _from_markdown(text: str, name: str) -> list[Draft]:
    if matter := _matter(text):
        return [_with_matter(matter, name)]
    if _ITEM.search(text):
        return list(_from_checklist(text.removeprefix("\ufeff"), name))
    draft = from_text(text, origin=name)
    heading = _heading(text)
    return [msgspec.structs.replace(draft, title=heading) if heading else draft]


def _with_matter(matter: _Matter, name: str) -> Draft:
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
    return _draft({**table, **body, **heading}, places)


class _MatterPlaces:
    """Where keys stand in front matter, whose first line is the file's second."""

    def __init__(self, header: str, name: str) -> None:
        self.lines, self.name = header.split("\n"), name

    def __call__(self, key: str) -> str:
        pattern = rf"\s*\[?[\"']?{re.escape(key)}\b"
        found = (at for at, line in enumerate(self.lines) if key and re.match(pattern, line))
        return f"{self.name}:{next(found, -1) + 2}"


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


_ITEM = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)+\[[ xX]\](?=\s|$)", re.MULTILINE)


_BOX = re.compile(r"\[[ xX]\](?:\s+|$)")


_AFTER = re.compile(r"[ \t]*\(after:?[ \t]+([^()\r\n]+)\)[ \t]*$", re.IGNORECASE | re.MULTILINE)


_SPEC_KIT = re.compile(r"(T\d{3,})\s+(?:\[P\]\s+)?")


class _Item(NamedTuple):
    """A checklist's item: the lines that it stands on, those of its first paragraph, and whether it is open."""

    start: int
    end: int
    words_end: int
    open: bool


def _from_checklist(text: str, name: str) -> Iterator[Draft]:
    # the lines that the parser counts, each as it is
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", text)
    items = list(_items(text))
    for item in items:
        if item.open:
            yield _of_item(item, items, lines, name)


def _items(text: str) -> Iterator[_Item]:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(text)
    for at, token in enumerate(tokens[:-2]):
        words = tokens[at + 2]
        if token.type == "list_item_open" and words.type == "inline" and _BOX.match(words.content):
            assert token.map is not None
            assert words.map is not None
            yield _Item(token.map[0], token.map[1], words.map[1], words.content[1] == " ")


def _of_item(item: _Item, items: Sequence[_Item], lines: Sequence[str], name: str) -> Draft:
    origin = f"{name}:{item.start + 1}"
    before, _, first = lines[item.start].partition("[ ]")
    indent = len(before.expandtabs(4))
    words = first.lstrip(" \t") + "".join(_dedented(line, indent) for line in lines[item.start + 1 : item.words_end])
    words = words.replace("\r\n", "\n")
    after = _AFTER.search(words)
    words = (words[: after.start()] + words[after.end() :] if after else words).rstrip("\n")
    number = _SPEC_KIT.match(words)
    inside = {at for other in items if item.start < other.start < item.end for at in range(other.start, other.end)}
    rest = [_dedented(lines[at], indent) for at in range(item.words_end, item.end) if at not in inside]
    below = "".join(rest).rstrip()
    prompt = words[number.end() if number else 0 :] + (f"\n{below}" if below else "")
    draft = from_text(prompt, origin=origin)
    names = [word.strip() for word in after[1].split(",")] if after else []
    return msgspec.structs.replace(
        draft, id=number[1].lower() if number else "", after=tuple(word for word in names if word)
    )


def _dedented(line: str, indent: int) -> str:
    """Take off as much leading white space as the item's own text is indented by."""
    at = column = 0
    while column < indent and line[at : at + 1] in (" ", "\t"):
        column += 1 if line[at] == " " else 4 - column % 4
        at += 1
    return line[at:]


_READERS: dict[str, Callable[[str, str], list[Draft]]] = {
    ".toml": _from_toml,
    ".md": _from_markdown,
    ".markdown": _from_markdown,
    ".ndjson": _from_lines,
    ".jsonl": _from_lines,
    ".txt": _from_plain,
}


def _draft(table: Mapping[str, object], locate: Locate) -> Draft:
    _refuse_unknown(table, _KEYS, locate)
    entry = _entry(table, locate)
    origin = locate("")
    prompt = entry.prompt if entry.prompt.strip() else entry.title
    stated = from_text(prompt, origin=origin)
    draft = msgspec.structs.replace(
        stated,
        title=" ".join(entry.title.split()) or stated.title,
        id=entry.id,
        agent=entry.agent,
        role=entry.role,
        priority=entry.priority,
        after=tuple(str(name) for name in ((entry.after,) if isinstance(entry.after, str | int) else entry.after)),
        checks=entry.checks,
        paths=(entry.paths,) if isinstance(entry.paths, str) else entry.paths,
        goal=entry.goal,
        acceptance=(entry.acceptance,) if isinstance(entry.acceptance, str) else entry.acceptance,
        context=_context(entry.context, locate),
        base=entry.base,
        budget=entry.budget,
        timeout=_seconds(entry.timeout, locate),
    )
    _refuse_unencodable(draft, origin)
    return draft


def _refuse_unknown(table: Mapping[str, object], known: Sequence[str], locate: Locate) -> None:
    unknown = [str(key) for key in table if key not in known]
    if unknown:
        problems = [f"{locate(key)}: unknown key {key}{_hint(key, known)}" for key in unknown]
        raise InvalidInput("task-invalid", "; ".join(problems), why=f"the keys are {', '.join(known)}")


def _hint(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    meant = near[0] if near else _MEANT.get(key)
    return f"; did you mean {meant}?" if meant in known else ""


def _entry(table: Mapping[str, object], locate: Locate) -> _Entry:
    priority = table.get("priority")
    folded = {"priority": priority.lower()} if isinstance(priority, str) else {}
    try:
        return msgspec.convert({**table, **folded}, _Entry)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        key = re.split(r"[.\[]", path.rstrip("`"))[0]
        hint = "; it must be high, normal or low" if key == "priority" else ""
        raise InvalidInput("task-invalid", f"{locate(key)}: {key}: {what}{hint}") from error


def _context(value: object, locate: Locate) -> str:
    try:
        return context_text(value) if value != "" else ""
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput("task-invalid", f"{locate('context')}: context: {error}") from error


def _seconds(value: float | str, locate: Locate) -> float:
    if isinstance(value, float | int):
        return float(value)
    try:
        return config.seconds(value)
    except InvalidInput as error:
        raise InvalidInput("task-invalid", f"{locate('timeout')}: timeout: {error}", fix=error.fix) from error


def _refuse_unencodable(draft: Draft, origin: str) -> None:
    try:
        msgspec.json.encode(draft)
    except UnicodeEncodeError as error:
        raise InvalidInput("not-utf8", f"{place_of(origin)}the text is not UTF-8", why=str(error)) from error
