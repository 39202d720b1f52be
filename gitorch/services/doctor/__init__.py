"""What `doctor` checks and repairs in a setup. The look before a run is in `services.preflight`."""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.services.doctor import (
        disk as disk,
        repairs as repairs,
        setup as setup,
        setup_checks as setup_checks,
        setup_remote as setup_remote,
    )
else:
    __getattr__ = lazy.submodules(__name__)
