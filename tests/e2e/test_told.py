"""What an agent moves outside of its own worktree and branch is told, and kept until a person acknowledges it."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from tests.support.cli import OBEDIENT, Cli, Pipe, does, saved
from tests.support.git import git
from tests.support.prepared import PreparedNight

UNFENCED = "env -u GIT_CONFIG_COUNT git -C '{main}'"

# what an agent does to others, and the line that tells of it
DEEDS = {
    "{git} update-ref refs/heads/main HEAD~1": "refs/heads/main moved from",
    "{git} update-ref refs/heads/orch/one HEAD": "refs/heads/orch/one moved from",
    "{git} update-ref refs/heads/orch/new HEAD": "refs/heads/orch/new appeared",
    "{git} update-ref refs/gitorch/new HEAD": "refs/gitorch/new appeared",
    "{git} update-ref refs/notes/gitorch HEAD": "refs/notes/gitorch was moved to",
    "{git} tag new": "refs/tags/new appeared",
    "{git} stash drop -q": "stash {stash} disappeared",
    "{git} reflog expire --expire=now refs/heads/side": "logs/refs/heads/side changed",
    "{git} config core.hooksPath .husky/_; {git} config core.bare true": "config changed: core.bare, core.hookspath",
    "echo > '{main}/.git/hooks/pre-commit'": "hooks/pre-commit appeared",
    "echo >> '{main}/README.md'": "file README.md changed",
    "echo >> '{main}/stray'": "file stray changed",
    "echo >> '{side}/stray'": "worktree {side}: file stray changed",
    "echo >> '{one}/one.txt'": "worktree {one}: file one.txt changed",
    "echo >> '{config}'": "{config} changed",
    "echo >> '{main}/.git/gitorch/operations.jsonl'": "{main}/.git/gitorch/operations.jsonl changed",
    "{forge}": "tasks.toml was changed by another program",
    "{git} replace HEAD~1 HEAD": "refs/replace/",
    "{git} notes --ref=other add -m x HEAD": "refs/notes/other appeared",
    "echo > '{main}/.git/description'": "description changed",
    "echo > '{main}/.git/FETCH_HEAD'": "FETCH_HEAD appeared",
    "echo > '{main}/.git/info/grafts'": "info/grafts appeared",
    "mkdir -p '{main}/.git/modules/a'; echo > '{main}/.git/modules/a/config'": "modules/a/config appeared",
    "echo > '{main}/.git/gc.log'": "gc.log appeared",
    "echo 1 host > '{main}/.git/gc.pid'": "gc.pid appeared",
    "echo >> '{main}/inside/.git/config'": "file inside/.git/config changed",
    "echo >> '{main}/secret.env'": "file secret.env changed",
    "echo >> '{main}/deps.env/run.js'": "folder deps.env changed",
    "echo >> '{main}/ignored/a'": "file ignored/a changed",
    "echo >> '{side}/new.env'": "worktree {side}: file new.env appeared",
    "echo >> '{main}/inside/tracked'": "file inside/tracked appeared",
    "chmod 606 '{main}/src/app.py'": "mode of src/app.py changed",
    "mkdir '{main}/hollow'": "folder hollow appeared",
    "mkfifo '{main}/pipe'": "pipe pipe appeared",
    "chmod 700 '{main}/.git'": "mode of .git changed",
    "chmod 777 '{main}/.git/gitorch'": "mode of .git/gitorch changed",
    "touch '{main}/.git/config.lock'": "config.lock appeared, and makes git wait",
    "rm -f '{main}/.git/objects/{unreachable}'": "objects disappeared: ",
    "chmod u+w '{main}/.git/objects/{broken}'; echo > '{main}/.git/objects/{broken}'": "objects damaged: ",
    "echo >> '{home}/.bashrc'": "{home}/.bashrc appeared",
    "mkdir '{home}/.claude'; echo > '{home}/.claude/settings.json'": "{home}/.claude/settings.json appeared",
    "mkdir -p '{home}/bin'; echo > '{home}/bin/git'": "{home}/bin/git appeared",
    "echo > '{home}/.myrc'": "{home}/.myrc appeared",
}
_UNWATCHED = "echo >> '{main}/ignored/noise/a'"
"""What the settings take out."""


def spend(folder: Path) -> Cli:
    """A repository with a finished task, a stash, and a linked worktree of the user's."""
    git("worktree", "add", "--quiet", "-b", "side", "../side", cwd=folder)
    (folder / "README.md").write_text("stashed\n")
    git("stash", cwd=folder)
    git("init", "-q", "inside", cwd=folder)
    (folder / ".git/info/exclude").write_text("*.env\nignored/\n")
    for name in ("ignored/a", "ignored/noise/a"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x\n")
    (folder / "deps.env").mkdir()
    for name in ("secret.env", "deps.env/run.js"):
        (folder / name).write_text("x\n")
    cli = Cli(folder)
    cli.queue(does("One", saved("one.txt", "1")))
    assert cli("run", "--json").stream[-1]["moved"] == []
    return cli


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, _template: Path) -> PreparedNight:
    return PreparedNight(tmp_path_factory.mktemp("prepared"), _template, spend)


@pytest.fixture
def cli(night: PreparedNight, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return night.restore(monkeypatch)


def _loose_object(folder: Path, content: bytes) -> str:
    """Write an object; return the path of its file."""
    oid = git("hash-object", "-w", "--stdin", cwd=folder, input=content)
    return f"{oid[:2]}/{oid[2:]}"


def _invalid_tasks(folder: Path) -> str:
    """Return a command that replaces the tasks by what no command could read, with a valid end."""
    tasks = folder / ".git/gitorch/tasks.toml"
    return f"(printf '[[task]]\\nid = 7\\n'; tail -n 2 '{tasks}') > '{tasks}.x'; mv '{tasks}.x' '{tasks}'"


def test_every_deed_is_told(cli: Cli) -> None:
    """Each is named by `run`, with exit code 6, and by `status`, `task` and `review`, until it is acknowledged."""
    names = {
        "main": cli.folder,
        "side": cli.folder.parent / "side",
        "one": cli.tasks()["one"]["worktree"],
        "config": cli.environment["GIT_CONFIG_GLOBAL"],
        "git": UNFENCED.format(main=cli.folder),
        "stash": git("rev-parse", "refs/stash", cwd=cli.folder),
        "home": cli.environment["HOME"],
        "forge": _invalid_tasks(cli.folder),
        "unreachable": _loose_object(cli.folder, b"unreachable"),
        "broken": _loose_object(cli.folder, b"broken"),
    }
    cli.configure(f'{OBEDIENT}[sandbox]\nwatch = ["~/.myrc", "!noise"]\n[prepare]\ncopy = ["*.env"]\n')
    cli.queue(does("Two", saved("two.txt", "2"), *(deed.format(**names) for deed in (*DEEDS, _UNWATCHED))))
    lines = cli("run", "--json", ok=6).stream[-1]["moved"]
    for told in (told.format(**names) for told in DEEDS.values()):
        assert any(line.startswith(told) for line in lines), (told, lines)
    assert not any("noise" in line for line in lines)
    assert "config changed: core.bare, core.hookspath" in cli("task", "two").text
    assert "core.hooksPath" in cli("status").text
    assert {change["what"] for change in cli.json("status")["moved"]} == set(lines)
    assert cli.json("review", "two")["tasks"][0]["risk"] == "high"
    cli("status", "--exit-code", ok=6)
    assert cli.error("status", "--acknowledge", exit=5, env={"GITORCH_TASK": "two"})["code"] == "inside-agent"
    assert cli.json("status", "--acknowledge")["moved"] == []
    assert cli.json("task", "two")["moved"] == []


def test_what_a_preparation_does_is_told(cli: Cli) -> None:
    """An install step that sets a hooks path is named like an agent, with what takes it back."""
    step = 'test "$HUSKY" = 0 && command -p git config core.hooksPath .husky/_'
    cli.configure(f"{OBEDIENT}[prepare]\nrun = ['{step}']\n")
    cli.queue(does("Two", saved("two.txt", "2")))
    said = cli.run(ok=6).text
    assert "config changed: core.hookspath" in said
    assert "HUSKY" in said


def test_settings_of_a_preparation_end_with_it(cli: Cli) -> None:
    """An install step that calls `git config` finds the user's settings, and changes a copy of them."""
    before = (cli.folder / ".git/config").read_bytes()
    git("config", "demo.key", 'a "b"\tc', cwd=cli.folder)
    set_here = (cli.folder / ".git/config").read_bytes()
    assert set_here != before
    step = (
        'test "$(git config demo.key)" = "$(printf \'a "b"\\tc\')" && git config core.hooksPath .husky/_'
        ' && test "$(git config --local core.hooksPath)" = .husky/_ && git config --local --unset demo.key'
        " && git config --global demo.global 1 && git rev-parse HEAD"
    )
    cli.configure(f"{OBEDIENT}[prepare]\nrun = [{json.dumps(step)}]\n")
    cli.queue(does("Two", saved("two.txt", "2")))
    moved = cli("run", "--json", ok=6).stream[-1]["moved"]
    assert [Path(change.split(" ")[0]).name for change in moved] == ["gitconfig"]
    assert (cli.folder / ".git/config").read_bytes() == set_here


def test_a_preparation_may_fill_the_hooks_path_of_the_user(cli: Cli) -> None:
    """Where the user has a hooks path, what writes its files in the worktree may do so: these hooks go on to run."""
    git("config", "core.hooksPath", ".husky/_", cwd=cli.folder)
    hook = ".husky/_/pre-commit"
    step = f'test -z "$HUSKY" && mkdir -p .husky/_ && printf "exit 1" > {hook} && chmod +x {hook}'
    cli.configure(f"{OBEDIENT}[prepare]\nrun = ['{step} && git config core.hooksPath .husky/_']\n")
    cli.queue(does("Two", saved("two.txt", "2")))
    assert cli("run", "--json", ok=6).stream[-1]["moved"] == []
    assert cli.states()["two"] == "failed"


def test_what_a_hook_refused_is_told(cli: Cli, tmp_path: Path) -> None:
    """A commit that the repository's own hook refuses is told; so is a hook that never ran for work in progress."""
    hook = cli.folder / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    killed = f"[ -e '{tmp_path}/once' ] && exit 0; touch '{tmp_path}/once'; echo 3 > three.txt; kill -9 $PPID; sleep 60"
    cli.queue(does("Two", "echo 2 > two.txt; git add -A; git commit -qm two || true"), does("Three", killed))
    cli.run(ok=6)
    tasks = cli.tasks()
    alarms = {name: task["attempt"]["alarms"] for name, task in tasks.items()}
    assert (tasks["two"]["attempt"]["outcome"], tasks["three"]["state"]) == ("hook refused", "finished")
    assert alarms["two"] == ["hook pre-commit"]
    assert alarms["three"] == ["skipped hook pre-commit"]
    assert "the repository's pre-commit hook refused" in cli("task", "two").text
    assert "without the repository's pre-commit hook" in cli("task", "three").text
    assert cli.json("review", "three")["tasks"][0]["risk"] == "high"


def test_a_refusal_that_did_not_help_is_not_called_one(cli: Cli) -> None:
    """The stash's only entry is gone although a hook refused to move its ref: both are told."""
    cli.queue(does("Two", saved("two.txt", "2"), f"git -C '{cli.folder}' stash drop -q || true"))
    moved = cli("run", "--json", ok=6).stream[-1]["moved"]
    assert any(line.startswith("stash ") and line.endswith("disappeared") for line in moved)
    said = cli("task", "two").text
    assert "blocked" not in said
    if "refs/stash" in cli.tasks()["two"]["attempt"]["alarms"]:
        assert "a hook refused it, but it changed" in said


def test_what_an_agent_leaves_running_is_ended_and_told(cli: Cli, tmp_path: Path) -> None:
    """A process of its own session, and one without the marker of its execution whose supervisor it has killed."""
    left, hidden = tmp_path / "left", tmp_path / "hidden"
    sleeper = "sh -c 'echo $$ > \"$0\"; exec sleep 600'"
    wait = "until [ -s '{0}' ]; do sleep 0.05; done"
    supervisor = f"[ -e '{tmp_path}/once' ] && exit 0; touch '{tmp_path}/once'; kill -9 $(ps -o ppid= $PPID)"
    cli.queue(
        does("Two", saved("two.txt", "2"), f"setsid {sleeper} '{left}' >&- 2>&- &", wait.format(left)),
        does("Three", f"setsid env -i {sleeper} '{hidden}' >&- 2>&- &", wait.format(hidden), supervisor, "sleep 600"),
    )
    moved = cli("run", "--json", ok=6).stream[-1]["moved"]
    assert any("lost its supervisor and left processes running: sleep" in line for line in moved), moved
    assert "the agent left 1 process running; gitorch ended what it left" in cli("task", "two").text
    assert not any(_is_running(int(file.read_text())) for file in (left, hidden))


def _is_running(pid: int) -> bool:
    """Return whether a process runs: one that has ended may wait for its parent to ask."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_forged_approval_is_not_merged_by_the_run(cli: Cli) -> None:
    """A run merges by itself what was approved meanwhile, but not what an agent wrote into the task file."""
    forge = f"sed -i 's/state = .finished./state = \"approved\"/' '{cli.folder}/.git/gitorch/tasks.toml'"
    cli.queue(does("Two", saved("two.txt", "2"), forge), does("Three", saved("three.txt", "3"), "sleep 1"))
    moved = cli("run", "--json", ok=6).stream[-1]["moved"]
    assert [line.partition(" (")[0] for line in moved] == ["tasks.toml was changed by another program"]
    assert cli.states() == {"one": "finished", "two": "finished", "three": "finished"}
    assert git("for-each-ref", "refs/heads/orch/integration", cwd=cli.folder) == ""


def test_what_gitorch_does_is_not_told(cli: Cli, tmp_path: Path) -> None:
    """Verdicts, merges and new tasks by a person during a run are gitorch's own doing, also in the user's checkout."""
    ready, gate = Pipe(tmp_path / "ready"), Pipe(tmp_path / "gate")
    cli.queue(does("Two", saved("two.txt", "2"), f"echo > {ready}", f"read word < {gate}"))
    with cli.start("run", "--json") as run:
        ready.line()
        cli("approve", "one", "--force")
        cli("merge", "--into", "main")
        cli("submit", "Three", "--agent", "sh")
        cli("comment", "one", "-m", "fine", ok=(0, 5))
        gate.say()
        answer = run.end()
    assert answer.stream[-1]["moved"] == []
    assert (cli.folder / "one.txt").exists()


@pytest.mark.parametrize("mode", ["off", "private"])
@pytest.mark.parametrize("replacement", ["touch {state}", "ln -s /nowhere {state}", "true"])
def test_a_run_whose_state_folder_is_gone_ends(repository_folder: Path, mode: str, replacement: str) -> None:
    """It waits for nothing that cannot come, and says what is in the way, or which task failed."""
    state = repository_folder / ".git" / "gitorch"
    cli = Cli(repository_folder, GITORCH_SANDBOX_MODE=mode)
    cli.queue(does("Away", f"mv {state} {state}.old; {replacement.format(state=state)}", id="away"))
    answer = cli.run("--json", ok=(5, 6))
    if replacement == "true":
        assert any(line.endswith("disappeared") for line in answer.stream[-1]["moved"])
    else:
        assert (answer.code, answer.stream[-1]["code"]) == (5, "in-the-way")
        assert answer.stream[-1]["what"].startswith(f"cannot use {state}")


def test_worktrees_behind_a_link_are_gitorchs_own(repository_folder: Path, tmp_path: Path) -> None:
    """The folder of worktrees can be a link of the user's, to a larger disk."""
    cli = Cli(repository_folder, GITORCH_SANDBOX_MODE="off")
    (tmp_path / "disk").mkdir()
    repository_folder.with_name(f"{repository_folder.name}.orch").symlink_to(tmp_path / "disk")
    cli.queue(does("One", saved("one.txt", "1")), does("Two", saved("two.txt", "2")))
    cli.run()
    assert cli.json("status")["moved"] == []
    assert set(cli.states().values()) == {"finished"}


def test_a_credential_in_the_name_of_a_ref_is_redacted(repository_folder: Path) -> None:
    """In what the hooks refused, and in what moved all the same."""
    token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
    cli = Cli(repository_folder, GITORCH_SANDBOX_MODE="off")
    script = repository_folder.parent / "script"
    moved = f"{UNFENCED.format(main=repository_folder)} branch c-{token}"
    script.write_text(f"git branch b-{token}\n{moved}\n")
    cli.queue(does("One", f"sh '{script}'", saved("one.txt", "1")))
    cli.run(ok=6)
    shown = "".join(
        cli(*words).text for words in (["status", "--json"], ["task", "one"], ["review", "one"], ["report"])
    )
    assert "refs/heads/b-[redacted github-token]" in shown
    assert "refs/heads/c-[redacted github-token]" in shown
    assert token not in shown


@pytest.mark.parametrize("name", ["refs/heads/pipe", "packed-refs", "index"])
def test_a_pipe_where_nothing_was_is_removed(cli: Cli, name: str) -> None:
    """Git would wait for whoever writes into it: a run goes on without it, and tells it."""
    pipe = cli.folder / ".git" / name
    cli.queue(does("Clog", saved("clog.txt", "1"), f"rm -f '{pipe}'; mkfifo '{pipe}'"), does("Two", saved("2", "2")))
    said = f"{name} became a named pipe, for which git waits for ever; gitorch removed it"
    assert any(line.startswith(said) for line in cli.run("--json", ok=6).stream[-1]["moved"])
    assert not pipe.is_fifo()
    assert {task["reason"] for task in cli.tasks().values()} == {None}
    assert set(cli.states().values()) == {"finished"}


def test_a_pipe_in_the_place_of_a_file_ends_a_run_in_words(cli: Cli) -> None:
    """Without the file, git would read something else; work that was finished is there again once the file is."""
    pipe = cli.folder / ".git" / "HEAD"
    head = pipe.read_text()
    cli.queue(does("Clog", f"rm '{pipe}'; mkfifo '{pipe}'", id="clog"))
    answer = cli.run(ok=4)
    assert f"{pipe} is a pipe, for which it would wait" in answer.stderr
    assert f"echo 'ref: refs/heads/BRANCH' > {pipe}" in answer.stderr
    assert cli.error("status", exit=4)["code"] == "pipe-in-repository"
    pipe.unlink()
    pipe.write_text(head)
    assert cli.states()["one"] == "finished"
    cli("approve", "one", "--force")


def test_what_changes_a_worktree_while_its_checks_run_is_told(cli: Cli, tmp_path: Path) -> None:
    """Its agent has ended, so it was another's: tracked, new and ignored files."""
    started, done = tmp_path / "started", tmp_path / "done"
    check = f"[ ! -e t.txt ] || {{ touch {started}; until [ -e {done} ]; do sleep 0.1; done; }}"
    cli.configure(f"{OBEDIENT}[checks]\nslow = {json.dumps(check)}\n")
    worktree = Path(f"{cli.folder}.orch/tested")
    writes = f"(cd {worktree}; echo >> t.txt; echo > new.txt; echo SECRET=1 > secret.env)"
    wait = f"until [ -e {started} ]; do sleep 0.1; done"
    cli.queue(
        does("Tested", saved("t.txt", "t"), id="tested"),
        does("Other", wait, writes, saved("o.txt", "o"), f"touch {done}", id="other"),
    )
    moved = cli.run("--json", ok=6).stream[-1]["moved"]
    for line in ("file t.txt changed", "file new.txt changed", "file secret.env appeared"):
        assert f"worktree {worktree}: {line}" in moved, moved
    assert set(cli.states().values()) == {"finished"}


def test_what_an_agent_changes_after_a_failed_check_is_its_own(cli: Cli) -> None:
    """It works on in the same worktree, also where it commits nothing more."""
    cli.configure(f"{OBEDIENT}[checks]\nred = '! [ -e t.txt ]'\n")
    cli.queue(does("Tested", saved("t.txt", "t"), "echo > ignored.env", id="tested"))
    assert cli.run("--json", ok=6).stream[-1]["moved"] == []
