"""The parent process of one execution, as a script: `python -I -S supervisor.py FOLDER LOCK_FD [LEASH_FD]`.

It is started with the environment of the program. It holds the inherited lock on `FOLDER/lock` while it lives: whoever
gets that lock knows that it is gone. Its standard input has the program, a key, and what is redacted; no other process
gets the key. When the pipe LEASH_FD comes to its end, the program is killed.

It uses only the standard library. The work is done by other modules of this package, which Python keeps compiled.
"""

from __future__ import annotations

import json
import os
import sys
from types import ModuleType

if __name__ == "__main__":
    # a bare Python does not find gitorch; its `__init__` would load much that is not needed here
    _package = ModuleType("gitorch")
    _package.__path__ = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    sys.modules["gitorch"] = _package

from gitorch.executors.process_tree import become_subreaper
from gitorch.executors.supervision import Supervisor
from gitorch.model.credentials.scan import Scanner

BEGUN = 3
"""The exit code if the program may have run, but the end could not be recorded."""

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` would delay the start of every agent and every check
    from typing import Any


def read_order() -> dict[str, Any]:
    """Read the program and the key from standard input, and close it."""
    with open(0, "rb", closefd=False) as file:
        order: dict[str, Any] = json.load(file)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return order


def main(folder: str, lock: int, leash: int | None = None) -> None:
    """Supervise the execution in a folder, unless it was supervised before."""
    for inherited in (lock,) if leash is None else (lock, leash):
        os.set_inheritable(inherited, False)
    order = read_order()
    for name in order["unset"]:  # what only the program that made this scope needed
        os.environ.pop(name, None)
    if os.path.exists(os.path.join(folder, "run.json")) or os.path.exists(os.path.join(folder, "exit.json")):
        return
    if sys.platform == "linux":
        become_subreaper()
    scanner = Scanner(order["rules"], order["secrets"])
    supervisor = Supervisor(folder, order["spec"], bytes.fromhex(order["key"]), scanner, leash)
    try:
        supervisor.run()
    except OSError as error:
        if not supervisor.has_begun:
            raise
        sys.stderr.write(f"{error}\n")
        sys.exit(BEGUN)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:4]))
