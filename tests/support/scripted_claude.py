#!/usr/bin/env -S python3 -I -S
"""A stand-in for `claude -p` that needs no server: the last line `#!claude BEHAVIOUR [ARGUMENT]` of its prompt decides.

It keeps its sessions in HOME, as the real one does, and refuses to resume one that it does not have. What the real one
prints is tested with the real one: see `tests/integration/test_real_agents.py`.
"""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

SESSIONS = Path(os.environ.get("HOME", "/nonexistent")) / "scripted-sessions"


def main() -> None:
    """Do what the arguments ask for."""
    if sys.argv[1:] == ["--version"]:
        print("2.1.332 (Claude Code)")
    elif sys.argv[1:] == ["auth", "status"]:
        print(json.dumps({"loggedIn": True}))
    else:
        print_run()


def print_run() -> None:
    """Print the stream of one execution."""
    prompt = sys.stdin.buffer.read().decode()
    resumed = "--resume" in sys.argv
    session = sys.argv[sys.argv.index("--resume" if resumed else "--session-id") + 1]
    file = SESSIONS / session
    if resumed and not file.exists():
        print(f"No conversation found with session ID: {session}", file=sys.stderr)
        emit_result(session, errors=[f"No conversation found with session ID: {session}"])
        sys.exit(1)
    emit(type="system", subtype="init", session_id=session)
    history = file.read_text() if resumed else ""
    orders = re.findall(r"^#!claude (\w+) ?(.*)$", history + prompt, re.MULTILINE)
    behaviour, argument = orders[-1] if orders else ("work", "")
    if behaviour != "unwritten":
        SESSIONS.mkdir(parents=True, exist_ok=True)
        file.write_text(history + prompt)
    globals()[behaviour](session, argument)


def emit(**event: Any) -> None:
    """Print an event."""
    print(json.dumps(event), flush=True)


def say(session: str, text: str, **fields: Any) -> None:
    """Print a message."""
    emit(type="assistant", session_id=session, message={"content": [{"type": "text", "text": text}]}, **fields)


def emit_result(session: str, text: str = "", *, errors: list[str] | None = None, **fields: Any) -> None:
    """Print the final event: an error if there are `errors`, or if `fields` say so."""
    event = {"type": "result", "subtype": "success", "is_error": False, "result": text, "session_id": session}
    event |= {"num_turns": 1, "total_cost_usd": 0.25, "usage": {"input_tokens": 10, "output_tokens": 5}}
    if errors:
        event |= {"subtype": "error_during_execution", "is_error": True, "errors": errors}
    emit(**(event | fields))


def work(session: str, name: str) -> None:
    """Write and commit a file."""
    Path(name or "work.txt").write_text("work\n")
    subprocess.run(["git", "add", "-A"], check=True)
    subprocess.run(["git", "commit", "-qm", "Work"], check=True)
    say(session, "Done.")
    emit_result(session, "Done.")


def leave(session: str, name: str) -> None:
    """Write a file and leave it uncommitted."""
    Path(name or "left.txt").write_text("left\n")
    emit_result(session, "Done.")


def mend(session: str, name: str) -> None:
    """Leave a file that a hook refuses; the next time, one that it accepts."""
    file = Path(name)
    file.write_text("clean\n" if file.exists() else "-----BEGIN PRIVATE-----\n")
    emit_result(session, "Done.")


def ask(session: str, question: str) -> None:
    """End with a question."""
    say(session, question)
    emit_result(session, question)


def reply(session: str, text: str) -> None:
    r"""End with a message, in which \n is a line end."""
    emit_result(session, text.replace("\\n", "\n"))


def silent(session: str, _argument: str) -> None:
    """End without a word."""
    emit_result(session)


def meddle(session: str, text: str) -> None:
    """Commit a file, leave another one and change a third, if that is possible, and end with a message."""
    with suppress(OSError):
        Path("meddled.txt").write_text("meddled\n")
        subprocess.run(["git", "add", "-A"], check=True)
        subprocess.run(["git", "commit", "-qm", "Meddle"], check=True)
        Path("left.txt").write_text("left\n")
        Path("work.txt").write_text("changed\n")
    reply(session, text)


def mended(session: str, text: str) -> None:
    """Change a file, and end with a message."""
    Path("work.txt").write_text("fixed\n")
    reply(session, text)


def nothing(session: str, _argument: str) -> None:
    """Change nothing."""
    emit_result(session, "Nothing has to change.")


def deny(session: str, _argument: str) -> None:
    """End without a change because a tool call was denied."""
    denial = {"tool_name": "Bash", "tool_use_id": "1", "tool_input": {"command": "make"}}
    emit_result(session, "I may not do that.", permission_denials=[denial])


def cut(session: str, _argument: str) -> None:
    """End at the output limit."""
    emit_result(session, "I was about to", stop_reason="max_tokens")


def fail(session: str, error: str) -> None:
    """End with an error of the service."""
    emit(type="assistant", error=error, message={"content": [{"type": "text", "text": error}]})
    emit_result(session, f"API Error: {error}", is_error=True)
    sys.exit(1)


def limit(session: str, seconds: str) -> None:
    """Reach the limit of the account, which resets in some seconds; the next time, work."""
    if (marker := SESSIONS / f"{session}.limited").exists():
        work(session, f"{session}.txt")
        return
    marker.touch()
    info = {"status": "rejected", "resetsAt": int(time.time()) + int(seconds), "rateLimitType": "five_hour"}
    emit(type="rate_limit_event", rate_limit_info=info)
    emit(type="assistant", error="rate_limit", message={"content": [{"type": "text", "text": "limit"}]})
    emit_result(session, "You've hit your limit", is_error=True, api_error_status=429)
    sys.exit(1)


def unauthorized(session: str, _argument: str) -> None:
    """Retry a request with a bad key, as often as the real one does."""
    del session
    for attempt in range(1, 11):
        emit(
            type="system",
            subtype="api_retry",
            attempt=attempt,
            max_retries=10,
            retry_delay_ms=30_000,
            error_status=401,
            error="authentication_failed",
        )
        time.sleep(30)


def hang(session: str, name: str) -> None:
    """Leave a file uncommitted and print nothing more, until it is stopped."""
    Path(name or "part.txt").write_text("part\n")
    say(session, "I have begun.")
    time.sleep(300)


def unwritten(session: str, _argument: str) -> None:
    """Hang before the session is written; once `released` exists, work."""
    if (Path.home() / "released").exists():
        work(session, "")
        return
    (Path.home() / "started").touch()
    time.sleep(300)


if __name__ == "__main__":
    main()
