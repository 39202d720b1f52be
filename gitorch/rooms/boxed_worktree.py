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
from gitorch.git import fence, incoming, worktree_pointer, worktrees
from gitorch.git.collect import CollectResult, Rejected
from gitorch.git.history_store import HistoryStore
from gitorch.git.repository import Repository
from gitorch.git.worktrees import Worktree
from gitorch.model.naming import Oid, Ref, branch_ref
from gitorch.replay import conflict_commit
from gitorch.rooms import box_notes, uncommitted
from gitorch.rooms.base import Command, Progress, RoomError, RoomSpec
from gitorch.rooms.boxed_folder import BoxedFolder
from gitorch.rooms.boxes import Boxes, Confinement, Place, Program
from gitorch.rooms.environment import agent_environment, with_program, without_credentials
from gitorch.rooms.fresh_worktree import fresh_worktree
from gitorch.rooms.homecoming import Homecoming
from gitorch.rooms.landlock_boxes import LandlockBoxes
from gitorch.rooms.ports import variables
from gitorch.rooms.private_repository import PrivateRepository, provide_start
from gitorch.rooms.sandbox import hosts, keys, logins, probing
from gitorch.rooms.sandbox.keys import OutsideKeys
from gitorch.storage.shared_notes import SharedNotes

_SYNC = 'git symbolic-ref HEAD "$1" && git update-ref "$1" "$2" && rm -f "$GIT_DIR/index.lock"'
_LARGEST_LOG = 4 << 20


class BoxedWorktree(msgspec.Struct, frozen=True, kw_only=True):
    """The room of one attempt. `env` is the agent's environment, before it enters the box."""

    repository: Repository
    config: Config
    spec: RoomSpec
    worktree: Worktree
    store: HistoryStore
    boxes: Confinement
    place: Place
    notes: SharedNotes
    env: Mapping[str, str]

    @property
    def directory(self) -> Path:
        """Return the folder with the files."""
        return self.worktree.path

    @property
    def agent_state(self) -> Path:
        """Return the HOME of the task's box."""
        return self.place.home

    @property
    def keeps_sessions(self) -> bool:
        """Return True: the sessions of earlier attempts are here."""
        return True

    def at_home(self) -> BoxedWorktree:
        """Return this room."""
        return self

    def forward(self, name: str, content: bytes) -> None:
        """Do nothing: the agent reads the folder itself."""

    @property
    def protects_files(self) -> bool:
        """Return True: a box can hold them read-only."""
        return True

    def agent_command(self, argv: Sequence[str], env: Mapping[str, str]) -> Command:
        """Return how to run the agent in its box; `env` is added to its environment."""
        settings = self.config.agents[self.spec.agent]
        whole = {**self.env, **env}
        is_outside = self.config.sandbox.keys_outside
        login = logins.prepare(settings.kind, whole, self.place.home, self.place.folder, without_keys=is_outside)
        whole |= login.env
        allowed = hosts.rules(settings, self.config.sandbox.hosts, whole, login.services)
        outside = self._outside_keys(settings, whole) if is_outside else keys.OutsideKeys()
        box_notes.exchange(self.place.private, self.notes, self.spec.task)
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
        return self.boxes.command(self.place, program)

    def _outside_keys(self, settings: AgentSettings, env: Mapping[str, str]) -> OutsideKeys:
        try:
            return keys.outside(settings, env)
        except ValueError as error:
            raise RoomError(f'the API key cannot stay outside (sandbox.keys = "inside" lets it in): {error}') from error

    def check_command(self, argv: Sequence[str]) -> Command:
        """Return how to run a preparation or a check in the same box, without credentials and the agent's hosts."""
        self._enter()
        env = without_credentials(self.env)
        allowed = hosts.site_rules(self.config.sandbox.hosts)
        return self.boxes.command(self.place, Program(argv=argv, env=env, allowed=allowed, hints=True))

    def head(self) -> Oid:
        """Return the commit that the agent's git has checked out."""
        head = self.place.private.head()
        commit = head.commit or (self.place.private.loose_ref(head.ref) if head.ref else None)
        if commit is not None:
            return commit
        answer = probe(
            (*self.boxes.git(self.place, may_write=False), "git", "rev-parse", "--verify", "HEAD"), self._git
        )
        if answer.exit_code != 0:
            raise RoomError("the agent's repository has no commit checked out")
        return Oid(answer.stdout.strip())

    def follow_branch(self) -> None:
        """Let the agent's git stand on the tip of the task's branch, which a person may have moved since."""
        self._homecoming.follow_branch()

    def checkout_conflict(self, conflict: Oid) -> None:
        """Write the files of a conflict commit over a checkout of its parent; elsewhere, change nothing."""
        conflict_commit.checkout_conflict(self.repository, self.worktree, conflict)

    def awaiting_hooks(self) -> tuple[str, ...]:
        """Return the files that are not committed, if a hook of the user's own may refuse that; otherwise none."""
        try:
            self._leave()
        except Refused:
            return ()  # `collect` says why
        return self._homecoming.awaiting_hooks()

    def progress(self) -> Progress:
        """Return what the agent has done so far, while it may run; branch, index and files stay as they are."""
        return uncommitted.progress(self.repository, self.worktree, self.spec, self._homecoming.peek())

    def collect(self, message: str) -> CollectResult:
        """Bring the agent's commits home through the gate, then what it did not commit; the branch moves last."""
        box_notes.exchange(self.place.private, self.notes, self.spec.task)
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
            with self.place.log.open("rb") as file:
                lines = file.read(_LARGEST_LOG).decode("ascii", "replace").splitlines()
        except FileNotFoundError:
            return ()
        denied = (line.split(" ", 2)[2] for line in lines if " DENY " in line)
        return tuple(dict.fromkeys(f"network: {target}" for target in denied))

    def discard_uncommitted(self, reason: str) -> None:
        """Bring the files back to the checked-out commit, after saving what differs in a rescue point."""
        self._leave()
        uncommitted.discard(self.repository, self.worktree, self.spec.task, reason)

    def _enter(self) -> None:
        self._point(self.place.private.git_dir)

    def _leave(self) -> None:
        self._point(self.worktree.admin)

    def _point(self, target: Path) -> None:
        if not self.boxes.has_mounts:
            worktree_pointer.point(self.directory, self.worktree.admin, target, self.place.folder)

    @property
    def _homecoming(self) -> Homecoming:
        return Homecoming(
            repository=self.repository,
            spec=self.spec,
            worktree=self.worktree,
            store=self.store,
            private=self.place.private,
            fetch=self._fetch,
            move=self._move,
        )

    def _fetch(self, ref: Ref, _: Oid | None) -> str:
        words = (*self.boxes.git(self.place, may_write=False), "git", "upload-pack")
        return incoming.fetch(self.repository, self.place.private.git_dir, "HEAD", ref, words)

    def _move(self, branch: Ref, tip: Oid) -> bool:
        words = ("sh", "-c", _SYNC, "sh", branch, tip)
        return probe((*self.boxes.git(self.place, may_write=True), *words), self._git).exit_code == 0

    @property
    def _git(self) -> dict[str, str]:
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "GIT_DIR": str(self.place.private.git_dir),
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
        room.place.private.create(self.repository, room.store, worktree, branch, start)
        room.place.home.mkdir(parents=True, exist_ok=True)
        return room

    def reopen(self, spec: RoomSpec) -> BoxedWorktree:
        """Return the room of an attempt as its programs left it; raise `RoomError` when a part of it is gone."""
        worktree = worktrees.find(self.repository, spec.directory)
        if worktree is None:
            raise RoomError(f"worktree {spec.directory} is gone; its branch is kept")
        room = self._room(spec, worktree)
        if not room.place.private.exists():
            raise RoomError(f"the agent's repository {room.place.private.git_dir} is gone; its branch is kept")
        return room

    def check_site(self, worktree: Worktree, commit: Oid, env: Mapping[str, str], name: str) -> BoxedFolder:
        """Return a box around a checkout, with a private repository like an agent's and an empty HOME."""
        own = self.folder / "rooms" / name
        private, store = PrivateRepository(own), HistoryStore(self.repository, self.folder / "store.git")
        store.provide(commit)
        (own / "network").mkdir(parents=True, exist_ok=True)
        # what a check leaves in its HOME could make the next one pass: a `sitecustomize`, a setting of a test runner
        shutil.rmtree(own / "home", ignore_errors=True)
        shutil.rmtree(own / "tmp", ignore_errors=True)
        (own / "home").mkdir()
        private.discard()
        private.create(self.repository, store, worktree, None, commit)
        if not self.has_mounts:
            worktree_pointer.point(worktree.path, worktree.admin, private.git_dir, own)
        place = self._place(worktree, own, private, store, own / "home")
        settings = self.config.sandbox
        return BoxedFolder(settings=settings, boxes=self._boxes(), place=place, env=env, directory=worktree.path)

    def give_up(self, spec: RoomSpec, tip: Oid) -> None:
        """Bring the branch and its worktree, if there is one, back to the `tip` from before an attempt."""
        worktree = worktrees.find(self.repository, spec.directory)
        if worktree is not None and not self.has_mounts:
            aside = self.folder / "rooms" / spec.task / str(spec.attempt)
            worktree_pointer.point(worktree.path, worktree.admin, worktree.admin, aside)
        conflict_commit.restore(self.repository, worktree, spec.task, spec.attempt, spec.branch, tip)

    def _place(
        self, worktree: Worktree, folder: Path, private: PrivateRepository, store: HistoryStore, home: Path
    ) -> Place:
        hooks = fence.user_hooks(self.repository, worktree.path)
        return Place(
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
            **fence.unattended(),
            **variables(self.config, self.folder, spec.task),
        }
        own = self.folder / "rooms" / spec.task
        attempt = own / str(spec.attempt)
        private, store = PrivateRepository(attempt), HistoryStore(self.repository, self.folder / "store.git")
        place, boxes = self._place(worktree, attempt, private, store, own / "home"), self._boxes()
        env |= {
            "GITORCH_TASK": spec.task,
            "GITORCH_AGENT": spec.agent,
            "GITORCH_BRANCH": branch_ref(spec.branch),
            "GITORCH_GIT_DIR": str(private.git_dir),
            "GITORCH_COMMON_DIR": str(private.git_dir),
            "GITORCH_USER_HOOKS": boxes.user_hooks(place),
        }
        (attempt / "network").mkdir(parents=True, exist_ok=True)
        return BoxedWorktree(
            repository=self.repository,
            config=self.config,
            spec=spec,
            worktree=worktree,
            store=store,
            boxes=boxes,
            place=place,
            notes=SharedNotes(self.folder / "context"),
            env=with_program(env, spec.folder / "bin"),
        )
