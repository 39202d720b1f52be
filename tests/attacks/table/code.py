"""Attacks that leave code where the user's git, shell or tools run it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.attacks.attack import FAILED, Attack, World, by_git, by_path, holds, ran, there

_RUN = (
    'EVIL="$OUTSIDE/evil-$ID"; printf "#!/bin/sh\\ntest -n \\"\\$GITORCH_EXECUTION\\" || touch $OUTSIDE/proof-$ID\\n" > "$EVIL" || EVIL=./evil;'
    ' chmod +x "$EVIL"; '
)


def _home(name: str) -> Callable[[World], Path]:
    return lambda world: world.home / name


def _settings(script: str) -> str:
    """Return a script that lets a program of the attacker's stand in a setting."""
    return f'EVIL="test -n \\"\\$GITORCH_EXECUTION\\" || touch $OUTSIDE/proof-$ID; false"; {script}'


def _write(path: str) -> str:
    """Return a script that writes a file of the HOME."""
    return f'mkdir -p "$(dirname "$VICTIM/{path}")"; echo evil >> "$VICTIM/{path}"'


def _program(id: str, what: str, key: str, value: str) -> Attack:
    """Return an attack on a setting of git that names a program, or lets one be named."""
    script, name = f"git config {key} '{value}'", value.rpartition("/")[2]
    told = f"config changed: *{key.lower()}"
    return by_git(id, what, script, holds(lambda world: world.common / "config", name), told, night="x2")


def _planted(id: str, path: str, night: str = "home") -> Attack:
    """Return an attack on a file of the HOME that starts a program or is obeyed by one."""
    return by_path(id, path, _write(path), holds(_home(path), "evil"), f"{{victim}}/{path} ", night=night)


GIT = (
    by_git(
        "X01",
        "a monitor of files",
        _settings('git config core.fsmonitor "$EVIL"'),
        ran,
        "config changed: *core.fsmonitor",
        night="x1",
    ),
    by_git(
        "X03",
        "a folder of hooks",
        f"{_RUN} mkdir -p $OUTSIDE/h; cp $EVIL $OUTSIDE/h/pre-commit; git config core.hooksPath $OUTSIDE/h",
        ran,
        "config changed: *core.hookspath",
        night="x2",
    ),
    by_path(
        "X05",
        "settings of the worktree",
        _settings(
            'git --git-dir=$COMMON config extensions.worktreeConfig true; git --git-dir=$COMMON config --worktree filter.X05.clean "$EVIL"; echo "data.bin filter=X05" >> $COMMON/info/attributes; touch $REPO/data.bin'
        ),
        ran,
        "config changed: *extensions.worktreeconfig",
        night="x1",
    ),
    by_path(
        "X10",
        "settings from another file",
        _settings(
            'printf "[filter \\"X10\\"]\\n\\tclean = \\"%s\\"\\n" "touch $OUTSIDE/proof-$ID; false" > $OUTSIDE/inc; git --git-dir=$COMMON config include.path $OUTSIDE/inc; echo "run.sh filter=X10" >> $COMMON/info/attributes; touch $REPO/run.sh'
        ),
        ran,
        "config changed: *include.path",
        night="x1",
    ),
    by_git(
        "X18",
        "a program that signs",
        f'{_RUN} git config gpg.program "$EVIL"; git config commit.gpgSign true',
        ran,
        "config changed: *gpg.program",
        night="x2",
    ),
    by_git(
        "X25",
        "a program that compares",
        _settings('git config diff.external "$EVIL"; true'),
        holds(lambda world: world.common / "config", "external"),
        "config changed: *diff.external",
        night="x2",
    ),
    by_git(
        "X26",
        "a helper for credentials",
        _settings('git config credential.helper "!$EVIL"'),
        holds(lambda world: world.common / "config", "helper"),
        "config changed: *credential.helper",
        night="x2",
    ),
    by_git(
        "X27",
        "a pager and an editor",
        _settings('git config core.pager "$EVIL"; git config core.editor "$EVIL"'),
        holds(lambda world: world.common / "config", "editor"),
        "config changed: *core.editor",
        night="x2",
    ),
    by_git(
        "X28",
        "a driver that merges",
        _settings('git config merge.evil.driver "$EVIL"'),
        holds(lambda world: world.common / "config", "driver"),
        "config changed: *merge.evil.driver",
        night="x2",
    ),
    by_path(
        "X02",
        "a hook before commits",
        f"{_RUN} cp $EVIL $COMMON/hooks/pre-commit",
        ran,
        "hooks/pre-commit appeared",
        night="x1",
    ),
    by_path(
        "X19",
        "a hook after commits",
        f"{_RUN} cp $EVIL $COMMON/hooks/post-commit",
        ran,
        "hooks/post-commit appeared",
        night="x1",
    ),
    by_path(
        "X20",
        "a hook on refs",
        f"{_RUN} cp $EVIL $COMMON/hooks/reference-transaction",
        ran,
        "hooks/reference-transaction appeared",
        night="x1",
    ),
    by_path(
        "X29",
        "a hook on the index",
        f"{_RUN} cp $EVIL $COMMON/hooks/post-index-change",
        ran,
        "hooks/post-index-change appeared",
        night="x1",
    ),
    by_path(
        "X04",
        "a filter",
        _settings(
            'git config --file $COMMON/config filter.X04.clean "$EVIL"; echo "README.md filter=X04" >> $COMMON/info/attributes; touch $REPO/README.md'
        ),
        ran,
        "config changed: *filter.X04.clean",
        night="x1",
    ),
    by_path(
        "X09",
        "the user's own configuration",
        _settings(
            'git config --file "$VICTIM/gitconfig" filter.X09.clean "$EVIL"; echo "app.py filter=X09" >> $COMMON/info/attributes; touch $REPO/src/app.py'
        ),
        ran,
        "{victim}/gitconfig changed",
        night="x1",
    ),
    by_path(
        "X16",
        "a global setting",
        _settings(
            'git config --global filter.X16.clean "$EVIL"; echo "lib.py filter=X16" >> $COMMON/info/attributes; touch $REPO/src/lib.py'
        ),
        ran,
        "{victim}/gitconfig changed",
        night="x1",
    ),
    by_path(
        "X06",
        "the common folder of the user's worktree",
        _settings(
            'cp -r $COMMON $OUTSIDE/fake4; git config -f $OUTSIDE/fake4/config core.fsmonitor "$EVIL"; echo $OUTSIDE/fake4 > $COMMON/worktrees/side4/commondir'
        ),
        ran,
        "worktree {side4}",
        night="away",
    ),
    by_path(
        "X07",
        "another repository for the user's worktree",
        _settings(
            'cp -r $COMMON $OUTSIDE/fake; git config -f $OUTSIDE/fake/config core.fsmonitor "$EVIL"; echo gitdir: $OUTSIDE/fake > $SIDE3/.git'
        ),
        ran,
        "worktree {side3}: .git changed",
        night="away",
    ),
    by_git(
        "X30",
        "another repository in its own worktree",
        _settings('rm -rf .git; git init -q .; git config core.fsmonitor "$EVIL"'),
        ran,
        "warned",
        night="x10",
        ruins=True,
    ),
)

PROGRAMS = (
    _program("X40", "a program that connects", "core.sshCommand", "/tmp/evil-ssh"),
    _program("X41", "an editor of rebases", "sequence.editor", "/tmp/evil-sequence"),
    _program("X42", "a program that asks for passwords", "core.askPass", "/tmp/evil-ask"),
    _program("X43", "a program that shows binary files", "diff.evil.textconv", "/tmp/evil-show"),
    _program("X44", "a filter for many files", "filter.evil.process", "/tmp/evil-filter"),
    _program("X45", "a program that makes trailers", "trailer.evil.command", "/tmp/evil-trailer"),
    _program("X46", "a format of archives", "tar.evil.command", "/tmp/evil-tar"),
    _program("X47", "what lists refs of other repositories", "core.alternateRefsCommand", "/tmp/evil-refs"),
    _program("X48", "how a submodule is updated", "submodule.library.update", "!/tmp/evil-update"),
    _program("X49", "a protocol that starts programs", "protocol.ext.allow", "always-evil"),
    _program("X50", "a remote by way of a program", "remote.origin.vcs", "evil-vcs"),
    _program("X51", "the other side of a fetch", "remote.origin.uploadpack", "/tmp/evil-pack"),
    _program("X52", "a filter of what git asks about", "interactive.diffFilter", "/tmp/evil-diff"),
    _program("X53", "where keys to sign with come from", "gpg.ssh.defaultKeyCommand", "/tmp/evil-key"),
    _program("X54", "an alias that runs a program", "alias.st", "!/tmp/evil-alias"),
    _program("X55", "hooks of new repositories", "init.templateDir", "/tmp/evil-template"),
    _program("X56", "another driver for all merges", "merge.default", "evil-driver"),
    _program("X57", "a program that verifies signatures", "gpg.x509.program", "/tmp/evil-verify"),
    _program("X58", "another address for a remote", "url./tmp/evil-url.insteadOf", "/tmp/evil-remote"),
)

HOME = (
    by_path(
        "X21",
        "git on the user's PATH",
        f"{_write('.local/bin/git')}",
        holds(_home(".local/bin/git"), "evil"),
        "{victim}/.local/bin/git appeared",
        night="home",
    ),
    by_path(
        "X24",
        "the list of trusted commands",
        'printf \'{"%s": ["evil"]}\' $COMMON > $VICTIM/config/gitorch/trusted.json',
        holds(_home("config/gitorch/trusted.json"), "evil"),
        "trusted commands changed",
        night="home",
    ),
    by_path(
        "X31",
        "the key of the seals",
        'echo evil > "$VICTIM/config/gitorch/seal.key"',
        holds(_home("config/gitorch/seal.key"), "evil"),
        FAILED,
        night="seal",
        ruins=True,
    ),
    by_path(
        "X32",
        "the settings of gitorch",
        'printf "[checks]\\nevil = \\"true\\"\\n" >> "$VICTIM/config/gitorch/config.toml"',
        holds(_home("config/gitorch/config.toml"), "evil"),
        "{victim}/config/gitorch/config.toml changed",
        night="home",
    ),
    by_path(
        "X33",
        "attributes of all repositories",
        'mkdir -p "$VICTIM/config/git"; echo "* -diff" > "$VICTIM/config/git/attributes"',
        there(_home("config/git/attributes")),
        "{victim}/config/git/attributes appeared",
        night="home",
    ),
    *(
        _planted(f"H{number:02}", path)
        for number, path in enumerate(
            (
                *(".bashrc", ".profile", ".zshenv", ".config/fish/config.fish", ".inputrc", ".bash_completion"),
                *(".ssh/authorized_keys", ".ssh/config", ".ssh/rc", ".config/autostart/a.desktop"),
                *(
                    ".config/systemd/user/a.service",
                    ".claude/settings.json",
                    ".claude/hooks/a.sh",
                    ".codex/config.toml",
                ),
                *(".npmrc", ".cargo/config.toml", ".cargo/bin/cargo", "go/bin/gopls", ".vimrc", ".emacs.d/init.el"),
                *(".local/lib/python3.11/site-packages/evil.pth", ".ipython/profile_default/startup/a.py"),
                *(".gradle/init.gradle", ".m2/settings.xml", ".mailcap", ".config/starship.toml", ".screenrc"),
                *(".local/share/applications/a.desktop", ".bundle/config", ".gitconfig.d/x", ".myrc"),
                *(".ssh/id_ed25519", ".bashrc.d/evil.sh", ".config/zsh/.zshrc"),
                ".local/share/dbus-1/services/evil.service",
            ),
            start=1,
        )
        if path != ".gitconfig.d/x"
    ),
)

ATTACKS: tuple[Attack, ...] = (*GIT, *PROGRAMS, *HOME)
