"""`demo`, `init`, `doctor`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.session import Session, pass_session
from gitorch.errors import GitorchError, Incomplete, Refused, SetupNeeded

if TYPE_CHECKING:
    from gitorch.services.workspace import Workspace


@click.command("demo")
@click.option("--keep", is_flag=True, help="Leave the repository there afterwards.")
@pass_session
def demo_command(session: Session, keep: bool) -> None:
    """See the whole loop in a throw-away repository. Its agents are scripts: no model, no key, no network."""
    folder = Path(tempfile.mkdtemp(prefix="gitorch-demo-"))
    session.say("The agents of this demo are shell scripts: no model is asked, nothing leaves this machine.")
    codes: dict[str, int] = {}
    try:
        made = services.demo.build(folder, os.environ)
        for word, command in services.demo.LOOP:
            _tell_step(session, word, command)
            codes[command] = services.demo.call(made, command, aside=session.json)
    finally:
        if not keep:
            shutil.rmtree(folder)
    where = f"it is in {made.repository}" if keep else "the repository is gone again (--keep leaves it)"
    session.say(f"\nThat was the loop, with scripts for agents; {where}.")
    if session.json:
        repository = str(made.repository) if keep else None
        session.answer("", schema.start.DemoAnswer(repository=repository, exit_codes=codes))
    if broken := [command for command, code in codes.items() if code == GitorchError.exit]:
        raise Incomplete("demo-failed", f"a step of the demo did not work: {broken[0]}", fix=("orchestrate doctor",))
    session.say('next, in a repository of yours: orchestrate submit "..."')


def _tell_step(session: Session, word: str, command: str) -> None:
    bold, plain = ("\x1b[1m", "\x1b[0m") if sys.stderr.isatty() and "NO_COLOR" not in os.environ else ("", "")
    session.say(f"\n{'# ' + word if word else ''}\n{bold}$ {command}{plain}".replace("\n\n", "\n", 1))


@click.command("init")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--print", "only_print", is_flag=True, help="Print it instead of writing it.")
@pass_session
def init_command(session: Session, force: bool, only_print: bool) -> None:
    """Write a commented .orchestrate.toml with what can be detected: base, checks, agents."""
    from gitorch.config import FILE

    workspace = session.workspace
    text = _template(_detected_checks(workspace), _detected_agents(workspace))
    if only_print:
        session.answer(text, schema.start.InitAnswer(text=text))
        return
    if workspace.repository.work_tree is None:
        raise Refused("bare", "a bare repository has no work tree to write to", fix=("orchestrate init --print",))
    path = workspace.repository.work_tree / FILE
    if path.exists() and not force:
        raise Refused(
            "exists", f"{FILE} is there already", fix=("orchestrate init --force", "orchestrate init --print")
        )
    path.write_text(text, "utf-8")
    session.answer(f"wrote {path}", schema.start.InitAnswer(path=str(path), text=text))
    session.say("next: orchestrate config trust")


def _detected_checks(workspace: Workspace) -> dict[str, str]:
    top = workspace.repository.work_tree
    if top is None:
        return {}
    found = (
        ("test", "pytest -q", ("pytest.ini", "conftest.py", "tests/conftest.py")),
        ("test", "cargo test --quiet", ("Cargo.toml",)),
        ("test", "go test ./...", ("go.mod",)),
        ("test", "npm test --silent", ("package.json",)),
    )
    checks = {name: command for name, command, files in found if any((top / one).exists() for one in files)}
    pyproject = top / "pyproject.toml"
    if pyproject.exists() and "pytest" in pyproject.read_text("utf-8", "replace"):
        checks.setdefault("test", "pytest -q")
    return checks


def _detected_agents(workspace: Workspace) -> dict[str, str]:
    """Return what each agent says of itself: its version, or why it cannot work."""
    means = services.agents.run_context(workspace)
    found = {}
    for name in workspace.config.agents:
        try:
            found[name] = f"ready {services.agents.probe(means, name)}".strip()
        except SetupNeeded as problem:
            found[name] = problem.what
    return found


def _template(checks: dict[str, str], agents: dict[str, str]) -> str:
    import json

    lines = [
        "# Configuration of gitorch for this repository. Nothing here is required.",
        "# Commands in this file run after `orchestrate config trust` alone.",
        "",
        '# base        = "auto"                   # the branch you are on',
        '# integration = "orch/integration"       # approved work is merged here',
        '# agent       = "auto"                   # the first of these that is ready:',
        *(f"#                                        #   {name}: {said}" for name, said in agents.items()),
        "",
        "[run]",
        "# max_agents   = 3",
        '# task_timeout = "90m"',
        '# idle_timeout = "15m"                    # no output and no processor time',
        "# fix_checks   = 1                        # times that failing checks go back to the agent",
        "",
        "[prepare]                                # in each worktree, before its agent starts",
        '# copy = [".env"]                        # ignored files to copy',
        '# run  = ["npm ci"]',
        '# env  = { PORT = "{port}" }             # free, and the same for each task',
        "",
        "[checks]                                 # what judges the work; run by gitorch, never by the agent",
        *(f"{name} = {json.dumps(command)}" for name, command in checks.items()),
        *([] if checks else ['# test = "pytest -q"']),
    ]
    return "\n".join(lines) + "\n"


@click.command("doctor")
@pass_session
def doctor_command(session: Session) -> None:
    """Show what works, what does not, and the command that fixes it."""
    rows = list(_findings(session))
    lines = [f"{_MARKS[good]} {what}" + (f"\n    {fix}" if fix else "") for good, what, fix in rows]
    findings = [schema.start.FindingJson(ok=good, what=what, fix=fix or None) for good, what, fix in rows]
    session.answer("\n".join(lines), schema.start.DoctorAnswer(findings=findings))
    if any(good is False for good, _, _ in rows):
        sys.exit(SetupNeeded.exit)


_MARKS = {True: "ok     ", None: "note   ", False: "FAILS  "}


def _findings(session: Session) -> list[tuple[bool | None, str, str]]:
    """Return each finding: whether it is good (None: neither), what was found, and the command that fixes it."""
    from gitorch import config
    from gitorch.flow.scheduling import base
    from gitorch.storage import trust

    workspace = session.workspace
    repository = workspace.repository
    rows: list[tuple[bool | None, str, str]] = []

    def look(good: str, check: object) -> None:
        try:
            assert callable(check)
            check()
        except GitorchError as error:
            rows.append((False, f"{error.what}{': ' + error.why if error.why else ''}", "; ".join(error.fix)))
        else:
            rows.append((True, good, ""))

    look(f"git {'.'.join(map(str, repository.version()))}", repository.require_git)
    look(f"repository {repository.common_dir}", lambda: base.named(repository, workspace.config))
    found = trust.commands(workspace.loaded.layers)
    look("commands of this repository are agreed to", lambda: trust.require(repository.common_dir, found, config.FILE))
    agents = _detected_agents(workspace)
    ready = [name for name, said in agents.items() if said.startswith("ready")]
    rows += [(True if name in ready else None, f"agent {name}: {said}", "") for name, said in agents.items()]
    if not ready:
        rows.append((False, "no agent can work", "npm install -g @anthropic-ai/claude-code; claude"))
    if not workspace.config.checks:
        rows.append((None, "no checks are configured: nothing but your review judges the work", "orchestrate init"))
    rows.append((None, "sandbox: none in this version; agents are fenced by git hooks alone, which stop accidents", ""))
    return rows
