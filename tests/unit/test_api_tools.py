"""The tools of the `api` agent: the editor stays in its worktree, the shell keeps its state and its limits."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gitorch.agents.api.files import MAX_BYTES, Files, Refusal
from gitorch.agents.api.shell import OUTPUT_BYTES, Capped, Shell, tool_environment
from gitorch.agents.api.tools import BASH, EDITOR, VIEW_CHARACTERS, Result, Tools, ToolSet

SECRET = "outside: must never be seen"


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    root = tmp_path / "work tree"
    root.mkdir()
    (root / ".git").write_text("gitdir: elsewhere\n")
    (tmp_path / "secret.txt").write_text(SECRET)
    return root


@pytest.fixture
def tools(worktree: Path) -> Iterator[Tools]:
    environment = tool_environment({"PATH": os.environ["PATH"], "HOME": str(worktree)}, hidden=())
    made = Tools(Shell(worktree, environment, seconds=120), Files(worktree))
    yield made
    made.close()


def edit(tools: Tools, command: str, path: str, **rest: object) -> Result:
    return tools.run(EDITOR, {"command": command, "path": path, **rest})


def bash(tools: Tools, command: str) -> Result:
    return tools.run(BASH, {"command": command})


def gone(pid: int, *, seconds: float = 120.0) -> bool:
    """Wait for the end of a process, which may be a zombie whose new parent has not yet looked."""
    end = time.monotonic() + seconds
    with contextlib.suppress(psutil.NoSuchProcess):
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
    return True


# --- the editor: what it does ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "\n", "a", "a\n", "a\r\nb\r\n", "\ufeffbom\n", "tab\there ✓ 🚀 `$x;`\n\n", "\x0b\u2028"]
)
def test_create_writes_the_text_byte_for_byte(tools: Tools, worktree: Path, text: str) -> None:
    """What the model gives is what the file holds: no newline is added, changed or dropped."""
    assert not edit(tools, "create", "new/folder/file ü.txt", file_text=text).is_error
    assert (worktree / "new/folder/file ü.txt").read_bytes() == text.encode()


def test_an_edit_changes_exactly_the_one_place(tools: Tools, worktree: Path) -> None:
    """All other bytes stay, line endings of both kinds and the missing last newline included."""
    (worktree / "f").write_bytes("one\r\ntwo\nthree ✓".encode())
    assert "three 3" in edit(tools, "str_replace", "f", old_str="three ✓", new_str="three 3").text
    assert (worktree / "f").read_bytes() == b"one\r\ntwo\nthree 3"


def test_an_edit_without_new_text_deletes(tools: Tools, worktree: Path) -> None:
    """`new_str` may be left out."""
    (worktree / "f").write_text("a\nb\nc\n")
    assert not edit(tools, "str_replace", "f", old_str="b\n").is_error
    assert (worktree / "f").read_text() == "a\nc\n"


@pytest.mark.parametrize(
    ("old", "says"),
    [("absent", "does not occur"), ("aa", "more than once"), ("", "empty"), ("b\nb", "CR LF")],
)
def test_an_ambiguous_edit_changes_nothing(tools: Tools, worktree: Path, old: str, says: str) -> None:
    """The text to replace must occur exactly once; overlapping occurrences count."""
    (worktree / "f").write_bytes(b"aaa\nb\r\nb\r\n")
    refused = edit(tools, "str_replace", "f", old_str=old, new_str="X")
    assert refused.is_error
    assert says in refused.text
    assert (worktree / "f").read_bytes() == b"aaa\nb\r\nb\r\n"


@pytest.mark.parametrize(
    ("before", "line", "text", "after"),
    [
        ("", 0, "x", "x\n"),
        ("a\nb\n", 0, "x\n", "x\na\nb\n"),
        ("a\nb\n", 1, "x", "a\nx\nb\n"),
        ("a\nb\n", 2, "x\ny\n", "a\nb\nx\ny\n"),
        ("a\nb", 2, "x", "a\nb\nx"),
        ("a\r\nb\r\n", 1, "x\r\n", "a\r\nx\r\nb\r\n"),
        ("a\x0bb\nc\n", 1, "x", "a\x0bb\nx\nc\n"),
    ],
)
def test_insert_puts_whole_lines_after_a_line(
    tools: Tools, worktree: Path, before: str, line: int, text: str, after: str
) -> None:
    """Line numbers count line feeds only, and no other line changes."""
    (worktree / "f").write_bytes(before.encode())
    assert not edit(tools, "insert", "f", insert_line=line, insert_text=text).is_error
    assert (worktree / "f").read_bytes() == after.encode()


@pytest.mark.parametrize("line", [-1, 3])
def test_insert_refuses_a_line_that_is_not_there(tools: Tools, worktree: Path, line: int) -> None:
    """A wrong line number is an error, not a guess."""
    (worktree / "f").write_text("a\nb\n")
    assert edit(tools, "insert", "f", insert_line=line, insert_text="x").is_error
    assert (worktree / "f").read_text() == "a\nb\n"


def test_an_edit_keeps_the_mode_of_the_file(tools: Tools, worktree: Path) -> None:
    """A script stays executable, although its file is replaced."""
    script = worktree / "run.sh"
    script.write_text("echo a\n")
    script.chmod(0o755)
    edit(tools, "str_replace", "run.sh", old_str="a", new_str="b")
    assert script.stat().st_mode & 0o7777 == 0o755
    assert sorted(os.listdir(worktree)) == [".git", "run.sh"]


def test_view_numbers_the_lines_of_a_range(tools: Tools, worktree: Path) -> None:
    """`view_range` is inclusive, counts from 1, and -1 is the end."""
    (worktree / "f").write_text("".join(f"line {n}\n" for n in range(1, 6)))
    assert edit(tools, "view", "f").text.splitlines()[0] == "     1\tline 1"
    assert edit(tools, "view", "f", view_range=[2, 3]).text == "     2\tline 2\n     3\tline 3"
    assert edit(tools, "view", "f", view_range=[4, -1]).text == "     4\tline 4\n     5\tline 5"
    assert edit(tools, "view", "f", view_range=[5, 99]).text == "     5\tline 5"
    for wrong in ([0, 1], [3, 2], [6, 7], [1]):
        assert edit(tools, "view", "f", view_range=wrong).is_error


def test_a_long_view_says_how_much_is_missing(tools: Tools, worktree: Path) -> None:
    """A file that is too long to show whole is never cut silently."""
    (worktree / "long").write_text("x" * (VIEW_CHARACTERS + 1000))
    shown = edit(tools, "view", "long").text
    assert len(shown) < VIEW_CHARACTERS + 200
    assert "characters cut" in shown


def test_view_lists_a_folder_two_levels_deep(tools: Tools, worktree: Path) -> None:
    """Two levels and no more, without `.git`, without what is in `node_modules`, and without following links."""
    (worktree / "a/b/c").mkdir(parents=True)
    (worktree / "a/b/c/deep").write_text("")
    (worktree / "node_modules/x").mkdir(parents=True)
    (worktree / "out").symlink_to(worktree.parent)
    (worktree / "two\nlines").write_text("")
    assert edit(tools, "view", ".").text.splitlines() == ["a/", "a/b/", "node_modules/", "out@", "'two\\nlines'"]
    assert edit(tools, "view", str(worktree)).text.splitlines()[0] == "a/"
    assert edit(tools, "view", ".", view_range=[1, 2]).is_error


@pytest.mark.parametrize("content", [b"caf\xe9\n", b"\xff\xfe\x00", b"PNG\0\n"])
def test_a_file_that_is_not_text_is_named_and_left_alone(tools: Tools, worktree: Path, content: bytes) -> None:
    """Latin-1 and binary files are reported: decoding them with replacements would destroy them at the next edit."""
    (worktree / "f").write_bytes(content)
    assert edit(tools, "view", "f").is_error
    assert edit(tools, "str_replace", "f", old_str="caf", new_str="x").is_error
    assert (worktree / "f").read_bytes() == content


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"command": "view"},
        {"command": "undo_edit", "path": "f"},
        {"command": "create", "path": "f"},
        {"command": "view", "path": 7},
        {"command": "view", "path": ""},
        {"command": "view", "path": "a\0b"},
        {"command": "view", "path": "absent"},
        {"command": "create", "path": ".", "file_text": "x"},
    ],
)
def test_a_malformed_call_is_answered_with_an_error(tools: Tools, arguments: dict[str, object]) -> None:
    """Whatever the model sends, it gets an answer it can learn from; nothing is raised."""
    assert tools.run(EDITOR, arguments).is_error
    assert tools.run("no_such_tool", {}).is_error


# --- the editor: what it must not do --------------------------------------------------------------------------------


def escapes(worktree: Path) -> list[str]:
    return [
        "../secret.txt",
        "a/../../secret.txt",
        str(worktree.parent / "secret.txt"),
        "/etc/passwd",
        "link",
        "dir/secret.txt",
    ]


@pytest.mark.parametrize("which", range(6))
def test_no_path_leads_out_of_the_worktree(tools: Tools, worktree: Path, which: int) -> None:
    """Not by `..`, not by an absolute path, not through a link to a file or to a folder; for no command."""
    (worktree / "a").mkdir()
    (worktree / "link").symlink_to("../secret.txt")
    (worktree / "dir").symlink_to("..")
    path = escapes(worktree)[which]
    for answer in (
        edit(tools, "view", path),
        edit(tools, "create", path, file_text="overwritten"),
        edit(tools, "str_replace", path, old_str="outside", new_str="x"),
        edit(tools, "insert", path, insert_line=0, insert_text="x"),
    ):
        assert answer.is_error
        assert "outside of the worktree" in answer.text
        assert SECRET not in answer.text
    assert (worktree.parent / "secret.txt").read_text() == SECRET


def test_a_dangling_link_is_no_way_to_create_a_file_outside(tools: Tools, worktree: Path) -> None:
    """Creating through a link whose target does not exist yet would make the target."""
    (worktree / "link").symlink_to("../new.txt")
    assert edit(tools, "create", "link", file_text="x").is_error
    assert not (worktree.parent / "new.txt").exists()


@pytest.mark.parametrize("path", [".git", ".git/config", "sub/.git/hooks/pre-commit", ".GIT/config", "link/config"])
def test_the_folder_of_git_is_refused(tools: Tools, worktree: Path, path: str) -> None:
    """A hook or a config line would be run by whoever uses git there next."""
    (worktree / "link").symlink_to(".git")
    assert ".git" in edit(tools, "view", path).text
    assert edit(tools, "create", path, file_text="x").is_error
    assert (worktree / ".git").read_text() == "gitdir: elsewhere\n"


def test_links_that_stay_inside_work(tools: Tools, worktree: Path) -> None:
    """A link inside the worktree is followed, and stays a link."""
    (worktree / "real").mkdir()
    (worktree / "real/file").write_text("old\n")
    (worktree / "link").symlink_to("real")
    assert not edit(tools, "str_replace", "link/file", old_str="old", new_str="new").is_error
    assert (worktree / "real/file").read_text() == "new\n"
    assert (worktree / "link").is_symlink()


def test_a_folder_that_becomes_a_link_while_it_is_used_does_not_lead_outside(worktree: Path) -> None:
    """While another thread swaps a folder with a link to the outside, what is read is the inside or nothing."""
    files = Files(worktree)
    (worktree / "d").mkdir()
    (worktree / "d/secret.txt").write_text("inside")
    (worktree / "to").symlink_to("..")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for old, new in (("d", "kept"), ("to", "d"), ("d", "to"), ("kept", "d")):
                os.rename(worktree / old, worktree / new)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen: set[str] = set()
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < 0.5 or (not {"inside", "refused"} <= seen and passed < 120):
        try:
            seen.add(files.read("d/secret.txt"))
        except Refusal:
            seen.add("refused")
    stop.set()
    swapper.join()
    assert seen == {"inside", "refused"}


@pytest.mark.parametrize("create", [False, True])
def test_a_link_in_place_of_a_checked_component_is_refused(worktree: Path, create: bool) -> None:
    """The open itself refuses a link, not only the check before it: here the check came too early."""
    (worktree / "a").mkdir()
    (worktree / "a/d").symlink_to("../..")
    with pytest.raises(Refusal, match="cannot be entered"), Files(worktree).folder(("a", "d"), "a/d", create=create):
        pass


@pytest.mark.parametrize("command", ["view", "create", "str_replace"])
def test_special_files_are_refused_at_once(tools: Tools, worktree: Path, command: str) -> None:
    """A FIFO would block for ever, a device has effects of its own: neither is opened or replaced."""
    os.mkfifo(worktree / "pipe")
    refused = edit(tools, command, "pipe", file_text="x", old_str="a", new_str="b")
    assert refused.is_error
    assert "not a regular file" in refused.text
    assert (worktree / "pipe").is_fifo()


def test_a_huge_file_is_refused(tools: Tools, worktree: Path) -> None:
    """A file of many gigabytes does not fill the memory."""
    with (worktree / "huge").open("wb") as file:
        file.truncate(MAX_BYTES * 1000)
    assert "larger than" in edit(tools, "view", "huge").text


# --- the shell ------------------------------------------------------------------------------------------------------


def test_the_shell_keeps_its_state_until_it_is_restarted(tools: Tools, worktree: Path) -> None:
    """Folder, variables and functions last from command to command, and a restart forgets them."""
    (worktree / "sub").mkdir()
    assert bash(tools, "cd sub; export A='1 2'; f() { echo f-$1; }").text == "(no output)"
    assert bash(tools, 'pwd; echo "$A"; f x').text == f"{worktree}/sub\n1 2\nf-x"
    assert not tools.run(BASH, {"restart": True}).is_error
    assert bash(tools, 'pwd; echo "[$A]"').text == f"{worktree}\n[]"


def test_the_exit_code_and_both_streams_are_told(tools: Tools) -> None:
    """Output of both streams in order, and the code of the last command; a syntax error does not end the shell."""
    assert bash(tools, "echo out; echo err >&2; (exit 3)").text == "out\nerr\n[exit code 3]"
    assert "syntax error" in bash(tools, "if then (").text
    assert bash(tools, "echo 'still ✓ here'").text == "still ✓ here"


def test_no_output_can_pass_for_the_end_of_a_command(tools: Tools) -> None:
    """NUL bytes, half characters and writes to the shell's own descriptors are only output, or fail."""
    answer = bash(tools, r"printf '0\0'; printf '\xff'; printf '0\0' >&4; cat <&3; echo end")
    assert answer.text.startswith("0\0\ufffd")
    assert answer.text.count("Bad file descriptor") == 2
    assert answer.text.endswith("end")
    assert bash(tools, "echo next").text == "next"


def test_a_command_has_no_input_to_wait_for(tools: Tools) -> None:
    """`cat` and `read` end at once: nobody is there to type."""
    assert bash(tools, "cat; read x; echo done; wait; echo waited").text == "done\nwaited"


def test_a_command_that_ends_the_shell_gets_its_answer(tools: Tools) -> None:
    """`exit`, `set -e` and a killed shell are told, and the next command finds a fresh one."""
    assert "exit code 4; this ended the shell" in bash(tools, "echo bye; exit 4").text
    assert bash(tools, "set -e; true").text == "(no output)"
    assert "ended the shell" in bash(tools, "false").text
    assert "ended the shell" in bash(tools, "kill -9 $$").text
    assert bash(tools, "echo fresh").text == "fresh"


def test_a_command_over_its_time_is_killed_with_all_its_processes(worktree: Path) -> None:
    """The group dies, and with it a child in a session of its own; what was printed before is told."""
    shell = Shell(worktree, tool_environment({"PATH": os.environ["PATH"]}, hidden=()), seconds=4)
    tools = Tools(shell, Files(worktree))
    command = "echo before; sleep 300 & echo $! >> pids; setsid sleep 300 & echo $! >> pids; echo $$ >> pids; wait"
    killed = bash(tools, command)
    assert killed.is_error
    assert killed.text.startswith("before\n[killed after 4 seconds")
    assert all(gone(int(pid)) for pid in (worktree / "pids").read_text().split())
    assert bash(tools, "echo fresh").text == "fresh"
    tools.close()


def test_a_background_process_does_not_hold_up_its_command(tools: Tools, worktree: Path) -> None:
    """A server can be started in the background, used by the next command, and is ended with the shell."""
    assert bash(tools, "sleep 300 & echo $! > pid; echo started").text == "started"
    assert bash(tools, "kill -0 $(cat pid) && echo alive").text == "alive"
    tools.close()
    assert gone(int((worktree / "pid").read_text()))


def test_long_output_keeps_its_beginning_and_its_end(tools: Tools) -> None:
    """Megabytes of output cost neither memory nor the last lines, and the size of the gap is told."""
    text = bash(tools, "seq 1 300000").text
    assert len(text) < OUTPUT_BYTES + 100
    assert text.startswith("1\n2\n3\n")
    assert text.endswith("299999\n300000")
    size = sum(len(str(n)) + 1 for n in range(1, 300001))
    assert f"{size - OUTPUT_BYTES} bytes cut" in text


@pytest.mark.parametrize("chunks", [1, 3, 7])
def test_the_cap_counts_every_byte_once(chunks: int) -> None:
    """However the output is cut into reads, head, gap and tail add up."""
    content = bytes(range(48, 58)) * 10
    capped = Capped(40)
    for start in range(0, len(content), chunks):
        capped.add(content[start : start + chunks])
    text = content.decode()
    assert capped.text() == f"{text[:20]}\n[... 60 bytes cut here ...]\n{text[-20:]}"
    short = Capped(40)
    short.add(content[:40])
    assert short.text() == text[:40]


def test_a_large_command_arrives_whole(tools: Tools, worktree: Path) -> None:
    """A here-document of more than a pipe holds, with every awkward character, is written byte for byte."""
    text = "`$(x)` 'q' \"d\" \\ ; ✓ 🚀\n" * 8000
    assert not bash(tools, f"printf %s {shlex.quote(text)} > big").is_error
    assert (worktree / "big").read_text() == text
    assert bash(tools, "a\0b").is_error


def test_the_environment_of_commands_holds_no_credentials(worktree: Path) -> None:
    """The API's variables are gone, and so is any other variable that holds the same key."""
    environ = {
        "ANTHROPIC_API_KEY": "sk-1",
        "ANTHROPIC_BASE_URL": "u",
        "COPY": "x sk-1 y",
        "PATH": "p",
        "NPM_TOKEN": "n",
    }
    kept = tool_environment(environ, hidden=("sk-1", ""))
    assert "sk-1" not in repr(kept)
    assert kept["PATH"] == "p"
    assert kept["NPM_TOKEN"] == "n"
    assert kept["GIT_TERMINAL_PROMPT"] == "0"


def test_the_shell_dies_with_the_process_that_holds_it(worktree: Path) -> None:
    """After kill -9 of the holder, in the middle of a command, the command and its children end too."""
    program = (
        "import os; from pathlib import Path; from gitorch.agents.api.shell import Shell\n"
        "command = 'echo $$ > pid; sleep 300 & echo $! >> pid; echo > go; wait'\n"
        "Shell(Path('.'), {'PATH': os.environ['PATH']}, seconds=300).run(command)"
    )
    root = str(Path(__file__).parents[2])
    holder = subprocess.Popen([sys.executable, "-c", program], cwd=worktree, env={**os.environ, "PYTHONPATH": root})
    deadline = time.monotonic() + 300
    while not (worktree / "go").exists():
        assert time.monotonic() < deadline
        assert holder.poll() is None
        time.sleep(0.02)
    holder.kill()
    holder.wait()
    assert all(gone(int(pid)) for pid in (worktree / "pid").read_text().split())


@pytest.mark.parametrize(("tool_set", "shell"), [("read", False), ("read-and-run", True)])
def test_a_reader_views_and_changes_nothing(worktree: Path, tool_set: ToolSet, shell: bool) -> None:
    """The editor refuses everything but views; without a box, there is no shell."""
    environment = tool_environment({"PATH": os.environ["PATH"], "HOME": str(worktree)}, hidden=())
    tools = Tools(Shell(worktree, environment, seconds=120), Files(worktree), tool_set)
    (worktree / "seen.txt").write_text("seen\n")
    assert "seen" in edit(tools, "view", "seen.txt").text
    for command, rest in (("create", {"file_text": "x"}), ("str_replace", {"old_str": "seen"})):
        result = edit(tools, command, "seen.txt", **rest)
        assert result.is_error
        assert "only read" in result.text
    assert bash(tools, "echo ran").is_error is not shell
    assert [tool["name"] for tool in tools.definitions] == ([BASH, EDITOR] if shell else [EDITOR])
    assert (worktree / "seen.txt").read_text() == "seen\n"
    tools.close()
