"""Names of refs that gitorch needs and cannot create: git stores refs like files, so a name cannot also be a folder."""

from __future__ import annotations

import shlex

from gitorch.errors import Refused
from gitorch.model.naming import NOTES, OWN_REFS, Ref, branch_ref
from gitorch.services.submit import require_prefix
from gitorch.services.workspace import Workspace


def require_free_names(workspace: Workspace) -> None:
    """Raise `Refused` if a ref that gitorch did not make stands where gitorch needs one, or a folder of them."""
    require_prefix(workspace)
    config = workspace.config
    needed = (NOTES, branch_ref(config.integration), branch_ref(config.candidate))
    folders = {Ref(OWN_REFS.rstrip("/")), *(Ref(name.rpartition("/")[0]) for name in needed)}
    repository = workspace.repository
    for folder in sorted(folders):
        if repository.has_ref(folder):
            raise _blocked(folder, f"{folder}/...")
    for ref in repository.refs(*(f"{name}/" for name in needed)):
        raise _blocked(ref, next(name for name in needed if ref.startswith(f"{name}/")))


def _blocked(ref: Ref, name: str) -> Refused:
    return Refused(
        "ref-name",
        f"{ref} exists, so {name} cannot be created",
        why="git stores refs like files: a name cannot also be a folder",
        fix=(_rename(ref),),
    )


def _rename(ref: Ref) -> str:
    """Return the command that gives a ref another name, which is in nobody's way."""
    kind, _, rest = ref.removeprefix("refs/").partition("/")
    new = f"{rest.replace('/', '-')}-moved"
    if kind == "heads":
        return shlex.join(["git", "branch", "-m", rest, new])
    target = f"refs/{kind}/{new}" if rest else f"refs/moved/{kind}"
    return f"{shlex.join(['git', 'update-ref', target, ref])} && {shlex.join(['git', 'update-ref', '-d', ref])}"
