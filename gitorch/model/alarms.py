"""What was refused to an agent, and what went around the repository's own hooks: one word or two each, and in words."""

from __future__ import annotations

from collections.abc import Sequence

_NETWORK = "network: "
_PUSH = "push to "
_HOOK = "hook "
_SKIPPED = "skipped hook "
_PAST = "past hook "
_COMMAND = "ran "
_LEFT = "left "
_REDACTED = "credentials: "
_MOST_COMMITS = 5
_PUT_ASIDE = "changed although it was only asked"

PUT_ASIDE = f"{_PUT_ASIDE}: put aside"
"""The alarm for what an agent changed that was to answer questions."""


def skipped(hook: str) -> str:
    """Return the alarm for a hook of the repository that gitorch's own commit did not run."""
    return _SKIPPED + hook


def past_hooks(hooks: Sequence[str], commits: Sequence[str]) -> str:
    """Return the alarm for commits that were made past hooks; the commits are in words."""
    named = "; ".join(commits[:_MOST_COMMITS])
    more = f"; and {len(commits) - _MOST_COMMITS} more" if len(commits) > _MOST_COMMITS else ""
    return f"{_PAST}{' and '.join(hooks)}: {len(commits)} commit{'s' if len(commits) > 1 else ''}: {named}{more}"


def is_past_hooks(alarm: str) -> bool:
    """Return whether an alarm is one of `past_hooks`."""
    return alarm.startswith(_PAST)


def redacted(text: str) -> str:
    """Return the alarm for what became of credentials in the agent's commits."""
    return _REDACTED + text


def is_redacted(alarm: str) -> bool:
    """Return whether an alarm is one of `redacted`."""
    return alarm.startswith(_REDACTED)


def is_lasting(alarm: str) -> bool:
    """Return whether an alarm is about commits: it holds as long as the branch has them."""
    return alarm.startswith((_SKIPPED, _REDACTED, _PAST))


def is_skipped(alarm: str) -> bool:
    """Return whether an alarm is one of `skipped`."""
    return alarm.startswith(_SKIPPED)


def is_hook(alarm: str) -> bool:
    """Return whether an alarm is about a hook of the repository's own."""
    return alarm.startswith((_HOOK, _SKIPPED))


def command(text: str) -> str:
    """Return the alarm for a command that the agent ran."""
    return _COMMAND + text


def is_command(alarm: str) -> bool:
    """Return whether an alarm is one of `command`."""
    return alarm.startswith(_COMMAND)


def left_running(count: int) -> str:
    """Return the alarm for processes that the agent started and did not end."""
    return f"{_LEFT}{count} process{'es' if count > 1 else ''} running"


def is_left_running(alarm: str) -> bool:
    """Return whether an alarm is one of `left_running`."""
    return alarm.startswith(_LEFT)


def not_taken(reason: str) -> str:
    """Return the alarm for work that stays where it is, of an attempt that ended for another reason."""
    return f"what it had done was not taken: {reason}"


def describe(alarm: str, moved: Sequence[str] = ()) -> str:
    """Return an alarm in words. `moved` are the differences that were found afterwards: they can contradict it."""
    if is_skipped(alarm):
        return (
            f"gitorch committed what the agent had left, without the repository's {alarm.removeprefix(_SKIPPED)} hook"
        )
    if is_past_hooks(alarm):
        hooks, count, commits = (*alarm.removeprefix(_PAST).split(": ", 2), "", "")[:3]
        verb = "was" if count.startswith("1 ") else "were"
        return f"{count} {verb} made past the repository's {hooks} hook{'s' if ' and ' in hooks else ''}: {commits}"
    if is_redacted(alarm):
        return alarm.removeprefix(_REDACTED)
    if is_command(alarm):
        return f"the agent {alarm}"
    if alarm.startswith(_PUT_ASIDE):
        return f"the agent was only asked, and changed files; they are in a rescue point{alarm.removeprefix(PUT_ASIDE)}"
    if is_left_running(alarm):
        return f"the agent {alarm}; gitorch ended what it left"
    if alarm.startswith(_HOOK):
        return f"the repository's {alarm.removeprefix(_HOOK)} hook refused the agent's work"
    if alarm.startswith(_NETWORK):
        return f"the agent tried to reach {alarm.removeprefix(_NETWORK)}; the sandbox refused it"
    if alarm.startswith(_PUSH):
        return f"the agent tried to {alarm}; a hook refused it"
    if not alarm.startswith("refs/") and alarm != "HEAD":
        return alarm
    contradicted = any(_is_about(line, alarm) for line in moved)
    return f"the agent tried to move {alarm}; a hook refused it{', but it changed' if contradicted else ''}"


def _is_about(line: str, ref: str) -> bool:
    return line.startswith((f"{ref} ", f"logs/{ref} ")) or (ref == "refs/stash" and line.startswith("stash "))
