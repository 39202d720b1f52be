"""`orchestrate mcp`, over standard input and output, with the client of the official SDK."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from tests.support.cli import SECONDS, Cli, does, saved

PERSONS = {"approve", "merge", "undo", "redo", "reject", "revise", "cleanup", "config", "uninstall"}


@pytest.fixture
def cli(repository_folder: Path) -> Cli:
    cli = Cli(repository_folder)
    cli.queue(does("Add a page", saved("page.txt", "page")))
    cli.run()
    return cli


def serve(cli: Cli, use: Callable[[Client], Awaitable[None]], *words: str) -> None:
    """Start the server as a client does, use it, and stop it."""
    argv = ["-P", "-m", "gitorch", "mcp", *words]
    server = StdioServerParameters(command=sys.executable, args=argv, env=cli.environment, cwd=cli.folder)

    async def session() -> None:
        async with Client(server, read_timeout_seconds=SECONDS) as client:
            await use(client)

    asyncio.run(session())


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    content = result.structured_content
    return content["result"] if content is not None and content.keys() == {"result"} else content


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return str(result.content[0].text)  # type: ignore[union-attr]


def test_a_client_reads_queues_and_comments(cli: Cli) -> None:
    """The answers are those of the commands; what a person decides is not offered."""

    async def use(client: Client) -> None:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert names == {"status", "task", "submit", "plan", "diff", "log", "comment", "report"}
        assert not names & PERSONS
        assert (await call(client, "status"))["schema"] == "gitorch/status/1"
        assert "+page" in (await call(client, "diff", name="add-a-page"))["patch"]
        assert (await call(client, "task", name="add-a-page"))["task"]["state"] == "finished"
        text = "--agent=nobody `rm -r x`; -c agent=x"
        (task,) = (await call(client, "submit", prompt=text, after=["add-a-page"], priority="high"))["tasks"]
        assert (task["after"], task["priority"]) == (["add-a-page"], "high")
        assert (await call(client, "task", name=task["id"]))["task"]["prompt"] == text
        await call(client, "comment", name="add-a-page", text="--message=why?", position="page.txt:1")
        assert isinstance(await call(client, "log", name="add-a-page"), list)
        assert "is not the name of a task" in await refused(client, "task", name="--help")
        answer = await refused(client, "task", name="nothing")
        error = json.loads(answer[answer.index("{") :])
        assert error["code"] == "no-such-task"
        await refused(client, "run")

    serve(cli, use)
    (comment,) = cli.json("task", "add-a-page")["task"]["comments"]
    assert (comment["text"], comment["file"], comment["line"]) == ("--message=why?", "page.txt", 1)
    assert comment["who"].endswith("(through mcp)")


def test_running_needs_a_flag(cli: Cli) -> None:
    """With `--allow-run` a client can stop tasks; an agent cannot serve at all."""
    cli("submit", "Another page")

    async def use(client: Client) -> None:
        assert {"run", "kill"} <= {tool.name for tool in (await client.list_tools()).tools}
        assert (await call(client, "kill", name="another-page"))["tasks"][0]["state"] == "cancelled"

    serve(cli, use, "--allow-run")
    assert "an agent may not serve MCP" in cli("mcp", ok=5, env={"GITORCH_TASK": "x"}).stderr


def test_what_a_program_looks_at_is_not_reviewed(cli: Cli) -> None:
    """A person who has not seen later commits is still told so by `approve --all`."""
    cli("diff", "add-a-page", env={"GITORCH_CLIENT": "mcp"})
    shown = cli.folder / ".git/gitorch/shown"
    assert not any(path.is_file() for path in shown.rglob("*"))
