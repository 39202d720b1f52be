"""Both ends of `worker` and `serve`. How a repository uses workers is in `services.remote`."""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.services.workers import (
        server_and_tunnel as server_and_tunnel,
        worker as worker,
        worker_checks as worker_checks,
        worker_rescue as worker_rescue,
    )
else:
    __getattr__ = lazy.submodules(__name__)
