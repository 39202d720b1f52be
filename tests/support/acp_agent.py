"""An ACP agent for tests: it does the last lines between `#!do` and `#!end` of a prompt, with sessions in HOME.

A line that starts with `acp` is about the protocol, any other is for the shell:

    acp say TEXT | acp think TEXT     a message or a thought, in two pieces
    acp write PATH KIND               ask for permission, and write a file if it is given; if not, end the turn
    acp cost USD                      what the session has cost so far
    acp error CODE TEXT | acp stop REASON | acp exit CODE | acp hang
    acp noise                         a line that is not JSON, an unknown update, and a call of what is not offered

A loaded session goes on at the line that was not permitted. Options: `--no-sessions` (it cannot load any), `--login`
(it wants the login method `key`), `--model` (it offers models), `--busy` (its database is locked the first time).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any, cast

import acp
from acp import schema

_SCRIPT = re.compile(r"^#!do\n(.*?)^#!end$", re.MULTILINE | re.DOTALL)
_OPTIONS = [
    schema.PermissionOption(option_id="always", name="Always", kind="allow_always"),
    schema.PermissionOption(option_id="yes", name="Yes", kind="allow_once"),
    schema.PermissionOption(option_id="no", name="No", kind="reject_once"),
]


class EndTurn(Exception):
    """Ends a turn for a reason."""


class ScriptedAcpAgent:
    """The agent's side of the protocol."""

    def __init__(self, options: list[str]) -> None:
        self.options = options
        self.cancelled = asyncio.Event()
        self.cwd = ""
        self.client: acp.Client
        self.logged_in = "--login" not in options
        self.prompts = 0

    def on_connect(self, conn: acp.Client) -> None:
        self.client = conn

    async def initialize(self, protocol_version: int, **_: Any) -> schema.InitializeResponse:
        if "--busy" in self.options and not (started := Path.home() / "acp-started").exists():
            started.touch()
            raise acp.RequestError(1001, "It ended:\nwarning: slow disk\nError: database is locked")
        if "--version" in self.options:
            protocol_version = 99
        return schema.InitializeResponse(
            protocol_version=protocol_version,
            agent_capabilities=schema.AgentCapabilities(load_session="--no-sessions" not in self.options),
            agent_info=schema.Implementation(name="scripted", version="1.0"),
            auth_methods=[schema.AuthMethodAgent(id="key", name="A key")],
        )

    async def authenticate(self, method_id: str, **_: Any) -> schema.AuthenticateResponse:
        if method_id != "key":
            raise acp.RequestError.invalid_params({"details": f"no login method {method_id}"})
        self.logged_in = True
        return schema.AuthenticateResponse()

    async def new_session(self, cwd: str, **_: Any) -> schema.NewSessionResponse:
        if not self.logged_in:
            raise acp.RequestError.auth_required()
        self.cwd = cwd
        options: list[Any] | None = None
        if "--model" in self.options:
            models = [schema.SessionConfigSelectOption(value=name, name=name) for name in ("small", "large")]
            options = [
                schema.SessionConfigOptionSelect(
                    type="select", id="m", name="Model", category="model", current_value="small", options=models
                )
            ]
        name = f"session/{uuid.uuid4()}"  # an id that is no file name
        self._save(name, [])
        return schema.NewSessionResponse(session_id=name, config_options=options)

    async def set_config_option(
        self, config_id: str, session_id: str, value: str, **_: Any
    ) -> schema.SetSessionConfigOptionResponse:
        if value not in ("small", "large"):
            raise acp.RequestError.invalid_params({"details": f"no model {value}"})
        Path(self.cwd, "model.txt").write_text(f"{config_id}={value}\n")
        return schema.SetSessionConfigOptionResponse(config_options=[])

    async def load_session(self, cwd: str, session_id: str, **_: Any) -> schema.LoadSessionResponse:
        if not self._file(session_id).exists():
            raise acp.RequestError.resource_not_found(session_id)
        self.cwd = cwd
        await self._update(session_id, acp.update_agent_message_text("The history of the session."))
        return schema.LoadSessionResponse()

    async def cancel(self, session_id: str, **_: Any) -> None:
        self.cancelled.set()

    async def prompt(self, session_id: str, prompt: list[Any], **_: Any) -> schema.PromptResponse:
        text = "\n".join(block.text for block in prompt)
        scripts = _SCRIPT.findall(text)
        lines = scripts[-1].splitlines() if scripts else json.loads(self._file(session_id).read_text())
        if self.prompts:
            await self._update(session_id, acp.update_agent_message_text(f"Noted: {text.splitlines()[-1]}"))
            lines = []
        self.prompts += 1
        reason = await self._do(session_id, lines)
        usage = schema.Usage(total_tokens=130, input_tokens=100, output_tokens=20, cached_read_tokens=10)
        return schema.PromptResponse(stop_reason=cast(Any, reason), usage=usage)

    async def _do(self, session: str, lines: list[str]) -> str:
        for number, line in enumerate(lines):
            self._save(session, lines[number:])
            try:
                await self._line(session, line)
            except EndTurn as end:
                return str(end)
        self._save(session, [])
        return "end_turn"

    async def _line(self, session: str, line: str) -> None:
        match line.split(maxsplit=2):
            case ["acp", "say" | "think" as kind, words]:
                update = acp.update_agent_message_text if kind == "say" else acp.update_agent_thought_text
                for piece in (words[: len(words) // 2], words[len(words) // 2 :]):
                    await self._update(session, update(piece))
            case ["acp", "write", words]:
                await self._write(session, *words.split())
            case ["acp", "cost", usd]:
                cost = schema.Cost(amount=float(usd), currency="USD")
                await self._update(
                    session, schema.UsageUpdate(session_update="usage_update", used=1, size=9, cost=cost)
                )
            case ["acp", "error", words]:
                code, _, text = words.partition(" ")
                raise acp.RequestError(int(code), text)
            case ["acp", "stop", reason]:
                raise EndTurn(reason)
            case ["acp", "exit", code]:
                sys.stdout.flush()
                os._exit(int(code))
            case ["acp", "hang"]:
                print("waiting", file=sys.stderr, flush=True)
                await self.cancelled.wait()
                raise EndTurn("cancelled")
            case ["acp", "noise"]:
                await self._noise(session)
            case _:
                await self._shell(session, line)

    async def _write(self, session: str, path: str, kind: str) -> None:
        call = acp.start_tool_call(path, f"Write {path}", kind=cast(Any, kind), status="pending")
        call.locations = [schema.ToolCallLocation(path=path)]
        await self._update(session, call)
        asked = schema.ToolCallUpdate(tool_call_id=path)
        answer = await self.client.request_permission(session_id=session, tool_call=asked, options=_OPTIONS)
        chosen = getattr(answer.outcome, "option_id", "")
        if chosen != "yes":
            await self._update(session, acp.update_tool_call(path, status="failed"))
            raise EndTurn("end_turn")
        Path(self.cwd, path).write_text("written\n")
        await self._update(session, acp.update_tool_call(path, status="completed"))

    async def _shell(self, session: str, line: str) -> None:
        name = str(uuid.uuid4())
        call = acp.start_tool_call(name, "Run a command", kind="execute", raw_input={"command": line})
        await self._update(session, call)
        done = subprocess.run(line, shell=True, cwd=self.cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        content = [acp.tool_content(acp.text_block(done.stdout + done.stderr))]
        status: Any = "failed" if done.returncode else "completed"
        await self._update(session, acp.update_tool_call(name, status=status, content=content))

    async def _noise(self, session: str) -> None:
        print("this is not JSON", flush=True)
        new = {"sessionUpdate": "of_next_year", "value": 1}
        print(json.dumps({"jsonrpc": "2.0", "method": "session/update", "params": {"update": new}}), flush=True)
        try:
            await self.client.read_text_file(session_id=session, path="/etc/passwd")
        except acp.RequestError as error:
            await self._update(session, acp.update_agent_message_text(f"refused: {error}"))

    async def _update(self, session: str, update: Any) -> None:
        await self.client.session_update(session_id=session, update=update)

    def _file(self, session: str) -> Path:
        return Path.home() / ".acp" / session.replace("/", "-")

    def _save(self, session: str, lines: list[str]) -> None:
        self._file(session).parent.mkdir(exist_ok=True)
        self._file(session).write_text(json.dumps(lines))


def main(options: list[str]) -> int:
    """Serve one client."""
    if "--broken" in options:
        print("unknown option: --broken", file=sys.stderr)
        return 2
    asyncio.run(acp.run_agent(cast(acp.Agent, ScriptedAcpAgent(options))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
