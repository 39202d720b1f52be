"""A user with a repository, a HOME, secrets and finished tasks: built once, and brought back after each attack."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

from tests.attacks.attack import World
from tests.support.cli import Cli, does, saved
from tests.support.git import commit, git, standard

SECRETS = {
    ".ssh/id_rsa": "secret-key",
    ".ssh/authorized_keys": "",
    ".aws/credentials": "secret-cloud",
    ".netrc": "secret-netrc",
    ".npmrc": "secret-npm",
    ".pypirc": "secret-pypi",
    ".kube/config": "secret-kube",
    ".docker/config.json": "secret-docker",
    ".bash_history": "secret-history",
    ".gnupg/private-keys-v1.d/a.key": "secret-gpg",
    ".mozilla/firefox/a.default/cookies.sqlite": "secret-cookie",
    ".config/gh/hosts.yml": "secret-gh",
    ".claude/.credentials.json": "secret-claude",
    ".codex/auth.json": "secret-codex",
    ".bashrc": "# mine\n",
    ".git-credentials": "secret-stored",
    "Documents/letter.txt": "secret-letter",
}
"""Files of the user's HOME."""

SIDES = ("side", "side2", "side3", "side4", "side5")
"""Linked worktrees of the user's own."""

_LOOSE = ("secret-object", "first", "second", "third")


class Victims(msgspec.Struct, frozen=True, kw_only=True):
    """The built folders, kept in a second place."""

    top: Path
    kept: Path
    refs: Mapping[str, str]
    objects: Mapping[str, str]

    def restore(self) -> World:
        """Put everything back as it was; return it."""
        try:
            shutil.rmtree(self.top)
        except PermissionError:  # an attack took the permissions away
            subprocess.run(["chmod", "-R", "u+rwX", self.top], check=False, capture_output=True)
            shutil.rmtree(self.top)
        subprocess.run(["cp", "-a", self.kept, self.top], check=True)
        worktree = self.top / "repo.orch" / "night"
        return World(top=self.top, refs=self.refs, objects=self.objects, worktree=worktree)


def build(top: Path) -> Victims:
    """Build the folders in `top`, whose `home` is the HOME of this process."""
    repo, outside = top / "repo", top / "outside"
    outside.mkdir()
    standard(repo)
    _fill_home(Path(os.environ["HOME"]))
    _embed(repo, outside)
    for name in SIDES:
        git("worktree", "add", "-q", "-b", name, f"../{name}", cwd=repo)
    _let_work(repo)
    git("clone", "--quiet", "--bare", str(repo), str(outside / "origin.git"), cwd=outside)
    git("remote", "add", "origin", str(outside / "origin.git"), cwd=repo)
    git("config", "http.extraheader", "Authorization: secret-token", cwd=repo)
    for text in ("stashed", "stashed before"):
        (repo / "README.md").write_text(f"{text}\n")
        git("stash", "-q", cwd=repo)
    objects = {name: git("hash-object", "-w", "--stdin", cwd=repo, input=name.encode()) for name in _LOOSE}
    objects["loose"] = git("commit-tree", "HEAD^{tree}", "-m", "secret-object", cwd=repo)
    for words in (
        *(("branch", name) for name in ("keep", "kept", "packed")),
        *(("tag", name) for name in ("v1", "v2", "v3")),
        ("notes", "--ref=mine", "add", "-m", "true", "main"),
        ("update-ref", "refs/gitorch/rescue/done/1", "main"),
    ):
        git(*words, cwd=repo)
    (repo / "dirty.txt").write_text("secret-dirty")
    (repo / "build").mkdir()
    (repo / "build" / "private.log").write_text("secret-ignored")
    (top / "repo.orch" / "other" / "wip.txt").write_text("secret-wip")
    (top / "repo.orch" / "other" / "build").mkdir()
    (top / "repo.orch" / "other" / "build" / "tool.js").write_text("mine\n")
    (top / "side" / "plans.txt").write_text("secret-side")
    lfs = repo / ".git" / "lfs" / "objects" / "aa" / "bb"
    lfs.mkdir(parents=True)
    (lfs / "aabb").write_text("large")
    kept = top.with_name(f"{top.name}.kept")
    subprocess.run(["cp", "-a", top, kept], check=True)
    listing = git("for-each-ref", "--format=%(objectname) %(refname)", cwd=repo)
    refs = {name: oid for oid, name in map(str.split, listing.splitlines())}
    return Victims(top=top, kept=kept, refs=refs, objects=objects)


def with_bare_worktree(victims: Victims) -> Victims:
    """Return the same folders with a linked worktree as any tool would make it, in which an attacker stands."""
    victims.restore()
    git("worktree", "add", "-q", "-b", "orch/night", str(victims.top / "repo.orch/night"), cwd=victims.top / "repo")
    kept = victims.top.with_name(f"{victims.top.name}.bare")
    subprocess.run(["cp", "-a", victims.top, kept], check=True)
    return msgspec.structs.replace(victims, kept=kept)


def _fill_home(home: Path) -> None:
    for name, text in SECRETS.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    (home / ".ssh").chmod(0o700)


def _embed(repo: Path, outside: Path) -> None:
    """Give the repository a submodule, an ignored folder, and a file that is flagged as unchanged."""
    library = standard(outside / "library")
    commit(repo, "Settings\n", {"settings.py": "mine = 1\n"})
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library), "library", cwd=repo)
    git("commit", "-qam", "Embed", cwd=repo)
    git("update-index", "--skip-worktree", "settings.py", cwd=repo)
    (repo / ".git" / "info" / "exclude").write_text("build/\nvendor/\n")
    git("clone", "-q", str(library), "vendor/tool", cwd=repo)
    (repo / "vendor" / "run.js").write_text("mine\n")
    (repo / "vendor" / "private.key").write_text("secret-vendor")
    (repo / "vendor" / "private.key").chmod(0o600)


def _let_work(repo: Path) -> None:
    """Have one task merged and one finished, and a goal planned."""
    cli = Cli(repo)
    cli.queue(
        does("Done", saved("done.txt", "d"), id="done"),
        does("Other", saved("other.txt", "o"), id="other"),
    )
    cli.run()
    cli("approve", "done")
    cli("merge")
    cli("plan", "--heuristic", "--no-input", "Add a login page and a logout button")


def use_git(folder: Path) -> None:
    """Do what a person does with git in a folder, as far as it still works."""
    for words in (
        ("status", "--ignore-submodules=dirty"),
        ("add", "-A", "--dry-run"),
        ("diff", "--stat"),
        ("commit", "-q", "--allow-empty", "-m", "u"),
    ):
        git(*words, cwd=folder, ok=range(256))
