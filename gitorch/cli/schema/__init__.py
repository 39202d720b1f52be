"""The JSON answers: one typed struct per answer, and the functions that fill it from values of the model.

An answer is a subclass of `answer.JsonAnswer`, tagged with its schema (`gitorch/<command>/1`). Parts that answers share
end in `Json`. `docs/make_schemas.py` exports all of them as JSON Schemas; the docstrings become their descriptions.

A module is imported when it is first used as an attribute of this package (PEP 562): `schema.status.StatusAnswer`.
"""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.cli.schema import (
        answer as answer,
        context as context,
        error as error,
        forecast as forecast,
        history as history,
        maintenance as maintenance,
        merge as merge,
        plan as plan,
        preview as preview,
        progress as progress,
        queue as queue,
        report as report,
        rescue as rescue,
        resolution as resolution,
        resolution_diff as resolution_diff,
        review as review,
        run as run,
        second_look as second_look,
        start as start,
        status as status,
        task as task,
        undo as undo,
    )
else:  # a type checker would accept any attribute
    __getattr__ = lazy.submodules(__name__)
