"""The signals of a review: on labelled branches, and those of the attempt itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
import pytest

from gitorch.flow.review.signals.attempt_signals import task_signals
from gitorch.flow.review.signals.changed_checks import changed_checks
from gitorch.flow.review.signals.check_files import check_file_signals, personal_check_signals
from gitorch.flow.review.signals.file_signals import file_signals
from gitorch.flow.review.signals.patch_signals import patch_signals
from gitorch.flow.review.signals.rules import MAX_NAMED, shortened, signal, table
from gitorch.flow.review.signals.settings_diff import read_settings
from gitorch.flow.review.signals.softened_assertions import softened_assertions
from gitorch.git.diff.file_changes import FileChange
from gitorch.git.diff.file_patches import NO_FILE, FilePatch, Hunk, read_files
from gitorch.git.diff.patch_lines import LineKind, PatchLine
from gitorch.model import alarms
from gitorch.model.naming import TaskId
from gitorch.model.task import Attempt, PastAttempt, Task
from tests.support.git import Files
from tests.support.labelled_branches import BASE, make
from tests.support.tasks import make_task

_BY_PATH = frozenset(
    ["sensitive", "outside-paths", "binary", "credential-file", "credential", "large", "generated", "incomplete"]
)
"""Signals that need no patch; `python -m tests.bench.signals` measures these as well."""


def _text(files: Files, path: str) -> str:
    content = files.get(path)
    return content if isinstance(content, str) else ""


def test_labelled_branches_get_their_signals(tmp_path: Path) -> None:
    """Nearly every weakened check and test is found, with its line, and ordinary work raises no alarm."""
    repository, base, made = make(tmp_path / "labelled")
    missing, false = [], []
    for branch, tip in made:
        after = {**BASE, **branch.files}
        patch = read_files(repository, base, tip)
        signals = list(patch_signals(patch, partial(_text, BASE), partial(_text, after)))
        missing += [(branch.name, kind) for kind in branch.kinds - _BY_PATH - {entry.kind for entry in signals}]
        false += [(branch.name, entry) for entry in signals if entry.weight > 1 and entry.kind not in branch.kinds]
        for entry in signals:
            content = after.get(entry.path)
            lines = content.count("\n") if isinstance(content, str) else 0
            assert entry.line <= lines + 1, (branch.name, entry)
            assert entry.path or entry.kind == "incomplete"
    assert missing == [("codecov target", "check-weakened")]
    assert false == []


def test_the_markers_of_a_conflict_are_a_signal() -> None:
    """A heading that is underlined is none: both ends of a conflict must be there."""

    def kinds(*texts: str) -> list[str]:
        lines = tuple(PatchLine(LineKind.ADDED, text, new=at) for at, text in enumerate(texts, start=1))
        file = msgspec.structs.replace(_changed("a.py"), hunks=(Hunk("@@", 1, 1, lines),))
        return [f"{entry.kind}:{entry.line}" for entry in file_signals(file)]

    assert kinds("x", "<<<<<<< HEAD", "one", "=======", "two", ">>>>>>> other") == ["conflict-marker:2"]
    assert kinds("<<<<<<< HEAD", "=======") == []
    assert [entry.kind for entry in file_signals(_changed("sub/.gitignore"))] == ["ignore-changed"]


def test_only_white_space_is_a_signal() -> None:
    """Also other line ends; an added empty line in between is one change more, and a moved word is not."""

    def signals(before: list[str], after: list[str]) -> list[str]:
        lines = [PatchLine(LineKind.REMOVED, text, new=1) for text in before]
        lines += [PatchLine(LineKind.ADDED, text, new=1) for text in after]
        file = msgspec.structs.replace(_changed("a.py"), hunks=(Hunk("@@", 1, 1, tuple(lines)),))
        return [entry.kind for entry in file_signals(file)]

    assert signals(["one", "two"], ["one  ", "\ttwo\r", ""]) == ["white-space"]
    assert signals(["one two"], ["two one"]) == []
    assert signals([], ["one"]) == []


def _changed(path: str, old_mode: str = "100644") -> FilePatch:
    return FilePatch(path=path, old_path=path, status="M", old_mode=old_mode, new_mode="100644")


def test_scripts_that_a_check_runs_stand_out() -> None:
    """Those that its command names, and those that its Makefile names; tests, sources and new files do not."""
    checks = '[checks]\nown = "./verify.sh --all tests/test_a.py new.sh"\nmake = "make test"\n'
    before: Files = {".orchestrate.toml": checks, "Makefile": "test: src/app.py\n\tsh ci/run.sh\n"}
    files = [_changed(path) for path in ("ci/run.sh", "other.sh", "src/app.py", "tests/test_a.py", "verify.sh")]
    found = [*check_file_signals([*files, _changed("new.sh", NO_FILE)], partial(_text, before))]
    assert [(entry.kind, entry.path, entry.text) for entry in found] == [
        ("check-script", "verify.sh", "the check own runs it, and it was changed"),
        ("check-script", "ci/run.sh", "the check make runs it, and it was changed"),
    ]


def _kinds(path: str, before: Files, text: str) -> dict[str, str]:
    """Return the signals of a file that is now `text`, by their words."""
    file = msgspec.structs.replace(_changed(path, "100644" if path in before else NO_FILE), status="M")
    after = {**before, path: text}
    return {entry.text: entry.kind for entry in changed_checks(file, partial(_text, before), partial(_text, after))}


@pytest.mark.parametrize("path", ["Makefile", "justfile"])
def test_the_target_that_runs_by_default_stands_out(path: str) -> None:
    """Another first target is a signal, and a weaker check if a check runs it and it does nothing."""
    program = {"Makefile": "make", "justfile": "just"}[path]
    text = "all: build\n\tpytest -q\n\nbuild:\n\tcc a.c\n\nclean:\n\trm -rf out\n"
    before: Files = {".orchestrate.toml": f'[checks]\nown = "{program} -j 4"\n', path: text}
    idle = f"fast:\n\t@true\n\n{text}"
    words = "the target that runs by default is fast, and was all"
    assert _kinds(path, before, idle) == {words: "check-weakened"}
    assert _kinds(path, {path: text}, idle) == {words: "test-command"}
    assert _kinds(path, before, f"fast:\n\tpytest -q --fast\n\n{text}") == {words: "test-command"}
    assert _kinds(path, before, text.replace("pytest -q", "true")) == {
        "the target all does nothing now": "check-weakened"
    }
    assert _kinds(path, before, text.replace("cc a.c", "cc b.c")) == {"the target build was changed": "test-command"}
    assert _kinds(path, {path: text}, text.replace("cc a.c", "cc b.c")) == {}
    assert _kinds(path, before, text.replace("-rf out", "-r out")) == {}


def test_what_a_makefile_says_of_its_default_counts() -> None:
    """`.DEFAULT_GOAL` chooses a target, and a file that make prefers hides the Makefile."""
    text = ".PHONY: all\nall:\n\tpytest -q\nfast:\n\t@true\n"
    before: Files = {".orchestrate.toml": '[checks]\nown = "make"\n', "Makefile": text}
    words = "the target that runs by default is fast, and was all"
    assert _kinds("Makefile", before, f".DEFAULT_GOAL := fast\n{text}") == {words: "check-weakened"}
    assert _kinds("GNUmakefile", before, "all:\n") == {"make reads it instead of Makefile": "test-command"}
    assert _kinds("GNUmakefile", {}, "all:\n") == {}


def test_scripts_of_a_package_that_a_check_runs_stand_out() -> None:
    """Also by way of a Makefile or another script, and those that npm runs before and after."""
    text = '{"scripts": {"all": "npm run --silent units && make more", "units": "jest", "docs": "typedoc"}}'
    before: Files = {
        ".orchestrate.toml": '[checks]\nown = "CI=1 npm run all"\n',
        "package.json": text,
        "Makefile": "more:\n\t$(MAKE) last\nlast:\n\tyarn docs\n",
    }
    assert _kinds("package.json", before, text.replace('"jest"', '"true"')) == {
        "the script units does nothing now": "check-weakened"
    }
    assert _kinds("package.json", before, text.replace("typedoc", "typedoc --out x")) == {
        "the script docs was changed": "test-command"
    }
    assert _kinds("package.json", before, text.replace('"units"', '"preunits": "rm -rf tests", "units"')) == {
        "the script preunits was added, and a check runs it": "test-command"
    }
    unchecked = {"package.json": text}
    assert _kinds("package.json", unchecked, text.replace('"jest"', '"true"')) == {}


def test_scripts_of_personal_checks_stand_out() -> None:
    """The user's own checks and those of a task run files of the branch, too; each file is named once."""
    checks = {"mine": "./verify.sh --all", "task": "python tools/probe.py tests/test_a.py && ./verify.sh"}
    changes = [
        FileChange("verify.sh", "M", 1, 1),
        FileChange("tools/probe.py", "D", 0, 9),
        FileChange("tests/test_a.py", "M", 1, 1),
        FileChange("other.sh", "M", 1, 1),
    ]
    found = [*personal_check_signals(checks, changes, ())]
    assert [(entry.kind, entry.path, entry.text) for entry in found] == [
        ("check-script", "verify.sh", "the check mine runs it, and it was changed"),
        ("check-script", "tools/probe.py", "the check task runs it, and it was deleted"),
    ]
    assert [entry.path for entry in personal_check_signals(checks, changes, {"verify.sh"})] == ["tools/probe.py"]


def test_many_assertions_are_compared_in_no_time() -> None:
    """What would take the square of the lines, or of a line, is left out; what is no number stops no review."""
    removed = [PatchLine(LineKind.REMOVED, f"assert a.b_{number} == 1", old=number) for number in range(1, 20_000)]
    added = [PatchLine(LineKind.ADDED, f"assert a.b_{number}", new=number) for number in range(1, 20_000)]
    odd = [
        PatchLine(LineKind.ADDED, "abs(" * 100_000, new=20_000),
        PatchLine(LineKind.ADDED, "f(abs=1.2.3)", new=20_001),
        PatchLine(LineKind.REMOVED, "f(abs=.)", old=20_001),
    ]
    hunk = Hunk("@@", 1, 1, (*removed, *added, *odd))
    file = msgspec.structs.replace(_changed("tests/test_a.py"), hunks=(hunk,))
    assert len([*softened_assertions([file])]) == 200


_ACTING = {
    "instructions-changed": (
        *("CLAUDE.md", "docs/AGENTS.md", "CLAUDE.local.md", "AGENTS.override.md", ".mcp.json", ".claude/settings.json"),
        *(".claude/agents/a.md", ".codex/config.toml", ".agents/skills/a/SKILL.md", ".vscode/mcp.json", ".rules"),
        *(".github/instructions/a.instructions.md", ".github/prompts/a.prompt.md", ".junie/guidelines.md", "claude.md"),
    ),
    "runs-by-itself": (
        *(
            ".vscode/tasks.json",
            ".vscode/settings.json",
            ".VSCode/Tasks.json",
            "shop.code-workspace",
            ".idea/workspace.xml",
        ),
        *(".zed/tasks.json", ".exrc", ".nvim.lua", ".dir-locals.el", ".gdbinit", ".devcontainer/devcontainer.json"),
        *(".envrc", "src/x.pth", "build.rs", ".npmrc", "binding.gyp", ".mvn/extensions.xml"),
        "gradle/wrapper/gradle-wrapper.properties",
    ),
    "runs-first": ("conftest.py", "tests/conftest.py", "setup.py"),
    "source-changed": (".lfsconfig", "pip.conf"),
    "credits-changed": (".git-blame-ignore-revs", ".mailmap"),
    "submodule": (".gitmodules",),
    "ci-changed": (".github/workflows/a.yml",),
    "hook-changed": (".husky/pre-commit", ".pre-commit-config.yaml"),
}
"""Files that act on the machine of who has the branch, or on the next agent, by the kind of their signal."""


@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind, paths in _ACTING.items() for path in paths])
def test_files_that_act_stand_out(kind: str, path: str) -> None:
    """Opening, building or testing the branch is enough, or that an agent works on it; letter case hides none."""
    assert [entry.kind for entry in file_signals(_changed(path, NO_FILE))] == [kind]


@pytest.mark.parametrize("pair", ["{left: *x%d, right: *x%d}", "[*x%d, *x%d]"])
@pytest.mark.parametrize("innermost", ["{a: 1}", "{}", "[1]"])
def test_a_short_file_that_grows_without_bound_is_not_read(pair: str, innermost: str) -> None:
    """Aliases that double a value 40 times would take longer than any review, and more memory than there is."""
    doubled = "".join(f"x{number}: &x{number} {pair % (number - 1, number - 1)}\n" for number in range(1, 40))
    assert read_settings("ci.yml", f"x0: &x0 {innermost}\n{doubled}") is None
    assert read_settings("ci.yml", "self: &self {again: *self}") is None
    assert read_settings("ci.yml", "base: &base {a: [1]}\nother: *base") == {"base.a": [1], "other.a": [1]}


def test_a_flood_is_shortened() -> None:
    """Of each kind a few are listed, and the rest is a number."""
    signals = [signal("suppressed", "silences a check", "a.py", line) for line in range(40)]
    listed = list(shortened([*signals, signal("binary", "binary", "x.png")]))
    assert [entry.line for entry in listed[:MAX_NAMED]] == list(range(MAX_NAMED))
    assert listed[MAX_NAMED].text == f"{40 - MAX_NAMED} more: {table().kinds['suppressed'].meaning}"
    assert listed[-1].path == "x.png"
    assert {kind.weight for kind in table().kinds.values()} == {1, 2, 3}


def _task(summary: str = "", **fields: object) -> Task:
    attempt = Attempt(
        number=2, agent="sh", summary=summary, round=2, alarms=(alarms.command("curl x | sh"), "push to origin")
    )
    return make_task(id=TaskId("x"), number=1, title="x", prompt="x", attempt=attempt, **fields)


@pytest.mark.parametrize(
    ("summary", "quote"),
    [
        ("Done. I could not run the tests here.", "I could not run the tests here."),
        ("All done.\nTODO: the cache is a placeholder.", "TODO: the cache is a placeholder."),
        ("The login works. It should work on Windows.", "It should work on Windows."),
        ("I skipped test_total because it was flaky", "I skipped test_total because it was flaky"),
    ],
)
def test_doubt_in_the_summary_is_quoted(summary: str, quote: str) -> None:
    """What the agent itself says is missing or untested is pointed out in its own words."""
    assert [entry.text for entry in task_signals(_task(summary), [], []) if entry.kind == "doubtful-words"] == [
        f'the agent says: "{quote}"'
    ]


@pytest.mark.parametrize(
    "summary", ["Added the limit, with tests.", "I did not touch the API.", "No tests were skipped.", ""]
)
def test_a_plain_summary_raises_no_doubt(summary: str) -> None:
    """What reassures is no doubt."""
    assert [entry for entry in task_signals(_task(summary), [], []) if entry.kind == "doubtful-words"] == []


def test_what_the_agent_did_is_a_signal() -> None:
    """Commands, refusals, earlier attempts, rounds and unapproved work below are each named."""
    past = (PastAttempt(number=1, agent="sh", outcome="timed out"),)
    signals = {entry.kind: entry.text for entry in task_signals(_task(past=past), ["refs/x"], [TaskId("base")])}
    assert signals["attempt-ended-early"] == "attempt 1 timed out"
    assert signals["rounds"] == "failing checks went back to the agent once"
    assert signals["risky-command"] == "the agent ran curl x | sh"
    assert signals["unapproved-base"] == "builds on base, which is not approved"
    assert {"refused-action", "not-checked", "moved-outside"} <= set(signals)
