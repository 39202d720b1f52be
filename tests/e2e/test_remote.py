"""A night on other machines: a real Temporal server, and workers that share nothing with the repository but git."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support import ssh
from tests.support.api import until
from tests.support.checked import show
from tests.support.cli import OBEDIENT, Cli, Pipe, does, saved, told
from tests.support.executions import marked
from tests.support.git import git
from tests.support.temporal import Server, free_port, saved_work, serving
from tests.support.terminal import terminal


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("temporal")) as server:
        yield server


def settings(server: Server, label: str, more: str = "") -> str:
    return OBEDIENT + f'label = "{label}"\n[remote]\naddress = "{server.address}"\nlost_after = "3s"\n{more}'


@pytest.fixture
def cli(repository_folder: Path, server: Server, tmp_path: Path) -> Cli:
    """A person whose agents run on workers with a label of this test."""
    cli = Cli(repository_folder, settings(server, tmp_path.name))
    cli.loads_temporal = True
    return cli


@contextlib.contextmanager
def worker(cli: Cli, server: Server, folder: Path, label: str, *more: str) -> Iterator[int]:
    """Run `orchestrate worker` until it is ready; yield its process id."""
    words = ("worker", "--address", server.address, "--slots", "2", "--label", label, "--folder", str(folder), *more)
    with cli.start(*words) as started:
        log = started.log.with_suffix(".err")
        started.goes_on_until(lambda: "ready: 2 agents at once" in log.read_text())
        yield started.process.pid
        assert "Traceback" not in log.read_text()


@pytest.fixture
def workers(cli: Cli, server: Server, tmp_path: Path) -> Iterator[list[int]]:
    with contextlib.ExitStack() as stack:
        folders = [tmp_path / "worker-1", tmp_path / "worker-2"]
        yield [stack.enter_context(worker(cli, server, folder, tmp_path.name)) for folder in folders]


@pytest.mark.usefixtures("workers")
def test_a_night_on_two_workers(cli: Cli, tmp_path: Path) -> None:
    """Three tasks are done elsewhere, reviewed and merged here; what was not committed comes home too."""
    script = ("git remote", "pwd", saved("{}.txt", "done", "Do {}"), "echo left > {}-left.txt")
    cli.queue(*(does(name, *(line.replace("{}", name) for line in script)) for name in ("one", "two", "three")))
    summary = cli.run()
    assert set(cli.states().values()) == {"finished"}
    assert "not by gitorch" not in summary.stderr
    for name in ("one", "two", "three"):
        assert show(cli, f"orch/{name}:{name}-left.txt") == "left"
        assert git("log", "--format=%s", f"main..orch/{name}", cwd=cli.folder).splitlines() == [name, f"Do {name}"]
        assert git("for-each-ref", "--format=%(refname)", f"refs/gitorch/attempts/{name}", cwd=cli.folder) == (
            f"refs/gitorch/attempts/{name}/1-1"
        )
        folder = cli("log", name).text.strip()
        assert folder.startswith(str(tmp_path / "worker-")), "it had a remote, or ran here"
        stored = cli.repository.common_dir / "gitorch" / "attempts" / name / "1" / "events.jsonl"
        assert stored.read_bytes() == cli("log", name, "--json").stdout
        events = cli("log", name, "--json").stream
        assert [event["text"] for event in events] == [folder]
        assert events[0]["at"], "when it happened comes home too"
        assert cli("log", name, "--since", events[0]["at"]).text.strip() == folder
        assert cli("log", name, "--since", "0s").text == ""
    findings = [finding["what"] for finding in cli.json("doctor", "--remote", ok=(0, 4))["findings"]]
    assert len([text for text in findings if text.startswith(f"worker {os.uname().nodename}: 0 of 2 slots busy")]) == 2
    assert not marked(tmp_path)
    assert [*tmp_path.glob("worker-*/rooms/*")] == []
    assert until(lambda: not [*tmp_path.glob("worker-*/trash/*")])
    for mirror in tmp_path.glob("worker-*/mirrors/*.git"):
        refs = git("for-each-ref", "--format=%(refname)", cwd=mirror).splitlines()
        assert {ref.rpartition("/")[0] for ref in refs} == {"refs/gitorch/base"}, "what a task needs stays there"
    cli("approve", "one", "two", "three")
    cli("merge", "-y")
    assert set(cli.states().values()) == {"merged"}
    assert show(cli, "orch/integration:three-left.txt") == "left"


@pytest.mark.usefixtures("workers")
def test_work_comes_home_without_a_push(cli: Cli) -> None:
    """With bundles, a worker needs no right to write; an attempt that changes nothing says so."""
    cli.queue(does("Write", saved("done.txt", "done")), does("Look", "ls"))
    cli.run("-c", 'remote.deliver="bundle"', ok=(0, 6))
    assert cli.states() == {"write": "finished", "look": "failed"}
    assert show(cli, "orch/write:done.txt") == "done"
    assert git("for-each-ref", "refs/gitorch/attempts", cwd=cli.folder) == ""


def check_outputs(cli: Cli) -> str:
    """Return what checks on workers have printed, of all tasks."""
    folder = cli.folder / ".git/gitorch/remote"
    return "".join(path.read_text() for path in folder.rglob("stdout") if "/check" in str(path))


@pytest.mark.usefixtures("workers")
def test_checks_on_workers(cli: Cli, server: Server, tmp_path: Path) -> None:
    """Checks and the verification of a merge run there, each tree once; a failing one goes back to the agent."""
    count = tmp_path / "count"
    test = f"pwd >> {count}; echo the output of test; test -e one.txt -o -e two.txt"
    checks = f'[checks]\nlint = "test ! -e bad.txt"\ntest = "{test}"\n'
    place = f'checks_on = "workers"\nchecks_label = "{tmp_path.name}"\n'
    cli.configure(settings(server, tmp_path.name, place + checks))
    cli.queue(does("One", saved("one.txt", "1")), does("Two", saved("two.txt", "2")), does("Bad", "touch bad.txt"))
    cli.run("-c", "run.fix_checks=0", ok=6)
    states = cli.tasks()
    assert {name: task["state"] for name, task in states.items()} == dict.fromkeys(("one", "two", "bad"), "finished")
    results = {
        name: {result["name"]: result["exit_code"] for result in states[name]["checks"]["results"]} for name in states
    }
    assert results == {"one": {"lint": 0, "test": 0}, "two": {"lint": 0, "test": 0}, "bad": {"lint": 1, "test": 1}}
    assert "== test ==\nthe output of test" in check_outputs(cli)
    before = count.read_text().splitlines()
    assert all(line.startswith(str(tmp_path / "worker-")) for line in before)
    cli("approve", "one", "two")
    cli("merge", "-y")
    after = count.read_text().splitlines()
    assert all(line.startswith(str(tmp_path / "worker-")) for line in after)
    assert len(after) - len(before) <= 1, "a tree was checked twice"
    assert [*tmp_path.glob("worker-*/rooms/*")] == []


def test_checks_of_a_killed_worker_run_again(cli: Cli, server: Server, workers: list[int], tmp_path: Path) -> None:
    """On the other one; nothing of the first stays alive, and a tree that cannot be prepared fails with its words."""
    ready, marker = Pipe(tmp_path / "ready"), tmp_path / "again"
    check = f"test -e {marker} && exit 0; touch {marker}; pwd > {ready}; sleep 600 & sleep 600"
    place = f'checks_on = "workers"\nchecks_label = "{tmp_path.name}"\n'
    cli.configure(settings(server, tmp_path.name, f'{place}[checks]\ntest = "{check}"\n'))
    cli.queue(does("Work", saved("done.txt", "done")))
    with cli.start("run") as run:
        number = int(Path(ready.line()).relative_to(tmp_path).parts[0].removeprefix("worker-"))
        os.kill(workers[number - 1], signal.SIGKILL)
        assert run.end().code == 0
    assert not marked(tmp_path)
    task = cli.tasks()["work"]
    assert (task["state"], task["attempts"], task["checks"]["passed"]) == ("finished", 1, True)
    cli("-c", 'prepare.run=["echo no such tool; exit 3"]', "check", "work", ok=6)
    assert [result["name"] for result in cli.tasks()["work"]["checks"]["results"]] == ["prepare"]
    assert "no such tool" in check_outputs(cli)


def claude(server: Server, label: str) -> str:
    """Return settings with a stand-in for claude that runs on workers."""
    program = Path(__file__).parents[1] / "support" / "scripted_claude.py"
    agent = f'agent = "claude"\n[agents.claude]\nkind = "claude"\npath = "{program}"\nlabel = "{label}"\n'
    return f'{agent}[remote]\naddress = "{server.address}"\n'


@pytest.mark.usefixtures("workers")
def test_the_limit_of_an_account_holds_on_all_workers(cli: Cli, server: Server, tmp_path: Path) -> None:
    """An agent that has met it on one machine is not started on another one before it resets."""
    cli.configure(claude(server, tmp_path.name))
    cli.queue(*({"id": name, "prompt": f"{name}\n#!claude limit 3600"} for name in ("one", "two", "three")))
    cli.run("-m", "1", "-c", "run.rate_limits=stop", ok=range(256))
    tasks = cli.tasks()
    assert [task["state"] for task in tasks.values()].count("queued") == 2
    assert [task["attempts"] for task in tasks.values()].count(1) == 1


@pytest.mark.usefixtures("workers")
def test_the_next_round_begins_a_session_and_knows_all(cli: Cli, server: Server, tmp_path: Path) -> None:
    """A fix of a failing check, and an answer, reach an agent that has no session where it is now; nobody attaches."""
    cli.configure(claude(server, tmp_path.name) + '[checks]\ntest = "test -e fixed.txt"\n')
    cli.queue({"id": "work", "prompt": "Do the work that matters\n#!claude leave one.txt"})
    cli.run(ok=6)
    task = cli.tasks()["work"]
    assert (task["state"], task["checks"]["passed"]) == ("finished", False)
    second = (cli.folder / ".git/gitorch/attempts/work/1/brief-2.md").read_text()
    assert "Do the work that matters" in second
    assert "test -e fixed.txt" in second
    cli("comment", "work", "-m", "Call it fixed\n#!claude work fixed.txt")
    cli("revise", "work")
    cli.run()
    assert cli.tasks()["work"]["checks"]["passed"] is True
    assert show(cli, "orch/work:fixed.txt") == "work"
    with terminal(tmp_path, cli.folder, cli.environment) as person:
        person.orchestrate("attach", "work")
        person.shows("session of work is on the worker")


@pytest.mark.usefixtures("workers")
def test_resume_says_that_a_session_stays_where_it_was(cli: Cli, server: Server, tmp_path: Path) -> None:
    """The agent begins another one, and its brief has the question with the answer."""
    cli.configure(claude(server, tmp_path.name))
    cli.queue({"id": "work", "prompt": "Do the work\n#!claude ask Which colour?"})
    cli.run(ok=range(256))
    assert "starts a fresh one" in cli("resume", "work", "-m", "Blue\n#!claude work blue.txt").stderr
    cli.run()
    second = (cli.folder / ".git/gitorch/attempts/work/2/brief-1.md").read_text()
    assert "Question: Which colour?\n\nAnswer: Blue" in second
    assert show(cli, "orch/work:blue.txt") == "work"


@pytest.mark.usefixtures("workers")
def test_ignored_files_reach_workers_once_the_user_says_so(cli: Cli, server: Server, tmp_path: Path) -> None:
    """Agents and checks have them there, and no commit gets them, although only the user's own settings ignore them.

    Otherwise the run is refused before it begins: an agent would work without them, and nobody would know.
    """
    (cli.folder / ".env").write_text("A=1\n")
    (cli.folder / ".git/info").mkdir(exist_ok=True)
    (cli.folder / ".git/info/exclude").write_text(".env\n")
    cli.configure(
        settings(
            server, tmp_path.name, 'checks_on = "workers"\n[prepare]\ncopy = [".env"]\n[checks]\nt = "grep A .env"\n'
        )
    )
    cli.queue(does("Work", "cp .env copy.txt", "echo left > left.txt"))
    assert cli.error("run", exit=4)["code"] == "remote-copy"
    assert cli.states() == {"work": "queued"}
    with (cli.folder / ".env").open("a") as file:
        file.truncate(30_000_000)
    assert cli.error("-c", "remote.copy_files=true", "run", exit=4)["code"] == "remote-copy-files"
    (cli.folder / ".env").write_text("A=1\n")
    cli.run("-c", "remote.copy_files=true")
    assert cli.tasks()["work"]["checks"]["passed"] is True
    assert git("show", "--format=", "--name-only", "orch/work", cwd=cli.folder).split() == ["copy.txt", "left.txt"]
    assert show(cli, "orch/work:copy.txt") == "A=1"


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize("mode", ["off", "private"])
def test_agents_on_workers_share_notes(cli: Cli, mode: str) -> None:
    """They see those from before their start, and what they add comes home under their names, once."""
    cli("context", "add", "The API is versioned: /v2")
    first = ("orchestrate context add The table is called accounts", "GITORCH_TASK=two orchestrate context add forged")
    second = ("orchestrate context list > seen.txt 2>&1", "git add -A", "git commit -qm x")
    cli.queue(does("One", *first, saved("one.txt", "1")), does("Two", *second, after=["one"]))
    cli.run("-c", f'sandbox.mode="{mode}"')
    notes = cli.json("context", "list")["notes"]
    assert [(note.get("task"), note["text"]) for note in notes] == [
        (None, "The API is versioned: /v2"),
        ("one", "The table is called accounts"),
        ("one", "forged"),
    ]
    seen = git("show", "orch/two:seen.txt", cwd=cli.folder)
    assert seen.count("The table is called accounts") == seen.count("/v2") == 1


@pytest.mark.usefixtures("workers")
def test_a_message_reaches_an_agent_on_a_worker(cli: Cli) -> None:
    """Whose work conflicts with its own: told while it runs, in the file that its brief names."""
    second = saved("README.md", "second")
    wait = "for i in $(seq 3000); do test -s $GITORCH_CONFLICTS && break; sleep 0.1; done"
    cli.queue(does("First", saved("README.md", "first")), does("Second", f"grep -q second README.md || ({second})"))
    cli.run()
    cli("comment", "second", "-m", told("Go on", wait, "cp $GITORCH_CONFLICTS told.txt"))
    cli("revise", "second")
    cli.run()
    assert "first" in show(cli, "orch/second:told.txt")


@pytest.mark.usefixtures("workers")
def test_the_forecast_sees_what_an_agent_on_a_worker_has_not_committed(cli: Cli) -> None:
    """By its rescue points: it is told of a conflict with a branch although its own has nothing yet."""
    wait = "for i in $(seq 3000); do test -s $GITORCH_CONFLICTS && break; sleep 0.1; done"
    second = {
        "id": "second",
        "prompt": told("Do Second", "echo second > README.md", wait, "cp $GITORCH_CONFLICTS told.txt"),
    }
    cli.queue(does("First", saved("README.md", "first")), second)
    cli.run("-m", "2", "-c", "run.rescue_every=1s")
    assert "first" in show(cli, "orch/second:told.txt")


def test_a_killed_worker_costs_one_attempt(cli: Cli, server: Server, workers: list[int], tmp_path: Path) -> None:
    """The attempt is lost and made again on the other machine, once; nothing of the first stays alive."""
    ready = Pipe(tmp_path / "ready")
    marker = tmp_path / "again"
    second = f"if test -e {marker}; then {saved('done.txt', 'done')}; exit; fi"
    cli.queue(does("Work", second, f"touch {marker}", f"pwd > {ready}", "exec sleep 600"))
    with cli.start("run") as run:
        folder = Path(ready.line())
        number = int(folder.relative_to(tmp_path).parts[0].removeprefix("worker-"))
        os.kill(workers[number - 1], signal.SIGKILL)
        assert run.end().code == 0
    assert not marked(tmp_path)
    task = cli.tasks()["work"]
    assert (task["state"], task["attempts"]) == ("finished", 2)
    assert show(cli, "orch/work:done.txt") == "done"


def test_the_next_attempt_goes_on_from_a_rescue_point(
    cli: Cli, server: Server, workers: list[int], tmp_path: Path
) -> None:
    """A commit and an uncommitted file of a killed worker are there when the other one goes on; other files are not.

    What a task has after its first attempt was pushed while that ran, each time under a new ref.
    """
    ready, marker = Pipe(tmp_path / "ready"), tmp_path / "again"
    again = f"if test -e {marker}; then pwd > second-place; cat half.txt > whole.txt; exit; fi"
    first = (f"touch {marker}", saved("one.txt", "one", "Do one"), "echo half > half.txt", f"pwd > {ready}")
    cli.queue(does("Work", again, *first, "exec sleep 600"))
    with cli.start("run", "-c", "run.rescue_every=1s") as run:
        number = int(Path(ready.line()).relative_to(tmp_path).parts[0].removeprefix("worker-"))
        pushed = "refs/gitorch/attempts/work/1-1-1"
        assert until(lambda: pushed in saved_work(server))
        os.kill(workers[number - 1], signal.SIGKILL)
        assert run.end().code == 0
    task = cli.tasks()["work"]
    assert (task["state"], task["attempts"]) == ("finished", 2)
    assert show(cli, "orch/work:whole.txt") == "half"
    assert f"worker-{3 - number}" in show(cli, "orch/work:second-place")
    subjects = git("log", "--format=%s", "main..orch/work", cwd=cli.folder).splitlines()
    assert subjects == ["Work", "WIP: Work", "Do one"]
    assert git("for-each-ref", "--format=%(refname)", "refs/gitorch/attempts/work", cwd=cli.folder).splitlines() == [
        "refs/gitorch/attempts/work/1",
        pushed,
        "refs/gitorch/attempts/work/3-2",
    ]


def test_when_the_only_worker_dies_the_task_is_queued_again(cli: Cli, server: Server, tmp_path: Path) -> None:
    """The run sees it without any worker, and ends; nothing stays alive."""
    ready = Pipe(tmp_path / "ready")
    cli.queue(does("Work", f"pwd > {ready}", "exec sleep 600"))
    with worker(cli, server, tmp_path / "worker", tmp_path.name) as process, cli.start("run") as run:
        ready.line()
        os.kill(process, signal.SIGKILL)
        assert run.end().code == 8
    assert not marked(tmp_path)
    assert cli.states() == {"work": "queued"}


@pytest.mark.usefixtures("workers")
def test_a_killed_run_is_adopted_by_the_next(cli: Cli, tmp_path: Path) -> None:
    """The agent goes on meanwhile, on its worker, and is not started again."""
    ready, go = Pipe(tmp_path / "ready"), Pipe(tmp_path / "go")
    cli.queue(does("Work", f"pwd > {ready}", f"read word < {go}", saved("done.txt", "done")))
    with cli.start("run") as run:
        ready.line()
        assert [agent["machine"] for agent in cli.json("agents")["agents"]] == [os.uname().nodename]
        run.process.kill()
        run.process.wait()
    with cli.start("run") as run:
        go.say()
        assert run.end().code == 0
    task = cli.tasks()["work"]
    assert (task["state"], task["attempts"]) == ("finished", 1)
    assert show(cli, "orch/work:done.txt") == "done"


@pytest.mark.usefixtures("workers")
def test_kill_reaches_an_agent_elsewhere(cli: Cli, tmp_path: Path) -> None:
    """The task is cancelled, its agent is gone, and what it had done comes home."""
    ready = Pipe(tmp_path / "ready")
    cli.queue(does("Work", saved("done.txt", "done"), f"pwd > {ready}", "exec sleep 600"))
    with cli.start("run") as run:
        ready.line()
        assert cli.json("kill", "work")["tasks"][0]["id"] == "work"
        assert run.end().code == 0
    assert not marked(tmp_path)
    assert cli.states() == {"work": "cancelled"}
    assert show(cli, "orch/work:done.txt") == "done"


@pytest.mark.usefixtures("workers")
def test_a_worker_that_cannot_reach_the_repository(cli: Cli) -> None:
    """The task fails with the reason of git, and where it was."""
    cli.queue(does("Work", "true"))
    cli.run("-c", 'remote.origin="/nonexistent/repository"', "-c", "run.retries=0", ok=6)
    task = cli.tasks()["work"]
    assert task["state"] == "failed"
    assert f"on {os.uname().nodename}: could not fetch from /nonexistent/repository" in task["reason"]


def test_serve_and_a_worker_that_joins_over_ssh(repository_folder: Path, tmp_path: Path) -> None:
    """Two commands on two machines: the join line that `serve` prints works, for the server and for git."""
    calls = ssh.install(tmp_path)
    cli = Cli(repository_folder, OBEDIENT, PATH=f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    cli.loads_temporal = True
    port = str(free_port())
    with cli.start("serve", "--slots", "1", "--port", port) as serve:
        log = serve.log.with_suffix(".err")
        serve.goes_on_until(lambda: "ready: 1 agents" in log.read_text())
        (join,) = re.findall(r"orchestrate (worker --join ssh://\S+ --port \d+)$", log.read_text(), re.MULTILINE)
        words = (*join.split(), "--slots", "2", "--label", "far", "--folder", str(tmp_path / "far"))
        with cli.start(*words) as far:
            far_log = far.log.with_suffix(".err")
            far.goes_on_until(lambda: "ready: 2" in far_log.read_text())
            cli.configure(OBEDIENT + f'label = "far"\n[remote]\naddress = "127.0.0.1:{port}"\n')
            cli.queue(does("Work", saved("done.txt", "done")))
            cli.run()
            assert show(cli, "orch/work:done.txt") == "done"
            assert {"git-upload-pack", "git-receive-pack"} <= set(re.findall(r"git-\w+-pack", calls.read_text()))
            assert cli.error("serve", "--port", port, exit=5)["code"] == "port-held"
            far.process.send_signal(signal.SIGTERM)
            assert far.end().code == 0
            assert not [*tmp_path.glob("far/rooms/*"), *tmp_path.glob("far/trash/*")], "it ended before it was tidy"
        serve.process.send_signal(signal.SIGTERM)
        assert serve.end().code == 0
    assert not marked(repository_folder)


def test_serve_without_its_program(repository_folder: Path) -> None:
    """The error says what to install."""
    cli = Cli(repository_folder, OBEDIENT, PATH="/usr/bin:/bin")
    assert cli.error("serve", exit=4)["code"] == "temporal-missing"


@pytest.mark.parametrize(
    ("words", "code", "exit"),
    [
        (("--join", "ssh://-oProxyCommand=x"), "join-address", 2),
        (("--join", "me@host"), "join-address", 2),
        (("--join", "ssh://a", "--address", "b:1"), "worker-options", 2),
        (("--slots", "0"), "worker-slots", 2),
        ((), "remote-address", 4),
        (("--address", "127.0.0.1:1"), "remote-unreachable", 4),
    ],
)
def test_a_worker_that_cannot_start(
    repository_folder: Path, tmp_path: Path, words: tuple[str, ...], code: str, exit: int
) -> None:
    """Each reason has its code."""
    cli = Cli(repository_folder, OBEDIENT)
    cli.loads_temporal = True
    assert cli.error("worker", "--folder", str(tmp_path / "worker"), *words, exit=exit)["code"] == code


def test_without_any_worker_nothing_starts(cli: Cli) -> None:
    """The run says so, and the tasks stay queued."""
    cli.queue(does("Work", "true"))
    assert "no machine takes attempts now" in cli.run(ok=8).text
    assert cli.states() == {"work": "queued"}


@pytest.mark.usefixtures("workers")
def test_a_label_that_no_worker_has(cli: Cli, server: Server, tmp_path: Path) -> None:
    """Its tasks stay queued, and the run, the status and doctor say which, why and what helps; others are done."""
    other = 'other = {kind = "command", command = ["sh"], label = "nowhere"}\n'
    cli.configure(settings(server, tmp_path.name).replace("[remote]", f"[agents]\n{other}[remote]", 1))
    cli.queue(does("Work", saved("done.txt", "done")), {**does("Late", "true"), "agent": "other"})
    fix = "no worker has the label nowhere (orchestrate worker --label nowhere)"
    run = cli.run(ok=4)
    assert f"late will wait: {fix}" in run.stderr
    assert f"{fix}; 1 task waits for it" in run.text
    assert cli.states() == {"work": "finished", "late": "queued"}
    assert fix in cli("status").text
    findings = {finding["what"]: finding for finding in cli.json("doctor", "--remote", ok=4)["findings"]}
    assert findings["no worker has the label nowhere, which agent other, and so late needs"]["fix"] == (
        "orchestrate worker --label nowhere"
    )
    place = 'remote.checks_on="workers"', 'remote.checks_label="nowhere"', 'checks.test="true"'
    error = cli.error(*(word for setting in place for word in ("-c", setting)), "run", exit=4)
    assert (error["code"], error["why"]) == ("no-worker", fix)


def test_a_worker_without_space_takes_nothing(cli: Cli, server: Server, tmp_path: Path) -> None:
    """It would fail one task after the other, while another machine has space; doctor says so."""
    cli.queue(*(does(name, saved(f"{name}.txt", name)) for name in ("one", "two", "three")))
    full = ("-c", 'run.min_free_disk="1000TB"')
    with worker(cli, server, tmp_path / "worker-1", tmp_path.name, *full):
        assert "no machine takes attempts now" in cli.run(ok=8).text
        with worker(cli, server, tmp_path / "worker-2", tmp_path.name):
            cli.run()
            assert "GB free, so it takes no agent" in cli("doctor", "--remote", ok=4).text
    assert {(task["state"], task["attempts"]) for task in cli.tasks().values()} == {("finished", 1)}
    assert not [*tmp_path.glob("worker-1/mirrors/*")]


def test_one_worker_that_cannot_fetch_does_not_fail_the_queue(cli: Cli, server: Server, tmp_path: Path) -> None:
    """It is free again at once, and would get most of what waits: it leaves that to the other one."""
    names = [f"t{number}" for number in range(6)]
    cli.queue(*(does(name, saved(f"{name}.txt", name)) for name in names))
    with (
        worker(cli, server, tmp_path / "worker-1", tmp_path.name, "--git", "/nonexistent"),
        worker(cli, server, tmp_path / "worker-2", tmp_path.name),
    ):
        cli.run("-m", "2", "-c", "run.retries=1")
    assert set(cli.states().values()) == {"finished"}
    assert not [*tmp_path.glob("worker-1/rooms/*")]


def test_a_run_waits_for_a_worker_that_starts_again(cli: Cli, server: Server, tmp_path: Path) -> None:
    """Between two tasks there is no worker: the second one is done when it is back, by the same run."""
    ready, go = Pipe(tmp_path / "ready"), Pipe(tmp_path / "go")
    cli.queue(does("One", f"pwd > {ready}", f"read word < {go}"), does("Two", saved("two.txt", "2")))
    waits = ("run", "-m", "1", "-c", 'remote.lost_after="60s"')
    with worker(cli, server, tmp_path / "worker", tmp_path.name) as process, cli.start(*waits) as run:
        ready.line()
        os.kill(process, signal.SIGTERM)
        assert until(lambda: "draining" in cli("doctor", "--remote", ok=(0, 4)).text)
        go.say()
        assert until(lambda: not psutil.pid_exists(process) or psutil.Process(process).status() == "zombie")
        assert until(lambda: cli.states()["one"] != "running")
        with worker(cli, server, tmp_path / "worker", tmp_path.name):
            run.end()
    assert cli.states()["two"] == "finished"


def test_a_server_that_does_not_answer(cli: Cli) -> None:
    """The error says which address, and what helps."""
    cli.queue(does("Work", "true"))
    error = cli.error("-c", 'remote.address="127.0.0.1:1"', "run", exit=4)
    assert error["code"] == "remote-unreachable"
    assert "127.0.0.1:1" in str(error)


def test_a_repository_cannot_send_its_agents_elsewhere(cli: Cli, server: Server) -> None:
    """An address in the repository's own files counts once the user has agreed to it."""
    cli.configure(OBEDIENT)
    (cli.folder / ".orchestrate.toml").write_text(f'[remote]\naddress = "{server.address}"\n')
    cli.queue(does("Work", "true"))
    assert cli.error("run", exit=5)["code"] == "untrusted"
