"""A night with everything that a report shows, in which each text that an agent can write is hostile."""

from __future__ import annotations

from datetime import timedelta

from gitorch.flow.review.second_look import AnsweredComment, ReviewMarks, SecondLook
from gitorch.flow.review.values import ReviewCard, RiskSignal
from gitorch.git.diff.file_patches import FilePatch, Hunk
from gitorch.git.diff.hunk_ids import HunkPatch
from gitorch.git.diff.patch_lines import LineKind, Patch, PatchLine
from gitorch.model.outcome import AttemptOutcome, Event, Usage
from gitorch.model.review.answers import CommentAnswer
from gitorch.model.task import Comment, PastAttempt, State, Task
from gitorch.services.past.attempt_steps import AttemptStep
from gitorch.services.report import NightReport, ReportEntry
from gitorch.services.report_details import TaskDetails, Transcript
from tests.support.pages import BASE, NIGHT, NOW, a_task, an_attempt, results

EVIL = (
    "</script></pre></title><script>document.title='PWNED'</script>"
    "<img src=https://planted.example/x onerror=document.title='PWNED2'>"
    "<style>@import 'https://planted.example/y'</style>\u202e\x1b[2J{{ 7 * 7 }}"
)

_LINES = (
    PatchLine(LineKind.FILE, f"a/{EVIL}.py b/{EVIL}.py"),
    PatchLine(LineKind.HUNK, "@@ -1,3 +1,4 @@ def price():"),
    PatchLine(LineKind.CONTEXT, "import os", 1, 1),
    PatchLine(LineKind.REMOVED, "value = 1", 2),
    PatchLine(LineKind.ADDED, f"value = 2  # {EVIL}", new=2),
    PatchLine(LineKind.ADDED, f'name = "{EVIL}"', new=3),
    PatchLine(LineKind.CONTEXT, "done = True", 3, 4),
)


def hostile_task() -> Task:
    """Return a task that waited for a limit between two attempts, with a comment that was not sent yet."""
    attempt = an_attempt(2, 1200, 0.8, started=NOW - timedelta(hours=2), summary=EVIL, outcome="finished")
    first = PastAttempt(
        number=1,
        agent="claude",
        outcome=AttemptOutcome.LIMITED,
        started=NOW - timedelta(hours=6),
        seconds=1800,
        usage=Usage(usd=0.4, input_tokens=1000, output_tokens=100),
    )
    task = a_task(
        "hostile",
        40,
        State.FINISHED,
        attempts=2,
        attempt=attempt,
        past=(first,),
        results=results(1, 0),
        comments=(Comment(text=EVIL, file="a.py", line=2),),
        reason=EVIL,
        created=NOW - timedelta(hours=7),
    )
    return task


def hostile_entry() -> ReportEntry:
    """Return everything about the hostile task."""
    task = hostile_task()
    end = (NOW - timedelta(hours=2)).timestamp() + 1200
    file = FilePatch(path=f"{EVIL}.py", old_path=f"{EVIL}.py", status="M", old_mode="100644", new_mode="100644")
    hunk = HunkPatch(file, Hunk("@@ -1,3 +1,4 @@", 1, 1, _LINES[2:]), ("1",))
    look = SecondLook(
        marks=ReviewMarks(verdict="revise", attempt=1),
        hunks=(hunk,),
        changes=(hunk,),
        comments=(AnsweredComment(1, Comment(text=EVIL), CommentAnswer(1, "kept", "", EVIL)),),
        commits=(EVIL,),
    )
    details = TaskDetails(
        steps=(AttemptStep(2, "agent-1", end - 1200, end - 200), AttemptStep(2, "clean-1/test", end - 200, end)),
        transcript=Transcript(
            (Event(kind="tool", tool="Bash", text=f"Bash: {EVIL}"), Event(kind="text", text=EVIL)), 7
        ),
        outputs={"test": EVIL},
        look=look,
    )
    card = ReviewCard(task=task, changes=(), commits=(EVIL,), signals=(RiskSignal(3, EVIL, path=EVIL, line=2),))
    return ReportEntry(task=task, card=card, patch=Patch(_LINES, is_cut=True), details=details)


def a_report(*entries: ReportEntry) -> NightReport:
    """Return the report of these entries."""
    return NightReport(created=NOW, repository="shop", integration="orch/integration", tip=BASE, entries=entries)


def busy_night() -> NightReport:
    """Return a night of sixteen tasks, one of which is hostile."""
    return a_report(hostile_entry(), *map(_plain, NIGHT))


def _plain(task: Task) -> ReportEntry:
    return ReportEntry(task=task)
