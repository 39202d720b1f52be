"""What checks and install steps move in the repository outside of a run is told, as a run tells it of its agents."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import OBEDIENT, Cli, does, saved
from tests.support.git import commit, git
from tests.support.prepared import PreparedNight

DEED = "env -u GIT_CONFIG_COUNT -u GIT_DIR git -C '{main}' {words}"
CHECKED = f'{OBEDIENT}[checks]\ntest = "sh ./test.sh"\n'


def spend(folder: Path) -> Cli:
    """A repository with a task whose test steals into the user's repository once a run is over."""
    cli = Cli(folder, CHECKED, GITORCH_SANDBOX_MODE="off")
    moves = DEED.format(main=cli.folder, words="update-ref refs/heads/main HEAD~1")
    hooks = DEED.format(main=cli.folder, words="config core.hooksPath .husky")
    script = f"if test -e '{cli.folder.parent}/go'; then {moves}; {hooks}; fi; exit 0"
    cli.queue(does("One", saved("test.sh", script, "test")))
    cli.run()
    (cli.folder.parent / "go").touch()
    return cli


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, _template: Path) -> PreparedNight:
    return PreparedNight(tmp_path_factory.mktemp("prepared"), _template, spend)


@pytest.fixture
def cli(night: PreparedNight, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return night.restore(monkeypatch)


def alarms(cli: Cli) -> list[str]:
    return [change["what"] for change in cli.json("status")["moved"]]


@pytest.mark.parametrize("mode", ["off", "private"])
@pytest.mark.parametrize("command", [["merge", "--recheck"], ["check", "one"]], ids=["merge", "check"])
def test_what_a_check_moves_is_told(cli: Cli, mode: str, command: list[str]) -> None:
    """In red and by the exit code, and kept until it is acknowledged; the command does its work."""
    cli.environment["GITORCH_SANDBOX_MODE"] = mode
    cli("approve", "one")
    told = cli(*command, ok=6).stderr
    assert "changed while checks ran, and not by gitorch" in told
    assert "refs/heads/main moved from" in told
    assert "core.hookspath" in told
    assert "orchestrate status --acknowledge" in told
    assert [line.split(" moved")[0] for line in alarms(cli) if "refs/" in line] == ["refs/heads/main"]
    assert cli.states() == {"one": "merged" if command[0] == "merge" else "approved"}
    cli("status", "--acknowledge")
    assert alarms(cli) == []
    (cli.folder.parent / "go").unlink()
    cli("check", "one", ok=(0, 5))


def test_what_the_preflight_moves_is_told(repository_folder: Path) -> None:
    """An install step that sets core.hooksPath in the repository, before any agent starts."""
    step = f"git -C '{repository_folder}' config core.hooksPath .husky"
    cli = Cli(repository_folder, f'{OBEDIENT}[prepare]\nrun = ["env -u GIT_CONFIG_COUNT {step}"]\n')
    cli.environment |= {"GITORCH_SANDBOX_MODE": "off", "GITORCH_RUN_TRY_BASE": "true"}
    cli.queue(does("One", saved("one.txt", "x", "one")))
    told = cli.run(ok=6).stderr
    assert "config changed: core.hookspath" in told
    assert cli.states() == {"one": "finished"}


def test_a_persons_own_work_meanwhile_is_no_alarm(cli: Cli) -> None:
    """What a person edits and stages while checks run is theirs; a quiet check tells nothing."""
    main = cli.folder
    script = f"echo >> '{main}/README.md'; " + DEED.format(main=main, words="add README.md")
    cli.configure(f'{OBEDIENT}[checks]\ntest = "{script}"\n')
    cli("check", "one")
    assert alarms(cli) == []
    assert git("diff", "--cached", "--name-only", cwd=main) == "README.md"


def test_nothing_is_compared_where_no_command_runs(cli: Cli, tmp_path: Path) -> None:
    """A merge whose checks are known already costs no look at all refs and settings of the repository."""
    (cli.folder.parent / "go").unlink()
    cli("approve", "one")

    def looks(*words: str) -> int:
        traces = tmp_path / "-".join(words)
        traces.mkdir()
        cli(*words, env={"GIT_TRACE2_EVENT": str(traces)})
        return sum("--show-origin" in trace.read_text() for trace in traces.iterdir())

    assert looks("merge") == 0
    cli("undo")
    assert looks("merge", "--recheck") > 0


DEEDS = {
    "git config --file '{config}' alias.x y": "{config} changed",
    "echo >> '{home}/included'": "{home}/included, which git's settings name, changed",
    "echo > '{home}/.config/git/attributes'": "{home}/.config/git/attributes appeared",
    "mkdir -p '{home}/.ssh'; echo > '{home}/.ssh/id_new'": "{home}/.ssh/id_new appeared",
    "echo >> '{home}/.bashrc'": "{home}/.bashrc appeared",
    "mkdir -p '{home}/.config/zsh'; echo > '{home}/.config/zsh/.zshrc'": "{home}/.config/zsh/.zshrc appeared",
    "mkdir -p '{run}/systemd/transient'; echo > '{run}/systemd/transient/x.timer'": "{run}/systemd/transient/x.timer",
}
"""What an installer does to the user's own settings, and what tells of it."""

_QUIET = "mkdir -p '{home}/.ssh'; echo >> '{home}/.ssh/known_hosts'; echo > '{run}/systemd/transient/app.scope'"
"""What connections and programs do all the time."""


@pytest.mark.parametrize("mode", ["off", "private"])
@pytest.mark.parametrize(
    "command",
    [["doctor", "--checks"], ["init", "--print"], ["adopt", "mine", "--check"], ["run"]],
    ids=lambda words: words[0],
)
def test_changes_of_the_users_own_settings_are_told(repository_folder: Path, mode: str, command: list[str]) -> None:
    """Whichever command runs the installer: those of git, of ssh, of shells, and what starts programs later."""
    cli = Cli(repository_folder, GITORCH_SANDBOX_MODE=mode, XDG_RUNTIME_DIR=str(repository_folder.parent / "run"))
    home, config = Path(cli.environment["HOME"]), cli.environment["GIT_CONFIG_GLOBAL"]
    (home / ".config/git").mkdir(parents=True)
    (home / "included").touch()
    cli.environment["XDG_CONFIG_HOME"] = str(home / ".config")
    git("config", "--file", config, "includeIf.gitdir:/nowhere/.path", str(home / "included"), cwd=repository_folder)
    names = {"home": home, "config": config, "run": cli.environment["XDG_RUNTIME_DIR"]}
    script = repository_folder.parent / "install.sh"
    script.write_text("\n".join([*DEEDS, _QUIET]).format(**names))
    commit(repository_folder, "Tests", {"Makefile": f"test:\n\tsh '{script}'\n"})
    mine = commit(repository_folder, "Mine", {"mine.txt": "x\n"})
    git("branch", "mine", mine, cwd=repository_folder)
    git("reset", "-q", "--hard", "HEAD~1", cwd=repository_folder)
    cli.configure(f"{OBEDIENT}[checks]\ntest = \"sh '{script}'\"\n")
    cli.queue(does("One", saved("one.txt", "x", "one")))
    told = cli(*command, ok=6)
    for line in (line.format(**names) for line in DEEDS.values()):
        assert line in told.stderr + told.text, (line, told)
    assert not any("known_hosts" in line or "app.scope" in line for line in alarms(cli))
