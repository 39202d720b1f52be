"""Values of the model as rich renderables: one module or package per subject.

A module is imported when it is first used as an attribute of its package (PEP 562): `views.status.status(...)`. So
`-h` and `--json` do not load rich.
"""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.cli.views import (
        adopt as adopt,
        check as check,
        error as error,
        events as events,
        forecast as forecast,
        foreign_changes as foreign_changes,
        help as help,
        history as history,
        merging as merging,
        past as past,
        planning as planning,
        quantities as quantities,
        queue as queue,
        reporting as reporting,
        reviewing as reviewing,
        running as running,
        setup as setup,
        status as status,
        task as task,
        trust as trust,
    )
else:
    __getattr__ = lazy.submodules(__name__)
