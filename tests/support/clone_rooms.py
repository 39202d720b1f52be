"""A second kind of room: a clone of the repository, whose commits come home by `git fetch`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.agents.protocol import Agent
from gitorch.config import Config
from gitorch.git.collecting.hook_ledger import HookLedger
from gitorch.git.repository import Repository
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.model import naming
from gitorch.model.naming import Oid, Ref, branch_ref
from gitorch.model.refs import RefUpdate
from gitorch.rooms.environment_variables import agent_environment, without_credentials
from gitorch.rooms.plain_folder import PlainFolder
from gitorch.rooms.protocol import Collected, CollectResult, Command, NoChanges, Progress, Rejected, RoomError, RoomSpec
from tests.support.git import git

_UNFINISHED = ("rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD")
_INCOMING = "refs/gitorch/incoming/"


class CloneRoom(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt in a clone."""

    repository: Repository
    spec: RoomSpec
    env: Mapping[str, str]

    @property
    def directory(self) -> Path:
        return self.spec.directory

    @property
    def agent_state(self) -> Path:
        return self.spec.folder

    @property
    def keeps_sessions(self) -> bool:
        return True

    def at_home(self) -> CloneRoom:
        return self

    def forward(self, name: str, content: bytes) -> None:
        pass

    @property
    def protects_files(self) -> bool:
        return False

    def agent_command(self, argv: Sequence[str], env: Mapping[str, str]) -> Command:
        return Command(tuple(argv), self.directory, {**self.env, **env})

    def check_command(self, argv: Sequence[str]) -> Command:
        return Command(tuple(argv), self.directory, without_credentials(self.env))

    def head(self) -> Oid:
        return Oid(git("rev-parse", "HEAD", cwd=self.directory))

    def follow_branch(self) -> None:
        git("fetch", "--quiet", "origin", self.spec.branch, cwd=self.directory)
        git("reset", "--quiet", "--soft", "FETCH_HEAD", cwd=self.directory)

    def checkout_conflict(self, conflict: Oid) -> None:
        parent = git("rev-parse", f"{conflict}^", cwd=self.repository.common_dir)
        if parent == self.head():
            # a conflict commit is on no branch: it is fetched by the ref that keeps it
            ref = git("for-each-ref", f"--points-at={conflict}", "--format=%(refname)", cwd=self.repository.common_dir)
            git("fetch", "--quiet", "origin", ref.splitlines()[0], cwd=self.directory)
            git("restore", f"--source={conflict}", "--worktree", "--", ":/", cwd=self.directory)

    def progress(self) -> Progress:
        index = {"GIT_INDEX_FILE": str(self.directory / ".git/progress")}
        git("add", "--all", cwd=self.directory, env=index)
        tree = git("write-tree", cwd=self.directory, env=index)
        saved = Oid(git("commit-tree", tree, "-p", "HEAD", "-m", "progress", cwd=self.directory))
        _fetch(self.repository, self.spec, saved)
        is_own = self.repository.is_ancestor(self.spec.base, saved)
        return Progress(self.head() if is_own else self.spec.base, Oid(tree))

    def collect(self, message: str) -> CollectResult:
        if any((self.directory / ".git" / name).exists() for name in _UNFINISHED):
            return Rejected("an operation was left unfinished")
        branch = git("symbolic-ref", "--quiet", "--short", "HEAD", cwd=self.directory, ok=(0, 1))
        if branch not in ("", self.spec.branch):
            return Rejected(f"switched to another branch: {branch}")
        if nested := [path for path in self.directory.rglob(".git") if path.parent != self.directory]:
            return Rejected(f"a git repository inside: {nested[0]}")
        completed = bool(git("status", "--porcelain", cwd=self.directory))
        if completed:
            git("add", "--all", cwd=self.directory)
            git("commit", "--quiet", "--file=-", cwd=self.directory, input=message.encode())
        return self._admit(self.head(), completed=completed)

    def _admit(self, tip: Oid, *, completed: bool) -> CollectResult:
        _fetch(self.repository, self.spec, tip)
        if not self.repository.is_ancestor(self.spec.base, tip):
            return Rejected("the history before the base was rewritten")
        tree = self.repository.tree(tip)
        if tree == self.repository.tree(self.spec.base):
            return NoChanges()
        _move(self.repository, branch_ref(self.spec.branch), tip)
        commits = git("rev-list", "--count", f"{self.spec.base}..{tip}", cwd=self.repository.common_dir)
        return Collected(tip=tip, tree=tree, commits=int(commits), completed=completed)

    def awaiting_hooks(self) -> tuple[str, ...]:
        return ()

    def hook_ledger(self) -> HookLedger:
        return HookLedger()

    def replace_tip(self, old: Oid, new: Oid) -> None:
        ref = branch_ref(self.spec.branch)
        self.repository.update_refs([RefUpdate(ref, new, old)], "replace the tip")
        git("fetch", "--quiet", "origin", ref, cwd=self.directory)
        _reset(self.directory, new)

    def refusals(self) -> tuple[str, ...]:
        return ()

    def discard_uncommitted(self, reason: str) -> None:
        _rescue(self.repository, self.spec, reason)
        _reset(self.directory, "HEAD")


class CloneRooms(msgspec.Struct, frozen=True, kw_only=True):
    """Rooms in clones."""

    repository: Repository
    config: Config
    agents: Mapping[str, Agent]
    environment: Mapping[str, str]

    def create(self, spec: RoomSpec) -> CloneRoom:
        ref = branch_ref(spec.branch)
        branch_tip = self.repository.read_ref(ref)
        start = spec.tip or spec.base
        if branch_tip and spec.tip and self.repository.is_ancestor(spec.tip, branch_tip):
            start = branch_tip
        if spec.attempt == 1 and branch_tip not in (None, start):
            raise RoomError(f"branch {spec.branch} already exists")
        if branch_tip and spec.attempt > 1:
            _move(self.repository, naming.attempt_ref(spec.task, spec.attempt - 1), branch_tip)
        _move(self.repository, ref, start)
        if spec.directory.exists():
            _rescue(self.repository, spec, "uncommitted files")
        else:
            common_dir = str(self.repository.common_dir)
            git("clone", "--quiet", "--no-checkout", common_dir, str(spec.directory), cwd=self.repository.common_dir)
        git("fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*", cwd=spec.directory)
        git("checkout", "--quiet", "--force", "-B", spec.branch, start, cwd=spec.directory)
        _reset(spec.directory, start)
        return self._room(spec)

    def reopen(self, spec: RoomSpec) -> CloneRoom:
        if not (spec.directory / ".git").exists():
            raise RoomError(f"the clone {spec.directory} is gone")
        return self._room(spec)

    def check_site(self, worktree: Worktree, commit: Oid, env: Mapping[str, str], name: str) -> PlainFolder:
        return PlainFolder(worktree.path, env)

    def give_up(self, spec: RoomSpec, tip: Oid) -> None:
        ref = branch_ref(spec.branch)
        branch_tip = self.repository.read_ref(ref)
        if branch_tip not in (None, tip):
            assert branch_tip is not None
            _move(self.repository, naming.attempt_ref(spec.task, spec.attempt), branch_tip)
        _move(self.repository, ref, tip)
        if spec.directory.exists():
            _rescue(self.repository, spec, "uncommitted files")
            _reset(spec.directory, tip)

    def _room(self, spec: RoomSpec) -> CloneRoom:
        settings = self.config.agents[spec.agent]
        env = {
            **self.repository.identity(),
            **agent_environment(settings, self.agents[settings.kind], self.environment),
            "GITORCH_TASK": spec.task,
        }
        return CloneRoom(repository=self.repository, spec=spec, env=env)


def _move(repository: Repository, ref: Ref, tip: Oid) -> None:
    old = repository.read_ref(ref)
    if old != tip:
        repository.update_refs([RefUpdate(ref, tip, old)], "test")


def _fetch(repository: Repository, spec: RoomSpec, tip: Oid) -> None:
    """Bring a commit of the clone, and what it needs, into the repository."""
    ref = _INCOMING + spec.task
    git("update-ref", ref, tip, cwd=spec.directory)
    git("fetch", "--quiet", "--no-write-fetch-head", str(spec.directory), f"+{ref}:{ref}", cwd=repository.common_dir)


def _rescue(repository: Repository, spec: RoomSpec, reason: str) -> None:
    """Save uncommitted files of the clone as a rescue point of the repository."""
    if not git("status", "--porcelain", cwd=spec.directory):
        return
    git("add", "--all", cwd=spec.directory)
    tree = git("write-tree", cwd=spec.directory)
    saved = Oid(git("commit-tree", tree, "-p", "HEAD", "-m", reason, cwd=spec.directory))
    _fetch(repository, spec, saved)
    _move(repository, naming.rescue_ref(spec.task), saved)


def _reset(folder: Path, commit: str) -> None:
    git("reset", "--quiet", "--hard", commit, cwd=folder)
    git("clean", "--quiet", "-d", "--force", cwd=folder)
