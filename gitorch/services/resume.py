"""Go on with a task in the session of its last attempt."""

from __future__ import annotations

import msgspec

from gitorch import services
from gitorch.agents import AGENTS
from gitorch.errors import AnswerNeeded, InvalidInput, Refused
from gitorch.flow.attempt import was_cut_off
from gitorch.model.task import Attempt, State, Task, change
from gitorch.services import people_only
from gitorch.services.changes import change_tasks
from gitorch.services.workspace import Workspace

_RESUMABLE = (State.WAITING, State.FAILED, State.CANCELLED, State.QUEUED)


def resume(workspace: Workspace, task: Task, message: str = "") -> Task:
    """Queue a task so that its next attempt continues the session of the last one; `message` is told to the agent.

    Raises `Refused` for a task that has no attempt to continue, `AnswerNeeded` for a question without an answer, and
    `InvalidInput` if the agent has ended its work and there is no message.
    """
    people_only.require_person("resume a task")
    last = _last_attempt(task)
    if task.question and not message:
        raise AnswerNeeded(
            "no-answer",
            f"{task.id} asked a question",
            why=task.question,
            fix=(f'orchestrate resume {task.id} -m "..."',),
        )
    if not message and not task.answer and not was_cut_off(last):
        raise InvalidInput(
            "no-message",
            f"say what the agent of {task.id} should do next",
            why="its session has ended; only an interrupted one goes on by itself",
            fix=(f'orchestrate resume {task.id} -m "..."', f"orchestrate retry {task.id}"),
        )
    return change_tasks(workspace, "resume", [(task, answered(workspace, task, message))], f"resume {task.id}")[0]


def answered(workspace: Workspace, task: Task, message: str) -> Task:
    """Return a task queued again, with what its agent is told in the session of the last attempt."""
    answer = message or task.answer
    if message and task.question:
        both = f"Question: {task.question}\n\nAnswer: {message}"
        task = msgspec.structs.replace(task, user_answers=(*task.user_answers, both))
        answer = message if _is_resumable(workspace, task) else both
    reason = "answered" if message else "resumed"
    if task.state is State.QUEUED:
        return change(task, reason=reason, answer=answer, retried=0)
    return change(task, state=State.QUEUED, reason=reason, answer=answer, retried=0, wake=None)


def starts_afresh(workspace: Workspace, task: Task) -> bool:
    """Return whether an agent that could continue its session begins another one: the first is on a worker."""
    return services.remote.is_on(workspace) and _is_resumable(workspace, task)


def _last_attempt(task: Task) -> Attempt:
    if task.state is State.FINISHED:
        raise Refused(
            "finished",
            f"{task.id} is finished",
            why="the agent goes on with finished work when you send it back",
            fix=(f'orchestrate revise {task.id} -m "..."',),
        )
    if task.attempt is None or task.commits is None or task.state not in _RESUMABLE:
        what = "has no attempt to continue" if task.state in _RESUMABLE else f"is {task.state}"
        raise Refused("no-session", f"{task.id} {what}", fix=("orchestrate run",))
    return task.attempt


def _is_resumable(workspace: Workspace, task: Task) -> bool:
    settings = workspace.config.agents.get(task.spec.agent)
    return settings is not None and AGENTS[settings.kind].resumable
