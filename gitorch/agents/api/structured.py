"""A question to the Messages API: one reply that must match a JSON schema, without tools and without a session."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from gitorch import typed
from gitorch.agents.api.calls import CACHED, Caller, Emit, End, RequestLimits, failed, marked
from gitorch.agents.api.requests import ApiFailure, Stream
from gitorch.agents.api.stream import Reply, scrubbed
from gitorch.agents.question import Message, Question
from gitorch.errors import InvalidInput

Json: TypeAlias = dict[str, Any]


class QuestionRun:
    """One execution that asks a question."""

    def __init__(
        self, limits: RequestLimits, stream: Stream, emit: Emit, *, session: str, hidden: tuple[str, ...] = ()
    ) -> None:
        self.caller = Caller(limits, stream, emit, session=session, hidden=hidden)

    def run(self, text: str) -> End:
        """Ask a question, given as JSON, and return the end; on success, its text is the answer's JSON."""
        try:
            question = typed.from_json(text, Question)
        except msgspec.DecodeError as error:
            raise InvalidInput("invalid_question", "invalid question", why=str(error)) from None
        try:
            return _end(self.caller.reply(request_of(question, self.caller.limits)))
        except ApiFailure as failure:
            return failed(failure)


def request_of(question: Question, limits: RequestLimits) -> Json:
    """Return the request; instructions, material and conversation are cached separately."""
    first, *later = question.messages
    system = {"type": "text", "text": question.instructions, "cache_control": CACHED}
    material = {"type": "text", "text": question.material, "cache_control": CACHED}
    opening = {"role": "user", "content": [*([material] if question.material else []), _text(first)]}
    messages = [{"role": message.role, "content": [_text(message)]} for message in later]
    request: Json = scrubbed({"system": [system], "messages": marked([opening, *messages])})
    return request | {
        "model": limits.model,
        "max_tokens": limits.max_tokens,
        "output_config": {"format": {"type": "json_schema", "schema": question.schema}},
    }


def _text(message: Message) -> Json:
    return {"type": "text", "text": message.text}


def _end(reply: Reply) -> End:
    match reply.stop_reason:
        case "end_turn" | "stop_sequence":
            return End(subtype="success", text=reply.text)
        case "refusal":
            return End(error="refusal", text=reply.text or "The model refused to answer.")
        case "max_tokens":
            return End(error="max_output_tokens", text="The answer was cut off at the output limit")
        case "model_context_window_exceeded":
            return End(error="prompt_too_long", text="The question is longer than the model's context window")
        case other:
            return End(error="unknown", text=f"The model stopped for an unknown reason: {other}")
