"""Which agent takes over the work of one that has reached its limit."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from tests.support.cli import Cli

STUB = """\
#!/bin/sh
[ "$1" = --version ] && { echo 2.1.332; exit; }
[ "$1" = auth ] && exit
"""
LIMITED = """\
echo '{"type":"result","is_error":true,"api_error_status":429,"result":"limit reached, try again in 5 hours"}'
exit 1
"""
WORKS = """\
echo x > made.txt
echo '{"type":"result","is_error":false,"result":"done"}'
"""


def test_work_of_an_agent_that_may_only_read_comes_to_none_that_writes(repository_folder: Path, tmp_path: Path) -> None:
    """A switch keeps what the agent may do, in both directions."""
    agents = (("claude", LIMITED, "readonly"), ("other", WORKS, "worktree"), ("third", LIMITED, "worktree"))
    settings = '[run]\nrate_limits = "switch"\n'
    for name, ending, permissions in agents:
        program = tmp_path / name
        program.write_text(STUB + ending)
        program.chmod(0o755)
        settings += f"""[agents.{name}]\nkind = "claude"\npath = "{program}"\npermissions = "{permissions}"\n"""
        settings += 'env = { ANTHROPIC_API_KEY = "k" }\n'
    cli = Cli(repository_folder, settings, GITORCH_SANDBOX_MODE="off")
    cli.queue(
        {"prompt": "Read it", "id": "read", "agent": "claude"}, {"prompt": "Write it", "id": "write", "agent": "third"}
    )
    before_the_limit_ends = f"{datetime.now() + timedelta(hours=2):%H:%M}"
    cli.run("--until", before_the_limit_ends, ok=8)
    tasks = cli.tasks()
    assert [(tasks[name]["state"], tasks[name]["agent"]) for name in ("read", "write")] == [
        ("waiting", "claude"),
        ("finished", "other"),
    ]
