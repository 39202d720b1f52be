"""Run one program and kill it when its time is over: `python -I -S bounded.py SECONDS PROGRAM ARGUMENTS...`.

Whoever starts this need not wait for it, nor live on. The exit code is the program's, or `TOO_LONG`. It uses only the
standard library.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

TOO_LONG = 124
NO_PROGRAM = 127


def main(seconds: float, argv: list[str]) -> int:
    """Run a program with this process's input and output; return the exit code."""
    try:
        program = subprocess.Popen(argv, start_new_session=True)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return NO_PROGRAM
    try:
        return program.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()
        return TOO_LONG


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
