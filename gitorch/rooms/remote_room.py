"""A room whose agent works on another machine: its worktree at home gets what comes back, through the same gate."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from gitorch.config import AgentSettings, Config
from gitorch.executors.protocol import KNOWN_PROGRAMS, Errand
from gitorch.git import commit_gate
from gitorch.git.collecting.collect import Collected, CollectResult, Rejected
from gitorch.git.collecting.hook_ledger import HookLedger
from gitorch.git.exchange import attempts
from gitorch.git.protected import ref_guard
from gitorch.git.repository import RefsMoved, Repository
from gitorch.git.worktrees import rescue_points
from gitorch.git.worktrees.linked_worktrees import Worktree
from gitorch.git.writing import unreferenced
from gitorch.model.credentials.secret_values import secret_values
from gitorch.model.naming import Oid, Ref, branch_ref
from gitorch.rooms import box_notes, mailbox
from gitorch.rooms.errands import errand_settings
from gitorch.rooms.protocol import CheckSite, Command, Progress, Room, RoomError, Rooms, RoomSpec
from gitorch.storage import atomic
from gitorch.storage.shared_notes import SharedNotes

_MARK, _CONFLICT = "remote", "conflict"
_NOTES_BYTES = 200_000
"""The most that an order carries of the notes that agents share."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What came back from an agent's last execution: see `Delivery` of the executor."""

    tip: str = ""
    ref: str = ""
    bundle: bytes = b""
    is_completed: bool = False
    problem: str = ""
    files: Mapping[str, bytes] = {}
    notes: tuple[str, ...] = ()


LastWork = Callable[[str, int], Work | None]
"""Returns what came back for an attempt of a task; None if nothing did."""

Send = Callable[[str, int, Mapping[str, bytes]], None]
"""Sends files to the agent of an attempt of a task, into its folder for messages."""


def known_program(agent: AgentSettings) -> str:
    """Return the program that an agent needs on the PATH of another machine; empty if its own settings name one."""
    is_named = agent.path not in ("", agent.kind) or "PATH" in agent.env
    return agent.kind if agent.kind in KNOWN_PROGRAMS and not is_named else ""


class RemoteRoom(msgspec.Struct, frozen=True, kw_only=True):
    """The room at home of an attempt whose agent works elsewhere. `inner` holds its branch and its files."""

    inner: Room
    repository: Repository
    spec: RoomSpec
    config: Config
    last_work: LastWork
    send: Send
    notes: SharedNotes

    @property
    def directory(self) -> Path:
        """Return the folder with the files at home."""
        return self.inner.directory

    @property
    def agent_state(self) -> Path:
        """Return a folder at home for the files that the agent writes for gitorch."""
        folder = self.spec.folder / "state"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def keeps_sessions(self) -> bool:
        """Return False: the next order may go to another machine, and to another folder in any case."""
        return False

    def at_home(self) -> Room:
        """Return the room with the branch and the files at home."""
        return self.inner

    def forward(self, name: str, content: bytes) -> None:
        """Send the file to the worker that runs the agent; nothing happens while there is none."""
        self.send(self.spec.task, self.spec.attempt, {name: content})

    @property
    def protects_files(self) -> bool:
        """Return False: what the other machine protects is not known here."""
        return False

    def agent_command(self, argv: Sequence[str], env: Mapping[str, str]) -> Command:
        """Return how to run the agent elsewhere; `env` is added to its environment there."""
        errand = self._errand()
        # what was found here may be elsewhere on the other machine
        argv = (errand.program, *argv[1:]) if errand.program else tuple(argv)
        return Command(argv, self.directory, dict(env), errand)

    def _errand(self) -> Errand:
        spec, agent = self.spec, self.config.agents[self.spec.agent]
        # the values of secrets stay here: the other machine has its own
        secrets = secret_values(agent.env)
        env = {name: value for name, value in agent.env.items() if name not in secrets}
        agent = msgspec.structs.replace(agent, env=env, pass_env=(*agent.pass_env, *secrets), prices=None)
        settings = msgspec.structs.replace(errand_settings(self.repository, self.config), agent=agent)
        return Errand(
            task=spec.task,
            attempt=spec.attempt,
            agent=spec.agent,
            branch=spec.branch,
            base=spec.base,
            start=self._start(),
            conflict=atomic.read_or_empty(spec.folder / _CONFLICT).decode("ascii"),
            settings=msgspec.json.encode(settings),
            directory=str(self.directory),
            state=str(self.agent_state),
            python=sys.executable,
            label=agent.label,
            program=known_program(agent),
            messages=self._messages(),
            run=self.notes.run,
            notes=self.notes.newest(_NOTES_BYTES),
        )

    def _messages(self) -> dict[str, bytes]:
        """Return what the agent was told before it began."""
        content = atomic.read_or_empty(self.agent_state / mailbox.NAME)
        return {mailbox.NAME: content} if content else {}

    def _start(self) -> Oid:
        start = self.repository.read_ref(branch_ref(self.spec.branch))
        if start is None:
            raise RoomError(f"branch {self.spec.branch} is gone")
        return start

    def check_command(self, argv: Sequence[str]) -> Command:
        """Return how to run a preparation or a check, at home."""
        return self.inner.check_command(argv)

    def head(self) -> Oid:
        """Return the commit that is checked out at home."""
        return self.inner.head()

    def follow_branch(self) -> None:
        """Let the files at home stand on the tip of the task's branch."""
        self.inner.follow_branch()

    def checkout_conflict(self, conflict: Oid) -> None:
        """Let the other machine write the files of a conflict commit."""
        atomic.replace(self.spec.folder / _CONFLICT, conflict.encode())

    def awaiting_hooks(self) -> tuple[str, ...]:
        """Return none: the other machine has committed everything, without the user's hooks."""
        return ()

    def hook_ledger(self) -> HookLedger:
        """Return an empty one: the other machine does not have the user's hooks."""
        return HookLedger()

    def progress(self) -> Progress:
        """Return what is at home."""
        return self.inner.progress()

    def collect(self, message: str) -> CollectResult:
        """Bring the work that came back onto the task's branch, through the gate. May be repeated."""
        work = self.last_work(self.spec.task, self.spec.attempt)
        if work is None:
            return self.inner.collect(message)
        for name, content in work.files.items():
            atomic.replace(self.agent_state / Path(name).name, content, durable=False)
        box_notes.take(work.notes, self.notes, self.spec.task)
        if work.problem:
            return Rejected(work.problem)
        if not work.tip:
            return self.inner.collect(message)
        try:
            problem = self._bring_home(work, message)
        except RefsMoved:
            return Rejected("the task's branch was moved while its work was collected")
        if problem:
            return Rejected(problem)
        result = self.inner.collect(message)
        if not isinstance(result, Collected) or not work.is_completed:
            return result
        skipped = ref_guard.commit_hooks(ref_guard.user_hooks(self.repository, self.directory))
        return msgspec.structs.replace(result, completed=True, skipped_hooks=skipped)

    def _bring_home(self, work: Work, message: str) -> str:
        """Move the branch and the files to what came back; return why not."""
        ref = Ref(f"refs/gitorch/incoming/{self.spec.task}")
        if problem := self._fetch(work, ref):
            return problem
        tip = Oid(work.tip)
        if problem := commit_gate.problem(self.repository, self.spec.base, tip):
            return problem
        tip = self._with_message(tip, message) if work.is_completed else tip
        before = self._start()
        if before != self.spec.base:  # that the work builds on the base, the gate has seen
            if tip == before or self.repository.is_ancestor(tip, before):
                return ""  # it is here already, and a person may have gone on with the branch
            if not self.repository.is_ancestor(before, tip):
                return "the agent's commits do not build on the task's branch"
        self.inner.replace_tip(before, tip)
        return ""

    def _fetch(self, work: Work, ref: Ref) -> str:
        """Have the commits of the work here; return why not."""
        if work.bundle:
            if problem := attempts.import_bundle(self.repository, work.bundle, ref):
                return f"the agent's commits could not be fetched: {problem}"
            tip = self.repository.read_ref(ref)
        else:
            tip = self.repository.read_ref(Ref(work.ref))
        return "" if tip == work.tip else "the agent's commits are not what its worker has said"

    def _with_message(self, tip: Oid, message: str) -> Oid:
        """Return the commit of what the agent left, with gitorch's message; the same one each time."""
        header, _, text = self.repository.git("cat-file", "commit", tip).stdout.partition(b"\n\n")
        message = rescue_points.with_skipped(message, rescue_points.skipped_of(text.decode("utf-8", "replace")))
        return unreferenced.store_commit(self.repository, header + b"\n\n" + message.encode())

    def replace_tip(self, old: Oid, new: Oid) -> None:
        """Move the branch and the files from collected work to another commit."""
        self.inner.replace_tip(old, new)

    def refusals(self) -> tuple[str, ...]:
        """Return what was refused at home."""
        return self.inner.refusals()

    def discard_uncommitted(self, reason: str) -> None:
        """Bring the files at home back to the checked-out commit."""
        self.inner.discard_uncommitted(reason)


class RemoteRooms(msgspec.Struct, frozen=True, kw_only=True):
    """Rooms for agents elsewhere, if `is_on`; an attempt keeps the kind of room that it began in."""

    inner: Rooms
    repository: Repository
    config: Config
    is_on: bool
    last_work: LastWork
    send: Send
    notes: SharedNotes

    def create(self, spec: RoomSpec) -> Room:
        """Create the room at home, and mark it as one whose agent works elsewhere."""
        room = self.inner.create(spec)
        spec.folder.mkdir(parents=True, exist_ok=True)
        for name in (_MARK, _CONFLICT):
            (spec.folder / name).unlink(missing_ok=True)
        if not self.is_on:
            return room
        atomic.replace(spec.folder / _MARK, b"")
        return self._room(room, spec)

    def reopen(self, spec: RoomSpec) -> Room:
        """Return the room of an attempt; raise `RoomError` when its agent works elsewhere, and it is not said where."""
        room = self.inner.reopen(spec)
        if not (spec.folder / _MARK).exists():
            return room
        if not self.is_on:
            raise RoomError("its agent works on another machine, and remote.address does not say where any more")
        return self._room(room, spec)

    def check_site(self, worktree: Worktree, commit: Oid, env: Mapping[str, str], name: str) -> CheckSite:
        """Return a site at home."""
        return self.inner.check_site(worktree, commit, env, name)

    def give_up(self, spec: RoomSpec, tip: Oid) -> None:
        """Undo what was done in the room at home."""
        self.inner.give_up(spec, tip)

    def _room(self, inner: Room, spec: RoomSpec) -> RemoteRoom:
        return RemoteRoom(
            inner=inner,
            repository=self.repository,
            spec=spec,
            config=self.config,
            last_work=self.last_work,
            send=self.send,
            notes=self.notes,
        )
