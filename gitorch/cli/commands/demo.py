"""`demo`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import click

from gitorch import services
from gitorch.cli import schema
from gitorch.cli.session import Session, pass_session
from gitorch.errors import GitorchError, Incomplete


@click.command("demo")
@click.option("--keep", is_flag=True, help="Keep the repository.")
@pass_session
def demo_command(session: Session, keep: bool) -> None:
    """Run the whole loop in a throw-away repository.

    The agents of the demo are shell scripts: it needs no model, no key and no network.
    """
    folder = Path(tempfile.mkdtemp(prefix="gitorch-demo-"))
    session.say("The agents of this demo are shell scripts: no model is asked, nothing leaves this machine.")
    codes: dict[str, int] = {}
    try:
        demo = services.demo.build(folder, os.environ)
        for comment, command in services.demo.LOOP:
            _print_step(session, comment, command)
            codes[command] = services.demo.call(demo, command, aside=session.json)
    finally:
        if not keep:
            shutil.rmtree(folder)
    result = f"its repository is {demo.repository}" if keep else "its repository is deleted (--keep keeps it)"
    session.say(f"\nThat was the whole loop, with scripts as agents; {result}.")
    if session.json:
        repository = str(demo.repository) if keep else None
        session.answer("", schema.start.DemoAnswer(repository=repository, exit_codes=codes))
    if failed := [command for command, code in codes.items() if code == GitorchError.exit]:
        raise Incomplete("demo-failed", f"a step of the demo failed: {failed[0]}", fix=("orchestrate doctor",))
    session.say('next, in your own repository: orchestrate submit "..."')


def _print_step(session: Session, comment: str, command: str) -> None:
    bold, plain = ("\x1b[1m", "\x1b[0m") if sys.stderr.isatty() and "NO_COLOR" not in os.environ else ("", "")
    session.say(f"\n{'# ' + comment if comment else ''}\n{bold}$ {command}{plain}".replace("\n\n", "\n", 1))
