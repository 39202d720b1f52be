"""`diff` on a terminal and in a pipe."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import SECONDS, Cli, does
from tests.support.git import git
from tests.support.prepared import PreparedNight


def spend(folder: Path) -> Cli:
    """A repository with a task whose files, names and message would steer a terminal."""
    cli = Cli(folder)
    hostile = "printf 'x\\033]52;c;AAAA\\007y\\ncr\\rEVIL\\033[2Jx\\n' > c.txt"
    name = "printf 'z\\n' > \"$(printf 'a\\033]0;PWNED\\007b.txt')\""
    cli.queue(does("One", hostile, name, "git add -A; git commit -qm one"))
    cli.run()
    return cli


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, _template: Path) -> PreparedNight:
    return PreparedNight(tmp_path_factory.mktemp("prepared"), _template, spend)


@pytest.fixture
def cli(night: PreparedNight, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return night.restore(monkeypatch)


def on_terminal(cli: Cli, *words: str, **env: str) -> bytes:
    """Return everything that a command sends to its terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "gitorch", *words]
    variables = {**cli.environment, "TERM": "xterm-256color", **env}
    with subprocess.Popen(
        command, cwd=cli.folder, env=variables, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        output = b""
        try:
            while select.select([ours], [], [], SECONDS)[0] and (data := os.read(ours, 65_536)):
                output += data
        except OSError:
            pass  # the other end is closed
        os.close(ours)
    assert process.returncode == 0, output
    return output


@pytest.mark.parametrize(
    ("config", "env"),
    [
        ({}, {"PAGER": "cat"}),
        ({}, {"GIT_PAGER": ""}),
        ({"pager.diff": "false"}, {"PAGER": "false"}),
        ({"core.pager": "sed s/^/paged:/"}, {"PAGER": "false"}),
        ({"pager.diff": "sed s/^/paged:/"}, {}),
        ({"diff.external": "sh -c 'cat \"$5\"' -"}, {"PAGER": "cat"}),
    ],
    ids=["cat", "empty", "no pager", "core.pager", "pager.diff", "external"],
)
def test_nothing_steers_the_terminal(cli: Cli, config: dict[str, str], env: dict[str, str]) -> None:
    """Whatever the pager is, it gets text that is harmless; git's colours stay."""
    for name, value in config.items():
        git("config", name, value, cwd=cli.folder)
    output = on_terminal(cli, "diff", "one", **env)
    for sequence in (b"\x1b]", b"\x1b[2J", b"cr\rEVIL"):
        assert sequence not in output
    assert b"\\x1b]52;c;AAAA\\x07" in output
    assert (b"paged:" in output) == ("paged" in str(config))
    assert (b"\x1b[32m+" in output) == ("diff.external" not in config)


def test_colours_are_those_of_the_users_git(cli: Cli) -> None:
    git("config", "color.diff.new", "magenta", cwd=cli.folder)
    assert b"\x1b[35m+" in on_terminal(cli, "diff", "one", PAGER="cat")
    git("config", "color.diff", "never", cwd=cli.folder)
    assert b"\x1b[" not in on_terminal(cli, "diff", "one", PAGER="cat")


def test_a_program_reads_no_colours(cli: Cli) -> None:
    """Whatever git's settings say; an option of the command or FORCE_COLOR asks for them."""
    git("config", "color.ui", "always", cwd=cli.folder)
    assert b"\x1b[32m" not in cli("diff", "one", "--", "*b.txt").stdout
    assert b"\x1b[32m" not in on_terminal(cli, "diff", "one", PAGER="cat", NO_COLOR="1")
    assert b"\x1b[32m" in cli("diff", "one", "--color=always").stdout
    assert b"\x1b[32m" in cli("diff", "one", env={"FORCE_COLOR": "1"}).stdout


def test_a_path_is_from_the_top_or_from_the_folder_that_it_is_typed_in(cli: Cli) -> None:
    """As `git diff` has it, where nothing at the top has changed; a pathspec with magic is git's."""
    cli.queue(does("Two", "mkdir -p src/deep; echo top > f; echo deep > src/deep/f; echo g > src/deep/g"))
    cli.run()
    deep = cli.folder / "src" / "deep"
    deep.mkdir(parents=True)
    for typed, shown in (("f", "top"), ("g", "g"), ("./f", "deep"), ("../deep/g", "g"), (":(top)src/deep/f", "deep")):
        lines = cli("diff", "two", "--", typed, cwd=deep).text.splitlines()
        assert [line for line in lines if line.startswith("+") and "/" not in line] == [f"+{shown}"]
    assert cli("diff", "two", "--", "../../../f", ok=4, cwd=deep).stdout == b""
    cli("comment", "two", "g:1", "-m", "why g", cwd=deep)
    cli("comment", "two", "f", "-m", "why f", cwd=deep)
    cli("comment", "two", "../deep", "-m", "no file", ok=2, cwd=deep)
    assert [comment["file"] for comment in cli.tasks()["two"]["comments"]] == ["src/deep/g", "f"]


def test_in_a_pipe_the_patch_is_exact(cli: Cli) -> None:
    """It can be applied: not a byte is changed."""
    git("branch", "other", cwd=cli.folder)
    patch = cli("diff", "one").stdout
    assert b"\x1b]52;c;AAAA\x07" in patch
    (cli.folder.parent / "patch").write_bytes(patch)
    git("apply", "--index", str(cli.folder.parent / "patch"), cwd=cli.folder)
    assert git("write-tree", cwd=cli.folder) == git("rev-parse", "orch/one^{tree}", cwd=cli.folder)


def test_a_failure_of_git_has_an_exit_code_of_ours(cli: Cli) -> None:
    """Git's 128 and 129 become 4 and 2; the codes of its options stay."""
    git("config", "diff.external", "false", cwd=cli.folder)
    failed = cli("diff", "one", ok=4)
    assert "error: git diff failed" in failed.stderr
    assert "orchestrate diff one --no-ext-diff --no-textconv" in failed.stderr
    assert b"diff --git" in cli("diff", "one", "--no-ext-diff", "--no-textconv").stdout

    assert "git diff does not accept: --bogus" in cli("diff", "one", "--bogus", ok=2).stderr
    cli("diff", "one", "--no-ext-diff", "--exit-code", ok=1)


def test_the_users_settings_hold_for_what_is_read_and_not_for_what_is_parsed(cli: Cli) -> None:
    """An order of files that is relative to the checkout, prefixes, context and a textconv: in `diff` as in git's.

    The search for credentials, which reads diffs too, finds the same as without them.
    """
    (cli.folder / "order").write_text("*.h\n*.c\n")
    (cli.folder / ".gitattributes").write_text("*.up diff=up\n")
    git("add", "-A", cwd=cli.folder)
    git("commit", "-qm", "order", cwd=cli.folder)
    script = "seq 9 > a.c; seq 9 > a.h; echo low > b.up; printf 'a\\nb\\n' > k.txt; git add -A; git commit -qm two"
    key = "printf 'a\\n-----BEGIN RSA PRIVATE KEY-----\\nb\\n' > k.txt; git add -A; git commit -qm three"
    cli.queue(does("Two", script, key))
    cli.run()
    plain = cli.json("review", "two")["tasks"][0]["signals"]
    settings = {
        "diff.orderFile": "order",
        "diff.mnemonicPrefix": "true",
        "diff.interHunkContext": "9",
        "diff.context": "1",
        "diff.up.textconv": "tr a-z A-Z <",
        "log.showRoot": "false",
    }
    for name, value in settings.items():
        git("config", name, value, cwd=cli.folder)
    base, tip = (cli.tasks()["two"][name] for name in ("base", "tip"))
    assert "redacted" in cli("diff", "two").text
    paths = ("--", "a.c", "a.h", "b.up")
    shown = cli("diff", "two", *paths).text
    assert shown.splitlines() == git("diff", base, tip, *paths, cwd=cli.folder).splitlines()
    assert shown.index("a.h") < shown.index("a.c")
    assert "+LOW" in shown
    assert "a.c" not in cli("diff", "two", "--", "a.h").text
    assert cli.json("review", "two")["tasks"][0]["signals"] == plain
    assert cli("status").code == 0


def test_a_reader_may_leave_early(cli: Cli) -> None:
    on_terminal(cli, "diff", "one", PAGER="head -1")


def test_a_replace_ref_hides_no_change(cli: Cli) -> None:
    """What an agent without a sandbox can write into the repository changes no byte of what a reviewer sees."""
    harmless = git("hash-object", "-w", "--stdin", cwd=cli.folder, input=b"harmless\n")
    git("replace", f"{cli.tasks()['one']['tip']}:c.txt", harmless, cwd=cli.folder)
    text = cli("diff", "one").text
    assert "EVIL" in text
    assert "harmless" not in text
