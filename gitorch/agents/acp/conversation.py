"""One execution of an ACP agent: start it, open or load a session, send the prompt, answer what it asks.

Only this module imports the protocol's library, which takes more than a second. The agent does its own reading, writing
and running, in the room that it shares with this process: gitorch offers it no files and no terminals.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
from asyncio.subprocess import Process
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, TypeVar, cast

import acp
import msgspec
from acp import schema
from acp.connection import StreamDirection, StreamEvent
from acp.core import ClientSideConnection

from gitorch.agents.acp.memory import SessionMemory, recall, remember
from gitorch.agents.acp.permissions import Policy, allows, chosen, described, identity, is_reader, question
from gitorch.agents.acp.updates import Updates
from gitorch.agents.inbox import Inbox
from gitorch.agents.streams import Record, one_line

T = TypeVar("T")
Emit: TypeAlias = Callable[[Record], None]

INITIALIZE_SECONDS = 120.0
_CANCEL_SECONDS = 2.0
_LINE_BYTES = 1 << 20
_AUTH_REQUIRED = -32000


class AcpRun(msgspec.Struct, frozen=True, kw_only=True):
    """What to run. `session` is loaded if it is not empty; `granted` says that a person allowed what was rejected."""

    command: tuple[str, ...]
    worktree: Path
    memory: Path
    session: str = ""
    granted: bool = False
    permissions: Policy = "worktree"
    auth_method: str = ""
    model: str = ""


class Failure(Exception):
    """The end of an execution without an answer. `phase` is the step that failed, `code` that of the agent's error."""

    def __init__(self, phase: str, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.phase = phase
        self.code = code


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The end of the last turn."""

    stop_reason: str
    turns: int


class AcpConversation:
    """One execution. The result of `run` is the end of the turn; `Failure` is raised when there is none."""

    def __init__(self, run: AcpRun, emit: Emit) -> None:
        self.session = run.session
        self.updates = Updates(emit)
        self.questions: list[str] = []
        self.denials: list[str] = []
        self.tokens = schema.Usage(total_tokens=0, input_tokens=0, output_tokens=0)
        self._run = run
        self._emit = emit
        self._memory = SessionMemory()
        self._inbox = Inbox(os.environ)

    async def run(self, prompt: str, stop: asyncio.Event) -> Answered:
        """Do the work; `stop` asks the agent to end its turn."""
        run = self._run
        try:
            spawned = acp.spawn_agent_process(
                cast(acp.Client, _Client(self)),
                *run.command,
                env=dict(os.environ),
                cwd=run.worktree,
                transport_kwargs={"stderr": None, "limit": _LINE_BYTES},
                observers=[self._observe],
            )
            async with spawned as (connection, process):
                return await self._until_stopped(connection, process, prompt, stop)
        except OSError as error:
            raise Failure("start", f"{run.command[0]}: {error.strerror or error}") from None

    @property
    def usd(self) -> float | None:
        """What this execution has cost, as far as the agent says."""
        return self.updates.usd

    def decide(self, tool_call: Record, options: list[Record]) -> str:
        """Return the option to select for a tool call, "" to cancel it; a rejection is a question to a person."""
        call = self.updates.completed(tool_call)
        name = identity(call, self._run.worktree)
        only_reads = is_reader(self._run.permissions)
        was_granted = self._run.granted and name in self._memory.rejected and not only_reads
        allowed = was_granted or allows(self._run.permissions, call, self._run.worktree)
        if not allowed:
            if not only_reads:
                self.questions.append(question(call, self._run.worktree))
            self.denials.append(described(call))
            self._keep(rejected=tuple(dict.fromkeys((*self._memory.rejected, name))))
        self._emit({"type": "permission", "title": described(call), "allowed": allowed})
        return chosen(options, allowed=allowed)

    async def _until_stopped(
        self, connection: ClientSideConnection, process: Process, prompt: str, stop: asyncio.Event
    ) -> Answered:
        work = asyncio.create_task(self._work(connection, process, prompt))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            if self.session:
                await connection.cancel(session_id=self.session)
            await asyncio.wait({work}, timeout=_CANCEL_SECONDS)
        stopped.cancel()
        if work.done():
            return work.result()
        work.cancel()
        raise Failure("stopped", "the agent did not end its turn")

    async def _work(self, connection: ClientSideConnection, process: Process, prompt: str) -> Answered:
        info = await self._initialize(connection, process)
        await self._open(connection, process, info)
        turns, message = 0, prompt
        while True:
            block = schema.TextContentBlock(type="text", text=message)
            sent = connection.prompt(session_id=self.session, prompt=[block])
            response = await self._answer("prompt", sent, process)
            turns += 1
            self.updates.flush()
            self._count(response.usage)
            message = self._inbox.next_message() if response.stop_reason == "end_turn" else ""
            if not message:
                self._keep(usd=self.updates.session_usd)
                return Answered(stop_reason=response.stop_reason, turns=turns)
            self._emit({"type": "told", "text": message})

    async def _initialize(self, connection: ClientSideConnection, process: Process) -> schema.InitializeResponse:
        client = schema.Implementation(name="gitorch", title="gitorch", version=importlib.metadata.version("gitorch"))
        sent = connection.initialize(protocol_version=acp.PROTOCOL_VERSION, client_info=client)
        info = await self._answer("initialize", asyncio.wait_for(sent, INITIALIZE_SECONDS), process)
        if info.protocol_version != acp.PROTOCOL_VERSION:
            problem = f"it speaks version {info.protocol_version} of the protocol, not {acp.PROTOCOL_VERSION}"
            raise Failure("initialize", problem)
        if self._run.auth_method:
            login = connection.authenticate(method_id=self._run.auth_method)
            await self._answer("authenticate", login, process)
        return info

    async def _open(self, connection: ClientSideConnection, process: Process, info: schema.InitializeResponse) -> None:
        folder = str(self._run.worktree)
        if self.session:
            self._memory = recall(self._run.memory, self.session)
            options = await self._load(connection, process, info.agent_capabilities, folder)
        else:
            opened = await self._opened(connection.new_session(cwd=folder, mcp_servers=[]), process, info)
            self.session, options = opened.session_id, opened.config_options
        self.updates.begin(self._memory.usd)
        agent = info.agent_info
        self._emit(
            {
                "type": "system",
                "subtype": "init",
                "session_id": self.session,
                "agent": f"{agent.name} {agent.version}" if agent else "",
                "resumed": bool(self._run.session),
            }
        )
        if self._run.model:
            await self._choose_model(connection, process, options or [])

    async def _opened(self, sent: Coroutine[Any, Any, T], process: Process, info: schema.InitializeResponse) -> T:
        try:
            return await self._answer("session", sent, process)
        except Failure as failure:
            if failure.code != _AUTH_REQUIRED or self._run.auth_method or not info.auth_methods:
                raise
            methods = ", ".join(method.id for method in info.auth_methods)
            raise Failure("session", f"{failure}; its login methods: {methods}", failure.code) from None

    async def _load(
        self,
        connection: ClientSideConnection,
        process: Process,
        capabilities: schema.AgentCapabilities | None,
        folder: str,
    ) -> list[Any] | None:
        sessions = capabilities.session_capabilities if capabilities else None
        if sessions and sessions.resume is not None:
            resumed = connection.resume_session(cwd=folder, session_id=self.session, mcp_servers=[])
            return (await self._answer("load", resumed, process)).config_options
        if capabilities and capabilities.load_session:
            loaded = connection.load_session(cwd=folder, session_id=self.session, mcp_servers=[])
            return (await self._answer("load", loaded, process)).config_options
        raise Failure("load", "the agent cannot load a session")

    async def _choose_model(self, connection: ClientSideConnection, process: Process, options: list[Any]) -> None:
        option = next((option for option in options if getattr(option, "category", None) == "model"), None)
        if option is None:
            raise Failure("model", "the agent offers no choice of models: name it in the agent's own arguments")
        chosen_model = connection.set_config_option(config_id=option.id, session_id=self.session, value=self._run.model)
        await self._answer("model", chosen_model, process)

    async def _answer(self, phase: str, sent: Coroutine[Any, Any, T], process: Process) -> T:
        try:
            return await sent
        except acp.RequestError as error:
            raise Failure(phase, _error_text(error), error.code) from None
        except ValueError as error:  # the library's own error for what does not fit the protocol
            raise Failure(phase, one_line(f"its answer is not valid: {error}")) from None
        except TimeoutError:
            raise Failure(phase, f"no answer within {INITIALIZE_SECONDS:g} seconds") from None
        except ConnectionError:
            await _raise_ended(phase, process)

    def _observe(self, event: StreamEvent) -> None:
        # raw, because the library drops updates of kinds that it does not know
        if event.direction is StreamDirection.INCOMING and event.message.get("method") == "session/update":
            params = event.message.get("params")
            self.updates.add(params.get("update") if isinstance(params, dict) else None)

    def _count(self, usage: schema.Usage | None) -> None:
        if usage is None:
            return
        self.tokens = schema.Usage(
            total_tokens=self.tokens.total_tokens + usage.total_tokens,
            input_tokens=self.tokens.input_tokens + usage.input_tokens,
            output_tokens=self.tokens.output_tokens + usage.output_tokens,
            cached_read_tokens=(self.tokens.cached_read_tokens or 0) + (usage.cached_read_tokens or 0),
            cached_write_tokens=(self.tokens.cached_write_tokens or 0) + (usage.cached_write_tokens or 0),
            thought_tokens=(self.tokens.thought_tokens or 0) + (usage.thought_tokens or 0),
        )

    def _keep(self, **changes: Any) -> None:
        self._memory = msgspec.structs.replace(self._memory, **changes)
        remember(self._run.memory, self.session, self._memory)


class _Client:
    """Our side of the protocol: permissions are decided, and nothing else is offered."""

    def __init__(self, conversation: AcpConversation) -> None:
        self._conversation = conversation

    async def request_permission(
        self, tool_call: schema.ToolCallUpdate, options: list[schema.PermissionOption], **_: Any
    ) -> schema.RequestPermissionResponse:
        """Allow or reject a tool call."""
        call = _plain(tool_call)
        option = self._conversation.decide(call, [_plain(option) for option in options])
        outcome: schema.AllowedOutcome | schema.DeniedOutcome = schema.DeniedOutcome(outcome="cancelled")
        if option:
            outcome = schema.AllowedOutcome(outcome="selected", option_id=option)
        return schema.RequestPermissionResponse(outcome=outcome)

    async def session_update(self, **_: Any) -> None:
        """Do nothing: the updates are read as they come in."""


def _plain(model: schema.ToolCallUpdate | schema.PermissionOption) -> Record:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def _error_text(error: acp.RequestError) -> str:
    data = error.data
    details = data.get("details") or data.get("message") if isinstance(data, dict) else data
    return f"{error}: {details}" if isinstance(details, str) and details else str(error)


async def _raise_ended(phase: str, process: Process) -> NoReturn:
    try:
        code = await asyncio.wait_for(process.wait(), _CANCEL_SECONDS)
    except TimeoutError:
        raise Failure(phase, "the agent closed its output") from None
    ended = f"signal {-code}" if code < 0 else f"exit code {code}"
    raise Failure(phase if phase == "initialize" else "ended", f"the agent ended with {ended}") from None
