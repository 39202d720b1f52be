"""The loop of the `api` agent: ask the model, run the tools that it calls, send the results, until it is done.

Every step is an event (one JSON object per line, in the outer form of Claude Code's stream-json). Every step is saved,
so that the loop can be resumed after it was killed at any moment.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from gitorch.agents.api.calls import CACHED, Caller, Emit, End, RequestLimits, failed, marked
from gitorch.agents.api.requests import ApiFailure, Stream
from gitorch.agents.api.session import ApiSession
from gitorch.agents.api.stream import Reply, scrubbed
from gitorch.agents.api.tools import BASH, Result, Tools
from gitorch.agents.inbox import Inbox

Json: TypeAlias = dict[str, Any]

CONTINUATIONS = 3
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
_READING_SYSTEM = """\
You work unattended in a git worktree in which you may only read. Nobody reads along and nobody answers questions.

The worktree is {worktree}. Tools: {shell}`str_replace_based_edit_tool` views files and folders there; its other \
commands are refused.

Change nothing. Your last message is the result: say what you found, where, and what is still open."""
_READING_SHELL = """\
`bash` is a shell that keeps its state; it has no terminal and no input, cannot write in the worktree, and a command \
is killed after {seconds:g} seconds. """
_CONTINUE = "Your message was cut off at the output limit. Go on exactly where it stopped."
_CONTINUE_CALL = (
    "Your message was cut off at the output limit, and the tool call in it was lost. "
    "Make the call again in smaller steps, for example a long file in several parts."
)


class Loop:
    """One execution. `hidden` are the secrets that no text may contain; messages of `inbox` join the conversation."""

    def __init__(
        self,
        limits: RequestLimits,
        stream: Stream,
        tools: Tools,
        session: ApiSession,
        emit: Emit,
        *,
        hidden: tuple[str, ...] = (),
        inbox: Inbox | None = None,
    ) -> None:
        self.limits = limits
        self._inbox = inbox or Inbox({})
        self.caller = Caller(limits, stream, emit, session=session.id, hidden=hidden)
        self._tools = tools
        self.session = session
        self._emit = emit
        self._cut_short = 0

    def run(self, prompt: str) -> End:
        """Work on `prompt` until the model is done, or an error or a limit ends it."""
        self.session.ask(prompt)
        self.session.save()
        end = None
        while end is None:
            try:
                end = self._over_limit() or self._handle(self.caller.reply(self._request()))
            except ApiFailure as failure:
                return failed(failure)
        return end

    def _over_limit(self) -> End | None:
        limits, usd = self.limits, self.caller.usd
        if self.caller.turns >= limits.max_turns:
            return End(
                subtype="error_max_turns", error="max_turns", text=f"Reached maximum of {limits.max_turns} turns"
            )
        if limits.budget and (usd is None or usd >= limits.budget):
            return End(
                subtype="error_max_budget_usd", error="max_budget", text=f"Reached maximum budget (${limits.budget:g})"
            )
        return None

    def _handle(self, reply: Reply) -> End | None:
        """Handle a reply; return the end if it is the last one."""
        if reply.stop_reason == "refusal":
            return End(error="refusal", text=reply.text or "The model refused the task.")
        self.session.reply(reply.content)
        self.session.save()
        if reply.calls:
            self._run_calls(reply)
            return None
        return self._after_stop(reply)

    def _after_stop(self, reply: Reply) -> End | None:
        match reply.stop_reason:
            case "end_turn" | "stop_sequence":
                return None if self._pass_on_message() else End(subtype="success", text=reply.text)
            case "pause_turn":
                return None
            case "max_tokens" if self._cut_short < CONTINUATIONS:
                self._cut_short += 1
                self.session.ask(_CONTINUE_CALL if reply.cut else _CONTINUE)
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

    def _run_calls(self, reply: Reply) -> None:
        self._cut_short = 0
        for call in reply.calls:
            if call["id"] in reply.malformed:
                result = Result("Error: the arguments of this call are not a JSON object in Unicode", is_error=True)
            else:
                result = self._tools.run(call["name"], call["input"])
            text = scrubbed(self.caller.redacted(result.text))
            block = self.session.answer(call["id"], text, is_error=result.is_error)
            self.session.save()
            self._emit({"type": "user", "message": {"role": "user", "content": [block]}, "session_id": self.session.id})
        if reply.cut:
            self.session.remark(_CONTINUE_CALL)
            self.session.save()
        self._pass_on_message()

    def _pass_on_message(self) -> bool:
        """Add what gitorch says meanwhile to the conversation; return whether it said anything."""
        message = self._inbox.next_message()
        if not message:
            return False
        if self.session.messages[-1]["role"] == "user":  # with the results of the last calls
            self.session.remark(message)
        else:
            self.session.ask(message)
        self.session.save()
        block = {"type": "text", "text": message}
        self._emit({"type": "user", "message": {"role": "user", "content": [block]}, "session_id": self.session.id})
        return True

    def _request(self) -> Json:
        system = {"type": "text", "text": _system(self._tools), "cache_control": CACHED}
        *first_tools, last = self._tools.definitions
        return {
            "model": self.limits.model,
            "max_tokens": self.limits.max_tokens,
            "system": [system],
            "tools": [*first_tools, {**last, "cache_control": CACHED}],
            "messages": marked(self.session.messages),
        }


def _system(tools: Tools) -> str:
    worktree, seconds = tools.files.root, tools.shell.seconds
    if tools.may_write:
        return _SYSTEM.format(worktree=worktree, seconds=seconds)
    has_shell = any(tool["name"] == BASH for tool in tools.definitions)
    shell = _READING_SHELL.format(seconds=seconds) if has_shell else ""
    return _READING_SYSTEM.format(worktree=worktree, shell=shell)
