"""The worked examples of command agents, with stand-ins that take the documented options of aider, gemini and opencode.

A stand-in does the lines between `#!do` and `#!end` of its prompt, in a shell, with its own name as `$AGENT`.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import ROOT, Cli, does
from tests.support.git import git

_DO = "sed -n '/^#!do$/,/^#!end$/p' | AGENT=$(basename $0) /bin/sh -e; code=$?\n"

_AIDER = f"""#!/bin/sh
# --message-file FILE: process it, commit, and exit; the exit code is 0 whatever the model did
[ "$1 $2 $3 $4" = "--yes-always --no-check-update --no-analytics --message-file" ] || exit 2
[ -n "$OPENAI_API_KEY" ] || {{ echo "missing key" >&2; exit 1; }}
cat "$5" | {_DO}
exit 0
"""
_GEMINI = f"""#!/bin/sh
# -p PROMPT is appended to standard input; 41: authentication, 42: input, 53: too many turns
[ "$1 $3 $4 $5 $6 $7" = "-p --approval-mode yolo --skip-trust -o text" ] || exit 42
[ -n "$GEMINI_API_KEY" ] || {{ echo "set an auth method" >&2; exit 41; }}
(cat; echo; echo "$2") | {_DO}
exit $code
"""
_OPENCODE = f"""#!/bin/sh
# run MESSAGE --auto -f FILE
[ "$1 $3 $4" = "run --auto -f" ] && [ -f "$5" ] || exit 1
(echo "$2"; cat "$5") | {_DO}
exit $code
"""


def test_the_examples_work_with_programs_that_behave_as_documented(repository_folder: Path, tmp_path: Path) -> None:
    """Each does its task and shows its failures as what they are; a login that is missing holds the agent alone."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, script in (("aider", _AIDER), ("gemini", _GEMINI), ("opencode", _OPENCODE)):
        (programs / name).write_text(script, "utf-8")
        (programs / name).chmod(0o755)
    cli = Cli(repository_folder, (ROOT / "examples" / "command-agent.toml").read_text("utf-8"))
    cli.environment |= {"PATH": f"{programs}:{cli.environment['PATH']}", "GITORCH_SANDBOX_MODE": "off"}
    keys = {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}
    work = "echo $AGENT > $AGENT.txt; git add -A; git commit -qm Work"
    cli.queue(
        *(does(f"Work with {name}", work, id=name, agent=name) for name in ("aider", "gemini", "opencode")),
        does("Fail silently", "exit 3", id="silent", agent="aider"),
        does("Fail", "exit 3", id="fail", agent="opencode"),
        does(
            "Ask by a result file",
            """echo '{"outcome": "asked", "question": "Which one?", "usage": {"usd": 0.25}}' > $GITORCH_RESULT""",
            id="ask",
            agent="opencode",
        ),
    )
    cli.run(ok=4, env=keys)
    tasks = cli.tasks()
    states = {name: (task["state"], (task["attempt"] or {}).get("outcome")) for name, task in tasks.items()}
    assert states == {
        "aider": ("finished", "finished"),
        "opencode": ("finished", "finished"),
        "gemini": ("queued", "setup"),
        "silent": ("failed", "no changes"),
        "fail": ("failed", "crashed"),
        "ask": ("waiting", "asked"),
    }
    assert "set an auth method" in tasks["gemini"]["reason"]
    assert tasks["ask"]["question"] == "Which one?"
    assert tasks["ask"]["cost"]["usd"] == 0.25
    cli.run(ok=(0, 6, 9), env={**keys, "GEMINI_API_KEY": "k"})
    assert cli.states()["gemini"] == "finished"
    assert git("show", "orch/gemini:gemini.txt", cwd=cli.folder) == "gemini"
