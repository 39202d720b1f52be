"""What a person hands in, as drafts of tasks: words, tasks files, Markdown, checklists, NDJSON; and drafts as tasks.

Nothing is asked and nothing is guessed: a key that nobody knows, a dependency that is not there and a name that
means two tasks are errors which say where. Prompts stay as they are, byte for byte.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Annotated, Any, NamedTuple

import msgspec

from gitorch import config
from gitorch.errors import InvalidInput
from gitorch.model.graph import refuse_broken
from gitorch.model.naming import TaskId, slug, task_id
from gitorch.model.task import Priority, Task, by_id

TITLE_WIDTH = 72
_LONGEST_LINE = 4096
STDIN = "standard input"

Locate = Callable[[str], str]
"""Returns where a key stands: `tasks.toml:12`; for "" where its task begins."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A task as it was asked for, before it has a name and a place among the others.

    `after` holds names as they were written; `context` is JSON text; `base` a git revision; `budget` dollars and
    `timeout` seconds (0: the configured ones); `origin` tells where it stands: `tasks.toml:12`.
    """

    title: str
    prompt: str
    id: str = ""
    agent: str = ""
    role: str = ""
    priority: Priority = Priority.NORMAL
    after: tuple[str, ...] = ()
    checks: dict[str, str] = {}
    paths: tuple[str, ...] = ()
    context: str = ""
    base: str = ""
    budget: float = 0.0
    timeout: float = 0.0
    origin: str = ""


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
    context: Any = ""
    base: str = ""
    budget: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    timeout: Annotated[float, msgspec.Meta(ge=0)] | str = 0.0


_KEYS = _Entry.__struct_fields__
_DEFAULTS = tuple(key for key in _KEYS if key not in ("id", "title", "prompt"))
_MEANT = {"depends_on": "after", "dependencies": "after", "needs": "after", "description": "prompt", "name": "id"}


def from_text(text: str, *, origin: str = "") -> Draft:
    """Return the draft of a task that is described by `text`: the prompt is all of it, the title its first line.

    Raises `InvalidInput` for text that is blank, or that was not UTF-8 when it came in.
    """
    if not text.strip():
        raise InvalidInput("empty-prompt", f"{_at(origin)}there is nothing to do: the task's text is empty")
    _refuse_surrogates(text, origin)
    return Draft(title=headline(text), prompt=text, origin=origin)


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


def resolve(
    drafts: Sequence[Draft],
    existing: Mapping[TaskId, Task],
    next_number: int,
    *,
    taken: Collection[str] = (),
    created: datetime | None = None,
) -> list[Task]:
    """Return the tasks of these drafts, each with an id of its own, and with the ids of what it waits for.

    A name in `after` may be an id, a number, a title or a unique beginning of an id, of the same batch first.
    `taken` are further ids that cannot be used. Raises `InvalidInput`, naming names, for an id that is taken, a
    dependency that is unknown or could be two, and a cycle.
    """
    ids = _identified(drafts, {*existing, *taken})
    names = _Names(drafts, ids, existing)
    when = created or datetime.now(UTC)
    tasks = [
        Task(
            id=name,
            number=number,
            title=draft.title,
            prompt=draft.prompt,
            agent=draft.agent,
            role=draft.role,
            priority=draft.priority,
            after=tuple(dict.fromkeys(names.find(wanted, name, draft.origin) for wanted in draft.after)),
            checks=draft.checks,
            paths=draft.paths,
            context=draft.context,
            from_ref=draft.base,
            budget=draft.budget,
            timeout=draft.timeout,
            created=when,
        )
        for number, (name, draft) in enumerate(zip(ids, drafts, strict=True), start=next_number)
    ]
    refuse_broken(by_id(tasks), existing)
    return tasks


def headline(text: str) -> str:
    """Return the first line that says something, cut at a word to what a terminal shows well."""
    cleaned = (" ".join(_visible(line[:_LONGEST_LINE]).split()) for line in text.removeprefix("\ufeff").splitlines())
    first = ""
    for line in filter(None, cleaned):
        if any(character.isalnum() for character in line):
            return shortened(re.sub(r"^#{1,6} ", "", line))
        first = first or line
    return shortened(first or "task")


def shortened(line: str, width: int = TITLE_WIDTH) -> str:
    """Cut a line to this many display columns, at a word where there is one, with an ellipsis."""
    if _width(line) <= width:
        return line
    at = total = 0
    while (total := total + _width(line[at])) < width:
        at += 1
    space = line.rfind(" ", 0, at + 1)
    return line[: space if space > at // 2 else at].rstrip() + "…"


def context_text(value: object) -> str:
    """Return a task's context as JSON text: text that is JSON already stays as it is."""
    if isinstance(value, str):
        try:
            msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return msgspec.json.encode(value).decode()
        return value
    return msgspec.json.encode(value).decode()


def _visible(line: str) -> str:
    return "".join(" " if unicodedata.category(character) == "Cc" else character for character in line)


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def _at(origin: str) -> str:
    return f"{origin}: " if origin else ""


def _refuse_surrogates(text: str, origin: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("not-utf8", f"{_at(origin)}the text is not UTF-8", why=str(error)) from error


# reading files


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


# Markdown


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


# one task of a file


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
        raise InvalidInput("not-utf8", f"{_at(origin)}the text is not UTF-8", why=str(error)) from error


# names


def _identified(drafts: Iterable[Draft], existing: Collection[str]) -> list[TaskId]:
    """Return an id for each draft: the one it asks for, else one made of its title beside all others."""
    wanted: dict[str, Draft] = {}
    for draft in drafts:
        if draft.id:
            _refuse_taken(draft, wanted, existing)
            wanted[draft.id] = draft
    used = {*existing, *wanted}
    ids = []
    for draft in drafts:
        ids.append(TaskId(draft.id) if draft.id else slug(draft.title, used))
        used.add(ids[-1])
    return ids


def _refuse_taken(draft: Draft, wanted: Mapping[str, Draft], existing: Collection[str]) -> None:
    try:
        task_id(draft.id)
    except InvalidInput as error:
        raise InvalidInput(error.code, f"{_at(draft.origin)}{error.what}", why=error.why, fix=error.fix) from error
    if draft.id in existing:
        raise InvalidInput("duplicate-id", f"{_at(draft.origin)}there is a task called {draft.id} already")
    if draft.id in wanted:
        first = wanted[draft.id].origin
        raise InvalidInput("duplicate-id", f"{_at(draft.origin)}two tasks are called {draft.id}", why=f"also {first}")


class _Names:
    """All names that a dependency may be called by."""

    def __init__(self, drafts: Sequence[Draft], ids: Sequence[TaskId], existing: Mapping[TaskId, Task]) -> None:
        self.own = set(ids)
        self.existing = existing
        self.numbers = {str(task.number): name for name, task in existing.items()}
        self.titles: dict[str, list[TaskId]] = {}
        for draft, name in zip(drafts, ids, strict=True):
            self.titles.setdefault(slug(draft.title), []).append(name)

    def find(self, wanted: str, name: TaskId, origin: str) -> TaskId:
        """Return the one task that is meant, or raise `InvalidInput`."""
        for found in self._candidates(wanted, name):
            if len(found) > 1:
                raise InvalidInput(
                    "ambiguous-dependency",
                    f"{_at(origin)}{name} waits for {wanted}, which could be {', '.join(sorted(found))}",
                )
            if found:
                return found.pop()
        near = difflib.get_close_matches(slug(wanted), [*self.own, *self.existing], n=1)
        raise InvalidInput(
            "unknown-dependency",
            f"{_at(origin)}{name} waits for {wanted}, which does not exist",
            why=f"did you mean {near[0]}?" if near else "",
            fix=("orchestrate status",),
        )

    def _candidates(self, wanted: str, name: TaskId) -> Iterator[set[TaskId]]:
        """Yield what the name could mean, the surest meaning first."""
        plain = slug(wanted) if re.search(r"[A-Za-z0-9]", wanted) else ""
        yield {one for one in (TaskId(wanted),) if one in self.own}
        yield {one for one in (TaskId(plain),) if one in self.own}
        yield {one for one in self.titles.get(plain, ()) if one != name}
        yield {one for one in (TaskId(wanted),) if one in self.existing}
        yield {one for one in (self.numbers.get(wanted.removeprefix("#")),) if one}
        yield {one for one in {*self.own, *self.existing} if wanted and one != name and one.startswith(wanted)}
