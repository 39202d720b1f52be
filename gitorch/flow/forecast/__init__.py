"""The conflict forecast: which branches will conflict, and the background worker that keeps it up to date.

`removed_names` is imported when it is first used (PEP 562): it loads parsers.
"""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.flow.forecast import removed_names as removed_names
else:
    __getattr__ = lazy.submodules(__name__)
