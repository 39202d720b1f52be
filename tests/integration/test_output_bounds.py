"""What a program prints costs neither memory nor disk without bound, and shows no credential."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gitorch.agents import AGENTS
from gitorch.executors.local import LocalExecutor
from gitorch.executors.protocol import ExecutionId, Running, Spec, Stream, missing_bytes, tail_text
from gitorch.model.outcome import Exit, ExitReason
from tests.support.executions import Signal, marked, shell

MEGABYTE = 1_000_000
LIMIT = 2 * MEGABYTE
LINE = "a line of a chatty test runner"
RESULT = (
    '{"type":"result","subtype":"success","is_error":false,"result":"all done","session_id":"s","num_turns":1,'
    '"total_cost_usd":0.1,"usage":{"input_tokens":1,"output_tokens":1}}'
)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Return the folder of executions; no process of theirs is left."""
    yield tmp_path / "executions"
    assert marked(tmp_path) == []


@pytest.fixture
def executor(root: Path) -> LocalExecutor:
    return LocalExecutor(root)


def finished(executor: LocalExecutor, spec: Spec) -> tuple[ExecutionId, Exit, int]:
    """Run a program to its end; return the most memory that its supervisor had, in kB."""
    execution = executor.submit(spec)
    peak = 0
    while isinstance(status := executor.poll(execution), Running):
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{status.pid}/status").read_text().splitlines() if status.pid else []
            peak = max(peak, next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")))
        time.sleep(0.01)  # the mark is the highest so far
    assert isinstance(status, Exit)
    return execution, status, peak


def read(executor: LocalExecutor, execution: ExecutionId, stream: Stream = "stdout") -> bytes:
    """Return the stored output."""
    with executor.open_output(execution, stream) as file:
        return file.read()


FLOODS = {
    "lines": f"yes '{LINE}' | head -c 8000000; echo; echo the end",
    "different lines": "seq 1 1200000; echo the end",
    "one endless line": "head -c 8000000 /dev/zero | tr '\\0' x; echo; echo the end",
    "events": f'yes \'{{"type":"user","message":"{LINE}"}}\' | head -c 8000000; echo; echo the end',
    "no text": "head -c 8000000 /dev/zero; echo; echo the end",
}


@pytest.mark.parametrize(("stream", "kind"), [("stderr", "lines"), *(("stdout", kind) for kind in FLOODS)])
def test_a_program_that_prints_without_end(executor: LocalExecutor, root: Path, stream: Stream, kind: str) -> None:
    """The beginning and the end are stored, with a line between them; the supervisor grows by less than 2 MB."""
    _, _, quiet = finished(executor, shell("a/1/quiet", "sleep 0.3"))
    redirect = "exec >&2; " if stream == "stderr" else ""
    execution, result, peak = finished(executor, shell("a/1/agent-1", redirect + FLOODS[kind], max_output=LIMIT))
    assert result.exit_code == 0
    content = read(executor, execution, stream)
    assert content.endswith(b"\nthe end\n")
    gaps = [int(count) for line in content.split(b"\n") if (count := missing_bytes(line))]
    assert len(gaps) == 1
    assert 5 * MEGABYTE < gaps[0] < 12 * MEGABYTE
    folder = root / "a/1/agent-1"
    assert sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) < LIMIT + MEGABYTE // 10
    assert (folder / stream).read_bytes() == content
    assert peak - quiet < 2_000
    assert peak < 14_000


def test_an_agents_final_event_survives(executor: LocalExecutor) -> None:
    """A run reads how its agent ended, however much it printed before."""
    script = f'yes \'{{"type":"user","message":"{LINE}"}}\' | head -c 8000000; echo; echo \'{RESULT}\''
    execution, result, _ = finished(executor, shell("a/1/agent-1", script, max_output=LIMIT))
    with executor.open_output(execution, "stdout") as lines:
        outcome = AGENTS["claude"].outcome(lines, tail_text(executor, execution, "stderr"), result)
    assert (outcome.ending, outcome.summary) == (ExitReason.COMPLETED, "all done")


def test_a_program_that_prints_after_it_was_asked_to_end(executor: LocalExecutor, tmp_path: Path) -> None:
    """It can neither block the supervisor nor fill the disk meanwhile, and what it said last is stored."""
    ready = Signal(tmp_path / "ready")
    script = f"trap 'echo asked; exit 3' INT; yes & echo > {ready.path}; while :; do wait; done"
    execution = executor.submit(shell("a/1/agent-1", script, max_output=LIMIT, grace=60.0))
    ready.wait()
    executor.cancel(execution, "enough")
    result = executor.wait(execution)
    ready.close()
    assert isinstance(result, Exit)
    assert (result.cause, result.exit_code) == ("stopped", 3)
    assert len(read(executor, execution)) <= LIMIT


SECRET = "x7Kq" + "Zt9Lw2Vn8Rb4"
TOKEN = "ghp_" + "b" * 36


@pytest.mark.parametrize(
    "script",
    [
        "echo $SHOP_KEY; echo $TOKEN",
        "for s in $SHOP_KEY $TOKEN; do printf %.8s $s; sleep 0.2; echo ${s#????????}; done",
        "echo $SHOP_KEY | fold -w 7; echo $TOKEN | fold -w 11",
        'printf \'{"text":"key %s\\\\ntoken %s"}\\n\' $SHOP_KEY $TOKEN',
        "head -c 200000 /dev/zero | tr '\\0' x; echo \" $SHOP_KEY $TOKEN\"",
    ],
)
def test_credentials_are_not_stored(executor: LocalExecutor, root: Path, script: str) -> None:
    """Neither the value of a variable nor what looks like a credential, on both streams, also in parts."""
    env = {"PATH": os.environ["PATH"], "SHOP_KEY": SECRET, "TOKEN": TOKEN}
    spec = shell("a/1/agent-1", f"{script}; exec >&2; {script}", env=env, secrets={"SHOP_KEY": SECRET})
    execution, _, _ = finished(executor, spec)
    for stream in ("stdout", "stderr"):
        content = read(executor, execution, stream)
        assert b"[redacted SHOP_KEY]" in content
        assert b"[redacted github-token]" in content
    for path in (root / "a/1/agent-1").iterdir():
        if path.is_file():
            content = path.read_bytes()
            assert SECRET[6:].encode() not in content
            assert b"b" * 8 not in content
