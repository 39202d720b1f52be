"""Bad input and odd repositories: the documented behaviour or a clear error with its exit code, and nothing lost."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import ROOT, SECONDS, Cli, Pipe, does, saved, told
from tests.support.git import commit, git

WORK = told("Write a file", saved("new.txt", "new"))


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


def works(cli: Cli, *, base: str = "HEAD") -> None:
    """Assert that a task goes all the way to the integration branch, on top of `base`, and nothing else moves."""
    start = git("rev-parse", base, cwd=cli.folder)
    with cli.untouched():
        (task,) = cli.json("submit", WORK)["tasks"]
        cli.run()
        cli("approve", task["id"])
        merged = cli.json("merge")
    assert [one["id"] for one in merged["merged"]] == [task["id"]]
    assert git("show", "orch/integration:new.txt", cwd=cli.folder) == "new"
    assert git("rev-parse", "orch/integration~1", cwd=cli.folder) == start


# where the answer cannot be printed


def _through_shell(cli: Cli, line: str) -> tuple[int, str]:
    """Run a line of a shell in which `$O` is a new interpreter of the command line; return its code and stderr."""
    variables = {**cli.environment, "O": f"{sys.executable} -m gitorch", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", line], cwd=cli.folder, env=variables, capture_output=True, timeout=SECONDS)
    return done.returncode, done.stderr.decode()


def test_closed_streams_are_as_good_as_dev_null(cli: Cli) -> None:
    """With streams closed by the caller, as some daemons do, a command does its work, and errors have their code."""
    assert _through_shell(cli, "$O status <&- >&-") == (0, "")
    assert _through_shell(cli, "$O status --json 2>&-") == (0, "")
    code, said = _through_shell(cli, "$O nope >&-")
    assert (code, said.splitlines()[0]) == (2, "error: there is no command nope; did you mean notes?")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", ["status", "status --json", "nope --json"])
def test_an_answer_that_does_not_fit_on_the_disk_is_an_error(cli: Cli, words: str) -> None:
    """Where stdout is full, stderr says so, also with --json."""
    code, said = _through_shell(cli, f"$O {words} > /dev/full")
    assert (code, said.splitlines()[0]) == (4, "error: no space to write the repository")


@pytest.mark.parametrize("words", ["status", "nope --json", "-h"])
def test_a_reader_that_has_closed_our_output_is_exit_141(cli: Cli, words: str) -> None:
    """A reader that has gone is no error to report."""
    late = f"(sleep 0.2; exec $O {words}) | exec <&-; exit ${{PIPESTATUS[0]}}"
    assert _through_shell(cli, late) == (141, "")


@pytest.mark.parametrize("sink", ["2> /dev/full", "2> >(exec <&-)"])
def test_a_night_goes_on_without_its_narration(cli: Cli, sink: str) -> None:
    """Where the log is full, or the program that shows it has ended, the tasks are worked through all the same."""
    cli("submit", WORK)
    assert _through_shell(cli, f"$O run {sink}")[0] == 0
    assert cli.states() == {"write-a-file": "finished"}


# where there is no repository to work in


def test_a_shell_in_a_worktree_that_was_removed(cli: Cli, tmp_path: Path) -> None:
    """Its folder is gone: the error names it, and `-C` works from there."""
    gone = tmp_path / "gone"
    leave = f"mkdir {gone} && cd {gone} && rmdir {gone} &&"
    code, said = _through_shell(cli, f"{leave} $O status")
    assert (code, said.splitlines()[0]) == (3, f"error: there is no folder {gone}")
    assert _through_shell(cli, f"{leave} $O -C {cli.folder} status --json") == (0, "")


def test_outside_of_a_repository_every_command_is_exit_3(tmp_path: Path) -> None:
    """Outside of a repository, each kind of command says so and how to go on; nothing is written there."""
    (tmp_path / "plain").mkdir()
    cli = Cli(tmp_path / "plain")
    for words in (("submit", "x"), ("run",), ("status",), ("merge",), ("cleanup",)):
        found = cli.error(*words, exit=3)
        assert found["code"] == "not-a-repository"
        assert any("git init" in one for one in found["fix"])
    assert list((tmp_path / "plain").iterdir()) == []


def test_an_unborn_head_keeps_the_task_queued(tmp_path: Path) -> None:
    """Without a first commit there is nothing to start on: said with the command that helps, and then it works."""
    folder = tmp_path / "unborn"
    git("init", "--quiet", str(folder), cwd=tmp_path)
    cli = Cli(folder)
    cli("submit", WORK)
    found = cli.error("run", exit=3)
    assert (found["code"], found["fix"]) == ("no-commit", ["git commit --allow-empty -m 'First commit'"])
    (task,) = cli.tasks().values()
    assert (task["state"], task["attempts"]) == ("queued", 0)
    git("switch", "-q", "-c", "trunk", cwd=folder)
    commit(folder, "First\n", {"a": "1\n"})
    git("symbolic-ref", "HEAD", "refs/heads/nowhere", cwd=folder)
    found = cli.error("run", exit=3)
    assert found["what"] == "the branch nowhere, which HEAD names, has no commits yet"
    assert found["fix"][0] == "git switch BRANCH"
    git("commit", "--quiet", "--allow-empty", "-m", "First commit", cwd=folder)
    cli.run()
    assert cli.states() == {"write-a-file": "finished"}


# the task file


def test_a_task_file_cut_in_half_is_set_aside(cli: Cli) -> None:
    """A cut `tasks.toml` is kept beside, the state is made again whole, and the user is told on stderr."""
    works(cli)
    cli("submit", "Still to do")
    before = cli.tasks()
    file = cli.folder / ".git" / "gitorch" / "tasks.toml"
    cli("cleanup", "--dry-run")
    half = file.read_bytes()[: file.stat().st_size // 2]
    file.write_bytes(half)
    told_then = cli("status", "--json")
    assert "tasks.toml was damaged" in told_then.stderr
    assert {task["id"]: task for task in told_then.json["tasks"]} == before
    aside = list(file.parent.glob("tasks.toml.damaged-*"))
    assert [one.read_bytes() for one in aside] == [half]
    assert "damaged" not in cli("status").stderr


def test_a_lost_state_is_rebuilt_from_branches_and_notes(cli: Cli) -> None:
    """With the whole folder of the task file gone, branches and notes tell what was finished, approved and merged."""
    cli.queue(*(does(name, saved(f"{name}.txt", name)) for name in ("one", "two", "three")))
    cli.run()
    cli("approve", "one", "two")
    cli("merge", "one")
    folder = cli.folder / ".git" / "gitorch"
    shutil.rmtree(folder / "journal")
    for file in folder.glob("tasks.toml*"):
        file.write_bytes(b"")
    answer = cli("status", "--json")
    assert "damaged" in answer.stderr
    found = {task["id"]: task["state"] for task in answer.json["tasks"]}
    assert found == {"one": "merged", "two": "approved", "three": "finished"}
    assert all(task["title"] in ("one", "two", "three") for task in answer.json["tasks"])


# configuration


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[run]\nmax_agent = 3\n", (".orchestrate.toml:2", "max_agent", "did you mean max_agents")),
        ("\n\nintegratoin = 'x'\n", (".orchestrate.toml:3", "did you mean integration")),
        ("[agents.claude]\npaht = 'x'\n", (".orchestrate.toml:2", "did you mean path")),
        ("[run]\n# words\nmax_agents = 'many'\n", (".orchestrate.toml:3", 'run.max_agents = "many"', "a whole number")),
        ("[run]\nmax_agents = 0\n", (".orchestrate.toml:2", "max_agents = 0", "1 or more")),
        ("branch = 'no-place'\n", ("{task}",)),
        ("[run]\nmax_agents = \n", (".orchestrate.toml:2:",)),
        ("[run]\ntask_timeout = 'soon'\n", ("soon", "duration")),
        ("[remote]\naddress = 'x'\n", ("remote.address", "HOST:PORT")),
        (b"\xff\xfe", ("not UTF-8",)),
    ],
    ids=lambda value: repr(value) if isinstance(value, str | bytes) else "",
)
def test_a_bad_configuration_is_exit_2(cli: Cli, text: str | bytes, words: tuple[str, ...]) -> None:
    """An unknown key is named with near miss, file and line, a wrong value with its place; nothing is queued."""
    (cli.folder / ".orchestrate.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    found = cli.error("submit", "x", exit=2)
    assert all(word in f"{found['what']} {found['why']} {found['fix']}" for word in words), found
    (cli.folder / ".orchestrate.toml").unlink()
    assert cli.tasks() == {}


# prompts


def test_an_empty_prompt_is_exit_2(cli: Cli) -> None:
    """Nothing to do is refused from every source."""
    for words, given in (
        (("submit", ""), b""),
        (("submit", " \n\t"), b""),
        (("submit",), b" \n"),
        (("submit", "-F", "-"), b""),
        (("submit", "-F", "-"), b'[[task]]\ntitle = ""\n'),
        (("submit", "-F", "-"), b"---\ntitle: x\n"),
    ):
        answer = cli(*words, ok=(0, 2), input=given)
        if answer.code == 0:
            assert given.startswith(b"---"), (words, given)
    assert set(cli.tasks()) <= {"title-x"}


def test_text_that_is_not_utf8_is_exit_2(cli: Cli) -> None:
    """Bytes that are not UTF-8 are refused as an argument, on standard input and in a file; nothing is guessed."""
    (cli.folder.parent / "latin.md").write_bytes(b"caf\xe9\n")
    for words, given in (
        (("submit", os.fsdecode(b"caf\xe9")), b""),
        (("submit",), b"caf\xe9"),
        (("submit", "-F", "../latin.md"), b""),
        (("submit", "x", "--context", "@../latin.md"), b""),
    ):
        answer = cli(*words, ok=2, input=given)
        assert "UTF-8" in answer.stderr
    assert cli.tasks() == {}
    # as PowerShell writes what is redirected to a file
    (cli.folder.parent / "wide.md").write_bytes("# café\n".encode("utf-16"))
    refused = cli.error("submit", "-F", "../wide.md", exit=2)
    assert refused["why"] == "it is UTF-16"
    assert refused["fix"] == ["iconv -f utf-16 -t utf-8 ../wide.md | orchestrate submit -F -"]


def test_a_prompt_of_5_mb_arrives(cli: Cli) -> None:
    """Five megabytes go into the prompt and come back byte for byte."""
    prompt = "Read all of this\n" + "".join(
        f"{number}{' 🦀 `x`;' * 4}{' and more' * 110}\r\n" for number in range(5_000)
    )
    assert len(prompt.encode()) > 5_000_000
    cli.configure(
        '[agents.keep]\nkind = "command"\ncommand = ["/bin/sh", "-c", "cat > brief.md; git add -A; git commit -qm x"]\n'
    )
    cli("submit", "--agent", "keep", input=prompt.encode())
    assert cli.json("task", "read")["task"]["prompt"] == prompt
    cli.run()
    arrived = subprocess.run(
        ["git", "show", "orch/read-all-of-this:brief.md"], cwd=cli.folder, capture_output=True, check=True
    ).stdout
    assert prompt.encode() in arrived
    assert cli.states() == {"read-all-of-this": "finished"}


# names


def test_names_that_mean_nothing_or_two_things(cli: Cli) -> None:
    """An unknown task and an ambiguous beginning are exit 3 with what there is; an unknown agent or role is exit 2."""
    cli.queue({"title": "Add a page"}, {"title": "Add a table"})
    assert "add-a-page" in str(cli.error("task", "ad-a-page", exit=3)["why"])
    found = cli.error("task", "add", exit=3)
    assert found["code"] == "ambiguous"
    assert "add-a-page, add-a-table" in found["what"]
    assert cli.json("task", "add-a-p")["task"]["number"] == 1
    assert cli.json("task", "2")["task"]["id"] == "add-a-table"
    assert "did you mean claude" in cli.error("submit", "x", "--agent", "cloude", exit=2)["what"]
    assert cli.error("submit", "x", "--role", "plumber", exit=2)["code"] == "unknown-role"
    assert len(cli.tasks()) == 2


def test_a_task_may_be_left_out_in_its_worktree(cli: Cli) -> None:
    """Also for commands that take several; elsewhere, the hint names the tasks that it could be."""
    cli("submit", told("Work", saved("one.txt", "1")), "--check", "true")
    cli.run()
    assert cli.error("approve", exit=2)["fix"] == ["orchestrate approve work", "orchestrate approve --all"]
    folder = str(cli.folder.parent / f"{cli.folder.name}.orch/work")
    for words in (("check",), ("preview",), ("review", "--viewed", "one.txt")):
        cli("-C", folder, *words)
    assert "work is finished" in cli.error("-C", folder, "kill", exit=5)["what"]
    cli("-C", folder, "approve")
    assert cli.states()["work"] == "approved"


@pytest.mark.parametrize("place", ["trees/{task}", ".git/trees/{task}", "../{repo}/{task}"])
def test_worktrees_never_go_inside_the_repository(cli: Cli, place: str) -> None:
    """Neither `submit` nor `run` accepts such a place, whatever git ignores, and nothing is made there."""
    cli("submit", WORK)
    setting = f'worktrees = "{place}"'
    with cli.untouched():
        for words in (["submit", "x"], ["run"]):
            assert cli.error("-c", setting, *words, exit=5)["code"] == "worktrees-inside"
    assert cli.states() == {"write-a-file": "queued"}


def test_a_commit_that_is_missing_is_not_called_a_missing_first_commit(cli: Cli, tmp_path: Path) -> None:
    """Where borrowed objects are gone, no command proposes to make a first commit; it works when they are back."""
    git("clone", "--quiet", "--shared", str(cli.folder), str(tmp_path / "borrowed"), cwd=tmp_path)
    borrowed = Cli(tmp_path / "borrowed")
    borrowed("submit", WORK)
    away = cli.folder.rename(tmp_path / "away")
    assert borrowed.error("merge", exit=3)["code"] == "commit-missing"
    said = borrowed.run(ok=6)
    assert "the repository does not have this commit" in said.text + said.stderr
    assert borrowed.states() == {"write-a-file": "queued"}
    away.rename(cli.folder)
    works(borrowed)


@pytest.mark.parametrize(
    "ref", ["refs/notes/gitorch/x", "refs/gitorch", "refs/heads/orch/integration/it's", "refs/notes"]
)
def test_a_ref_in_the_way_is_named_before_an_agent_starts(cli: Cli, ref: str) -> None:
    """`run` and `doctor` say which command helps, and it helps: nothing is lost."""
    cli("submit", WORK)
    git("update-ref", ref, "main", cwd=cli.folder)
    found = cli.error("run", exit=5)
    assert found["code"] == "ref-name"
    assert found["fix"][0] in cli("doctor", ok=4).text
    assert cli.states() == {"write-a-file": "queued"}
    subprocess.run(["/bin/sh", "-c", found["fix"][0]], cwd=cli.folder, check=True)
    assert git("for-each-ref", "--points-at=main", cwd=cli.folder).count("commit") == 2
    cli.run()
    cli("approve", "--all")
    cli("merge")
    assert git("show", "orch/integration:new.txt", cwd=cli.folder) == "new"


def test_a_branch_called_orch_is_in_the_way(cli: Cli) -> None:
    """Beside a branch `orch` the first command says which config line helps, and that line helps."""
    git("branch", "orch", cwd=cli.folder)
    found = cli.error("submit", "x", exit=5)
    assert found["code"] == "branch-prefix"
    assert 'branch = "tasks/{task}"' in found["fix"][0]
    line = 'branch = "tasks/{task}"\nintegration = "tasks/integration"\n'
    (cli.folder / ".orchestrate.toml").write_text(line)
    cli("submit", WORK)
    cli.run()
    assert git("show", "tasks/write-a-file:new.txt", cwd=cli.folder) == "new"
    cli("approve", "--all")
    cli("merge")
    assert git("show", "tasks/integration:new.txt", cwd=cli.folder) == "new"


# who may, and when


FOR_PEOPLE = (
    ("approve", "--all"),
    ("merge",),
    ("config", "trust", "--yes"),
    ("run",),
    ("submit", "x"),
    ("revise", "write-a-file", "-m", "x"),
    ("reject", "write-a-file"),
    ("retry", "write-a-file"),
    ("kill", "--all"),
    ("cleanup", "--yes"),
)


def test_from_inside_an_agent_a_persons_commands_are_refused(cli: Cli) -> None:
    """What only a person may decide is exit 5 from inside an agent, and changes nothing; reading is allowed."""
    cli.queue(does("Write a file", saved("new.txt", "new")), does("Second", "true"))
    cli.run("--on-failure", "continue", ok=6)
    before = cli.tasks(), git("for-each-ref", cwd=cli.folder)
    inside = {"GITORCH_TASK": "write-a-file"}
    for words in FOR_PEOPLE:
        assert cli.json(*words, ok=5, env=inside)["code"] == "inside-agent", words
    assert (cli.tasks(), git("for-each-ref", cwd=cli.folder)) == before
    assert cli.json("status", env=inside)["tasks"] == list(before[0].values())
    assert "new.txt" in cli("diff", "write-a-file", env=inside).text


def test_a_budget_that_no_amount_reaches_is_exit_2(cli: Cli) -> None:
    """`nan` is no limit, and would be taken for one."""
    for words in (("run",), ("submit", WORK)):
        assert (
            cli.error(*words, "--budget", "nan", exit=2)["what"] == "Invalid value for '--budget': nan is not an amount"
        )


def test_json_that_cannot_be_given_is_exit_2(cli: Cli) -> None:
    """With --json nothing but JSON is printed: the help as an object where a command is missing, no raw transcript."""
    assert cli("log", "x", "--raw", "--json", ok=2).json["code"] == "usage"
    for words in ((), ("config",), ("context",), ("plan",)):
        assert cli(*words, "--json").json["schema"] == "gitorch/help/1"


def test_a_second_run_is_refused(cli: Cli, tmp_path: Path) -> None:
    """One run at a time: the second is exit 5 and names the process of the first, which goes on undisturbed."""
    ready, gate = Pipe(tmp_path / "ready"), Pipe(tmp_path / "gate")
    cli.queue(does("Wait", f"echo > {ready}", f"read word < {gate}", saved("new.txt", "new")))
    with cli.start("run") as first:
        ready.line()
        found = cli.error("run", exit=5)
        gate.say()
        assert first.end().code == 0
    assert (found["code"], found["why"]) == ("run-held", f"process {first.process.pid}")
    assert cli.states() == {"wait": "finished"}


def test_an_answer_that_nobody_can_give_is_exit_9(cli: Cli) -> None:
    """Without a terminal, and with `--json`, a question is exit 9 that names the flag; nothing is done."""
    works(cli)
    (cli.folder / ".orchestrate.toml").write_text('[checks]\ntest = "true"\n')
    refs = git("for-each-ref", cwd=cli.folder)
    for words, flag in ((("cleanup",), "--yes"), (("config", "trust"), "--yes")):
        for option in ((), ("--no-input",)):
            assert flag in cli(*words, *option, ok=9).stderr
        found = cli.json(*words, ok=9)
        assert (found["code"], found["exit"]) == ("answer-needed", 9)
    assert git("for-each-ref", cwd=cli.folder) == refs
    cli("run", ok=5)


def test_on_a_terminal_the_question_is_asked(cli: Cli) -> None:
    """On a terminal `cleanup` asks: `n` removes nothing, `y` does; with `--no-input` nobody is asked there either."""
    works(cli)
    assert on_terminal(cli, b"", "cleanup", "--no-input") == 9
    assert on_terminal(cli, b"n\n", "cleanup") == 0
    assert set(cli.tasks()) == {"write-a-file"}
    assert on_terminal(cli, b"y\n", "cleanup") == 0
    assert cli.tasks() == {}


def on_terminal(cli: Cli, typed: bytes, *words: str) -> int:
    """Run a command on a terminal of its own, type on it, and return the exit code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gitorch", *words],
        cwd=cli.folder,
        env={**cli.environment, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    os.write(ours, typed)
    try:
        while select.select([ours], [], [], SECONDS)[0] and os.read(ours, 65_536):
            pass
    except OSError:
        pass  # the other end is closed
    finally:
        os.close(ours)
    return process.wait(SECONDS)


def test_a_wrong_value_is_named_with_what_is_right(cli: Cli) -> None:
    """Each is refused when it is given, in one line that says which value it was, and what would do."""
    table = {
        ("submit", "x", "--check", "test="): (2, "sets a variable and runs nothing: test="),
        ("submit", "x", "--priority", "hgih"): (2, "did you mean high?"),
        ("submit", "x", "--budget", "abc"): (2, "'abc' is not a number"),
        ("submit", "x", "--base", "mian"): (2, "there is no commit mian"),
        ("run", "--max-agents", "x"): (2, "'x' is not a whole number"),
        ("run", "--at", "25:00"): (2, "'25:00' is not a time"),
        ("report", "--format", "htm"): (2, "did you mean html?"),
        ("-C", "nowhere", "status"): (3, "there is no folder"),
    }
    for words, (code, text) in table.items():
        assert text in cli.error(*words, exit=code)["what"], words
    assert cli.json("status")["tasks"] == []
