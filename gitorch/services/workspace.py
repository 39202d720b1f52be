"""One repository with its tasks, its configuration and its operation log: what every stage stands on."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from gitorch import config as configuration
from gitorch.config import FILE, PERSONAL, Loaded
from gitorch.errors import InvalidInput, NotFound, did_you_mean, there_is
from gitorch.git.repository import Repository
from gitorch.model import graph, naming, note, subagents
from gitorch.model.naming import Oid, TaskId, branch_ref
from gitorch.model.roles import Role, route
from gitorch.model.task import State, Task, base_of, change, change_spec
from gitorch.services.changes import Operating
from gitorch.storage import trust
from gitorch.storage.operations import OperationLog
from gitorch.storage.tasks import Store, Tasks

if TYPE_CHECKING:
    from gitorch.rooms.environment import Means


class Workspace(Operating):
    """All that is known of one repository. Every method sees the true state, whoever changed it last."""

    def __init__(self, repository: Repository, loaded: Loaded, environment: Mapping[str, str]) -> None:
        self.repository = repository
        self.loaded = loaded
        self.config = loaded.config
        self.environment = environment
        self.folder = repository.common_dir / "gitorch"
        self.store = Store(self.folder, self._tasks_of_branches)
        self.operations = OperationLog(self.folder / "operations.jsonl")
        self._files: dict[Oid, bytes | None] = {}

    @classmethod
    def open(cls, start: Path, assignments: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Self:
        """Open the repository around a folder; raise `NotFound` where there is none, `InvalidInput` for its config."""
        repository = Repository.discover(start)
        environment = os.environ if environment is None else environment
        opened = cls(repository, load_config(repository, assignments, environment), environment)
        opened.store.notices.extend(opened.recover())
        opened._rebuild_if_gone()
        return opened

    def _rebuild_if_gone(self) -> None:
        """Make the state again where its whole folder is gone and notes tell that there was one."""
        if self.folder.exists() or not self.repository.refs(naming.NOTES):
            return
        found = [task for task in self._tasks_of_branches() if task.reason != note.UNKNOWN_END]
        if found:
            self.store.save(found)
            self.store.snapshot()
            self.store.notices.append(f"{self.folder} was gone: {len(found)} tasks made again from branches and notes")

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
        return self.repository.at(branch_ref(self.config.integration))

    def task_here(self, folder: Path) -> Task | None:
        """Return the task whose worktree a folder is in."""
        inside = [task for task in self.tasks.values() if task.worktree and folder.is_relative_to(task.worktree)]
        return inside[0] if inside else None

    @cached_property
    def roles(self) -> Mapping[str, Role]:
        """The specialists: built in, described by the repository, and changed by the configuration.

        The repository's are read from the commit that work starts on, as checks are: neither a file that an agent
        leaves in a work tree nor a branch of the night changes what the next agent is told.
        """
        base = "HEAD" if self.config.base == "auto" else self.config.base
        files = self.repository.plain_files(
            base, subagents.FOLDER, most=subagents.MOST_FILES, largest=subagents.LARGEST
        )
        commit = (self.repository.resolve(base) if files else None) or base
        found = (subagents.read(content, path, commit) for path, content in files.items() if path.endswith(".md"))
        below = subagents.add(role for role in found if role is not None)
        return configuration.roles(self.loaded, self.repository.work_tree, below)

    def roles_agent(self, role: str) -> str:
        """Return the agent that suits a role; empty where the configuration's choice is as good."""
        return self.roles[role].agent if role in self.roles else ""

    def routed(self, task: Task) -> Task:
        """Return a task with the role that it names, or that its words and paths call for, and the agent that suits."""
        chosen, why = task.spec.role or self.config.role, ""
        if chosen == "auto":
            # the title is the prompt's first line: what the prompt adds is the rest
            rest = task.spec.prompt.removeprefix(task.title)
            role, why = route(task.title, self.roles, prompt=rest, paths=task.spec.paths)
            chosen = role.name
        agent = task.spec.agent or self.roles_agent(chosen)
        return change_spec(task, role=chosen, role_reason=why, agent=agent)

    def means(self) -> Means:
        """Return what attempts are made with."""
        from gitorch.agents import AGENTS
        from gitorch.executors.local import LocalExecutor
        from gitorch.git.notes import Notebook
        from gitorch.rooms.environment import Means

        return Means(
            repository=self.repository,
            config=self.config,
            executor=LocalExecutor(),
            agents=AGENTS,
            roles=self.roles,
            folder=self.folder,
            environment=dict(self.environment),
            notebook=Notebook(self.repository, once=("kind", "task", "number")),
        )

    def checks_for(self, task: Task) -> dict[str, str]:
        """Return the commands that judge a task's tree: those of its base commit's file, and the task's own.

        An agent cannot weaken its own judge: what it changes in that file does not count.
        """
        base = base_of(task)
        # a commit's file never changes
        if base not in self._files:
            self._files[base] = self.repository.file(base, FILE)
        text = self._files[base]
        if text is None:
            return self.config.checks | task.spec.checks
        layer = configuration.parse(configuration.decode(text, FILE), FILE)
        checks = {"checks": layer.settings.get("checks", {})}
        if checks["checks"]:
            trust.require(self.repository.common_dir, checks, f"{FILE} of the base commit {base[:12]}")
        layers = [one for one in self.loaded.layers if one.origin != FILE]
        at = next((at for at, one in enumerate(self.loaded.layers) if one.origin == FILE), 0)
        layers.insert(min(at, len(layers)), msgspec.structs.replace(layer, settings=checks))
        return configuration.combine(layers).config.checks | task.spec.checks

    def require_trust(self) -> None:
        """Raise `Refused` when the repository's own files name commands that nobody has agreed to."""
        trust.require(self.repository.common_dir, trust.commands(self.loaded.layers), FILE)

    def probe(self, means: Means, name: str) -> str:
        """Return an agent's version, or raise `SetupNeeded` when it cannot work."""
        from gitorch.executors.local import probe
        from gitorch.rooms import environment as room_environment

        if name not in self.config.agents:
            raise unknown("agent", name, list(self.config.agents))
        settings = self.config.agents[name]
        agent = means.agents[settings.kind]
        env = room_environment.agent_environment(means, name)
        return agent.judge(settings, env, [probe(argv, env) for argv in agent.probes(settings)])

    def _made_stale(self, task: Task) -> list[tuple[Task, Task]]:
        """Return the tasks that build on this one, as they are and marked: what they build on has changed."""
        tasks = self.tasks
        below = (tasks[name] for name in graph.dependants(task.id, tasks))
        marked = [one for one in below if one.base is not None and one.state is not State.MERGED]
        return [(one, change(one, stale=True)) for one in marked]

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
        names = {task.id for task in found}
        return _renumbered([*found, *(task for task in self._adopted(told, merged) if task.id not in names)])

    def _adopted(self, told: Mapping[Oid, Sequence[note.Line]], merged: Container[str]) -> Iterator[Task]:
        """Make adopted tasks again, whose branches have any name."""
        branches = self.repository.refs("refs/heads")
        for tip, lines in told.items():
            task = note.read_adopted(lines, tip)
            if task is not None and branch_ref(task.branch) in branches:
                over = task.id in merged and task.state is not State.REJECTED
                yield msgspec.structs.replace(task, state=State.MERGED) if over else task

    def _placed(self, task: Task) -> Task:
        from gitorch.rooms import environment as room_environment

        path = room_environment.worktree_path(self.repository, self.config, task.id)
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
    if found:
        return NotFound("ambiguous", f"{name} can mean {', '.join(task.id for task in found[:5])}")
    return NotFound(
        "no-such-task",
        f"there is no task {name}",
        why=there_is(name, tasks),
        fix=("orchestrate status",),
    )


def unknown(what: str, name: str, known: Sequence[str]) -> InvalidInput:
    hint = did_you_mean(name, known, lead="; ")
    return InvalidInput(
        f"unknown-{what}", f"there is no {what} {name}{hint}", why=f"there is {', '.join(sorted(known))}"
    )
