"""An agent cannot decide for a person, whatever it does to its environment, its session or its parents."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Cli, Pipe, does, saved
from tests.support.prepared import PreparedNight

BARE = 'env -i HOME="$HOME" PATH="$PATH" "$GITORCH_PROGRAM" approve first --force'
CALL = f'{BARE} > "$out/$way" 2>&1 || echo $? > "$out/$way.code"'

# each runs CALL, and waits until it has ended
WAYS = {
    "scrubbed": CALL,
    "session": f"setsid --wait sh -c '{CALL}'",
    "orphan": f"(setsid sh -c '{CALL}' & ); while [ ! -s \"$out/$way.code\" ]; do sleep 0.1; done",
}
# the agent dies with its supervisor; its orphan is still below the run, and nothing in it names the execution
UNSUPERVISED = f"""
if [ -e "$out/again" ]; then exit 0; fi
touch "$out/again"
supervisor=$(cut -d ' ' -f 4 /proc/$PPID/stat)
cat > "$out/orphan" <<'END'
touch "$out/began"
cd "$out/repo"  # the worktree goes to the trash when the next attempt begins
while kill -0 $1; do sleep 0.1; done
{CALL}
END
setsid env -i HOME="$HOME" PATH="$PATH" GITORCH_PROGRAM="$GITORCH_PROGRAM" out="$out" way="$way" \\
    sh "$out/orphan" $supervisor 2> /dev/null &
until [ -e "$out/began" ]; do sleep 0.05; done  # else it dies with the agent's session
kill -9 $supervisor; sleep 60
"""


def spend(folder: Path) -> Cli:
    """A repository with a finished task."""
    cli = Cli(folder)
    cli.queue(does("First", saved("a.txt", "a")))
    cli.run()
    return cli


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, _template: Path) -> PreparedNight:
    return PreparedNight(tmp_path_factory.mktemp("prepared"), _template, spend)


@pytest.fixture
def cli(night: PreparedNight, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return night.restore(monkeypatch)


def attack(cli: Cli, way: str, script: str) -> tuple[str, str]:
    """Let an agent run a script; return the exit code and the words of the `orchestrate` that it calls."""
    out = cli.folder.parent
    cli.queue(does("Attack", f"export out='{out}' way={way}", script, saved("b.txt", "b")))
    cli.run(ok=(0, 6))
    return (out / f"{way}.code").read_text().strip(), (out / way).read_text()


@pytest.mark.parametrize("way", WAYS)
def test_an_agent_may_not_approve(cli: Cli, way: str) -> None:
    """A command that decides is exit 5 below a supervisor, also once that is dead; and nothing is changed."""
    code, words = attack(cli, way, WAYS[way])
    assert (code, "an agent may not approve" in words) == ("5", True), words
    assert "run.lock" not in words, "a file is not what a person knows"
    assert cli.states()["first"] == "finished"


def test_what_outlives_a_killed_supervisor_may_not_approve(cli: Cli) -> None:
    """It is ended and named; if it was quicker than that, its command was refused."""
    out = cli.folder.parent
    cli.queue(does("Attack", f"export out='{out}' way=orphan", UNSUPERVISED, saved("b.txt", "b")))
    answer = cli.run(ok=6)
    code = out / "orphan.code"
    refused = code.exists() and code.read_text().strip() == "5"
    assert refused or "left processes running" in answer.text, answer.text
    assert not code.exists() or code.read_text().strip() in ("", "5")
    assert cli.states()["first"] == "finished"


def test_an_agent_may_share_notes(cli: Cli) -> None:
    """What is meant for agents is not refused."""
    cli.queue(does("Note", saved("b.txt", "b"), '"$GITORCH_PROGRAM" context add "the port is 80"'))
    cli.run()
    assert [note["task"] for note in cli.json("context", "list")["notes"]] == ["note"]


@pytest.mark.parametrize("by_agent", [False, True])
def test_a_setting_of_the_person_is_no_alarm(repository_folder: Path, tmp_path: Path, *, by_agent: bool) -> None:
    """`config set --user` during a run is the person's own act; what an agent writes to that file is named in red."""
    cli = Cli(repository_folder, GITORCH_SANDBOX_MODE="off")
    ready, go = Pipe(tmp_path / "ready"), Pipe(tmp_path / "go")
    config = Path(cli.environment["XDG_CONFIG_HOME"]) / "gitorch" / "config.toml"
    change = f"echo '# mine' >> '{config}'" if by_agent else ":"
    cli.queue(does("Second", f"echo 1 > {ready}; read word < {go}", change, saved("b.txt", "b"), id="second"))
    with cli.start("run") as run:
        ready.line()
        cli("config", "set", "review.viewer", "x", "--user")
        go.say()
        run.end()
    moved = [entry["what"] for entry in cli.json("status")["moved"]]
    assert any("config.toml" in what for what in moved) is by_agent
