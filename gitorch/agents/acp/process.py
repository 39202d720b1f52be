"""The process of an ACP agent: the prompt on standard input, one JSON event per line on standard output.

Exit codes: 0 the agent is done, 1 it ended otherwise, 128 + n after a signal. The last event is always a `result`, even
after SIGTERM. Nothing that the agent started outlives the process.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

import msgspec

from gitorch.agents.acp.conversation import AcpConversation, AcpRun, Answered, Failure
from gitorch.agents.acp.permissions import POLICIES
from gitorch.agents.process_end import SIGNALS, ignore_signals, shield, sweep
from gitorch.agents.streams import Record


def main() -> int:
    """Run one execution as the command line says, and return the exit code."""
    options = _parser().parse_args()
    logging.disable(logging.CRITICAL)  # the library prints a traceback for every line that it does not understand
    shield()
    run = AcpRun(
        command=tuple(options.command),
        worktree=options.worktree,
        memory=options.memory,
        session=options.session,
        granted=options.granted,
        permissions=options.permissions,
        auth_method=options.auth_method,
        model=options.model,
    )
    prompt = sys.stdin.buffer.read().decode("utf-8", "replace")
    conversation = AcpConversation(run, _emit)
    stopped: list[int] = []
    try:
        end = asyncio.run(_ended(conversation, prompt, stopped))
    finally:
        ignore_signals()
        sweep()
    conversation.updates.flush()
    try:
        _emit(_result(conversation, end))
    except BrokenPipeError:
        # the reader is gone: without this, Python would print an error when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if stopped:
        return 128 + stopped[0]
    return int(isinstance(end, Failure))


async def _ended(conversation: AcpConversation, prompt: str, stopped: list[int]) -> Answered | Failure:
    stop = asyncio.Event()

    def ask(number: int) -> None:
        stopped.append(number)
        stop.set()

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, ask, number)
    try:
        return await conversation.run(prompt, stop)
    except Failure as failure:
        return failure


def _result(conversation: AcpConversation, end: Answered | Failure) -> Record:
    failure = end if isinstance(end, Failure) else None
    return {
        "type": "result",
        "is_error": failure is not None,
        "phase": failure.phase if failure else "",
        "code": failure.code if failure else None,
        "result": str(failure) if failure else conversation.updates.text,
        "stop_reason": end.stop_reason if isinstance(end, Answered) else "",
        "session_id": conversation.session,
        "num_turns": end.turns if isinstance(end, Answered) else 0,
        "usage": conversation.tokens.model_dump(mode="json", exclude_none=True),
        "total_cost_usd": conversation.usd,
        "question": conversation.questions[-1] if conversation.questions else "",
        "denials": conversation.denials,
    }


def _emit(event: Record) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
    sys.stdout.buffer.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gitorch.agents.acp.process", description=__doc__, allow_abbrev=False)
    parser.add_argument("--worktree", type=Path, required=True)
    parser.add_argument("--memory", type=Path, required=True)
    parser.add_argument("--session", default="")
    parser.add_argument("--granted", action="store_true")
    parser.add_argument("--permissions", choices=POLICIES, default="worktree")
    parser.add_argument("--auth-method", default="")
    parser.add_argument("--model", default="")
    parser.add_argument("command", nargs="+")
    return parser


if __name__ == "__main__":
    sys.exit(main())
