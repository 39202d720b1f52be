"""The command that keeps the system awake: held for a block, gone after it, and never in the way."""

from __future__ import annotations

from pathlib import Path

from gitorch.executors.keep_awake import kept_awake


def test_the_system_is_kept_awake_for_as_long_as_the_block(tmp_path: Path) -> None:
    """A stand-in for `systemd-inhibit` runs its command line, and has ended when the block ends."""
    script = f'"$@"; echo ended > {tmp_path}/log'
    with kept_awake(("/bin/sh", "-c", script, "inhibit")) as is_awake:
        assert is_awake
        assert not (tmp_path / "log").exists()
    assert (tmp_path / "log").read_text("utf-8") == "ended\n"


def test_a_command_that_cannot_is_no_error() -> None:
    """No command, one that does not exist, and one that fails at once: the block runs all the same."""
    for argv in ((), ("/nonexistent/inhibit",), ("/bin/false",)):
        with kept_awake(argv) as is_awake:
            assert not is_awake
