"""GitHub, through its command line `gh`: issues become tasks, task branches become stacked draft pull requests.

Nothing here runs unless a person asks for it by `submit --from gh:...` or `merge --pr`.
"""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.services.github import issues as issues, pull_requests as pull_requests
else:
    __getattr__ = lazy.submodules(__name__)
