# ruff: noqa: E501, RUF001 (pictures are as wide as they are, and show the symbols)
"""What `status` prints: whole pictures in plain strings, and what no picture may ever do."""

from __future__ import annotations

import re
import subprocess
import sys

import msgspec
import pytest
from rich.cells import cell_len

from gitorch.model.forecasts.conflict_forecast import Candidate, Conflict, ExcludedTask
from gitorch.model.naming import Oid, TaskId
from gitorch.model.resolution import Resolution, ResolvedFile
from gitorch.model.task import State, Task
from tests.support.pages import NIGHT, NOW, WHERE, a_task, an_attempt, night, picture, status_page
from tests.support.tasks import with_fields


def test_status_at_100_columns() -> None:
    """Whose turn it is, with what has room."""
    assert night(100) == picture("""
        shop   orch/integration at 4bc72dc
        15 tasks: 3 to review, 1 in conflict, 1 with a question, 1 failed, 1 running, 1 rate-limited until
                  09:12, 2 to merge, 3 queued, 1 merged, 1 dropped · $6.62 + 858k tok (no price)

           Task           State         Took      Diff  Checks      Cost  Next
           Needs you
        ❯  login-form     finished     1h15m  +402 -12  ✗ 1/2      $2.20  review: checks failed: test
        ❯  api-docs       finished    19m00s    +96 -4  none    429k tok  review: not checked
        ❯  rate-limit     finished    38m18s  +214 -31  ✓ 2/2      $1.10  review
        ≠  orders-api     conflicted  31m00s            ✓ 2/2      $0.90  retry: conflicts with auth-hash i…
        ?  e2e-tests      waiting      4m00s                       $0.06  answer: Which browser?
        ✗  upgrade-deps   failed       2m00s                       $0.02  retry: no changes
           Running
        ▶  search-index   running     12m00s                    429k tok  running checks
           Rate-limited
        ◔  dark-mode      waiting     12m00s                       $0.40  resumes at 09:12: usage limit rea…
           Approved
        ✓  db-schema      approved    41m51s   +120 -0  ✓ 2/2      $1.20  merge
        ✓  auth-hash      approved    27m00s            ✓ 2/2      $0.44  merge: stale (dependency changed)
           Queued
        ·  release-notes  queued                                          high priority; after upgrade-deps…
        ·  changelog      queued                                          after e2e-tests
        ↺  typo-fixes     queued       3m00s                       $0.10  sent back with 1 comment
           Done
        ●  old-thing      merged       3m00s            ✓ 2/2      $0.10  as 9f3c21a
        –  bad-idea       rejected     3m00s                       $0.10  not what was meant
        1 column hidden: attempt

        ↳ orchestrate review                      3 to review
        ↳ orchestrate resume e2e-tests -m "..."   answer the question
        ↳ orchestrate merge -n                    show 1 conflict
        """)


def test_status_at_80_columns() -> None:
    """The columns that matter least are hidden first, and said to be."""
    assert night(80) == picture("""
        shop   orch/integration at 4bc72dc
        15 tasks: 3 to review, 1 in conflict, 1 with a question, 1 failed, 1 running, 1
                  rate-limited until 09:12, 2 to merge, 3 queued, 1 merged, 1 dropped ·
                  $6.62 + 858k tok (no price)

           Task               Diff  Checks      Cost  Next
           Needs you
        ❯  login-form     +402 -12  ✗ 1/2      $2.20  review: checks failed: test
        ❯  api-docs         +96 -4  none    429k tok  review: not checked
        ❯  rate-limit     +214 -31  ✓ 2/2      $1.10  review
        ≠  orders-api               ✓ 2/2      $0.90  retry: conflicts with auth-hash i…
        ?  e2e-tests                           $0.06  answer: Which browser?
        ✗  upgrade-deps                        $0.02  retry: no changes
           Running
        ▶  search-index                     429k tok  running checks
           Rate-limited
        ◔  dark-mode                           $0.40  resumes at 09:12: usage limit rea…
           Approved
        ✓  db-schema       +120 -0  ✓ 2/2      $1.20  merge
        ✓  auth-hash                ✓ 2/2      $0.44  merge: stale (dependency changed)
           Queued
        ·  release-notes                              high priority; after upgrade-deps…
        ·  changelog                                  after e2e-tests
        ↺  typo-fixes                          $0.10  sent back with 1 comment
           Done
        ●  old-thing                ✓ 2/2      $0.10  as 9f3c21a
        –  bad-idea                            $0.10  not what was meant
        3 columns hidden: state, took, attempt

        ↳ orchestrate review                      3 to review
        ↳ orchestrate resume e2e-tests -m "..."   answer the question
        ↳ orchestrate merge -n                    show 1 conflict
        """)


def test_status_at_60_columns() -> None:
    """At sixty the task, its state and what is next are left."""
    assert night(60) == picture("""
        shop   orch/integration at 4bc72dc
        15 tasks: 3 to review, 1 in conflict, 1 with a question, 1
                  failed, 1 running, 1 rate-limited until 09:12, 2
                  to merge, 3 queued, 1 merged, 1 dropped · $6.62 +
                  858k tok (no price)

           Task           Checks  Next
           Needs you
        ❯  login-form     ✗ 1/2   review: checks failed: test
        ❯  api-docs       none    review: not checked
        ❯  rate-limit     ✓ 2/2   review
        ≠  orders-api     ✓ 2/2   retry: conflicts with auth-hash i…
        ?  e2e-tests              answer: Which browser?
        ✗  upgrade-deps           retry: no changes
           Running
        ▶  search-index           running checks
           Rate-limited
        ◔  dark-mode              resumes at 09:12: usage limit rea…
           Approved
        ✓  db-schema      ✓ 2/2   merge
        ✓  auth-hash      ✓ 2/2   merge: stale (dependency changed)
           Queued
        ·  release-notes          high priority; after upgrade-deps…
        ·  changelog              after e2e-tests
        ↺  typo-fixes             sent back with 1 comment
           Done
        ●  old-thing      ✓ 2/2   as 9f3c21a
        –  bad-idea               not what was meant
        5 columns hidden: diff, cost, state, took, attempt

        ↳ orchestrate review                      3 to review
        ↳ orchestrate resume e2e-tests -m "..."
        ↳ orchestrate merge -n                    show 1 conflict
        """)


def test_status_below_60_columns() -> None:
    """Narrower than that, a task takes two lines."""
    assert night(50) == picture("""
        shop   orch/integration at 4bc72dc
        15 tasks: 3 to review, 1 in conflict, 1 with a
                  question, 1 failed, 1 running, 1
                  rate-limited until 09:12, 2 to merge, 3
                  queued, 1 merged, 1 dropped · $6.62 +
                  858k tok (no price)

        ❯ login-form  finished
          review: checks failed: test · attempt 1 · 1h15m…
        ❯ api-docs  finished
          review: not checked · attempt 1 · 19m00s · +96 …
        ❯ rate-limit  finished
          review · attempt 2 · 38m18s · +214 -31 · ✓ 2/2 …
        ≠ orders-api  conflicted
          retry: conflicts with auth-hash in src/auth.py …
        ? e2e-tests  waiting
          answer: Which browser? · attempt 1 · 4m00s · $0…
        ✗ upgrade-deps  failed
          retry: no changes · attempt 2 · 2m00s · $0.02
        ▶ search-index  running
          running checks · attempt 1 · 12m00s · 429k tok
        ◔ dark-mode  waiting
          resumes at 09:12: usage limit reached · attempt…
        ✓ db-schema  approved
          merge · attempt 1 · 41m51s · +120 -0 · ✓ 2/2 · …
        ✓ auth-hash  approved
          merge: stale (dependency changed) · attempt 1 ·…
        · release-notes  queued
          high priority; after upgrade-deps (failed)
        · changelog  queued
          after e2e-tests
        ↺ typo-fixes  queued
          sent back with 1 comment · attempt 1 · 3m00s · …
        ● old-thing  merged
          as 9f3c21a · attempt 1 · 3m00s · ✓ 2/2 · $0.10
        – bad-idea  rejected
          not what was meant · attempt 1 · 3m00s · $0.10

        ↳ orchestrate review
        ↳ orchestrate resume e2e-tests -m "..."
        ↳ orchestrate merge -n
        """)


def test_status_for_programs() -> None:
    """Without a terminal: no headings, no gaps, nothing cut, a dash for what is not there."""
    assert night(None) == picture("""
        shop   orch/integration at 4bc72dc
        15 tasks: 3 to review, 1 in conflict, 1 with a question, 1 failed, 1 running, 1 rate-limited until 09:12, 2 to merge, 3 queued, 1 merged, 1 dropped · $6.62 + 858k tok (no price)
           Task           State       Attempt    Took      Diff  Checks      Cost  Next
        ❯  login-form     finished          1   1h15m  +402 -12  ✗ 1/2      $2.20  review: checks failed: test
        ❯  api-docs       finished          1  19m00s    +96 -4  none    429k tok  review: not checked
        ❯  rate-limit     finished          2  38m18s  +214 -31  ✓ 2/2      $1.10  review
        ≠  orders-api     conflicted        1  31m00s         -  ✓ 2/2      $0.90  retry: conflicts with auth-hash in src/auth.py
        ?  e2e-tests      waiting           1   4m00s         -  -          $0.06  answer: Which browser?
        ✗  upgrade-deps   failed            2   2m00s         -  -          $0.02  retry: no changes
        ▶  search-index   running           1  12m00s         -  -       429k tok  running checks
        ◔  dark-mode      waiting           1  12m00s         -  -          $0.40  resumes at 09:12: usage limit reached
        ✓  db-schema      approved          1  41m51s   +120 -0  ✓ 2/2      $1.20  merge
        ✓  auth-hash      approved          1  27m00s         -  ✓ 2/2      $0.44  merge: stale (dependency changed)
        ·  release-notes  queued            -       -         -  -              -  high priority; after upgrade-deps (failed)
        ·  changelog      queued            -       -         -  -              -  after e2e-tests
        ↺  typo-fixes     queued            1   3m00s         -  -          $0.10  sent back with 1 comment
        ●  old-thing      merged            1   3m00s         -  ✓ 2/2      $0.10  as 9f3c21a
        –  bad-idea       rejected          1   3m00s         -  -          $0.10  not what was meant
        ↳ orchestrate review                      3 to review
        ↳ orchestrate resume e2e-tests -m "..."   answer the question
        ↳ orchestrate merge -n                    show 1 conflict
        """)


def test_status_on_a_dumb_terminal() -> None:
    """ASCII stands for every symbol."""
    assert night(80, symbols=False) == picture("""
        shop   orch/integration at 4bc72dc
        15 tasks: 3 to review, 1 in conflict, 1 with a question, 1 failed, 1 running, 1
                  rate-limited until 09:12, 2 to merge, 3 queued, 1 merged, 1 dropped -
                  $6.62 + 858k tok (no price)

           Task               Diff  Checks      Cost  Next
           Needs you
        >  login-form     +402 -12  x 1/2      $2.20  review: checks failed: test
        >  api-docs         +96 -4  none    429k tok  review: not checked
        >  rate-limit     +214 -31  ok 2/2     $1.10  review
        !  orders-api               ok 2/2     $0.90  retry: conflicts with auth-hash i~
        ?  e2e-tests                           $0.06  answer: Which browser?
        x  upgrade-deps                        $0.02  retry: no changes
           Running
        *  search-index                     429k tok  running checks
           Rate-limited
        ~  dark-mode                           $0.40  resumes at 09:12: usage limit rea~
           Approved
        +  db-schema       +120 -0  ok 2/2     $1.20  merge
        +  auth-hash                ok 2/2     $0.44  merge: stale (dependency changed)
           Queued
        .  release-notes                              high priority; after upgrade-deps~
        .  changelog                                  after e2e-tests
        <  typo-fixes                          $0.10  sent back with 1 comment
           Done
        =  old-thing                ok 2/2     $0.10  as 9f3c21a
        -  bad-idea                            $0.10  not what was meant
        3 columns hidden: state, took, attempt

        -> orchestrate review                      3 to review
        -> orchestrate resume e2e-tests -m "..."   answer the question
        -> orchestrate merge -n                    show 1 conflict
        """)


@pytest.mark.parametrize("width", [20, 40, 59, 60, 72, 80, 93, 100, 120, 200])
def test_no_line_of_a_status_is_wider_than_the_terminal(width: int) -> None:
    """Columns are chosen for the width; only the commands to copy are never cut."""
    lines = [line for line in night(width).splitlines() if not line.startswith("↳")]
    assert max(map(cell_len, lines)) <= width


def test_a_state_is_never_told_by_colour_alone() -> None:
    """Without colour every state has a word and nearly every one a symbol of its own, in Unicode and in ASCII."""
    for symbols in (True, False):
        rows = {line.split()[1]: line.split() for line in night(None, symbols=symbols).splitlines()[3:18]}
        marks = {name: row[0] for name, row in rows.items()}
        assert {name: row[2] for name, row in rows.items()} == {task.id: task.state for task in NIGHT}
        assert (
            len({marks[name] for name in ("rate-limit", "orders-api", "e2e-tests", "upgrade-deps", "db-schema")}) == 5
        )


def test_colour_changes_nothing_but_colour() -> None:
    """With the styles taken out, a coloured status is the plain one."""
    coloured = night(100, colour=True)
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == night(100)
    assert "\x1b[1;31mfailed" in coloured


def test_ascii_is_ascii() -> None:
    """Where the stream takes no symbols, none are sent."""
    assert night(100, symbols=False).isascii()
    assert night(50, symbols=False, colour=True).isascii()


def test_a_task_that_takes_much_of_the_disk_says_so() -> None:
    def shown(size: int, worktree: str = "/w/login") -> str:
        attempt = an_attempt(1, 60.0, disk=size)
        task = a_task("login", 1, State.FINISHED, attempts=1, attempt=attempt, worktree=worktree)
        return status_page([task], width=120)

    assert "on the disk" not in shown(900_000_000)
    assert "12 GB on the disk" in shown(12_300_000_000)
    assert "on the disk" not in shown(12_300_000_000, worktree="")


def test_what_is_not_judged_is_said_in_words_and_red() -> None:
    """Finished work without a check shows `none`, in red, and the reason beside it."""
    row = next(line for line in night(120, colour=True).splitlines() if "api-docs" in line)
    assert "\x1b[31mnone\x1b[0m" in row
    assert "\x1b[31mreview: " in row
    assert "not checked" in row


def test_an_empty_queue_says_what_to_type() -> None:
    """Where there is nothing yet, the page is the way to start."""
    assert status_page([], repository="shop", width=80) == picture("""
        shop

        no tasks yet
        ↳ orchestrate submit "what to do"   queue your first task
        ↳ orchestrate demo                  try it with scripted agents
        """)


def test_a_run_that_goes_on_and_a_warning_stand_at_the_top() -> None:
    """What the user must know first comes first, and the hint follows the run."""
    shown = status_page(
        NIGHT[10:12], repository="shop", running=True, warnings=("no sandbox\x1b[2J",), width=80
    ).splitlines()
    assert shown[:2] == ["shop   run in progress", r"warning: no sandbox\x1b[2J"]
    assert shown[-1] == "↳ orchestrate watch   watch the run"
    later = NOW.replace(hour=23, minute=0)
    waiting = status_page([], repository="shop", running=True, run_start=later, width=80)
    assert waiting.splitlines()[0] == "shop   run starts at 23:00"


def a_thousand() -> list[Task]:
    tasks = []
    for number in range(1000):
        task = NIGHT[number % len(NIGHT)]
        tasks.append(with_fields(task, id=TaskId(f"{task.id}-{number}"), number=number + 1, after=()))
    return tasks


def test_a_thousand_tasks_fit_on_a_page() -> None:
    """The page stays about sixty lines, every group keeps a few, and the rest is counted with the way to see it."""
    lines = status_page(a_thousand(), **WHERE, width=100).splitlines()
    assert len(lines) <= 66
    states = {word for line in lines for word in line.split()[2:3]}
    assert {task.state for task in NIGHT} <= states
    hidden = sum(int(line.split()[1]) for line in lines if line.strip().startswith("… "))
    rows = sum(any(f" {task.id}-" in line for task in NIGHT) for line in lines if "orchestrate" not in line)
    assert hidden + rows == 1000


def test_all_shows_all() -> None:
    """With `show_all` each of a thousand tasks has its line."""
    text = status_page(a_thousand(), width=100, show_all=True)
    assert "more" not in text
    assert all(f" {task.id} " in text for task in a_thousand())


def test_one_left_over_is_shown_and_not_counted() -> None:
    """No line says "1 more": that line can as well hold the task."""
    tasks = [a_task(f"t{number}", number, State.MERGED) for number in range(1, 7)]
    text = status_page(tasks, width=80)
    assert "more" not in text
    assert "t1" in text


def test_a_status_imports_only_tables() -> None:
    """The page needs rich's console and tables; live displays, progress bars and trees would only cost time."""
    script = "import sys, gitorch.cli.views.status; print(*(name for name in sys.modules if name.startswith('rich.')))"
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules = set(process.stdout.split())
    assert "rich.table" in modules
    assert (
        modules & {"rich.live", "rich.progress", "rich.tree", "rich.syntax", "rich.markdown", "rich.traceback"} == set()
    )


def test_a_proven_resolution_is_the_next_step() -> None:
    """Only of tasks that are in conflict now, and only what is proven."""
    tasks = [a_task(name, number, State.CONFLICTED) for number, name in enumerate(("a", "b"), 1)]
    candidate = _with_resolutions(_resolution("a"), _resolution("b", proven=False), _resolution("finished"))
    shown = status_page(tasks, candidate=candidate)
    assert "merge --resolved   take 1 proven resolution\n" in shown
    assert "--resolved" not in status_page(tasks)


def _resolution(name: str, *, proven: bool = True) -> Resolution:
    oid = Oid("1" * 40)
    evidence = (f"evidence of {name}",)
    file = ResolvedFile(path="a.py", kind="both", base=oid, ours=oid, theirs=oid, result=oid, evidence=evidence)
    return Resolution(
        task=TaskId(name),
        partners=(),
        files=(file,),
        task_tip=oid,
        onto=oid,
        tip=oid,
        tree=oid,
        proven=proven,
        reason="" if proven else "no check of its own",
    )


def _with_resolutions(*resolutions: Resolution) -> Candidate:
    oid = Oid("1" * 40)
    return Candidate(
        branch="orch/candidate",
        tip=oid,
        tree=oid,
        onto=oid,
        before=None,
        created=NOW,
        tasks={},
        inputs={},
        left_out=(ExcludedTask(task=TaskId("a"), reason="conflicts with b"),),
        resolutions=resolutions,
    )


def test_what_is_not_proven_takes_few_lines() -> None:
    """The board has the reason, without the evidence, for the first of them; `review` and `merge -n` have the rest."""
    unproven = [_resolution(f"t{number}", proven=False) for number in range(9)]
    shown = status_page([a_task("a", 1, State.FINISHED)], candidate=_with_resolutions(*unproven))
    assert shown.count("not proven: no check of its own") == shown.count("resolution: t") == 3
    assert "6 more resolutions (see --json)" in shown
    assert "evidence" not in shown
    proven = status_page([a_task("a", 1, State.FINISHED)], candidate=_with_resolutions(_resolution("a")))
    assert "evidence of a" in proven


def test_a_conflict_is_told_once() -> None:
    """What the candidate leaves out for a conflict that stands above is named, without the partner and the paths."""
    tasks = [a_task(name, number, State.FINISHED) for number, name in enumerate(("a", "b", "c"), 1)]
    left_out = tuple(
        ExcludedTask(task=TaskId(name), reason="conflicts with b", partners=(TaskId("b"),), paths=("x.py",))
        for name in ("a", "c")
    )
    candidate = msgspec.structs.replace(_with_resolutions(), left_out=left_out)
    conflicts = [Conflict(tasks=(TaskId("a"), TaskId("b")), paths=("x.py",))]
    shown = status_page(tasks, candidate=candidate, conflicts=conflicts)
    assert "a left out: a conflict above\n" in shown
    assert "c left out: conflicts with b in x.py\n" in shown
