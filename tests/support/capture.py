"""Capture event streams of the real programs as fixtures: `python -m tests.support.capture [NAME...]`.

Each ends up in `tests/support/streams/<agent>-<case>.jsonl`, with the scratch folder and the server's port replaced.
"""

from __future__ import annotations

import re
import sys
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path

from gitorch.agents.claude.adapter import Claude
from gitorch.agents.codex.adapter import Codex
from gitorch.agents.protocol import Agent, Request
from gitorch.config import AgentSettings
from tests.support import real
from tests.support.model_server import (
    Brain,
    Call,
    Drop,
    Fault,
    ModelServer,
    Say,
    Shell,
    StreamFault,
    Tokens,
    by_prompt,
    script,
)

STREAMS = Path(__file__).parent / "streams"

RESET = 1800000000
LIMIT_HEADERS = {
    "anthropic-ratelimit-unified-status": "rejected",
    "anthropic-ratelimit-unified-reset": str(RESET),
    "anthropic-ratelimit-unified-representative-claim": "five_hour",
    "retry-after": "3600",
}
USAGE_LIMIT = {"error": {"type": "usage_limit_reached", "message": "limit", "plan_type": "plus", "resets_at": RESET}}
QUOTA = {"error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "no quota"}}

work = script(
    Shell("printf 'one\\ntwo\\n' > a.txt && git add a.txt && git commit -qm 'Add a' && cat a.txt", text="I add it."),
    Shell("ls /nowhere-at-all"),
    Say("Done: `a.txt` 🦀", thinking="Let me think."),
)

SUBTASK = {"description": "count", "prompt": "SUBTASK", "subagent_type": "general-purpose", "run_in_background": False}
delegating = by_prompt(
    {"SUBTASK": script(Say("Seven.", Tokens(100, 0, 100)))},
    otherwise=script(Call("Agent", SUBTASK), Say("It says seven.")),
)

CASES: dict[str, tuple[Brain, tuple[str, ...], Mapping[str, str]]] = {
    "claude-work": (work, (), {}),
    "claude-subagent": (delegating, (), {}),
    "claude-turns": (script(Shell("true")), ("--max-turns", "2"), {}),
    "claude-budget": (script(Shell("true", tokens=Tokens(10**6))), ("--max-budget-usd", "1"), {}),
    "claude-denied": (
        script(Shell("touch b.txt"), Say("I was not allowed.")),
        ("--permission-mode", "dontAsk"),
        {},
    ),
    "claude-400": (script(Fault(400)), (), {}),
    "claude-401": (script(Fault(401)), (), {}),
    "claude-403": (script(Fault(403)), (), {}),
    "claude-404": (script(Fault(404)), (), {}),
    "claude-413": (script(Fault(413)), (), {}),
    "claude-429": (script(Fault(429, headers={"retry-after": "3600"})), (), {}),
    "claude-500": (script(Fault(500)), (), {"CLAUDE_CODE_MAX_RETRIES": "1"}),
    "claude-529": (script(Fault(529)), (), {}),
    "claude-drop": (script(Drop()), (), {}),
    "claude-refusal": (script(Say("No.", stop="refusal")), (), {}),
    "claude-limit": (
        script(Fault(429, headers=LIMIT_HEADERS)),
        (),
        {"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-dummy"},
    ),
    "claude-logged-out": (script(Say("never")), (), {"ANTHROPIC_API_KEY": ""}),
    "codex-work": (work, (), {}),
    "codex-patch": (
        script(
            Call("apply_patch", {"input": "*** Begin Patch\n*** Add File: p.txt\n+hello\n*** End Patch\n"}), Say("ok")
        ),
        (),
        {},
    ),
    "codex-400": (script(Fault(400)), (), {}),
    "codex-401": (script(Fault(401)), (), {}),
    "codex-500": (script(Fault(500)), (), {}),
    "codex-503": (script(Fault(503)), (), {}),
    "codex-429": (script(Fault(429, headers={"retry-after": "1"})), (), {}),
    "codex-drop": (script(Drop(midstream=True)), (), {}),
    "codex-usage-limit": (script(Fault(429, USAGE_LIMIT)), (), {}),
    "codex-quota": (script(Fault(429, QUOTA)), (), {}),
    "codex-context": (script(StreamFault("context_length_exceeded", "too long")), (), {}),
    "codex-policy": (script(StreamFault("content_policy_violation", "this was flagged")), (), {}),
    "codex-no-key": (script(Say("never")), (), {"CODEX_API_KEY": ""}),
}


def capture(name: str, folder: Path) -> tuple[bytes, str]:
    """Run the case `name` in `folder` and return its scrubbed standard output and standard error."""
    kind = name.partition("-")[0]
    brain, args, further = CASES[name]
    with ModelServer(brain) as server:
        environment = {**real.sealed_environment(folder, server), **further}
        environment = {key: value for key, value in environment.items() if value}
        tree = real.linked_worktree(folder, environment)
        request = Request(
            task="t",
            worktree=tree,
            state_folder=folder / "main/.git" / "gitorch",
            brief=b"Please add a.txt.\n",
            brief_file="BRIEF",
            session=str(uuid.uuid4()),
        )
        agent: Agent = Claude() if kind == "claude" else Codex()
        launch = agent.launch(_settings(kind, server, args), request)
        ran = real.Running(launch, environment, tree, folder / "run").end()
        scrub = re.compile(re.escape(server.url) + "|" + re.escape(server.url.partition("//")[2]))
        raw = b"".join(ran.lines).decode()
        outputs = [scrub.sub("http://server", text).replace(str(folder), "/scratch") for text in (raw, ran.stderr)]
        return outputs[0].replace(str(folder).replace("/", "-"), "-scratch").encode(), outputs[1]


def _settings(kind: str, server: ModelServer, args: tuple[str, ...]) -> AgentSettings:
    return real.claude_settings(server, args=args) if kind == "claude" else real.codex_settings(server, args=args)


def main() -> None:
    """Capture the named cases, or all."""
    for name in sys.argv[1:] or CASES:
        with tempfile.TemporaryDirectory() as folder:
            stdout, stderr = capture(name, Path(folder).resolve())
        (STREAMS / f"{name}.jsonl").write_bytes(stdout)
        print(f"{name}: {len(stdout)} bytes, stderr: {stderr.strip()[-300:]}")


if __name__ == "__main__":
    main()
