"""Values as JSON: the fields that programs are promised. Absent means "does not apply", null "not known"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gitorch.errors import GitorchError
from gitorch.model.forecast import Candidate, Conflict
from gitorch.model.naming import TaskId
from gitorch.model.outcome import Usage
from gitorch.model.task import Attempt, CheckResult, Comment, Task

if TYPE_CHECKING:
    from os import PathLike

    from gitorch.flow.merge import Clash, Failure, Kept, Plan, Rebased, Target
    from gitorch.flow.review import Card
    from gitorch.replay.hunks import Hunk

Json = dict[str, Any]


def task(one: Task) -> Json:
    """Return a task."""
    return {
        "id": one.id,
        "number": one.number,
        "title": one.title,
        "state": str(one.state),
        "agent": one.spec.agent or None,
        "role": one.spec.role or None,
        "priority": str(one.spec.priority),
        "after": list(one.spec.after),
        "branch": one.branch or None,
        "worktree": one.worktree or None,
        "base": one.base,
        "tip": one.tip,
        "attempts": one.attempts,
        "attempt": attempt(one.attempt) if one.attempt else None,
        "checks": {"passed": one.passed, "results": [check(result) for result in one.results]},
        "stale": one.stale,
        "reason": one.reason or None,
        "cost": cost(one.spent),
        "created": at(one.spec.created),
        "comments": [comment(said) for said in one.comments],
        **_sometimes(one),
    }


def _sometimes(one: Task) -> Json:
    """Return the fields that apply to some tasks only."""
    found: Json = {}
    if one.wake is not None:
        found["wake"] = at(one.wake)
    if one.merged_as is not None:
        found["merged_as"] = one.merged_as
    if one.adopted:
        found["adopted"] = True
    if one.spec.paths:
        found["paths"] = list(one.spec.paths)
    if one.spec.role_reason:
        found["role_why"] = one.spec.role_reason
    return found


def asked(one: Task) -> Json:
    """Return what a plan said of a task, where it comes from one."""
    goal: Json = {"goal": one.spec.goal} if one.spec.goal else {}
    return {**goal, "acceptance": list(one.spec.acceptance)} if one.spec.acceptance else goal


def attempt(last: Attempt) -> Json:
    """Return an attempt."""
    return {
        "number": last.number,
        "agent": last.agent,
        "base": last.base,
        "phase": str(last.phase),
        "round": last.round,
        "session": last.session or None,
        "resumed": last.resumed,
        "started": at(last.started),
        "seconds": last.seconds,
        "ending": str(last.ending) or None,
        "summary": last.summary or None,
        "cost": cost(last.usage),
        "denials": list(last.denials),
        "alarms": list(last.alarms),
    }


def check(result: CheckResult) -> Json:
    """Return a check's result; its exit code is null when it could not be run to its end."""
    return {
        "name": result.name,
        "exit_code": result.exit_code,
        "seconds": result.seconds,
        "command": result.command,
        "tree": result.tree,
        **({"flaky": True} if result.flaky else {}),
    }


def cost(usage: Usage | None) -> Json | None:
    """Return what was spent; dollars are null where the agent does not tell them."""
    if usage is None:
        return None
    return {
        "usd": usage.usd,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
        "turns": usage.turns,
    }


def comment(said: Comment) -> Json:
    """Return a comment; `file` and `line` are absent where it is about the whole task or the whole file."""
    place: Json = {"file": said.file} if said.file else {}
    if said.line:
        place["line"] = said.line
    return {**place, "text": said.text, "who": said.who or None, "attempt": said.attempt or None}


def status(tasks: Iterable[Task], *, repository: str | PathLike[str], branch: str, oid: str | None) -> Json:
    """Return `gitorch/status/1`: every task, and where the integration branch `branch` is (null: not there yet)."""
    return {
        "schema": "gitorch/status/1",
        "repository": str(repository),
        "integration": {"branch": branch, "oid": oid},
        "tasks": [task(one) for one in tasks],
    }


def foreseen_conflict(one: Conflict, integration: str) -> Json:
    """Return a foreseen conflict; `with` names the integration branch where it is with what is merged."""
    among = {"with": integration} if len(one.tasks) == 1 else {}
    return {"tasks": list(one.tasks), "paths": list(one.paths), **among}


def foreseen(conflicts: Iterable[Conflict], candidate: Candidate | None, integration: str) -> Json:
    """Return what is known before the morning: the fields `conflicts` and `candidate` (null: there is none yet)."""
    return {
        "conflicts": [foreseen_conflict(one, integration) for one in conflicts],
        "candidate": _candidate(candidate) if candidate else None,
    }


def _candidate(one: Candidate) -> Json:
    return {
        "branch": one.branch,
        "tip": one.tip,
        "tree": one.tree,
        "onto": one.onto,
        "when": at(one.when),
        "tasks": list(one.tasks),
        "left_out": [
            {"id": left.task, "reason": left.reason, "with": list(left.partners), "paths": list(left.paths)}
            for left in one.left_out
        ],
        "checks": {"judgement": str(one.judgement), "results": [check(result) for result in one.results]},
        "red": [
            {"id": red.task, "check": red.check, "with": list(red.partners), "alone": red.alone} for red in one.red
        ],
        "held": one.held or None,
        "reason": one.reason or None,
    }


def card(one: Card) -> Json:
    """Return what a reviewer sees of a task; the line counts of a binary file are null."""
    return {
        "task": task(one.task),
        "risk": one.risk,
        "signals": [
            {"weight": signal.weight, "text": signal.text, **({"path": signal.path} if signal.path else {})}
            for signal in one.signals
        ],
        "commits": list(one.commits),
        "added": one.added,
        "removed": one.removed,
        "files": [
            {"path": change.path, "status": change.status, "added": change.added, "removed": change.removed}
            for change in one.changes
        ],
    }


def merge(plan: Plan, integration: str, hunks: Mapping[TaskId, Sequence[Hunk]] | None = None) -> Json:
    """Return `gitorch/merge/1`: what a merge did, or would do; `hunks` are the places of each conflict."""
    return {
        "schema": "gitorch/merge/1",
        "integration": {"branch": integration, "before": plan.before, "after": _integrated(plan)},
        "merged": [
            {
                "id": step.task.id,
                "old_tip": step.task.tip,
                "new_tip": step.replayed.tip,
                "commits": [{"old": old, "new": new} for old, new in step.replayed.pairs],
            }
            for step in plan.steps
        ],
        "conflicted": [conflict(clash, (hunks or {}).get(clash.task.id, ())) for clash in plan.clashes],
        "failed": [failed(failure) for failure in plan.failures],
        "held": [{"id": held.task.id, "reason": held.reason} for held in plan.held],
        "checks": [check(result) for result in plan.results],
        **({"flakes": [check(result) for result in plan.flakes]} if plan.flakes else {}),
        "resolved": [
            {"id": step.task.id, "paths": list(one.paths), "by": one.by}
            for step in plan.steps
            for one in step.replayed.resolved
        ],
        **({"base": rebased(plan.rebased)} if plan.rebased else {}),
        **({"into": into(plan.target, _integrated(plan))} if plan.target else {}),
        **({"red_base": plan.red_base} if plan.red_base else {}),
    }


def _integrated(plan: Plan) -> str | None:
    """Return where the integration branch is in the end."""
    moves = plan.steps or (plan.target is not None and plan.before is not None and not plan.is_stuck)
    return plan.tip if moves else plan.before


def rebased(found: Rebased | Kept) -> Json:
    """Return what became of the integration branch when its base moved on: replayed on it, in conflict, or kept."""
    from gitorch.flow.merge import Kept
    from gitorch.replay import Conflicted

    told: Json = {"branch": found.branch, "ahead": found.ahead}
    if isinstance(found, Kept):
        return {**told, "replayed": None, "reason": found.reason}
    if isinstance(found.replayed, Conflicted):
        clash = {"commit": found.replayed.commit, "paths": list(found.replayed.paths)}
        return {**told, "replayed": None, "conflict": clash}
    return {**told, "replayed": [{"old": old, "new": new} for old, new in found.replayed.pairs]}


def into(target: Target, tip: str | None) -> Json:
    """Return the branch of the user's that was brought along: from where to where."""
    return {"branch": target.branch, "before": target.before, "after": tip or target.before}


def conflict(clash: Clash, hunks: Sequence[Hunk] = ()) -> Json:
    """Return a conflict: the stages are git's (1 base, 2 ours, 3 theirs), `line` is that of our file."""
    found: Json = {"id": clash.task.id, "paths": list(clash.paths), "with": list(clash.partners)}
    if clash.conflict is not None:
        found["commit"] = clash.conflict.commit
        found["stages"] = [
            {"path": stage.path, "stage": stage.number, "mode": stage.mode, "oid": stage.blob}
            for stage in clash.conflict.stages
        ]
        found["hunks"] = [
            {"path": hunk.path, "line": hunk.line, "ours": list(hunk.ours), "theirs": list(hunk.theirs)}
            for hunk in hunks
        ]
    return found


def failed(failure: Failure) -> Json:
    """Return a task that a check fails with; whether it passes alone is null where that is not known."""
    found: Json = {"id": failure.task.id, "check": failure.check, "with": list(failure.partners)}
    return {**found, "alone": failure.alone, "output": failure.output or None}


def error(failure: GitorchError) -> Json:
    """Return `gitorch/error/1`."""
    return {
        "schema": "gitorch/error/1",
        "code": failure.code,
        "what": failure.what,
        "why": failure.why or None,
        "fix": list(failure.fix),
        "exit": failure.exit,
    }


def at(when: datetime | None) -> str | None:
    """Return a point in time as RFC 3339 in UTC, to the millisecond where it has a fraction."""
    if when is None:
        return None
    exact = "milliseconds" if when.microsecond else "seconds"
    return when.astimezone(UTC).isoformat(timespec=exact).replace("+00:00", "Z")


def now() -> str:
    """Return this moment as RFC 3339 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def dumps(value: Mapping[str, Any]) -> str:
    """Return a value as one line of JSON: its text as it is, but what would steer a terminal as `\\u` escapes."""
    import json

    from gitorch.cli.terminal.sanitize import json_escaped

    return json_escaped(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
