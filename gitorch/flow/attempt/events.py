"""The events of an agent's output, with the times at which they happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from gitorch.agents.command import CommandAgent
from gitorch.agents.protocol import Agent
from gitorch.agents.streams import was_stopped
from gitorch.executors.protocol import ExecutionId, Executor, missing_bytes
from gitorch.executors.timed_lines import follow_both_streams, timed_lines
from gitorch.model.credentials.redaction import redacted
from gitorch.model.outcome import Event, Exit


def execution_events(executor: Executor, execution: ExecutionId, agent: Agent) -> Iterator[Event]:
    """Yield the events of all that an execution has printed: its standard output, and then its standard error."""
    yield from timed_events(agent, timed_lines(executor, execution))
    yield from error_output(executor, execution, agent)


def followed_events(executor: Executor, execution: ExecutionId, agent: Agent) -> Iterator[Event]:
    """Yield the events of both streams of a program as it writes them, until it has ended."""
    for line, time in follow_both_streams(executor, execution):
        for event in line_events(agent, line):
            yield msgspec.structs.replace(event, time=time)


def error_output(executor: Executor, execution: ExecutionId, agent: Agent) -> Iterator[Event]:
    """Yield the lines of standard error, where a program or a hook says why it failed.

    An agent with events of its own writes only notices there, unless it fails.
    """
    status = executor.poll(execution)
    # what a program says when it is interrupted is not why it was
    has_failed = isinstance(status, Exit) and status.exit_code != 0 and not was_stopped(status)
    program = CommandAgent()
    is_program = isinstance(agent, CommandAgent)
    if not (is_program or has_failed):
        return
    with executor.open_output(execution, "stderr") as lines:
        for event in (event for line in lines for event in line_events(program, line)):
            yield event if is_program else msgspec.structs.replace(event, kind="error")


def timed_events(agent: Agent, lines: Iterable[tuple[bytes, float | None]]) -> Iterator[Event]:
    """Yield the events of lines with their times, without credentials."""
    for line, time in lines:
        for event in line_events(agent, line):
            yield msgspec.structs.replace(event, time=time)


def line_events(agent: Agent, line: bytes) -> Iterator[Event]:
    """Yield the events of one line of output, which may stand for output that was not kept."""
    if missing_bytes(line):
        yield Event(kind="text", text=line.decode().strip())
        return
    yield from map(_redacted, agent.events(line))


def _redacted(event: Event) -> Event:
    text = redacted(event.text)
    return event if text == event.text else msgspec.structs.replace(event, text=text)
