"""The repository's own hooks judge every commit of a task, also the one that gitorch makes of what an agent left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.test_outcomes import AGENT, told
from tests.support.cli import OBEDIENT, Cli, does
from tests.support.git import git

PRE_COMMIT = """\
#!/bin/sh
git diff --cached | grep -q 'BEGIN PRIVATE' || exit 0
echo "secret found, commit refused" >&2
exit 1
"""
COMMIT_MSG = """\
#!/bin/sh
echo 'Checked-by: hook' >> "$1"
"""


@pytest.fixture
def folder(repository_folder: Path) -> Path:
    """A repository with two hooks of its own."""
    for name, text in (("pre-commit", PRE_COMMIT), ("commit-msg", COMMIT_MSG)):
        hook = repository_folder / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(text)
        hook.chmod(0o755)
    return repository_folder


@pytest.mark.parametrize("mode", ["off", "private", "bwrap"])
def test_what_a_hook_refuses_is_in_a_rescue_point_and_not_committed(folder: Path, mode: str) -> None:
    """The outcome says what the hook said; work that it accepts is committed through it."""
    cli = Cli(folder, GITORCH_SANDBOX_MODE=mode)
    secret = "echo 1 > own; git add own; git commit -qm own; echo '-----BEGIN PRIVATE-----' > key; echo fine > fine"
    cli.queue(
        does("Leak", secret, "git add -A; git commit -qm work || true"),
        does("Fine", "echo one > one; git add one; git commit -qm one; echo fine > fine"),
    )
    cli.run(ok=6)
    tasks = cli.tasks()
    assert (tasks["leak"]["state"], tasks["leak"]["attempt"]["outcome"]) == ("failed", "hook refused")
    assert "secret found, commit refused" in tasks["leak"]["reason"]
    # what the agent committed itself is there
    assert {"key", "fine", "own"} & set(git("ls-tree", "--name-only", "orch/leak", cwd=folder).split()) == {"own"}
    assert {"key", "fine"} <= set(git("ls-tree", "--name-only", "refs/gitorch/rescue/leak", cwd=folder).split())
    assert tasks["fine"]["state"] == "finished"
    message = git("log", "-1", "--format=%B", "orch/fine", cwd=folder)
    assert message.splitlines()[0] == "Fine"
    assert "Checked-by: hook" in message
    assert message.count("Task: fine") == 1


def test_a_refusal_goes_back_to_the_agent(folder: Path) -> None:
    """As a failing check does: what the agent then makes of it is committed."""
    cli = Cli(folder, AGENT, GITORCH_SANDBOX_MODE="off")
    cli.queue(told("Mend", "mend", "key.txt"))
    cli.run()
    task = cli.tasks()["mend"]
    assert (task["state"], task["attempt"]["round"], task["attempts"]) == ("finished", 2, 1)
    assert git("show", "orch/mend:key.txt", cwd=folder) == "clean"


def test_a_hook_that_hangs_is_said_to_have_hung(folder: Path) -> None:
    """Not that it ended with an exit code that it never had."""
    (folder / ".git" / "hooks" / "pre-commit").write_text("#!/bin/sh\nsleep 60\n")
    cli = Cli(folder, GITORCH_SANDBOX_MODE="off")
    cli.configure(f'{OBEDIENT}[run]\ntask_timeout = "3s"\n')
    cli.queue(does("Hang", "echo x > x"))
    cli.run(ok=6)
    assert "hook refused: git commit timed out" in cli.tasks()["hang"]["reason"]


def written(name: str) -> str:
    """Return a command that writes a file of one line and stages it."""
    return f"echo {name} > {name}; git add {name}"


@pytest.mark.parametrize("mode", ["off", "private", "landlock", "bwrap"])
def test_commits_past_the_hooks_are_told(folder: Path, mode: str) -> None:
    """Whatever way the agent took; what git itself commits without hooks is not."""
    cli = Cli(folder, GITORCH_SANDBOX_MODE=mode)
    past = (
        f"{written('one')}; git commit -qnm 'Skip one'",
        f"{written('two')}; git -c core.hooksPath=/dev/null commit -qm 'Skip two'",
        f"{written('three')}; git reset -q --hard $(git commit-tree -p HEAD -m 'Skip three' $(git write-tree))",
        f"{written('four')}; git commit -qm 'Pass four'",
    )
    replayed = (
        f"{written('one')}; {written('two')}; git commit -qm one one; git commit -qm two; echo 1 >> one",
        "git commit -qam more; git commit -q --amend -m 'More words'; git commit -qn --amend -m 'Other words'",
        "start=$(git rev-parse HEAD~3); git checkout -q --detach HEAD~2; git cherry-pick HEAD@{1}~1 HEAD@{1}",
        "git revert --no-edit HEAD; git revert --no-edit HEAD; tip=$(git rev-parse HEAD)",
        f"git checkout -q --detach $start; {written('three')}; git commit -qm three; git checkout -q --detach $tip",
        "git rebase -q HEAD@{1}; git checkout -q -B orch/replay",
        f"{written('left')}; echo left-over",
    )
    cli.queue(does("Past", *past), does("Replay", "set -e", *replayed))
    cli.run()
    tasks = cli.tasks()
    assert {task["state"] for task in tasks.values()} == {"finished"}
    (alarm,) = [alarm for alarm in tasks["past"]["attempt"]["alarms"] if alarm.startswith("past hook")]
    hooks, count, commits = alarm.split(": ", 2)
    assert (hooks, count) == ("past hook pre-commit and commit-msg", "3 commits")
    assert [named.split(" ", 1)[1] for named in commits.split("; ")] == ["Skip one", "Skip two", "Skip three"]
    subjects = git("log", "--format=%s", "main..orch/replay", cwd=folder).splitlines()
    assert len(subjects) == 7
    assert [alarm for alarm in tasks["replay"]["attempt"]["alarms"] if alarm.startswith("past hook")] == []
    (card,) = cli.json("review", "past")["tasks"]
    assert "3 commits were made past the repository's pre-commit and commit-msg hooks: " in str(card["signals"])
    assert "were made past" in cli("task", "past").text


def test_a_repository_without_hooks_has_nothing_to_go_past(repository_folder: Path) -> None:
    cli = Cli(repository_folder, GITORCH_SANDBOX_MODE="off")
    cli.queue(does("Plain", f"{written('one')}; git commit -qnm one"))
    cli.run()
    assert cli.tasks()["plain"]["attempt"]["alarms"] == []
