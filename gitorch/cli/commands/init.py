"""`init`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from gitorch import services
from gitorch.cli import schema, views
from gitorch.cli.session import Session, pass_session
from gitorch.config import FILE
from gitorch.errors import Refused
from gitorch.flow.setup import Trial, check_names, config_text
from gitorch.services.settings import ConfigFile


@click.command("init")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.option("--print", "only_print", is_flag=True, help="Print the file instead of writing it.")
@click.option("--no-try", is_flag=True, help="Do not run the commands that were found; write them as comments.")
@pass_session
def init_command(session: Session, force: bool, only_print: bool, no_try: bool) -> None:
    """Write a commented .orchestrate.toml.

    Finds the package managers and checks of this repository, and runs them once in a scratch worktree of the base.
    Only what passes there becomes a setting. Asks nothing.
    """
    workspace = session.workspace
    services.people_only.require_person("set up a repository")
    checkout = workspace.repository.checkout
    path = checkout / FILE if checkout else None
    if not only_print:
        if path is None:
            raise Refused("bare", "this bare repository has no worktree to write to", fix=("orchestrate init --print",))
        if (path.exists() or path.is_symlink()) and not force:
            fixes = ("orchestrate init --force", "orchestrate init --print")
            raise Refused("exists", f"{FILE} already exists", fix=fixes)
    trials, reason = _trials(session, no_try)
    text = config_text(trials, [str(agent) for agent in services.doctor.setup.detect_agents(workspace)], reason)
    rows = _rows(trials, reason)
    if only_print or path is None:
        session.answer(text, schema.start.InitAnswer(text=text, checks=rows))
        return
    services.settings.write(workspace.repository, ConfigFile.REPOSITORY, text)
    answer = schema.start.InitAnswer(path=str(path), text=text, checks=rows)
    session.answer(None if session.json else views.setup.trials(trials, reason, path), answer)
    checks = check_names(trials)
    missing = dict.fromkeys(trial.missing for trial in trials if trial.missing)
    failing = [name for name, (trial, check) in checks.items() if not (check.passed or trial.missing or reason)]
    if failing:
        session.say(f"not set, because they fail on the base: {', '.join(failing)}")
    if missing:
        session.say(f"next: install {' and '.join(missing)}, then orchestrate init --force")
        return
    nothing_set = reason or len(failing) == len(checks)
    session.say(f"next: {f'set [checks] in {FILE}, then ' * bool(nothing_set)}orchestrate config trust")


def _trials(session: Session, no_try: bool) -> tuple[list[Trial], str]:
    """Return how the checks of all toolchains went, and why they were not tried (empty: they were)."""
    setup = services.project_setup
    workspace = session.workspace
    commit, toolchains = setup.base_commit(workspace), setup.detect(workspace)
    if no_try or commit is None:
        return setup.untried(toolchains), "--no-try was given" if no_try else "there is no commit yet"
    trials = []
    with views.running.progress.progress_bar(session.screen, lines=True) as show:
        for number, toolchain in enumerate(toolchains):

            def report(command: str, number: int = number) -> None:
                show(number, len(toolchains), lambda: views.setup.trying(command))

            trials.append(setup.try_out(workspace, commit, toolchain, report))
    return trials, ""


def _rows(trials: Sequence[Trial], reason: str) -> list[schema.start.InitCheckJson]:
    return [
        schema.start.InitCheckJson(
            name=name,
            command=check.command,
            toolchain=trial.toolchain.name,
            passed=None if reason or trial.missing else check.passed,
            exit_code=check.exit_code,
            seconds=None if reason or trial.missing else check.seconds,
            problem=check.problem or None,
        )
        for name, (trial, check) in check_names(trials).items()
    ]
