"""An agent's own room: a linked worktree in a sandbox, with a private repository in front of it.

In a box, the worktree's `.git` leads to that repository by a mount that nobody else sees. Under Landlock, the file
itself leads there while programs may run, and to the user's repository whenever gitorch looks at the worktree.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.agents.protocol import Agent
from gitorch.config import AgentSettings, Config
from gitorch.errors import Refused
from gitorch.executors.probe import probe
from gitorch.git.collecting import incoming
from gitorch.git.collecting.collect import CollectResult, Rejected
from gitorch.git.history_store import HistoryStore
from gitorch.git.protected import ref_guard
from gitorch.git.repository import Repository
from gitorch.git.worktrees import linked_worktrees, untouched, worktree_pointer
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.model.naming import Oid, Ref, branch_ref
from gitorch.replay import conflict_commit
from gitorch.rooms import box_notes
from gitorch.rooms.box_access import Boxes, BoxPaths, Confinement, Program
from gitorch.rooms.boxed_folder import BoxedFolder
from gitorch.rooms.environment_variables import agent_environment, with_program, without_credentials
from gitorch.rooms.fresh_worktree import fresh_worktree
from gitorch.rooms.homecoming import Homecoming
from gitorch.rooms.landlock_access import LandlockBoxes
from gitorch.rooms.ports import variables
from gitorch.rooms.private_repository import PrivateRepository, provide_start
from gitorch.rooms.protocol import Command, Progress, RoomError, RoomSpec
from gitorch.rooms.sandbox import host_rules, keys, logins, probing
from gitorch.rooms.sandbox.keys import OutsideKeys
from gitorch.rooms.worktree_room import WorktreeRoom
from gitorch.storage.shared_notes import SharedNotes

_SYNC = 'git symbolic-ref HEAD "$1" && git update-ref "$1" "$2" && rm -f "$GIT_DIR/index.lock"'
_LARGEST_LOG = 4 << 20


class BoxedWorktree(WorktreeRoom, frozen=True, kw_only=True):
    """The room of one attempt. `env` is the agent's environment, before it enters the box."""

    config: Config
    store: HistoryStore
    boxes: Confinement
    paths: BoxPaths
    notes: SharedNotes
    env: Mapping[str, str]

    @property
    def agent_state(self) -> Path:
        """Return the HOME of the task's box."""
        return self.paths.home

    @property
    def agent_git_dir(self) -> Path:
        """Return the private repository."""
        return self.paths.private.git_dir

    @property
    def protects_files(self) -> bool:
        """Return True: a box can hold them read-only."""
        return True

    def agent_command(self, argv: Sequence[str], env: Mapping[str, str]) -> Command:
        """Return how to run the agent in its box; `env` is added to its environment."""
        settings = self.config.agents[self.spec.agent]
        whole = {**self.env, **env}
        is_outside = self.config.sandbox.keys_outside
        login = logins.prepare(settings.kind, whole, self.paths.home, self.paths.folder, without_keys=is_outside)
        whole |= login.env
        allowed = host_rules.rules(settings, self.config.sandbox.hosts, whole, login.services)
        outside = self._outside_keys(settings, whole) if is_outside else keys.OutsideKeys()
        box_notes.exchange(self.paths.private, self.notes, self.spec.task)
        self._enter()
        only_reads = self.spec.only_reads or settings.permissions == "readonly"
        program = Program(
            argv=(*argv, *outside.args),
            env={**whole, **outside.env},
            allowed=allowed,
            login=login,
            keys=outside.service,
            only_reads=only_reads,
        )
        return self.boxes.command(self.paths, program)

    def _outside_keys(self, settings: AgentSettings, env: Mapping[str, str]) -> OutsideKeys:
        try:
            return keys.outside(settings, env)
        except ValueError as error:
            raise RoomError(f'the API key cannot stay outside (sandbox.keys = "inside" lets it in): {error}') from error

    def check_command(self, argv: Sequence[str]) -> Command:
        """Return how to run a preparation or a check in the same box, without credentials and the agent's hosts."""
        self._enter()
        env = without_credentials(self.env)
        allowed = host_rules.site_rules(self.config.sandbox.hosts)
        return self.boxes.command(self.paths, Program(argv=argv, env=env, allowed=allowed, hints=True))

    def head(self) -> Oid:
        """Return the commit that the agent's git has checked out."""
        head = self.paths.private.head()
        commit = head.commit or (self.paths.private.loose_ref(head.ref) if head.ref else None)
        if commit is not None:
            return commit
        answer = probe(
            (*self.boxes.git(self.paths, may_write=False), "git", "rev-parse", "--verify", "HEAD"), self._git
        )
        if answer.exit_code != 0:
            raise RoomError("the agent's repository has no commit checked out")
        return Oid(answer.stdout.strip())

    def follow_branch(self) -> None:
        """Let the agent's git stand on the tip of the task's branch, which a person may have moved since."""
        self._homecoming.follow_branch()

    def awaiting_hooks(self) -> tuple[str, ...]:
        """Return the files that are not committed, if one of the user's hooks may refuse them; otherwise none."""
        try:
            self._leave()
        except Refused:
            return ()  # `collect` says why
        return self._homecoming.awaiting_hooks()

    def progress(self) -> Progress:
        """Return what the agent has done so far, while it may run; branch, index and files stay as they are."""
        return self.progress_on(self._homecoming.peek())

    def collect(self, message: str) -> CollectResult:
        """Bring the agent's commits home through the gate, then what it did not commit; the branch moves last."""
        box_notes.exchange(self.paths.private, self.notes, self.spec.task)
        try:
            self._leave()
        except Refused as error:
            return Rejected(error.what)
        return self._homecoming.collect(message)

    def replace_tip(self, old: Oid, new: Oid) -> None:
        """Move the branch, the files and the agent's git from collected work to another commit."""
        self._leave()
        self._homecoming.replace_tip(old, new)

    def refusals(self) -> tuple[str, ...]:
        """Return the hosts that the agent was kept from reaching, each once, oldest first."""
        try:
            with self.paths.log.open("rb") as file:
                lines = file.read(_LARGEST_LOG).decode("ascii", "replace").splitlines()
        except FileNotFoundError:
            return ()
        denied = (line.split(" ", 2)[2] for line in lines if " DENY " in line)
        return tuple(dict.fromkeys(f"network: {target}" for target in denied))

    def discard_uncommitted(self, reason: str) -> None:
        """Bring the files back to the checked-out commit, after saving what differs in a rescue point."""
        self._leave()
        self.restore_files(reason)

    def _enter(self) -> None:
        untouched.before_program(self.worktree)
        self._point(self.paths.private.git_dir)

    def _leave(self) -> None:
        self._point(self.worktree.admin)

    def _point(self, target: Path) -> None:
        if not self.boxes.has_mounts:
            worktree_pointer.point(self.directory, self.worktree.admin, target, self.paths.folder)

    @property
    def _homecoming(self) -> Homecoming:
        return Homecoming(
            repository=self.repository,
            spec=self.spec,
            worktree=self.worktree,
            store=self.store,
            private=self.paths.private,
            fetch=self._fetch,
            move=self._move,
        )

    def _fetch(self, ref: Ref, _: Oid | None) -> str:
        words = (*self.boxes.git(self.paths, may_write=False), *incoming.UPLOAD_PACK)
        return incoming.fetch(self.repository, self.paths.private.git_dir, "HEAD", ref, words)

    def _move(self, branch: Ref, tip: Oid) -> bool:
        words = ("sh", "-c", _SYNC, "sh", branch, tip)
        return probe((*self.boxes.git(self.paths, may_write=True), *words), self._git).exit_code == 0

    @property
    def _git(self) -> dict[str, str]:
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "GIT_DIR": str(self.paths.private.git_dir),
            "HOME": "/nonexistent",
        }


class BoxedWorktrees(msgspec.Struct, frozen=True, kw_only=True):
    """Rooms in boxes, or, without mounts, under Landlock. `folder` is the state folder, `environment` the user's."""

    repository: Repository
    config: Config
    agents: Mapping[str, Agent]
    folder: Path
    environment: Mapping[str, str]
    has_mounts: bool = True

    def create(self, spec: RoomSpec) -> BoxedWorktree:
        """Bring branch, worktree and private repository to where the attempt starts; keep what earlier ones left."""
        worktree = fresh_worktree(self.repository, spec)
        room = self._room(spec, worktree)
        branch = branch_ref(spec.branch)
        start = provide_start(room.store, branch)
        room.paths.private.create(self.repository, room.store, worktree, branch, start)
        room.paths.home.mkdir(parents=True, exist_ok=True)
        return room

    def reopen(self, spec: RoomSpec) -> BoxedWorktree:
        """Return the room of an attempt as its programs left it; raise `RoomError` when a part of it is gone."""
        worktree = linked_worktrees.find(self.repository, spec.directory)
        if worktree is None:
            raise RoomError(f"worktree {spec.directory} is gone; its branch is kept")
        room = self._room(spec, worktree)
        if not room.paths.private.exists():
            raise RoomError(f"the agent's repository {room.paths.private.git_dir} is gone; its branch is kept")
        return room

    def check_site(self, worktree: Worktree, commit: Oid, env: Mapping[str, str], name: str) -> BoxedFolder:
        """Return a box around a checkout, with a private repository like an agent's and an empty HOME."""
        room_folder = self.folder / "rooms" / name
        private, store = PrivateRepository(room_folder), HistoryStore(self.repository, self.folder / "store.git")
        store.provide(commit)
        (room_folder / "network").mkdir(parents=True, exist_ok=True)
        # what a check leaves in its HOME could make the next one pass: a `sitecustomize`, a setting of a test runner
        shutil.rmtree(room_folder / "home", ignore_errors=True)
        shutil.rmtree(room_folder / "tmp", ignore_errors=True)
        (room_folder / "home").mkdir()
        private.discard()
        private.create(self.repository, store, worktree, None, commit)
        if not self.has_mounts:
            worktree_pointer.point(worktree.path, worktree.admin, private.git_dir, room_folder)
        paths = self._paths(worktree, room_folder, private, store, room_folder / "home")
        settings = self.config.sandbox
        return BoxedFolder(settings=settings, boxes=self._boxes(), paths=paths, env=env, directory=worktree.path)

    def give_up(self, spec: RoomSpec, tip: Oid) -> None:
        """Bring the branch and its worktree, if there is one, back to the `tip` from before an attempt."""
        worktree = linked_worktrees.find(self.repository, spec.directory)
        if worktree is not None and not self.has_mounts:
            aside = self.folder / "rooms" / spec.task / str(spec.attempt)
            worktree_pointer.point(worktree.path, worktree.admin, worktree.admin, aside)
        conflict_commit.restore(self.repository, worktree, spec.task, spec.attempt, spec.branch, tip)

    def _paths(
        self, worktree: Worktree, folder: Path, private: PrivateRepository, store: HistoryStore, home: Path
    ) -> BoxPaths:
        hooks = ref_guard.user_hooks(self.repository, worktree.path)
        return BoxPaths(
            directory=worktree.path,
            private=private,
            objects=store.objects,
            home=home,
            folder=folder,
            user_hooks=hooks,
        )

    def _boxes(self) -> Confinement:
        work_tree = self.repository.work_tree
        hidden = (self.repository.common_dir, *([work_tree] if work_tree else []))
        problem = probing.support().problem if self.has_mounts else probing.landlock_problem()
        if problem:
            raise RoomError(f"the sandbox does not work on this machine: {problem}")
        if not self.has_mounts:
            return LandlockBoxes(settings=self.config.sandbox, hidden=hidden)
        return Boxes(settings=self.config.sandbox, support=probing.support(), hidden=hidden)

    def _room(self, spec: RoomSpec, worktree: Worktree) -> BoxedWorktree:
        settings = self.config.agents[spec.agent]
        env = {
            **agent_environment(settings, self.agents[settings.kind], self.environment),
            **ref_guard.unattended(),
            **variables(self.config, self.folder, spec.task),
        }
        room_folder = self.folder / "rooms" / spec.task
        attempt = room_folder / str(spec.attempt)
        private, store = PrivateRepository(attempt), HistoryStore(self.repository, self.folder / "store.git")
        paths, boxes = self._paths(worktree, attempt, private, store, room_folder / "home"), self._boxes()
        env |= {
            "GITORCH_TASK": spec.task,
            "GITORCH_AGENT": spec.agent,
            "GITORCH_BRANCH": branch_ref(spec.branch),
            "GITORCH_GIT_DIR": str(private.git_dir),
            "GITORCH_COMMON_DIR": str(private.git_dir),
            "GITORCH_USER_HOOKS": boxes.user_hooks(paths),
        }
        (attempt / "network").mkdir(parents=True, exist_ok=True)
        return BoxedWorktree(
            repository=self.repository,
            config=self.config,
            spec=spec,
            worktree=worktree,
            store=store,
            boxes=boxes,
            paths=paths,
            notes=SharedNotes(self.folder / "context"),
            env=with_program(env, spec.folder / "bin"),
        )
