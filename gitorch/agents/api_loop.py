"""The loop of the `api` agent: ask the model, run the tools that it calls, give it the results, until it is done.

Every step is an event (one JSON object a line, in the outer form of Claude Code's stream-json) and is saved, so that
the loop can be killed at any moment and gone on with.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from gitorch.agents.api_prices import Tokens, dollars
from gitorch.agents.api_session import Session
from gitorch.agents.api_stream import Broken, Draft, Reply, scrubbed, with_texts
from gitorch.agents.api_tools import DEFINITIONS, Result, Tools
from gitorch.agents.api_wire import ApiFailure, Stream

Json: TypeAlias = dict[str, Any]
Emit: TypeAlias = Callable[[Json], None]

CONTINUATIONS = 3
WAIT_CAP_SECONDS = 32.0
RETRY_AFTER_CAP_SECONDS = 60.0
ALIVE_SECONDS = 60.0
_CACHED = {"type": "ephemeral"}
_SYSTEM = """\
You are a software engineer who works unattended in a git worktree. Nobody reads along and nobody answers questions: \
decide yourself, and go on until the task is done.

The worktree is {worktree}, on a branch of its own. Work only there: do not switch branches, do not push, do not \
rewrite commits that are not yours.
Tools: `bash` is a shell in the worktree that keeps its state; it has no terminal and no input, and a command is \
killed after {seconds:g} seconds. `str_replace_based_edit_tool` views, creates and edits text files in the worktree.

Look at the code before you change it, keep to its style, and run the project's own checks on what you did. Commit all \
your work with git, with messages that say what and why: what is not committed is not reviewed. Leave no stray files. \
If the task cannot be done, say why instead of pretending. End with a short summary of what you did and what is open."""
_GO_ON = "Your message was cut off at the output limit. Go on exactly where it stopped."
_GO_ON_CUT = (
    "Your message was cut off at the output limit, and the tool call in it was lost. "
    "Make the call again in smaller steps, for example a long file in several parts."
)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one execution may use; `budget` in dollars, 0 for none."""

    model: str
    budget: float = 0.0
    max_turns: int = 200
    max_tokens: int = 32_000
    retries: int = 8
    retry_seconds: float = 0.5


class End(msgspec.Struct, frozen=True, kw_only=True):
    """Why the loop ended; `error` is empty for success."""

    subtype: str = "error_during_execution"
    error: str = ""
    text: str = ""
    status: int | None = None
    resets_at: float | None = None


class Loop:
    """One execution. `hidden` are the secrets that no text may carry on."""

    def __init__(
        self,
        limits: Limits,
        stream: Stream,
        tools: Tools,
        session: Session,
        emit: Emit,
        *,
        hidden: tuple[str, ...] = (),
    ) -> None:
        self.limits = limits
        self.tokens = Tokens()
        self.usd = dollars(limits.model, Tokens())
        self.turns = 0
        self.stop_reason = ""
        self._stream = stream
        self._tools = tools
        self.session = session
        self._emit = emit
        self._hidden = tuple(secret for secret in hidden if secret)
        self._cut_short = 0

    def run(self, prompt: str) -> End:
        """Work on `prompt` until the model is done or something ends it."""
        self.session.ask(prompt)
        self.session.save()
        end = None
        while end is None:
            try:
                end = self._used_up() or self._take(self._reply())
            except ApiFailure as failure:
                return End(
                    error=failure.error, text=failure.message, status=failure.status, resets_at=failure.resets_at
                )
        return end

    def _used_up(self) -> End | None:
        limits = self.limits
        if self.turns >= limits.max_turns:
            return End(
                subtype="error_max_turns", error="max_turns", text=f"Reached maximum of {limits.max_turns} turns"
            )
        if limits.budget and (self.usd is None or self.usd >= limits.budget):
            return End(
                subtype="error_max_budget_usd", error="max_budget", text=f"Reached maximum budget (${limits.budget:g})"
            )
        return None

    def _take(self, reply: Reply) -> End | None:
        """Act on a reply; return the end, if it is one."""
        self.turns += 1
        self.stop_reason = reply.stop_reason
        self._spend(reply.tokens)
        self._emit(self._said(reply))
        if reply.stop_reason == "refusal":
            return End(error="refusal", text=reply.text or "The model refused the task.")
        self.session.reply(reply.content)
        self.session.save()
        if reply.calls:
            self._answer(reply)
            return None
        return self._stopped(reply)

    def _stopped(self, reply: Reply) -> End | None:
        match reply.stop_reason:
            case "end_turn" | "stop_sequence":
                return End(subtype="success", text=reply.text)
            case "pause_turn":
                return None
            case "max_tokens" if self._cut_short < CONTINUATIONS:
                self._cut_short += 1
                self.session.ask(_GO_ON_CUT if reply.cut else _GO_ON)
                self.session.save()
                return None
            case "max_tokens":
                return End(
                    error="max_output_tokens", text=f"Cut off at the output limit {CONTINUATIONS + 1} times in a row"
                )
            case "model_context_window_exceeded":
                return End(error="prompt_too_long", text="The conversation is longer than the model's context window")
            case other:
                return End(error="unknown", text=f"The model stopped for an unknown reason: {other}")

    def _answer(self, reply: Reply) -> None:
        self._cut_short = 0
        for call in reply.calls:
            if call["id"] in reply.malformed:
                result = Result("Error: the arguments of this call are not a JSON object in Unicode", is_error=True)
            else:
                result = self._tools.run(call["name"], call["input"])
            text = scrubbed(self._redacted(result.text))
            block = self.session.answer(call["id"], text, is_error=result.is_error)
            self.session.save()
            self._emit({"type": "user", "message": {"role": "user", "content": [block]}, "session_id": self.session.id})
        if reply.cut:
            self.session.remark(_GO_ON_CUT)
            self.session.save()

    def _reply(self) -> Reply:
        attempt = 1
        while True:
            try:
                return self._try()
            except ApiFailure as failure:
                if not failure.again or attempt > self.limits.retries:
                    raise
                wait = self._wait(failure, attempt)
                if wait is None:
                    raise
                self._emit(self._retry(failure, attempt, wait))
                time.sleep(wait)
                attempt += 1

    def _try(self) -> Reply:
        draft, alive = Draft(), time.monotonic()
        try:
            for count, event in enumerate(self._stream(self._request())):
                draft.feed(event)
                # A long reply is one event at its end: until then, this is what says that it comes.
                if time.monotonic() - alive > ALIVE_SECONDS:
                    alive = time.monotonic()
                    self._emit({"type": "system", "subtype": "status", "status": "receiving", "events": count})
            reply = draft.reply()
            return msgspec.structs.replace(reply, content=with_texts(reply.content, self._redacted))
        except Broken as broken:
            self._spend(draft.tokens)
            raise ApiFailure(str(broken), error="server_error", again=True) from None
        except ApiFailure:
            self._spend(draft.tokens)
            raise

    def _wait(self, failure: ApiFailure, attempt: int) -> float | None:
        """Return how long to wait before the next try; None where the server wants more than we wait."""
        if failure.retry_seconds is not None:
            return failure.retry_seconds if failure.retry_seconds <= RETRY_AFTER_CAP_SECONDS else None
        longest = min(WAIT_CAP_SECONDS, self.limits.retry_seconds * 2.0 ** (attempt - 1))
        return longest * random.uniform(0.75, 1.25)  # noqa: S311

    def _request(self) -> Json:
        worktree, seconds = self._tools.files.root, self._tools.shell.seconds
        system = {"type": "text", "text": _SYSTEM.format(worktree=worktree, seconds=seconds), "cache_control": _CACHED}
        return {
            "model": self.limits.model,
            "max_tokens": self.limits.max_tokens,
            "system": [system],
            "tools": [*DEFINITIONS[:-1], {**DEFINITIONS[-1], "cache_control": _CACHED}],
            "messages": marked(self.session.messages),
        }

    def _spend(self, tokens: Tokens) -> None:
        self.tokens += tokens
        cost = dollars(self.limits.model, tokens)
        self.usd = None if cost is None or self.usd is None else self.usd + cost

    def _said(self, reply: Reply) -> Json:
        message = {
            "id": reply.id,
            "role": "assistant",
            "model": reply.model,
            "content": reply.content,
            "stop_reason": reply.stop_reason,
            "usage": msgspec.to_builtins(reply.tokens),
        }
        return {"type": "assistant", "message": message, "session_id": self.session.id}

    def _retry(self, failure: ApiFailure, attempt: int, wait: float) -> Json:
        return {
            "type": "system",
            "subtype": "api_retry",
            "attempt": attempt,
            "max_retries": self.limits.retries,
            "retry_delay_ms": wait * 1000,
            "error_status": failure.status,
            "error": failure.error,
            "message": failure.message,
            "session_id": self.session.id,
        }

    def _redacted(self, text: str) -> str:
        for secret in self._hidden:
            text = text.replace(secret, "[redacted]")
        return text


def marked(messages: list[Json]) -> list[Json]:
    """Return the messages with a cache breakpoint on the last block of the last two user messages.

    The last one writes what the next request reads; the one before is what this request reads, also where the
    messages between them hold more blocks than the API looks back over.
    """
    users = [place for place, message in enumerate(messages) if message["role"] == "user"][-2:]
    return [_mark(message) if place in users else message for place, message in enumerate(messages)]


def _mark(message: Json) -> Json:
    *blocks, last = message["content"]
    return {**message, "content": [*blocks, {**last, "cache_control": _CACHED}]}
