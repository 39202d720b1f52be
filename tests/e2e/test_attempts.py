"""One attempt: what it stands on, what judges it, and what of it is kept."""

from __future__ import annotations

import re
from pathlib import Path

import psutil
import pytest

from tests.support.checked import checked, notes, show
from tests.support.cli import OBEDIENT, SECONDS, Cli, Pipe, does, left_behind, saved
from tests.support.git import commit, git

PREPARED = """\
[prepare]
copy = [".env", "deps"]
run = ["echo made > made.log", "test -f .env"]
env = { PORT = "{port}", NAME = "{task}" }
"""


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    return Cli(repository_folder)


def test_kill_keeps_uncommitted_work(cli: Cli, tmp_path: Path) -> None:
    """A killed task is cancelled; its commits and its uncommitted files are on its branch, its worktree stays."""
    ready = Pipe(tmp_path / "ready")
    script = (saved("done.txt", "done"), "echo half > half.txt", f"echo > {ready}", "exec sleep 600")
    cli.queue(does("Work", *script), does("Wait", "true"))
    with cli.start("run", "-m", "1") as run:
        ready.line()
        assert cli.json("kill", "wait")["tasks"][0]["state"] == "cancelled"
        assert cli.json("kill", "--all")["tasks"][0]["id"] == "work"
        assert run.end().code == 0
    assert left_behind(cli.folder) == []
    assert cli.states() == {"work": "cancelled", "wait": "cancelled"}
    assert (show(cli, "orch/work:done.txt"), show(cli, "orch/work:half.txt")) == ("done", "half")
    message = git("log", "-1", "--format=%B", "orch/work", cwd=cli.folder)
    assert message.startswith("WIP: Work")
    assert "Task: work\nAgent: sh" in message
    cli.run()
    assert cli.states() == {"work": "cancelled", "wait": "cancelled"}


def test_retry_starts_afresh_and_keeps_the_earlier_attempt(cli: Cli) -> None:
    """`retry` makes a new attempt on a fresh base; the branch of the first is under the attempt's own ref."""
    cli.queue(does("Try", "echo $RANDOM$$ > out.txt"))
    cli.run()
    first = cli.tasks()["try"]
    commit(cli.folder, "Move on\n", {"moved.txt": "on\n"})
    assert cli.json("retry", "try")["tasks"][0]["state"] == "queued"
    cli.run()
    second = cli.tasks()["try"]
    assert git("rev-parse", "refs/gitorch/attempts/try/1", cwd=cli.folder) == first["tip"]
    assert (second["attempts"], second["state"]) == (2, "finished")
    assert second["base"] == git("rev-parse", "main", cwd=cli.folder)
    assert git("rev-list", f"{second['base']}..orch/try", cwd=cli.folder).split() == [second["tip"]]
    assert [line["number"] for line in notes(cli, second["tip"]) if line["kind"] == "attempt"] == [2]
    assert [line["number"] for line in notes(cli, first["tip"]) if line["kind"] == "attempt"] == [1]


def test_what_is_kept_of_an_attempt(cli: Cli) -> None:
    """What an agent forgot to commit is on the branch, in the task's name, and nothing that is ignored.

    One that exits 0 and changed nothing, or undid what it did, has failed with `no changes`.
    """
    cli.queue(
        does(
            "Forget",
            "echo new > new.txt; echo changed > README.md; rm data.bin; mkdir build; echo > build/x; echo > x.log",
        ),
        does("Idle", "true"),
        does("Undo", saved("a", "a"), "git revert --no-edit HEAD"),
    )
    cli.run(ok=6)
    changed = git("diff", "--name-status", "main", "orch/forget", cwd=cli.folder).splitlines()
    assert changed == ["M\tREADME.md", "D\tdata.bin", "A\tnew.txt"]
    assert git("log", "-1", "--format=%B", "orch/forget", cwd=cli.folder) == "Forget\n\nTask: forget\nAgent: sh"
    outcomes = {name: (task["state"], task["reason"]) for name, task in cli.tasks().items()}
    assert outcomes.pop("forget")[0] == "finished"
    assert set(outcomes.values()) == {("failed", "no changes")}


def test_work_that_git_ignores_is_named(cli: Cli) -> None:
    """An attempt that wrote only ignored files says which; what `[prepare]` made before it does not count."""
    prepare = '[prepare]\nrun = ["mkdir -p build; echo > build/made; echo > made.log"]\n'
    commit(cli.folder, "Prepare\n", {".orchestrate.toml": prepare})
    cli("config", "trust", "--yes")
    cli.queue(does("Ignored", "echo x > build/x; echo x > wrote.log"), does("Idle", "true"))
    cli.run(ok=6)
    tasks = cli.tasks()
    assert tasks["ignored"]["reason"] == "no changes; git ignores what it wrote: build/, wrote.log"
    assert tasks["idle"]["reason"] == "no changes"
    assert tasks["ignored"]["attempt"]["outcome"] == "no changes"


def test_the_log_is_followed_through_all_steps(cli: Cli, tmp_path: Path) -> None:
    """`log -f` prints each line of both streams while the agent works, then the check's, once, and then ends."""
    checked(cli, test="echo checking")
    told = ("first", "why", "second", "checking")
    pipe, go = Pipe(tmp_path / "pipe"), Pipe(tmp_path / "go")
    cli.queue(
        does(
            "Talk", f"echo first; echo why >&2; echo ready > {pipe}; read word < {go}; echo second", saved("a.txt", "a")
        )
    )
    with cli.start("run") as run:
        assert pipe.line() == "ready"
        with cli.start("log", "talk", "-f") as log:
            output = log.log.with_suffix(".out")
            log.goes_on_until(lambda: {b"first", b"why"} <= {*output.read_bytes().splitlines()})
            go.say()
            lines = [line for line in log.end().text.splitlines() if line in (*told, "── check test")]
        run.end()
    assert lines == [*told[:3], "── check test", "checking"]


def test_the_log_tells_what_was_said_on_standard_error(cli: Cli) -> None:
    """A program, and a hook, say there why they fail; who printed nothing is not shown as an empty page."""
    cli.queue(does("Fail", "echo step; echo 'no such target' >&2; false"), does("Lint", "echo > a.txt"), does("Idle"))
    hook = cli.folder / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho '3 errors' >&2\nexit 1\n")
    hook.chmod(0o755)
    cli.run("-c", "run.fix_checks=0", ok=6)
    for command in (("log", "fail"), ("log", "fail", "-f")):
        assert cli(*command).text.splitlines() == ["step", "no such target"]
    assert "3 errors" in cli("log", "lint").text
    silent = cli("log", "idle")
    assert (silent.text, "idle has printed nothing" in silent.stderr) == ("", True)


def test_the_log_tells_what_was_said(cli: Cli) -> None:
    """`log` shows the transcript without what would steer a terminal, `log --raw` every byte of it."""
    cli.queue(does("Talk", "printf 'red \\033[31mword\\n'", saved("a.txt", "a")))
    assert cli.error("log", "talk", exit=3)["code"] == "no-log"
    cli.run()
    assert b"\x1b" not in cli("log", "talk").stdout
    assert "word" in cli("log", "talk").text
    assert b"red \x1b[31mword\n" in cli("log", "talk", "--raw").stdout
    assert "word" in cli("log", "talk", "-f").text
    worktree = cli("task", "talk", "--path").text.rstrip("\n")
    assert cli("log", cwd=Path(worktree)).stdout == cli("log", "talk").stdout
    assert cli.json("task", cwd=Path(worktree) / "src")["task"]["id"] == "talk"


def test_a_part_of_the_log(cli: Cli) -> None:
    """Lines that match, the steps since a time, and only what the agent did; each also for programs."""
    checked(cli, test="echo the check says so")
    cli.queue(does("Talk", "echo alpha; echo beta", saved("a.txt", "a")))
    cli.run()
    assert cli("log", "talk", "--grep", "^(beta|the check)").text.splitlines() == ["beta", "the check says so"]
    assert [event["text"] for event in cli("log", "talk", "--json", "--grep", "alph").stream] == ["alpha"]
    assert "alpha" in cli("log", "talk", "--since", "1h").text
    assert cli("log", "talk", "--since", "0s").text == ""
    assert "beta" in cli("log", "talk", "-f", "--since", "1h", "--grep", "beta").text
    assert cli("log", "talk", "--commands").text == "", "a command agent tells of no tools"
    assert "alpha" in cli("log", "talk", "--since", "2026-01-01").text
    assert cli.error("log", "talk", "--grep", "(", exit=2)["code"] == "pattern"
    assert cli.error("log", "talk", "--since", "25:00", exit=2)["code"] == "time"
    assert "--raw shows everything" in cli("log", "talk", "--raw", "--grep", "a", ok=2).stderr


def test_an_attempt_keeps_its_events(cli: Cli) -> None:
    """With their times, in the form of `log --json`; `--since` goes by these, also while the agent works."""
    go = Pipe(cli.folder.parent / "go")
    ready = Pipe(cli.folder.parent / "ready")
    cli.queue(does("Talk", "echo alpha; sleep 1.2; echo beta", f"echo > {ready}; read x < {go}", saved("a.txt", "a")))
    with cli.start("run") as run:
        ready.line()
        alpha, beta = cli("log", "talk", "--json").stream
        assert alpha["at"] < beta["at"]
        assert cli("log", "talk", "--since", beta["at"]).text == "beta\n"
        go.say()
        run.end()
    assert cli("log", "talk", "--since", beta["at"]).text == "beta\n"
    stored = cli.repository.common_dir / "gitorch" / "attempts" / "talk" / "1" / "events.jsonl"
    assert stored.read_bytes() == cli("log", "talk", "--json").stdout
    assert [event["text"] for event in cli("log", "talk", "--json").stream] == ["alpha", "beta"]
    assert re.fullmatch(r"[0-9:]{8} alpha\n[0-9:]{8} beta\n", cli("log", "talk", "--times").text)


def test_an_attempt_without_stored_events_has_a_log(cli: Cli) -> None:
    """For example when the disk was full. Without any times, `--since` shows the steps that still ran then."""
    cli.queue(does("Talk", "echo alpha", saved("a.txt", "a")))
    cli.run()
    before = cli("log", "talk", "--json").stream
    attempt = cli.repository.common_dir / "gitorch" / "attempts" / "talk" / "1"
    (attempt / "events.jsonl").unlink()
    assert cli("log", "talk", "--json").stream == before
    (attempt / "agent-1" / "times").unlink()
    assert cli("log", "talk", "--json").stream == [{**before[0], "at": None}]
    assert cli("log", "talk", "--since", "1h").text == "alpha\n"
    assert cli("log", "talk", "--since", "0s").text == ""
    assert cli("log", "talk", "--times").text == "         alpha\n"


def test_each_attempt_is_read_as_its_own_agent_wrote_it(cli: Cli) -> None:
    """With and without stored events, after another agent took over."""
    stream = '{"type":"assistant","message":{"content":[{"type":"text","text":"said by claude"}]}}'
    stub = cli.folder.parent / "claude"
    stub.write_text(f"#!/bin/sh\n[ $1 = --version ] && echo 2.1.332 || echo '{stream}'\n")
    stub.chmod(0o755)
    cli.configure(
        f"{OBEDIENT}[agents.claude]\npath = '{stub}'\nenv = {{ ANTHROPIC_API_KEY = 'k' }}\n[run]\nretries = 0\n"
    )
    cli.queue(does("Talk", "echo said by sh", saved("a.txt", "a"), agent="claude"))
    cli.run(ok=6)
    cli("edit", "talk", "-a", "sh")
    cli("retry", "talk")
    cli.run()
    attempts = cli.repository.common_dir / "gitorch" / "attempts" / "talk"
    for _ in range(2):
        assert cli("log", "talk", "--attempt", "1").text == "said by claude\n"
        assert cli("log", "talk", "--attempt", "2").text == "said by sh\n"
        for path in attempts.glob("*/events.jsonl"):
            path.unlink()


def test_a_worktree_is_prepared(cli: Cli) -> None:
    """Ignored files are copied, commands run, and each task has its own free port, the same in its next attempt."""
    (cli.folder / ".env").write_text("SECRET=1\n")
    (cli.folder / "deps").mkdir()
    (cli.folder / "deps" / "lib").write_text("lib\n")
    (cli.folder / ".git" / "info" / "exclude").write_text(".env\ndeps/\nmade.log\n")
    cli.configure(OBEDIENT + PREPARED)
    script = ("cat made.log deps/lib .env > seen.txt; echo $NAME $PORT >> ports.txt",)
    cli.queue(does("One", *script), does("Two", *script))
    cli.run()
    assert show(cli, "orch/one:seen.txt") == "made\nlib\nSECRET=1"
    (one, port), (two, other) = (show(cli, f"orch/{name}:ports.txt").split() for name in ("one", "two"))
    assert (one, two) == ("one", "two")
    assert port != other
    assert port.isdigit()
    cli("revise", "one", "-m", "again")
    cli.run()
    assert show(cli, "orch/one:ports.txt").splitlines() == [f"one {port}"] * 2


def test_a_failing_preparation_fails_the_task_loudly(cli: Cli) -> None:
    """What `prepare` cannot do fails the task with the command and its words; no agent is started."""
    cli.configure(OBEDIENT + "[prepare]\nrun = ['echo no network today >&2; exit 3']\n")
    cli.queue(does("Work", saved("a.txt", "a")))
    answer = cli.run(ok=6)
    (task,) = cli.tasks().values()
    assert task["state"] == "failed"
    assert all(word in task["reason"] for word in ("prepare failed", "exit code 3", "no network today"))
    assert "no network today" in answer.text
    assert (task["tip"], git("rev-parse", "orch/work", cwd=cli.folder)) == (None, task["base"])
    cli.configure(OBEDIENT + "[prepare]\ncopy = ['.env']\n")
    cli("retry", "work")
    cli.run(ok=6)
    assert "there is no .env" in cli.tasks()["work"]["reason"]


def test_the_users_own_hooks_still_run(cli: Cli) -> None:
    """A pre-commit hook of the user's runs in the agent's worktree and can refuse its commit."""
    hook = cli.folder / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\necho ran >> "$(git rev-parse --git-common-dir)/../../ran"\ntest ! -f forbidden.txt\n')
    hook.chmod(0o755)
    refused = "echo no > forbidden.txt; git add -A; if git commit -qm x; then exit 9; fi; rm forbidden.txt"
    cli.queue(does("Work", refused, "git add -A", saved("good.txt", "good")))
    with cli.untouched():
        cli.run()
    assert (cli.folder.parent / "ran").read_text() == "ran\n" * 2
    assert git("diff", "--name-only", "main", "orch/work", cwd=cli.folder) == "good.txt"


def test_checks_are_read_from_the_base(cli: Cli) -> None:
    """An agent that rewrites `.orchestrate.toml` is judged by the checks of its base, not by its own."""
    checked(cli, test="test -f proof.txt")
    cli.queue(does("Cheat", "printf '[checks]\\ntest = \"true\"\\n' > .orchestrate.toml; git commit -qam Cheat"))
    cli.run(ok=6)
    (task,) = cli.tasks().values()
    assert (task["state"], task["checks"]["passed"]) == ("finished", False)
    assert task["checks"]["results"][0]["command"] == "test -f proof.txt"
    assert cli.error("approve", "cheat", exit=5)["code"] == "checks-failed"
    assert cli.json("approve", "cheat", "--force")["tasks"][0]["state"] == "approved"
    noted = [line for line in notes(cli, task["tip"]) if line["kind"] == "check"]
    tree = git("rev-parse", f"{task['tip']}^{{tree}}", cwd=cli.folder)
    assert [(line["name"], line["exit_code"], line["tree"]) for line in noted] == [("test", 1, tree)]


def test_a_tasks_own_check_judges_it(cli: Cli) -> None:
    """`--check` adds a command to the repository's, for that task alone."""
    checked(cli, test="true")
    cli("submit", does("One", saved("a.txt", "a"))["prompt"], "--check", "test -f b.txt")
    cli("submit", does("Two", saved("c.txt", "c"))["prompt"])
    cli.run(ok=6)
    passed = {name: task["checks"]["passed"] for name, task in cli.tasks().items()}
    assert passed == {"one": False, "two": True}


def test_what_an_agent_may_not_move_is_an_alarm(cli: Cli) -> None:
    """Stashing, tagging and moving other branches is refused to the agent and told to the reviewer."""
    refused = ("git stash", "git branch other", "git tag v1", "git push . HEAD:x")
    script = ["echo x >> README.md", *(f"if {one}; then exit 9; fi" for one in refused), saved("a.txt", "a")]
    with cli.untouched():
        cli.queue(does("Reach", *script))
        cli.run()
    (task,) = cli.tasks().values()
    assert {"refs/heads/other", "refs/tags/v1"} <= set(task["attempt"]["alarms"])
    assert "refs/heads/other" in cli("review", "reach").text


class _Interrupted:
    """A run that is killed while the last of some checks runs; each run of a check leaves a line."""

    def __init__(self, cli: Cli, folder: Path, *names: str, ends: str = "") -> None:
        self.cli, self.log, self.go = cli, folder / "checked", folder / "go"
        pipe = Pipe(folder / "pipe")
        commands = {name: f"echo {name} >> {self.log}" for name in names}
        waits = f"[ -e {self.go} ] || {{ echo here > {pipe}; while ! [ -e {self.go} ]; do sleep 0.05; done; }}"
        commands[ends or names[-1]] += f"; {waits}"
        checked(cli, **commands)
        cli.queue(does("one", saved("one.txt", "one"), id="one"))
        with cli.start("run") as run:
            pipe.line()
            run.process.kill()
            run.process.wait()
            self.processes = left_behind(cli.folder)
            assert self.processes, "the check goes on"
            self.go.touch()
            if not ends:
                psutil.wait_procs(self.processes, SECONDS)

    def runs(self) -> list[str]:
        """Run again to the end; return the checks that have run in both runs."""
        self.cli.run()
        task = self.cli.tasks()["one"]
        assert (task["state"], task["attempts"], task["checks"]["passed"]) == ("finished", 1, True)
        assert left_behind(self.cli.folder) == []
        return self.log.read_text().split()


@pytest.mark.parametrize("names", [("alone",), ("first", "second")])
def test_checks_that_outlived_a_killed_run_count(cli: Cli, tmp_path: Path, names: tuple[str, ...]) -> None:
    """kill -9 in the last check: it goes on to its end, and the next run takes its verdict."""
    assert _Interrupted(cli, tmp_path, *names).runs() == [*names]


def test_checks_of_which_not_all_had_begun_run_again(cli: Cli, tmp_path: Path) -> None:
    """kill -9 in the first check: the second needs what the first has built in a worktree of its own."""
    assert _Interrupted(cli, tmp_path, "first", "second", ends="first").runs() == ["first", "first", "second"]


def test_checks_that_were_changed_meanwhile_run_again(cli: Cli, tmp_path: Path) -> None:
    """Other preparation, other results: what outlived the run was not asked for."""
    interrupted = _Interrupted(cli, tmp_path, "alone")
    cli.configure(f"{OBEDIENT}[prepare]\nrun = ['true']\n")
    assert interrupted.runs() == ["alone", "alone"]
