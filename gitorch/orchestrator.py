"""The library: wires the stages together and remembers what they give back."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gitorch import config as configuration
from gitorch import trust
from gitorch.config import FILE, PERSONAL, Loaded
from gitorch.errors import GitorchError, InvalidInput, NotFound, Refused, SetupNeeded
from gitorch.git.repository import RefMove, Repository
from gitorch.model import graph, naming, note
from gitorch.model.naming import Oid, Ref, TaskId, branch_ref
from gitorch.model.roles import Role
from gitorch.model.task import Comment, State, Task, change
from gitorch.operations import Moved, Operation, OperationLog, Restated
from gitorch.store import Store, TaskMoved, Tasks

if TYPE_CHECKING:
    from gitorch.executors.local import Running
    from gitorch.flow.merger import Plan, Progress
    from gitorch.flow.review import Card
    from gitorch.flow.scheduler import Limits, Schedule, Stopped, Work
    from gitorch.flow.verify import Judge
    from gitorch.model.outcome import Event
    from gitorch.workshop import Means


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a run leaves behind: the tasks that it changed, and why it left others (None when nothing kept it).

    `moved` names what changed meanwhile in the user's own checkout, refs and configuration, by whomever.
    """

    changed: tuple[TaskId, ...]
    stopped: Stopped | None = None
    interrupted: bool = False
    started: datetime
    seconds: float = 0.0
    spent: float = 0.0
    moved: tuple[str, ...] = ()


class Orchestrator:
    """All that can be done in one repository. Every method sees the true state, whoever changed it last."""

    def __init__(self, repository: Repository, loaded: Loaded, environment: Mapping[str, str]) -> None:
        self.repository = repository
        self.loaded = loaded
        self.config = loaded.config
        self.environment = environment
        self.folder = repository.common_dir / "gitorch"
        self.store = Store(self.folder, self._tasks_of_branches)
        self.operations = OperationLog(self.folder / "operations.jsonl")

    @classmethod
    def open(
        cls, start: Path, assignments: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> Orchestrator:
        """Open the repository around a folder; raise `NotFound` where there is none, `InvalidInput` for its config."""
        repository = Repository.discover(start)
        environment = os.environ if environment is None else environment
        opened = cls(repository, load_config(repository, assignments, environment), environment)
        opened.store.notices.extend(opened.recover())
        return opened

    # what is there

    @property
    def tasks(self) -> Tasks:
        return self.store.current()

    def find(self, name: str) -> Task:
        """Return the task that a slug, a unique prefix or a number names; raise `NotFound` otherwise."""
        tasks = self.tasks
        if name in tasks:
            return tasks[TaskId(name)]
        by_number = [task for task in tasks.values() if name.isdigit() and task.number == int(name)]
        found = by_number or [task for task in tasks.values() if name and task.id.startswith(name)]
        if len(found) == 1:
            return found[0]
        raise _not_found(name, found, tasks)

    def integration(self) -> Oid | None:
        """Return the tip of the integration branch; None before the first merge."""
        ref = branch_ref(self.config.integration)
        return self.repository.refs(ref).get(ref)

    def task_here(self, folder: Path) -> Task | None:
        """Return the task whose worktree a folder is in."""
        inside = [task for task in self.tasks.values() if task.worktree and folder.is_relative_to(task.worktree)]
        return inside[0] if inside else None

    def card(self, task: Task) -> Card:
        """Return what a reviewer needs to see of a task."""
        from gitorch.flow import review

        if task.tip is None:
            raise Refused(
                "no-commits", f"{task.id} has no commits yet", why=task.reason, fix=(f"orchestrate log {task.id}",)
            )
        return review.card(self.repository, self.config, task)

    # evening

    def submit(self, tasks: Sequence[Task]) -> list[Task]:
        """Queue tasks, all or none; a cycle or an unknown dependency is refused."""
        trust.require_person("queue tasks")
        self._require_prefix()
        graph.refuse_broken({**self.tasks, **{task.id: task for task in tasks}})
        self.store.save(tasks)
        self.store.snapshot_if_due()
        return list(tasks)

    def taken(self) -> set[str]:
        """Return the names that a new task cannot have: those of tasks, and of branches where its own would be."""
        refs = self.repository.refs(f"refs/heads/{self.config.prefix}".rstrip("/"))
        branches = (ref.removeprefix("refs/heads/") for ref in refs)
        return {*self.tasks, *(branch.removeprefix(self.config.prefix) for branch in branches)}

    def refuse_bare_names(self, tasks: Iterable[Task]) -> None:
        """Raise `InvalidInput` for an agent or a role that is not configured."""
        roles = self.roles
        for task in tasks:
            if task.agent and task.agent not in self.config.agents:
                raise _unknown("agent", task.agent, [*self.config.agents, *roles])
            if task.role and task.role not in roles:
                raise _unknown("role", task.role, list(roles))

    @cached_property
    def roles(self) -> Mapping[str, Role]:
        return configuration.roles(self.config, self.repository.work_tree)

    def roles_agent(self, role: str) -> str:
        """Return the agent that suits a role; empty where the configuration's choice is as good."""
        return self.roles[role].agent if role in self.roles else ""

    def _require_prefix(self) -> None:
        """Raise `Refused` when the user has a branch that leaves no room for ours."""
        first = self.config.branch.partition("/")[0]
        if "/" in self.config.branch and branch_ref(first) in self.repository.refs(branch_ref(first)):
            raise Refused(
                "branch-prefix",
                f"there is a branch called {first}, so no branch {self.config.branch} can be made",
                why="git keeps branches like files: a name cannot be a folder too",
                fix=(f'add to {FILE}: branch = "tasks/{{task}}" and integration = "tasks/integration"',),
            )

    # night

    def run(self, limits: Limits, stop: threading.Event) -> Generator[list[Task], None, RunSummary]:
        """Work through the queue, yielding tasks as they change; return a summary.

        One run at a time in a repository: raises `Refused` when another one holds it. Raises before
        anything is made: `SetupNeeded` when an agent that is needed is missing or not logged in, `NotFound` when there
        is no commit to start on.
        """
        from gitorch.flow.scheduler import Schedule
        from gitorch.git import fence

        trust.require_person("run the queue")
        begun = datetime.now(UTC)
        with self._run_lock(), self._after_orphans():
            self.recover()
            self.repository.require_git()
            self._require_base()
            trust.require(self.repository.common_dir, configuration.commands(self.loaded.layers), FILE)
            means = self.means()
            self._preflight(means)
            schedule = Schedule(self._work(means, stop), limits, stop)
            changed: dict[TaskId, None] = {}
            untouched = fence.fingerprint(self.repository, ours=self._own_refs())
            for tasks in schedule.run():
                changed.update(dict.fromkeys(task.id for task in tasks))
                self.store.save(tasks)
                self.store.snapshot_if_due()
                yield tasks
            self.store.snapshot()
            moved = fence.differences(untouched, fence.fingerprint(self.repository, ours=self._own_refs()))
            return self._summary(schedule, changed, stop, begun, moved)

    def _own_refs(self) -> tuple[str, ...]:
        branches = [branch_ref(task.branch) for task in self.tasks.values() if task.branch]
        under = [f"refs/heads/{self.config.prefix}"] if self.config.prefix.endswith("/") else branches
        return (*under, branch_ref(self.config.integration))

    def _summary(
        self,
        schedule: Schedule,
        changed: Iterable[TaskId],
        stop: threading.Event,
        begun: datetime,
        moved: tuple[str, ...],
    ) -> RunSummary:
        if schedule.crashes:
            raise schedule.crashes[0]
        return RunSummary(
            changed=tuple(changed),
            stopped=schedule.why_left(),
            interrupted=stop.is_set(),
            started=begun,
            seconds=(datetime.now(UTC) - begun).total_seconds(),
            spent=schedule.spent,
            moved=moved,
        )

    def means(self) -> Means:
        """Return what attempts are made with."""
        from gitorch.agents import AGENTS
        from gitorch.executors.local import LocalExecutor
        from gitorch.workshop import Means

        return Means(
            repository=self.repository,
            config=self.config,
            executor=LocalExecutor(),
            agents=AGENTS,
            roles=self.roles,
            folder=self.folder,
            environment=dict(self.environment),
        )

    def _work(self, means: Means, stop: threading.Event) -> Work:
        from gitorch.flow import runner
        from gitorch.flow.scheduler import Work

        def carry(task: Task) -> Iterator[Task]:
            before = tuple(self.tasks[name] for name in task.after if name in self.tasks)
            checks = self.checks_for(task)
            if stop.is_set():  # asked for while this task was being started
                runner.ask_to_stop(means, task, runner.INTERRUPTED)
            yield from runner.attempt(means, task, checks, before)

        return Work(
            tasks=lambda: self.tasks,
            start=lambda task: self._start(means, task),
            carry=carry,
            failed=runner.failed_by,
            disk=self.repository.common_dir,
        )

    def _start(self, means: Means, task: Task) -> Task:
        """Return a queued task as running on its base; or as it is, with the reason why it cannot start now."""
        from gitorch.flow import base, runner

        found = base.choose_base(self.repository, self.config, task, self.tasks)
        if isinstance(found, base.BaseConflict):
            names, paths = " and ".join(found.tasks), ", ".join(found.paths)
            return change(task, reason=f"waits: {names} conflict in {paths}")
        started = runner.begin(means, task, found.commit)
        self.checks_for(started)  # refuse what is not trusted before anything is made
        return started

    def checks_for(self, task: Task) -> dict[str, str]:
        """Return the commands that judge a task's tree: those of its base commit's file, and the task's own.

        An agent cannot weaken its own judge: what it changes in that file does not count.
        """
        assert task.base is not None
        text = self.repository.file(task.base, FILE)
        if text is None:
            return self.config.checks | task.checks
        layer = configuration.parse(configuration.decode(text, FILE), FILE)
        checks = {"checks": layer.settings.get("checks", {})}
        if checks["checks"]:
            trust.require(self.repository.common_dir, checks, f"{FILE} of the base commit {task.base[:12]}")
        layers = [one for one in self.loaded.layers if one.origin != FILE]
        at = next((at for at, one in enumerate(self.loaded.layers) if one.origin == FILE), 0)
        layers.insert(min(at, len(layers)), msgspec.structs.replace(layer, settings=checks))
        return configuration.combine(layers).config.checks | task.checks

    def _require_base(self) -> None:
        """Raise `NotFound` when there is no commit that a queued task could start on."""
        from gitorch.flow import base

        if any(task.state is State.QUEUED and not task.from_ref for task in self.tasks.values()):
            base.trunk(self.repository, self.config)

    def agents_needed(self) -> dict[str, list[TaskId]]:
        """Return the agents that live tasks are for, with those tasks; "auto" where none is named."""
        needed: dict[str, list[TaskId]] = {}
        for task in self.tasks.values():
            if task.state in (State.QUEUED, State.WAITING, State.RUNNING):
                role = self.roles.get(task.role)
                name = task.agent or (role.agent if role else "") or self.config.agent
                needed.setdefault(name, []).append(task.id)
        return needed

    def _preflight(self, means: Means) -> None:
        """See that every agent that is needed can work, and give the tasks that name none the first that can."""
        changed: list[Task] = []
        for name, names in self.agents_needed().items():
            chosen = name
            if name == "auto":
                chosen = self._first_able(means)
            else:
                self.probe(means, name)
            changed += [change(self.tasks[one], agent=chosen) for one in names if self.tasks[one].agent != chosen]
        if changed:
            self.store.save(changed)

    def _first_able(self, means: Means) -> str:
        problems: list[str] = []
        for name in ("claude", "codex", "api"):
            try:
                self.probe(means, name)
            except SetupNeeded as problem:
                problems.append(f"{name}: {problem.what}")
            else:
                return name
        raise SetupNeeded(
            "no-agent",
            "no agent can work: none is installed and logged in",
            why="; ".join(problems),
            fix=("npm install -g @anthropic-ai/claude-code   then log in with: claude", "orchestrate demo"),
        )

    def probe(self, means: Means, name: str) -> str:
        """Return an agent's version, or raise `SetupNeeded` when it cannot work."""
        from gitorch import workshop
        from gitorch.executors.local import probe

        if name not in self.config.agents:
            raise _unknown("agent", name, list(self.config.agents))
        settings = self.config.agents[name]
        agent = means.agents[settings.kind]
        env = workshop.agent_environment(means, name)
        return agent.judge(settings, env, [probe(argv, env) for argv in agent.probes(settings)])

    @contextmanager
    def _run_lock(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "run.lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise Refused(
                    "run-held",
                    "another run is at work in this repository",
                    why=f"process {file.read().strip()}",
                    fix=("orchestrate watch",),
                ) from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    @contextmanager
    def _after_orphans(self) -> Iterator[None]:
        """Wait for the git processes that a killed run has left behind, and have those of this run waited for."""
        with (self.folder / "git.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with self.repository.lending(file):
                yield

    def is_running(self) -> bool:
        """Tell whether a run is at work in this repository."""
        try:
            with (self.folder / "run.lock").open("a+") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    def kill(self, tasks: Sequence[Task], reason: str, *, now: bool = False) -> list[Task]:
        """Stop tasks, from any process. Their committed and uncommitted work is kept on their branches.

        Where no run is at work, the attempts are brought to their end here.
        """
        from gitorch.flow import runner

        means = self.means()
        idle = [task for task in tasks if task.state is not State.RUNNING]
        self.store.save([change(task, state=State.CANCELLED, reason=reason) for task in idle])
        for task in tasks:
            if task.state is State.RUNNING:
                runner.ask_to_stop(means, task, reason, now=now)
        if not self.is_running():
            with self._run_lock(), self._after_orphans():
                for task in tasks:
                    if self.tasks[task.id].state is State.RUNNING:
                        self._settle(means, self.tasks[task.id])
        return [self.tasks[task.id] for task in tasks]

    def _settle(self, means: Means, task: Task) -> None:
        from gitorch.flow import runner

        try:
            for changed in runner.attempt(means, task, self.checks_for(task)):
                self.store.save([changed])
        except GitorchError as error:
            self.store.save([runner.failed_by(self.tasks[task.id], error)])

    def interrupt(self, *, now: bool = False) -> None:
        """Ask every running attempt to stop, so that it can go on with the next run."""
        from gitorch.flow import runner

        means = self.means()
        for task in list(self.tasks.values()):
            if task.state is State.RUNNING:
                runner.ask_to_stop(means, task, runner.INTERRUPTED, now=now)

    def executions(self, task: Task, number: int | None = None) -> list[Path]:
        """Return the folders of what an attempt executed, oldest first: prepare, agent and check executions."""
        from gitorch.flow.runner import attempt_folder

        folder = attempt_folder(self.folder, task, number)
        found = [spec.parent for spec in folder.glob("*/spec.json")]
        return sorted(found, key=lambda path: (path / "spec.json").stat().st_mtime_ns)

    def running(self) -> list[tuple[Task, Path, Running]]:
        """Return who is at work: each running task with its live execution, asked of the system itself."""
        from gitorch.executors.local import LocalExecutor, Running

        executor = LocalExecutor()
        live = [task for task in self.tasks.values() if task.state is State.RUNNING]
        handles = [(task, handle) for task in live for handle in self.executions(task)[-1:]]
        polled = [(task, handle, executor.poll(handle)) for task, handle in handles]
        return [(task, handle, status) for task, handle, status in polled if isinstance(status, Running)]

    def transcript(self, task: Task, execution: Path) -> Iterator[Event]:
        """Read what an execution said, as events."""
        from gitorch.agents import AGENTS
        from gitorch.agents.command import Command

        name = task.attempt.agent if task.attempt else task.agent
        settings = self.config.agents.get(name)
        is_agent = execution.name.startswith("agent-") and settings is not None
        agent = AGENTS[settings.kind] if is_agent and settings else Command()
        path = execution / "stdout"
        if path.exists():
            with path.open("rb") as lines:
                for line in lines:
                    yield from agent.events(line)

    def activity(self) -> dict[TaskId, str]:
        """Return the last thing that each running task's agent said or did."""
        return {task.id: self._last_words(task, handle) for task, handle, _ in self.running()}

    def _last_words(self, task: Task, execution: Path) -> str:
        if not execution.name.startswith("agent-"):
            return execution.name.replace("-", " ", 1)
        last = ""
        for event in _tail_events(self, task, execution):
            last = f"{event.tool} {event.text}".strip() or last
        return last.splitlines()[0] if last else ""

    def retry(self, task: Task, *, agent: str = "") -> Task:
        """Queue a fresh attempt on a fresh base. What there was is kept under the attempt's own ref."""
        again = change(
            task,
            state=State.QUEUED,
            reason="",
            agent=agent or task.agent,
            base=None,
            tip=None,
            results=(),
            comments=(),
            retried=0,
            wake=None,
            stale=False,
        )
        self.refuse_bare_names([again])
        self.store.save([again, *self._made_stale(task)])
        return again

    # morning

    def approve(self, tasks: Sequence[Task], who: str, *, force: bool = False, comment: str = "") -> list[Task]:
        """Accept tasks for merging. Failing checks are refused, unless forced."""
        trust.require_person("approve")
        tasks = [self._as_branch(task) for task in tasks]
        for task in tasks:
            if self.config.review.require_checks and not force:
                self._require_checks(task)
        approved = [change(task, state=State.APPROVED, reason="") for task in tasks]
        said = (Comment(text=comment),) if comment else ()
        self._note_verdicts(tasks, "approve", who, said)
        self.store.save(approved)
        self.store.snapshot_if_due()
        return approved

    def _require_checks(self, task: Task) -> None:
        """Raise `Refused` when a check fails, or when there are checks and none has judged this very tree."""
        failing = ", ".join(result.name for result in task.results if not result.passed)
        unjudged = task.tip is not None and not task.results and bool(self.checks_for(task))
        if failing or unjudged:
            raise Refused(
                "checks-failed",
                f"{task.id} does not pass its checks: {failing}"
                if failing
                else f"no check has judged {task.id} as it is",
                fix=(f"orchestrate revise {task.id} -m ...", f"orchestrate approve {task.id} --force"),
            )

    def _as_branch(self, task: Task) -> Task:
        """Return a task with its branch's tip as it is now: a person may have committed to it by hand.

        Raises `Refused` when the branch is gone or no longer holds what was reviewed.
        """
        ref = branch_ref(task.branch)
        tip = self.repository.refs(ref).get(ref) if task.branch else None
        if tip == task.tip or task.tip is None:
            return task
        if tip is None or not self.repository.is_ancestor(task.tip, tip):
            raise Refused(
                "branch-moved",
                f"{task.branch} no longer holds the work that was checked",
                why=f"{task.tip[:12]} was checked, the branch is at {tip[:12] if tip else 'no commit'}",
                fix=(f"git branch --force {task.branch} {task.tip[:12]}", f"orchestrate retry {task.id}"),
            )
        same = self.repository.tree(tip) == self.repository.tree(task.tip)
        return change(task, tip=tip, results=task.results if same else ())

    def comment(self, task: Task, comment: Comment) -> Task:
        """Add a reviewer's words to a task; `revise` sends them."""
        commented = change(task, comments=(*task.comments, comment))
        self.store.save([commented])
        return commented

    def revise(self, task: Task, who: str, comments: Sequence[Comment]) -> Task:
        """Send a task back: the next attempt goes on with its branch and gets the comments."""
        trust.require_person("send work back")
        every = (*task.comments, *comments)
        if not every:
            raise InvalidInput(
                "no-comment", "say what should be different", fix=(f'orchestrate revise {task.id} -m "..."',)
            )
        revised = change(task, state=State.QUEUED, reason="sent back", comments=every, retried=0)
        self._note_verdicts([task], "revise", who, every)
        self.store.save([revised, *self._made_stale(task)])
        self.store.snapshot_if_due()
        return revised

    def reject(self, task: Task, who: str, comment: str = "") -> Task:
        """Drop a task. Its branch is kept."""
        trust.require_person("reject work")
        rejected = change(task, state=State.REJECTED, reason=comment)
        self._note_verdicts([task], "reject", who, (Comment(text=comment),) if comment else ())
        self.store.save([rejected, *self._made_stale(task)])
        self.store.snapshot_if_due()
        return rejected

    def _made_stale(self, task: Task) -> list[Task]:
        """Return the tasks that build on this one, marked: what they build on is no longer what it was."""
        tasks = self.tasks
        below = (tasks[name] for name in graph.dependants(task.id, tasks))
        return [change(one, stale=True) for one in below if one.base is not None and one.state is not State.MERGED]

    def _note_verdicts(self, tasks: Sequence[Task], verdict: str, who: str, comments: Sequence[Comment]) -> None:
        from gitorch.git import notes

        lines = {task.tip: [note.verdict_line(task, verdict, who, comments)] for task in tasks if task.tip}
        if lines:
            notes.append(self.repository, lines, f"note verdict {verdict}")

    # merging

    def plan_merge(self, names: Sequence[TaskId] | None, skip: Sequence[TaskId] = ()) -> Plan:
        """Say what a merge would do, without doing anything."""
        from gitorch.flow import base, merger

        tasks = self.tasks
        for name in names or ():
            if tasks[name].state not in merger.MERGEABLE:
                raise Refused(
                    "not-approved", f"{name} is {tasks[name].state}, not approved", fix=(f"orchestrate approve {name}",)
                )
        before = self.integration()
        onto = before or base.trunk(self.repository, self.config)
        return merger.plan(self.repository, tasks, merger.choose(tasks, names, skip), before, onto)

    def verify_merge(self, plan: Plan, verify: str) -> Generator[Progress, None, Plan]:
        """Check the trees that a plan would publish; return the plan of what stays green."""
        from gitorch.flow import merger

        judge = self._judge(plan.onto)
        return (yield from merger.verified(self.repository, self.tasks, plan, judge.check, verify))

    def publish(self, plan: Plan) -> None:
        """Move the integration branch, the notes and the tasks to a plan's result, all or nothing."""
        from gitorch.flow import merger
        from gitorch.git import notes

        trust.require_person("merge")
        conflicted = self._conflicted(plan)
        if not plan.steps:
            self.store.save(conflicted)
            return
        self._refuse_checked_out(self.config.integration)
        restated = [Restated(step.task.id, step.task.state, State.MERGED, step.replayed.tip) for step in plan.steps]
        restated += [Restated(one.id, self.tasks[one.id].state, one.state, reason=one.reason) for one in conflicted]
        with self.operations.turn() as lock, notes.turn(self.repository), self.repository.lending(lock):
            moves = merger.moves(self.repository, plan, self.config.integration)
            self._move_all("merge", moves, restated, f"merge {len(plan.steps)} tasks")
        self.store.snapshot_if_due()

    def _move_all(self, kind: str, moves: Sequence[RefMove], restated: Sequence[Restated], reason: str) -> None:
        """Move refs and restate tasks, all or nothing; what a crash cuts short is carried through by `recover`."""
        refs = tuple(Moved(move.ref, move.old, move.new) for move in moves)
        operation = self.operations.open(kind, refs, tuple(restated))
        try:
            self.repository.move(moves, reason)
        except GitorchError:
            if not self._carry_through(operation):
                raise
        else:
            self._carry_through(operation)

    def _carry_through(self, operation: Operation) -> bool:
        """Bring an operation to its end from wherever it stands; give it up, and return False, where nothing moved."""
        moves = [RefMove(one.ref, one.new, one.old) for one in operation.refs if one.new != one.old]
        now = self.repository.refs(*(move.ref for move in moves)) if moves else {}
        ahead = [move for move in moves if now.get(move.ref) == move.old]
        if moves and len(ahead) == len(moves):
            self.operations.close(operation, done=False)
            return False
        # git's transactions are not atomic against a crash: what has not moved yet is moved now
        self.repository.move(ahead, f"finish {operation.kind}")
        self.store.save(self._restated(operation))
        self.operations.close(operation, done=True)
        return True

    def _restated(self, operation: Operation) -> list[Task]:
        # what somebody has changed since is left to them
        tasks = self.tasks
        lasting = [one for one in operation.tasks if one.task in tasks and tasks[one.task].state is one.old]
        return [
            change(tasks[one.task], state=one.new, reason=one.reason, merged_as=one.merged_as)
            for one in lasting
            if one.new is not one.old
        ]

    def _conflicted(self, plan: Plan) -> list[Task]:
        found = []
        for clash in plan.clashes:
            partners = ", ".join(clash.partners) or self.config.integration
            reason = f"conflicts with {partners} in {', '.join(clash.paths)}"
            found.append(change(self.tasks[clash.task.id], state=State.CONFLICTED, reason=reason))
        return found

    def _judge(self, base: Oid) -> Judge:
        from gitorch.flow.verify import Judge

        tree = Task(id=TaskId("integration"), number=0, title="", prompt="", base=base)
        return Judge(self.means(), self.checks_for(tree))

    def _refuse_checked_out(self, branch: str) -> None:
        """Raise `Refused` when a worktree has this branch checked out: moving it would make that look dirty."""
        listing = self.repository.git("worktree", "list", "--porcelain", "-z").stdout.decode("utf-8", "surrogateescape")
        for entry in listing.split("\0\0"):
            lines = entry.split("\0")
            if f"branch {branch_ref(branch)}" in lines:
                where = lines[0].removeprefix("worktree ")
                raise Refused("checked-out", f"{branch} is checked out in {where}", fix=(f"git -C {where} switch -",))

    def recover(self) -> list[str]:
        """Finish what a killed command had begun, and return what was done in words."""
        if self.operations.is_settled():
            return []
        with self.operations.turn() as lock, self.repository.lending(lock):
            return [self._told(operation) for operation in self.operations.unfinished()]

    def _told(self, operation: Operation) -> str:
        happened = self._carry_through(operation)
        return f"{operation.kind} was cut short: " + ("finished now" if happened else "it had moved nothing")

    # upkeep

    def removable(self) -> list[Task]:
        """Return the tasks that `cleanup` would remove: merged and rejected ones that nothing waits for any more."""
        over = {task.id: task for task in self.tasks.values() if task.state in (State.MERGED, State.REJECTED)}
        needed = {name for task in self.tasks.values() if task.id not in over for name in task.after}
        return [task for name, task in over.items() if name not in needed]

    def cleanup(self, tasks: Sequence[Task]) -> Iterator[Task]:
        """Remove worktrees and branches of tasks that are over, and the tasks from the file, yielding each.

        Uncommitted files go to a rescue point, the branch's commits stay under `refs/gitorch/trash/`.
        """
        from gitorch.git import worktrees

        trust.require_person("clean up")
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        for task in tasks:
            worktree = worktrees.find(self.repository, Path(task.worktree)) if task.worktree else None
            if worktree is not None:
                ref = naming.rescue_ref(task.id)
                worktrees.remove(self.repository, worktree, ref, f"uncommitted files of {task.id}")
            if task.branch and not task.adopted:
                self._trash(task, stamp)
            # before the task: what is left of it would be taken for an execution of the next task of this name
            if (attempts := self.folder / "attempts" / task.id).exists():
                shutil.rmtree(attempts)
            self.store.save([], dropped=[task.id])
            yield task
        self.store.snapshot()

    def _trash(self, task: Task, stamp: str) -> None:
        ref = branch_ref(task.branch)
        tip = self.repository.refs(ref).get(ref)
        if tip is not None:
            keep = RefMove(naming.trash_ref(task.id, stamp), tip, None)
            self.repository.move([keep, RefMove(ref, None, tip)], f"clean up {task.id}")

    def _tasks_of_branches(self) -> list[Task]:
        """Make tasks again from branches and notes, where the task file and its journal are gone."""
        from gitorch.git import notes

        prefix = self.config.prefix
        ours = self.repository.refs(f"refs/heads/{prefix}**" if not prefix.endswith("/") else f"refs/heads/{prefix}")
        told = notes.read_all(self.repository)
        merged = {str(line.get("task")) for lines in told.values() for line in lines if line["kind"] == "merged"}
        found = []
        for number, (ref, tip) in enumerate(sorted(ours.items()), start=1):
            branch = ref.removeprefix("refs/heads/")
            name = branch.removeprefix(prefix)
            if name not in naming.RESERVED and branch != self.config.integration:
                task = note.read_task(name, number, branch, tip, self._fork(tip), told.get(tip, ()))
                if name in merged and task.state is not State.REJECTED:
                    task = msgspec.structs.replace(task, state=State.MERGED)
                found.append(self._placed(task))
        return _renumbered(found)

    def _placed(self, task: Task) -> Task:
        from gitorch import workshop

        path = workshop.worktree_path(self.repository, self.config, task.id)
        return msgspec.structs.replace(task, worktree=str(path)) if path.is_dir() else task

    def _fork(self, tip: Oid) -> Oid | None:
        head = self.repository.resolve("HEAD")
        answer = self.repository.git("merge-base", head, tip, ok=(0, 1)) if head else None
        return Oid(answer.text) if answer and answer.code == 0 else None


def load_config(repository: Repository, assignments: Sequence[str], environment: Mapping[str, str]) -> Loaded:
    """Read all layers of the configuration of a repository."""
    files = [configuration.user_file()]
    if repository.work_tree is not None:
        files += [repository.work_tree / FILE, repository.work_tree / PERSONAL]
    layers = [layer for path in files if (layer := configuration.parse_file(path))]
    layers += [configuration.from_environment(environment), configuration.from_assignments(assignments)]
    return configuration.combine(layers)


def _tail_events(orchestrator: Orchestrator, task: Task, execution: Path) -> Iterator[Event]:
    """Read the events of a transcript's last part: enough for what is going on, however long it is."""
    from gitorch.agents import AGENTS

    settings = orchestrator.config.agents.get(task.agent)
    path = execution / "stdout"
    if settings is None or not path.exists():
        return
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65_536))
        for line in file.read().splitlines():
            yield from AGENTS[settings.kind].events(line)


def _renumbered(tasks: Sequence[Task]) -> list[Task]:
    """Give tasks that lost their number a free one."""
    used: set[int] = set()
    result = []
    for task in sorted(tasks, key=lambda one: one.number):
        number = task.number if task.number not in used else max(used) + 1
        used.add(number)
        result.append(msgspec.structs.replace(task, number=number))
    return result


def _not_found(name: str, found: Sequence[Task], tasks: Tasks) -> NotFound:
    import difflib

    if found:
        return NotFound("ambiguous", f"{name} can mean {', '.join(task.id for task in found[:5])}")
    near = difflib.get_close_matches(name, tasks, n=3)
    return NotFound(
        "no-such-task",
        f"there is no task {name}",
        why=f"there is {', '.join(near)}" if near else "",
        fix=("orchestrate status",),
    )


def _unknown(what: str, name: str, known: Sequence[str]) -> InvalidInput:
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return InvalidInput(
        f"unknown-{what}", f"there is no {what} {name}{hint}", why=f"there is {', '.join(sorted(known))}"
    )


def at_clock(text: str) -> datetime | None:
    """Read `07:00` as the next time that a clock shows it; empty text is no time."""
    if not text:
        return None
    try:
        wanted = datetime.strptime(text, "%H:%M").time()
    except ValueError:
        raise InvalidInput("time", f"{text!r} is not a time", fix=("write it as 07:00",)) from None
    now = datetime.now().astimezone()
    then = now.replace(hour=wanted.hour, minute=wanted.minute, second=0, microsecond=0)
    return (then if then > now else then + timedelta(days=1)).astimezone(UTC)


__all__ = ["Orchestrator", "Ref", "RunSummary", "TaskMoved", "at_clock", "load_config"]
