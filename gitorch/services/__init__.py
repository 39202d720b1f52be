"""The use cases: plain functions that take a `Workspace`, grouped in modules.

A module is imported when it is first used as an attribute of its package (PEP 562): `services.undo.undo(...)`. A use
case of more than one module is a package; each says what is in it and what is not.
"""

from typing import TYPE_CHECKING

from gitorch import lazy

if TYPE_CHECKING:
    from gitorch.services import (
        adopt as adopt,
        agents as agents,
        attach as attach,
        branches as branches,
        change_watch as change_watch,
        changes as changes,
        check as check,
        configured_checks as configured_checks,
        context as context,
        demo as demo,
        doctor as doctor,
        github as github,
        hooks as hooks,
        input_checks as input_checks,
        inside_credentials as inside_credentials,
        lookup as lookup,
        maintenance as maintenance,
        merging as merging,
        notes_exchange as notes_exchange,
        open as open,
        past as past,
        people_only as people_only,
        plan as plan,
        plan_approval as plan_approval,
        planner as planner,
        preflight as preflight,
        project_setup as project_setup,
        protection as protection,
        queue as queue,
        recovery as recovery,
        remote as remote,
        report as report,
        rescue as rescue,
        restack as restack,
        resume as resume,
        reviewing as reviewing,
        run as run,
        run_lock as run_lock,
        sandbox as sandbox,
        settings as settings,
        stop as stop,
        submit as submit,
        transcripts as transcripts,
        undo as undo,
        uninstall as uninstall,
        watch as watch,
        workers as workers,
    )
else:
    __getattr__ = lazy.submodules(__name__)
