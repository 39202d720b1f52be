"""What changed in your repository that gitorch did not change: found, recorded, and kept until acknowledged."""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.services.change_watch import (
        acknowledgement as acknowledgement,
        differences as differences,
        during_run as during_run,
        ignored_files as ignored_files,
        outside_runs as outside_runs,
        startup_files as startup_files,
    )
else:
    __getattr__ = lazy.submodules(__name__)
