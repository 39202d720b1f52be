"""`completion`."""

from __future__ import annotations

import click

from gitorch import data
from gitorch.cli import schema
from gitorch.cli.session import Session, pass_session

_FILES = {"bash": "orchestrate.bash", "zsh": "_orchestrate", "fish": "orchestrate.fish"}

# a program cannot change the folder of the shell that started it
_SHELL_FUNCTION = """
orchestrate() {
    if [ "$1" = cd ] && [ "$#" = 2 ] && [ "${2#-}" = "$2" ]; then
        _orchestrate_folder=$(GITORCH_CD=1 command orchestrate cd "$2") && cd -- "$_orchestrate_folder"
    else
        command orchestrate "$@"
    fi
}
"""
_FISH_FUNCTION = """
function orchestrate
    if test (count $argv) -eq 2; and test $argv[1] = cd; and not string match -q -- '-*' $argv[2]
        set -l folder (env GITORCH_CD=1 orchestrate cd $argv[2] | string collect); and cd $folder
    else
        command orchestrate $argv
    end
end
"""


@click.command("completion")
@click.argument("shell", type=click.Choice([*_FILES]))
@pass_session
def completion_command(session: Session, shell: str) -> None:
    """Print the completion script for a shell: for `orchestrate`, `gitorch` and `git orchestrate`.

    It also defines a shell function with which `orchestrate cd TASK` changes the folder.

    \b
    orchestrate completion bash >> ~/.bashrc
    orchestrate completion zsh >> ~/.zshrc        (after compinit)
    orchestrate completion fish > ~/.config/fish/conf.d/orchestrate.fish
    """
    script = data.completion(_FILES[shell]) + (_FISH_FUNCTION if shell == "fish" else _SHELL_FUNCTION)
    session.answer(script, schema.maintenance.CompletionAnswer(shell=shell, script=script))
