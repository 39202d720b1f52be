#!/usr/bin/env -S python3 -I -S
"""A stand-in for `claude -p` that starts in milliseconds: one request to the scripted server, one reply.

It knows as much of the command line as questions need (`--version`, `auth status`, the stream of a print run). What the
real one does is tested with the real one: see `tests/integration/test_planner.py` and `test_real_agents.py`.
"""

import http.client
import json
import os
import sys
from typing import Any
from urllib.parse import urlsplit

MODEL = "claude-sonnet-5"
SESSION = "00000000-0000-4000-8000-000000000000"
# dollars per million tokens, as the real one would compute
PRICES = {"input_tokens": 2.0, "output_tokens": 10.0}


def main() -> None:
    """Do what the arguments ask for."""
    if sys.argv[1:] == ["--version"]:
        print("2.1.332 (Claude Code)")
    elif sys.argv[1:] == ["auth", "status"]:
        print(json.dumps({"loggedIn": True}))
    else:
        print_run()


def print_run() -> None:
    """Ask the server, and print the stream of `--output-format stream-json`."""
    system = sys.argv[sys.argv.index("--system-prompt") + 1]
    status, reply = send({"model": MODEL, "max_tokens": 1024, "system": system, "messages": [message()]})
    result = {"type": "result", "session_id": SESSION, "num_turns": 1, "is_error": status != 200}
    if status != 200:
        text = f"API Error: {status} {reply['error']['message']}"
        result |= {"subtype": "success", "result": text, "api_error_status": status}
    else:
        print(json.dumps({"type": "assistant", "session_id": SESSION, "message": reply}))
        usage = reply["usage"]
        cost = sum(usage[name] * price for name, price in PRICES.items()) / 1_000_000
        text = "".join(block.get("text", "") for block in reply["content"])
        result |= {"subtype": "success", "result": text, "usage": usage, "total_cost_usd": cost}
        result["stop_reason"] = reply["stop_reason"]
    print(json.dumps(result))
    sys.exit(status != 200)


def message() -> dict[str, str]:
    """Return the user's message: standard input."""
    return {"role": "user", "content": sys.stdin.buffer.read().decode()}


def send(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of the reply."""
    address = urlsplit(os.environ["ANTHROPIC_BASE_URL"])
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    headers = {"content-type": "application/json", "x-api-key": os.environ["ANTHROPIC_API_KEY"]}
    connection.request("POST", "/v1/messages", json.dumps(request), headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


if __name__ == "__main__":
    main()
