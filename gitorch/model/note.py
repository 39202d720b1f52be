"""The lines of git notes: what happened to commits, readable in any clone; and tasks read back from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from gitorch.model import handoff
from gitorch.model.naming import Oid, TaskId, slug
from gitorch.model.redact import redacted
from gitorch.model.task import Attempt, CheckResult, Comment, Commits, Phase, State, Task, TaskSpec, current_attempt

LONGEST = 65_536

Line = dict[str, Any]

_VERDICTS = {"approve": State.APPROVED, "reject": State.REJECTED}

UNKNOWN_END = "rebuilt from its branch: how its attempt ended is not known"


def now() -> str:
    """Return this moment as RFC 3339 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def attempt_line(task: Task, files: Sequence[str] = ()) -> Line:
    """Return the note of an ended attempt: who did what was asked, on what, how it ended, and what is handed over.

    `files` are the paths that it changed.
    """
    last = current_attempt(task)
    return {
        "kind": "attempt",
        "v": 1,
        "task": task.id,
        "number": last.number,
        "agent": last.agent,
        "role": task.spec.role,
        "session": last.session,
        "base": task.base,
        "started": msgspec.to_builtins(last.started),
        "seconds": last.seconds,
        "usage": msgspec.to_builtins(last.usage),
        "exit": last.ending,
        "state": task.state,
        "title": redacted(task.title),
        "prompt": redacted(task.spec.prompt)[:LONGEST],
        "after": list(task.spec.after),
        "task_number": task.number,
        "created": msgspec.to_builtins(task.spec.created),
        "handoff": msgspec.to_builtins(handoff.read(last.summary, files)),
        **({"goal": redacted(task.spec.goal)[:LONGEST]} if task.spec.goal else {}),
        **({"acceptance": [redacted(one) for one in task.spec.acceptance]} if task.spec.acceptance else {}),
    }


def adopted_line(task: Task) -> Line:
    """Return the note of a branch that became a task; it stands on the branch's tip."""
    return {
        "kind": "adopted",
        "v": 1,
        "task": task.id,
        "branch": task.branch,
        "base": task.base,
        "tip": task.tip,
        "title": redacted(task.title),
        "prompt": redacted(task.spec.prompt)[:LONGEST],
        "after": list(task.spec.after),
        "task_number": task.number,
        "created": msgspec.to_builtins(task.spec.created),
    }


def read_adopted(lines: Sequence[Mapping[str, Any]], tip: Oid) -> Task | None:
    """Make an adopted task again from the notes on its tip; None where these tell of none.

    A merge copies notes to the commits that stand for others: those tell of another tip.
    """
    found = next((line for line in lines if line["kind"] == "adopted" and line.get("tip") == tip), None)
    if found is None:
        return None
    name = str(found.get("task"))
    verdicts = [str(line.get("verdict")) for line in lines if line["kind"] == "verdict" and line.get("task") == name]
    title = str(found.get("title") or name)
    return Task(
        id=slug(name),
        number=int(found.get("task_number") or 0),
        spec=TaskSpec(
            title=title,
            prompt=str(found.get("prompt") or title),
            after=tuple(TaskId(str(one)) for one in found.get("after") or ()),
        ),
        state=_VERDICTS.get(verdicts[-1], State.FINISHED) if verdicts else State.FINISHED,
        branch=str(found.get("branch")),
        commits=_commits(found.get("base"), tip),
        results=tuple(_result(line) for line in lines if line["kind"] == "check"),
        adopted=True,
    )


def check_line(result: CheckResult) -> Line:
    """Return the note of one check's result on a tree."""
    return {
        "kind": "check",
        "v": 1,
        "name": result.name,
        "tree": result.tree,
        "command": redacted(result.command),
        "exit_code": result.exit_code,
        "seconds": result.seconds,
        **({"flaky": True} if result.flaky else {}),
    }


def verdict_line(task: Task, verdict: str, who: str, comments: Sequence[Comment] = ()) -> Line:
    """Return the note of a reviewer's verdict: approve, revise or reject."""
    return {
        "kind": "verdict",
        "v": 1,
        "task": task.id,
        "who": who,
        "verdict": verdict,
        "comments": [msgspec.to_builtins(comment) for comment in comments],
        "when": now(),
    }


def merged_line(task: TaskId, commit: Oid, integration: str) -> Line:
    """Return the note of a commit that came from a task's commit by a merge."""
    return {"kind": "merged", "v": 1, "task": task, "commit": commit, "integration": integration, "when": now()}


def resolved_line(task: TaskId, paths: Sequence[str], by: str) -> Line:
    """Return the note of a commit whose conflict in these files was solved on the way: by what."""
    return {"kind": "resolved", "v": 1, "task": task, "paths": [redacted(path) for path in paths], "by": by}


def read_task(
    name: str, number: int, branch: str, tip: Oid, base: Oid | None, lines: Iterable[Mapping[str, Any]]
) -> Task:
    """Make a task again from its branch and the notes on its tip.

    Where no attempt was noted, the branch itself is all that is known: such a task is failed, with its branch kept.
    """
    found: Mapping[str, Any] = {}
    results: list[CheckResult] = []
    state, reason = State.FAILED, UNKNOWN_END
    for line in lines:
        if line["kind"] == "attempt" and line.get("task") == name:
            found, results = line, []
            state, reason = _state(line), ""
        elif line["kind"] == "check":
            results.append(_result(line))
        elif line["kind"] == "verdict" and found:
            state = _VERDICTS.get(str(line.get("verdict")), state)
    title = str(found.get("title") or name)
    last = Attempt(
        number=int(found.get("number") or 1),
        agent=str(found.get("agent") or ""),
        base=found.get("base") or base,
        phase=Phase.ENDED,
        session=str(found.get("session") or ""),
        summary=_summary(found.get("handoff")),
        ending=str(found.get("exit") or ""),
    )
    return Task(
        id=slug(name),
        number=int(found.get("task_number") or number),
        spec=TaskSpec(
            title=title,
            prompt=str(found.get("prompt") or title),
            agent=last.agent,
            role=str(found.get("role") or ""),
            goal=str(found.get("goal") or ""),
            acceptance=tuple(map(str, found.get("acceptance") or ())),
            after=tuple(TaskId(str(one)) for one in found.get("after") or ()),
        ),
        state=state,
        reason=reason,
        branch=branch,
        commits=_commits(last.base, tip),
        attempts=last.number,
        attempt=last,
        results=tuple(results),
    )


def _commits(base: Oid | None, tip: Oid) -> Commits | None:
    return Commits(base, tip) if base else None


def _summary(told: object) -> str:
    """Return an agent's last words again, from the handoff that was noted."""
    try:
        return handoff.said(msgspec.convert(told, handoff.Handoff)) if told else ""
    except msgspec.ValidationError:
        return ""  # anybody can write notes


def _state(line: Mapping[str, Any]) -> State:
    try:
        state = State(str(line.get("state")))
    except ValueError:
        return State.FAILED
    return State.FAILED if state in (State.RUNNING, State.MERGED) else state


def _result(line: Mapping[str, Any]) -> CheckResult:
    return CheckResult(
        name=str(line.get("name")),
        command=str(line.get("command")),
        tree=Oid(str(line.get("tree"))),
        exit_code=line.get("exit_code"),
        seconds=float(line.get("seconds") or 0.0),
    )
