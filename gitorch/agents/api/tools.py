"""The two tools of the `api` agent: Anthropic's `bash_20250124` and `text_editor_20250728`, run in one worktree.

The editor is confined to the worktree (`files`). The shell is not (`shell`): it starts there, with a time limit and
without the credentials of the API, and can do everything else that its user can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from gitorch import typed
from gitorch.agents.api.files import Files, Refusal
from gitorch.agents.api.shell import CommandResult, Shell

BASH = "bash"
EDITOR = "str_replace_based_edit_tool"
DEFINITIONS = ({"type": "bash_20250124", "name": BASH}, {"type": "text_editor_20250728", "name": EDITOR})
ToolSet: TypeAlias = Literal["all", "read-and-run", "read"]
"""Which tools there are: without `all`, the editor only views, and with `read`, there is no shell."""

TOOL_SETS: tuple[ToolSet, ...] = ("all", "read-and-run", "read")
VIEW_CHARACTERS = 60_000
_LISTED = 1_000
_AROUND = 4


def names(tool_set: ToolSet) -> list[str]:
    """Return the names of the tools of a set."""
    return [EDITOR] if tool_set == "read" else [BASH, EDITOR]


class Result(msgspec.Struct, frozen=True):
    """The result of a tool call: text for the model, and whether it failed."""

    text: str
    is_error: bool = False


class Bash(msgspec.Struct, frozen=True):
    """Input of the shell."""

    command: str | None = None
    restart: bool | None = None


class View(msgspec.Struct, frozen=True, tag_field="command", tag="view"):
    """Show a file with line numbers, or a folder two levels deep."""

    path: str
    view_range: tuple[int, int] | None = None


class Create(msgspec.Struct, frozen=True, tag_field="command", tag="create"):
    """Write a whole file."""

    path: str
    file_text: str


class StrReplace(msgspec.Struct, frozen=True, tag_field="command", tag="str_replace"):
    """Replace a text that occurs exactly once."""

    path: str
    old_str: str
    new_str: str | None = None


class Insert(msgspec.Struct, frozen=True, tag_field="command", tag="insert"):
    """Insert a text after a line; 0 is the beginning."""

    path: str
    insert_line: int
    insert_text: str


Edit = View | Create | StrReplace | Insert


class Tools:
    """The tools of one execution."""

    def __init__(self, shell: Shell, files: Files, tool_set: ToolSet = "all") -> None:
        self.shell = shell
        self.files = files
        self.tool_set = tool_set

    @property
    def definitions(self) -> Sequence[Mapping[str, Any]]:
        """The definitions of the tools, as a request to the API lists them."""
        return [tool for tool in DEFINITIONS if tool["name"] in names(self.tool_set)]

    @property
    def may_write(self) -> bool:
        """Whether the editor changes files."""
        return self.tool_set == "all"

    def run(self, name: str, arguments: Mapping[str, object]) -> Result:
        """Run one tool call. An error is reported to the model, not raised."""
        try:
            if name not in names(self.tool_set):
                raise Refusal(f"there is no tool {name!r}")
            if name == BASH:
                return self._bash(typed.from_object(arguments, Bash))
            return Result(self._edit(typed.from_object(arguments, Edit)))
        except (Refusal, msgspec.ValidationError) as error:
            return Result(f"Error: {error}", is_error=True)
        except OSError as error:
            return Result(f"Error: {error.strerror or error}", is_error=True)

    def close(self) -> None:
        """End everything that the tools left running."""
        self.shell.close()

    def _bash(self, arguments: Bash) -> Result:
        if arguments.restart:
            self.shell.restart()
            return Result("The shell was restarted.")
        if not arguments.command or "\0" in arguments.command:
            raise Refusal("the command is missing or holds a NUL character")
        return _command_result(self.shell.run(arguments.command), self.shell.seconds)

    def _edit(self, edit: Edit) -> str:
        if not (self.may_write or isinstance(edit, View)):
            raise Refusal("you may only read in this worktree: view is the only command")
        match edit:
            case View():
                return self._view(edit)
            case Create():
                existed = self.files.write(edit.path, edit.file_text)
                return f"{'Overwrote' if existed else 'Created'} {edit.path}"
            case StrReplace():
                return self._replace(edit)
            case Insert():
                return self._insert(edit)

    def _view(self, view: View) -> str:
        if self.files.is_folder(view.path):
            return self._list(view)
        lines = _lines(self.files.read(view.path))
        first, last = _span(view.view_range, len(lines))
        return _capped(_numbered(lines, first, last)) or "(the file is empty)"

    def _list(self, view: View) -> str:
        if view.view_range is not None:
            raise Refusal(f"{view.path} is a folder: it has no lines")
        entries = list(self.files.listing(view.path, depth=2))
        note = [f"[... {len(entries) - _LISTED} more ...]"] if len(entries) > _LISTED else []
        return "\n".join(entries[:_LISTED] + note) or "(the folder is empty)"

    def _replace(self, edit: StrReplace) -> str:
        before = self.files.read(edit.path)
        start = _find_once(before, edit.old_str, edit.path)
        new = edit.new_str or ""
        after = before[:start] + new + before[start + len(edit.old_str) :]
        self.files.write(edit.path, after)
        first = before.count("\n", 0, start) + 1
        return _edited(edit.path, after, first, first + new.count("\n"))

    def _insert(self, edit: Insert) -> str:
        before = self.files.read(edit.path)
        lines = _lines(before)
        if not 0 <= edit.insert_line <= len(lines):
            raise Refusal(f"insert_line must be 0 to {len(lines)}, the number of lines of {edit.path}")
        after = _inserted(before, lines, edit)
        self.files.write(edit.path, after)
        first = edit.insert_line + 1
        return _edited(edit.path, after, first, first + edit.insert_text.removesuffix("\n").count("\n"))


def _command_result(result: CommandResult, seconds: float) -> Result:
    output = result.output.rstrip("\n")
    if result.timed_out:
        return Result(
            f"{output}\n[killed after {seconds:g} seconds, with all that the shell had started; the next command gets "
            "a fresh shell in the worktree. Run what lasts longer in the background, with its output in a file.]",
            is_error=True,
        )
    if result.shell_ended:
        return Result(
            f"{output}\n[exit code {result.exit_code}; this ended the shell, the next command gets a fresh one]"
        )
    if result.exit_code:
        return Result(f"{output}\n[exit code {result.exit_code}]")
    return Result(output or "(no output)")


def _lines(text: str) -> list[str]:
    """Return the lines of `text`, split at line feeds only, so that their numbers agree with git and the shell."""
    lines = text.split("\n")
    return lines[:-1] if not lines[-1] else lines


def _span(view_range: tuple[int, int] | None, count: int) -> tuple[int, int]:
    if view_range is None:
        return 1, count
    first, last = view_range
    if first < 1 or first > max(count, 1) or (last != -1 and last < first):
        raise Refusal(f"view_range must be [first, last] with 1 <= first <= {count}, and last -1 for the end")
    return first, count if last == -1 else min(last, count)


def _numbered(lines: list[str], first: int, last: int) -> str:
    return "\n".join(f"{number:6}\t{lines[number - 1]}" for number in range(first, last + 1))


def _capped(text: str) -> str:
    if len(text) <= VIEW_CHARACTERS:
        return text
    return f"{text[:VIEW_CHARACTERS]}\n[... {len(text) - VIEW_CHARACTERS} characters cut here: use view_range ...]"


def _find_once(text: str, old: str, path: str) -> int:
    if not old:
        raise Refusal("old_str is empty")
    start = text.find(old)
    if start < 0:
        hint = " (its lines end in CR LF)" if "\r\n" in text and "\r\n" not in old else ""
        raise Refusal(f"old_str does not occur in {path}{hint}")
    second = text.find(old, start + 1)
    if second >= 0:
        lines = " and ".join(str(text.count("\n", 0, index) + 1) for index in (start, second))
        raise Refusal(f"old_str occurs more than once in {path} (lines {lines}): give more of the text around it")
    return start


def _inserted(before: str, lines: list[str], edit: Insert) -> str:
    if edit.insert_line < len(lines):
        head = "".join(line + "\n" for line in lines[: edit.insert_line])
        return head + edit.insert_text.removesuffix("\n") + "\n" + before[len(head) :]
    joint = "\n" if before and not before.endswith("\n") else ""
    ending = "" if joint or edit.insert_text.endswith("\n") else "\n"
    return before + joint + edit.insert_text + ending


def _edited(path: str, text: str, first: int, last: int) -> str:
    lines = _lines(text)
    excerpt = _numbered(lines, max(1, first - _AROUND), min(len(lines), last + _AROUND))
    return _capped(f"Edited {path}:\n{excerpt}")
