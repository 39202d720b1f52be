# ruff: noqa: RUF001 (pictures are as wide as they are, and show the symbols)
"""What people read: pages and lines as whole pictures in plain strings, and hostile text on all of them."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator
from typing import get_args

import msgspec
import pytest
from rich.cells import cell_len

from gitorch.cli.terminal.render import render
from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.views import error, events, task as task_view
from gitorch.cli.views.merging import merge, merge_result
from gitorch.cli.views.reviewing import review
from gitorch.cli.views.running import run
from gitorch.cli.views.running.board import Board, Details
from gitorch.errors import InvalidInput, LimitReached
from gitorch.flow.merge import Blocked, Failure, MergeConflict, MergePlan, MergeStep, Progress
from gitorch.flow.review import FileChange, ReviewCard, RiskSignal
from gitorch.model.naming import Oid, TaskId
from gitorch.model.outcome import Event, EventKind
from gitorch.model.task import Comment, Phase, State, Task, by_id, change, change_attempt, change_spec
from gitorch.replay import Replayed
from gitorch.replay.hunks import Hunk
from tests.support.pages import BASE, BY_NAME, HOSTILE, MERGED, NIGHT, NOW, TIP, page, picture, results, status_page
from tests.support.tasks import with_fields


def the_card() -> ReviewCard:
    task = with_fields(
        BY_NAME["rate-limit"],
        title="Limit login attempts. Five failures in ten minutes lock the account for fifteen.",
        prompt="Limit login attempts.\n\n- [ ] the sixth attempt returns 429",
        after=(TaskId("auth-hash"),),
        worktree="../shop.orch/rate-limit",
        base=BASE,
        tip=TIP,
        comments=(Comment(text="Never reset.\nSee RFC 6585.", file="src/limits.py", line=31), Comment(text="Nice.")),
        results=tuple(msgspec.structs.replace(one, output="attempts/2/check-lint/stdout") for one in results(0, 1)),
    )
    task = change_attempt(
        task, summary="The counter lives in Redis.", denials=("Bash: git push",), alarms=("refs/heads/main",)
    )
    return ReviewCard(
        task=task,
        changes=(
            FileChange("src/limits.py", "A", 96, 0),
            FileChange("logo.png", "M", None, None, old_size=2_048, size=3_500_000),
            FileChange("old\x1b[2J.py", "D", 0, 10),
        ),
        commits=("9f3c21a Limit login attempts",),
        signals=(
            RiskSignal(3, "check lint fails", kind="check-failed"),
            RiskSignal(2, "sensitive", "src/limits.py", kind="sensitive"),
            RiskSignal(1, "binary", "logo.png", kind="binary"),
        ),
    )


def test_a_card() -> None:
    """What a reviewer needs before the diff."""
    assert page(review.card, the_card(), width=80, now=NOW) == picture("""
        rate-limit · attempt 2 · claude · 38m18s · $1.10   orch/rate-limit on auth-hash
          Limit login attempts. Five failures in ten minutes lock the account for
          fifteen.

          Risk      high
          Checks    ✓ test  passed       43s  pytest -q
                    ✗ lint  exit code 1  1s   ruff check .
                    lint output: attempts/2/check-lint/stdout
          Signals   ▲ check lint fails
                    ▲ sensitive  src/limits.py
                    ▲ binary  logo.png
          Commits   9f3c21a Limit login attempts
          Files     src/limits.py  +96 -0               added
                    logo.png       binary 2 kB to 4 MB
                    old\\x1b[2J.py  +0 -10               deleted
                    3 files, +96 -10
          Comments  1. src/limits.py:31
                       Never reset.
                       See RFC 6585.
                    2. Nice.
          Agent     The counter lives in Redis.
        """)


def test_renamed_files() -> None:
    """Both paths, with what they share once, as `git diff --stat` shows them."""
    moves = (
        ("src/web/users.py", "src/api/users.py"),
        ("notes.txt", "NOTES.md"),
        ("a.py", "sub/a.py"),
        ("one/a.py", "two/b.py"),
        ("x/a.py", "x/y/a.py"),
    )
    changes = tuple(FileChange(new, "R", 1, 0, old) for old, new in moves)
    card = msgspec.structs.replace(the_card(), changes=changes)
    files = page(review.card, card, width=80, now=NOW).partition("Files")[2].splitlines()[: len(moves)]
    assert [line.strip() for line in files] == [
        "src/{web => api}/users.py  +1 -0  renamed",
        "notes.txt => NOTES.md      +1 -0  renamed",
        "{ => sub}/a.py             +1 -0  renamed",
        "one/a.py => two/b.py       +1 -0  renamed",
        "x/{ => y}/a.py             +1 -0  renamed",
    ]


def test_files_that_were_only_renamed_hide_no_work() -> None:
    """A folder that was renamed comes after the files that were changed; a name alone is not cut."""
    moves = [FileChange(f"new/{number}.py", "R", 0, 0, f"old/{number}.py") for number in range(30)]
    card = msgspec.structs.replace(the_card(), changes=(*moves, FileChange("z.py", "M", 7, 1)))
    files = page(review.card, card, width=80, now=NOW).partition("Files")[2].splitlines()
    assert files[0].split() == ["z.py", "+7", "-1"]
    # also where nothing else on the page is wider
    name = f"{'very/' * 20}long.txt"
    alone = ReviewCard(task=BY_NAME["api-docs"], changes=(FileChange(name, "M", 1, 1),), commits=(), signals=())
    assert f"{name}  +1 -1" in page(review.card, alone, width=None, now=NOW)


def test_the_review_list() -> None:
    """What waits, with the reason for its place."""
    assert page(
        review.review_list,
        [
            the_card(),
            ReviewCard(task=BY_NAME["api-docs"], changes=(FileChange("a.md", "M", 96, 4),), commits=(), signals=()),
        ],
        width=80,
    ) == picture("""
        #  Task        Risk     Diff  Checks      Cost
        1  rate-limit  high  +96 -10  ✗ 1/2      $1.10
           check lint fails; sensitive: src/limits.py; binary: logo.png
        2  api-docs    low    +96 -4  none    429k tok
           nothing unusual

        2 tasks to review, +192 -14 lines
        ↳ orchestrate review rate-limit   start with the first
        """)


def test_the_review_list_has_one_line_each_where_all_of_it_fits() -> None:
    """And where a review begins with the list, no command is offered for the first task."""
    listed = page(review.review_list, [the_card()], width=120, begins=True)
    assert listed == picture("""
        #  Task        Risk     Diff  Checks   Cost  Why
        1  rate-limit  high  +96 -10  ✗ 1/2   $1.10  check lint fails; sensitive: src/limits.py; binary: logo.png

        1 task to review, +96 -10 lines
        """)


def test_the_review_list_names_each_kind_of_signal_once() -> None:
    """Five deleted tests do not hide the next reason."""
    kinds = ["test-deleted"] * 5 + ["conflict"]
    signals = tuple(RiskSignal(3, f"signal {number}", "a.py", 0, kind) for number, kind in enumerate(kinds))
    listed = page(review.review_list, [msgspec.structs.replace(the_card(), signals=signals)], width=120)
    assert "signal 0: a.py (and more); signal 5: a.py" in listed


def test_nothing_to_review() -> None:
    """An empty list says so."""
    assert page(review.review_list, [], width=80) == picture("""
        nothing to review
        ↳ orchestrate status   show all tasks
        """)


def test_the_page_of_a_task() -> None:
    """Everything about one task."""
    assert page(task_view.task_page, the_card().task, by_id(BY_NAME.values()), width=80, now=NOW) == picture("""
        ❯ rate-limit  #3  finished
          Limit login attempts. Five failures in ten minutes lock the account for
          fifteen.

          Next      review: checks failed: lint
          Options   agent auto · role auto
          After     auth-hash (approved)
          Prompt    Limit login attempts.

                    - [ ] the sixth attempt returns 429
          Attempt   2 by claude · started Sat 23:12 · 38m18s · completed
                    $1.10 · 420k tokens in, 9k out
                    the agent tried to move refs/heads/main; a hook refused it
                    denied: Bash: git push
          Agent     The counter lives in Redis.
          Checks    ✓ test  passed       43s  pytest -q
                    ✗ lint  exit code 1  1s   ruff check .
                    lint output: attempts/2/check-lint/stdout
          Comments  1. src/limits.py:31
                       Never reset.
                       See RFC 6585.
                    2. Nice.
          Branch    orch/rate-limit  4bc72dc..9f3c21a
                    ../shop.orch/rate-limit

        ↳ orchestrate review rate-limit   review the changes
        ↳ orchestrate diff rate-limit     show the diff
        """)


def test_a_merge_plan() -> None:
    """A tree in dependency order; numbers tell the order, conflicts their partners."""
    assert page(merge.merge_plan, a_plan(), "orch/integration", width=80) == picture("""
        Merge plan for orch/integration at 4bc72dc (dry run)

        1  db-schema          2 commits, 2 files
        3  └── old-thing      2 commits, 2 files
        2  auth-hash          1 commit, 2 files
        4  ├── api-docs       2 commits, 2 files, after db-schema, auth-hash
        ≠  └── rate-limit     conflicts in src/auth.py with auth-hash
        –      └── changelog  blocked: it builds on rate-limit, which is finished
        ✗  login-form         left out: check test fails with it

        4 of 7 tasks would merge, 1 conflict
        ↳ orchestrate retry rate-limit   new attempt on top of the others
        ↳ orchestrate merge              merge 4 tasks
        """)


def test_a_merge() -> None:
    """What went in and as what, and what did not and why."""
    assert page(merge_result.merge_result, a_plan(), "orch/integration", width=80) == picture("""
        ✓ db-schema   2 commits as 1d7be04
        ✓ auth-hash   1 commit as 1d7be04
        ✓ old-thing   2 commits as 1d7be04
        ✓ api-docs    2 commits as 1d7be04
        ≠ rate-limit  conflicts in src/auth.py with auth-hash
        ✗ login-form  left out: check test fails with it
        – changelog   blocked: it builds on rate-limit, which is finished
        4 tasks merged into orch/integration (4bc72dc..1d7be04) · checks passed (2/2)
        ↳ orchestrate retry rate-limit    new attempt on top of the others
        ↳ orchestrate revise login-form   send it back with the failure
        ↳ orchestrate merge --recheck     run the failed checks again
        ↳ git merge orch/integration      merge into the current branch
        """)


RED = Failure(
    BY_NAME["login-form"], "test", partners=(TaskId("auth-hash"),), alone=True, output="merges/4a/check-test/stdout"
)


def test_a_merge_that_names_who_fails_together() -> None:
    """Green alone and red together is said with the partner and the output; a flake is told, without colour too."""
    plan = msgspec.structs.replace(
        a_plan(),
        conflicts=(),
        blocked=(),
        failures=(RED,),
        flakes=(msgspec.structs.replace(results(0)[0], flaky=True),),
    )
    assert page(merge_result.merge_result, plan, "orch/integration", width=120) == picture("""
        ✓ db-schema   2 commits as 1d7be04
        ✓ auth-hash   1 commit as 1d7be04
        ✓ old-thing   2 commits as 1d7be04
        ✓ api-docs    2 commits as 1d7be04
        ✗ login-form  check test passes alone, fails together with auth-hash
                      output: merges/4a/check-test/stdout
        ↺ test failed, then passed on the same tree 9f3c21a
        4 tasks merged into orch/integration (4bc72dc..1d7be04) · checks passed (2/2)
        ↳ orchestrate revise login-form   send it back with the failure
        ↳ orchestrate merge --recheck     run the failed checks again
        ↳ git merge orch/integration      merge into the current branch
        """)


def test_a_merge_onto_a_red_base() -> None:
    """The base is named, and that it was checked without any of the tasks."""
    held = (Blocked(BY_NAME["db-schema"], "the integration branch fails its checks without it"),)
    plan = MergePlan(before=BASE, onto=BASE, blocked=held, red_base="test")
    assert page(merge_result.merge_result, plan, "orch/integration", width=80) == picture("""
        – db-schema  blocked: the integration branch fails its checks without it
        orch/integration fails check test without any of these tasks
        nothing merged: 1 left out; orch/integration is unchanged
        ↳ orchestrate merge --recheck   run the failed checks again
        """)


def test_what_differs_in_long_lines_is_seen() -> None:
    """Of a long start that both sides share, only the end is shown."""
    start = "export const search = (items: string[], word: string) => items"
    hunk = Hunk(path="src/auth.py", line=1, ours=(f"{start}.sort()",), theirs=(f"{start}.filter(matches(word))",))
    plan = msgspec.structs.replace(a_plan(), blocked=(), failures=(), steps=a_plan().steps[:2])
    shown = page(merge.merge_plan, plan, "orch/integration", hunks={TaskId("rate-limit"): (hunk,)}, width=60)
    assert "auth-hash   …tring) => items.sort()\n" in shown
    assert "rate-limit  …tring) => items.filter(matches(word))\n" in shown


def test_a_merge_plan_shows_the_places_of_a_conflict() -> None:
    """Each place with its line and both sides, cut at the width; what is more is counted."""
    hunk = Hunk(
        path="src/auth.py", line=31, ours=("def login(user):",), theirs=("def login(user, limit):", "x" * 90, "z")
    )
    plan = msgspec.structs.replace(a_plan(), blocked=(), failures=(), steps=a_plan().steps[:2])
    hunks = {TaskId("rate-limit"): (hunk, msgspec.structs.replace(hunk, line=40, ours=()), hunk, hunk, hunk)}
    shown = page(merge.merge_plan, plan, "orch/integration", hunks=hunks, width=80).splitlines()
    assert "\n".join(shown[:19]) == picture("""
        Merge plan for orch/integration at 4bc72dc (dry run)

        1  db-schema       2 commits, 2 files
        2  auth-hash       1 commit, 2 files
        ≠  └── rate-limit  conflicts in src/auth.py with auth-hash

          src/auth.py:31
            auth-hash   def login(user):
            rate-limit  def login(user, limit):
                        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
                        … 1 more line

          src/auth.py:40
            auth-hash   (nothing)
            rate-limit  def login(user, limit):
                        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
                        … 1 more line

          src/auth.py:31
        """)
    assert (
        shown[-5:]
        == picture("""
          … 2 more conflicts in rate-limit

        2 of 3 tasks would merge, 1 conflict
        ↳ orchestrate retry rate-limit   new attempt on top of the others
        ↳ orchestrate merge              merge 2 tasks
        """).splitlines()
    )


def test_of_the_output_of_a_tool_the_end_is_shown() -> None:
    """That is where the error is; what comes before it is counted."""
    output = "\n".join([*(f"line {number}" for number in range(30)), "Error: no such table\n"])
    shown = page(events.event, Event(kind="result", text=output), width=80).splitlines()
    assert shown[0].strip() == "… 19 earlier lines"
    assert [line.strip() for line in shown[1:]] == [
        *(f"line {number}" for number in range(19, 30)),
        "Error: no such table",
    ]
    assert "earlier" not in page(events.event, Event(kind="result", text="short\n"), width=80)


def test_what_a_merge_is_doing_is_one_line() -> None:
    """Which tree of how many, what for, which check, of which tasks; it never breaks into two lines."""
    names = tuple(TaskId(f"task-{number}") for number in range(20))
    one = Progress("check the union", 0, 1, names, "test")
    assert page(merge.merge_progress, one, width=120) == (
        "check the union · test of 20 tasks: task-0, task-1, task-2 and 17 more"
    )
    assert page(merge.merge_progress, Progress("check a alone", 3, 4, names[:1], "lint"), width=120) == (
        "check a alone · lint of task-0"
    )
    assert page(merge.merge_progress, Progress("check the base", 1, 2, (), "test")) == "check the base · test"
    assert cell_len(page(merge.merge_progress, one, width=40)) <= 40


def test_the_order_of_a_merge_without_colour() -> None:
    """The order that is about to be merged is a tree in plain characters, too."""
    terminal = TerminalStyle(width=80, symbols=False)
    assert page(merge.merge_order, a_plan(), terminal=terminal) == picture("""
        1  db-schema          2 commits, 2 files
        3  `-- old-thing      2 commits, 2 files
        2  auth-hash          1 commit, 2 files
        4  +-- api-docs       2 commits, 2 files, after db-schema, auth-hash
        !  `-- rate-limit     conflicts in src/auth.py with auth-hash
        -      `-- changelog  blocked: it builds on rate-limit, which is finished
        x  login-form         left out: check test fails with it
        """)
    assert page(merge.merge_order, MergePlan(before=None, onto=BASE)) == ""


def test_an_empty_merge() -> None:
    """Nothing merged is never told as done."""
    plan = MergePlan(before=None, onto=BASE)
    assert page(merge_result.merge_result, plan, "orch/integration", width=80) == picture("""
        nothing merged: no task is approved; orch/integration is unchanged
        ↳ orchestrate review   approve tasks first
        """)


def test_the_end_of_a_run() -> None:
    """What came of the night, what went wrong by name, what waits until when, and the first three commands."""
    assert page(run.run_summary, NIGHT, "it is 07:00", 18_000, 6.41, width=80, now=NOW) == picture("""
        ▲ 6 tasks finished, 1 in conflict, 1 with a question, 1 failed, 1 running, 1
          rate-limited, 3 queued, 1 dropped · 5h00m · $6.41, $6.62 + 858k tok (no price)
          over all attempts
          ✗ upgrade-deps  no changes
          ❯ login-form  checks failed: test
          ❯ api-docs  not checked
          ? e2e-tests  Which browser?
          ◔ dark-mode  resumes at 09:12: usage limit reached
        stopped early: it is 07:00
        ↳ orchestrate resume e2e-tests -m "..."   answer the question
        ↳ orchestrate review                      3 of this run to review
        ↳ orchestrate retry orders-api            try again on top of the merged work
        """)


def test_a_night_without_work() -> None:
    """A night in which nothing was finished says so first."""
    assert page(run.run_summary, [BY_NAME["upgrade-deps"]], seconds=60, width=80, now=NOW) == picture("""
        ✗ no task finished, 1 failed · 1m00s · $0.02 over all attempts
          ✗ upgrade-deps  no changes
        ↳ orchestrate log upgrade-deps   see why it failed
        """)


@pytest.mark.parametrize(
    ("name", "mark"), [("rate-limit", "✓ 1 task finished"), ("login-form", "▲ 1 task"), ("api-docs", "▲ 1 task")]
)
def test_only_a_green_night_is_ticked(name: str, mark: str) -> None:
    """A night whose work fails its checks, or that nothing checked, gets no tick."""
    assert page(run.run_summary, [BY_NAME[name]], width=80, now=NOW).startswith(mark)


def test_what_never_started_goes_on_too() -> None:
    """The hint counts no tasks: it would leave out those of a held agent that this run did not touch."""
    waiting = next(task for task in BY_NAME.values() if task.state is State.QUEUED)
    text = page(run.run_summary, [waiting], "claude is not logged in; 3 tasks wait for it", width=80, now=NOW)
    assert text.rstrip().endswith("orchestrate run   go on with what is left")


def test_an_empty_night() -> None:
    """A run that started nothing says so."""
    assert page(run.run_summary, [], seconds=3, width=80, now=NOW) == picture("""
        ✗ nothing ran: no task could start · 3s
        ↳ orchestrate status   show all tasks
        """)


def test_who_works() -> None:
    """Who works, since when, and with what it was last seen."""
    assert page(
        run.agents,
        [
            {
                "task": "search-index",
                "agent": "claude",
                "attempt": 1,
                "doing": "agent-1",
                "pid": 1234,
                "started": "2026-11-22T07:00:00Z",
                "memory": 640_000_000,
                "cpu_seconds": 125.2,
                "activity": "Bash pytest",
                "last_output": "2026-11-22T07:10:00Z",
            }
        ],
        width=100,
        now=NOW,
    ) == picture("""
        Task          Agent   Attempt  Execution   Pid  Running    CPU  Memory    Seen  Activity
        search-index  claude        1  agent-1    1234   12m00s  2m05s  640 MB  2m ago  Bash pytest
        """)


def test_an_error() -> None:
    """What, why, and the commands that mend it."""
    assert page(
        error.error,
        LimitReached(
            "merge-conflict",
            "rate-limit conflicts with auth-hash",
            why="both change\nlines 7-9",
            fix=("orchestrate retry rate-limit", "orchestrate merge --skip rate-limit"),
        ),
        width=80,
    ).rstrip("\n") == picture("""
        error: rate-limit conflicts with auth-hash
          why: both change
               lines 7-9
         hint: orchestrate retry rate-limit
               orchestrate merge --skip rate-limit
        """)


@pytest.mark.parametrize(
    ("task", "before", "expected"),
    [
        (
            "db-schema",
            State.FINISHED,
            "07:12:00  approved    db-schema                 attempt 1  41m51s  checks 2/2  $1.20",
        ),
        (
            "login-form",
            State.RUNNING,
            "07:12:00  finished    login-form                attempt 1  1h15m  checks 1/2  $2.20  checks failed: test",
        ),
        (
            "upgrade-deps",
            State.RUNNING,
            "07:12:00  failed      upgrade-deps              attempt 2  2m00s  $0.02  no changes",
        ),
        ("changelog", None, "07:12:00  queued      changelog"),
    ],
)
def test_an_event_is_one_line(task: str, before: State | None, expected: str) -> None:
    """A change of state is one line of columns that stay where they are."""
    now = BY_NAME[task]
    then = None if before is None else msgspec.structs.replace(now, state=before)
    assert page(events.event_line, now, then, now=NOW) == expected


def test_what_is_no_news_has_no_line() -> None:
    """A task that changed in nothing worth a line gives none; the beginning of checks and of mending gives one."""
    running = BY_NAME["search-index"]
    assert page(events.event_line, running, running, now=NOW) == ""
    working = change_attempt(running, phase=Phase.WORKING)
    assert "  checking    search-index" in page(events.event_line, running, working, now=NOW)
    assert page(events.event_line, working, working, now=NOW) == ""
    again = change_attempt(working, round=2)
    assert "  fixing      search-index" in page(events.event_line, again, running, now=NOW)


def test_a_line_is_never_cut_for_a_program() -> None:
    """Without a terminal a long reason stays whole, on its one line."""
    task = change(BY_NAME["upgrade-deps"], reason="because " * 100)
    line = page(events.event_line, task, None, now=NOW)
    assert line.count("because") == 100
    assert "\n" not in line


def everywhere() -> Iterator[str]:
    """Render every page with hostile text in every field that others write."""
    results_ = tuple(
        msgspec.structs.replace(one, name=HOSTILE, command=HOSTILE, output=HOSTILE) for one in results(1, 0)
    )
    task = change_attempt(
        with_fields(
            BY_NAME["login-form"],
            id=TaskId("t" + HOSTILE),
            title=HOSTILE,
            prompt=HOSTILE,
            reason=HOSTILE,
            agent=HOSTILE,
            role=HOSTILE,
            branch=HOSTILE,
            worktree=HOSTILE,
            paths=(HOSTILE,),
            base_ref=HOSTILE,
            after=(TaskId(HOSTILE),),
            results=results_,
            comments=(Comment(text=HOSTILE, file=HOSTILE, line=3),),
        ),
        summary=HOSTILE,
        denials=(HOSTILE,),
        alarms=(HOSTILE,),
        agent=HOSTILE,
    )
    card = ReviewCard(
        task=task,
        changes=(FileChange(HOSTILE, "A", 1, 2), FileChange(HOSTILE, "D", None, None)),
        commits=(HOSTILE,),
        signals=(RiskSignal(3, HOSTILE, HOSTILE),),
    )
    plan = a_plan(task)
    for width, state in itertools.product((None, 45, 80, 200), State):
        here = TerminalStyle(width=width)
        one = msgspec.structs.replace(task, state=state)
        yield status_page([one], repository=HOSTILE, integration=HOSTILE, terminal=here)
        yield page(task_view.task_page, one, {TaskId(HOSTILE): one}, terminal=here, now=NOW)
        yield page(events.event_line, one, None, terminal=here, now=NOW)
        yield page(run.run_summary, [one], HOSTILE, 3.0, terminal=here, now=NOW)
    for width in (None, 45, 80, 200):
        here = TerminalStyle(width=width)
        yield page(review.card, card, terminal=here, now=NOW)
        yield page(review.review_list, [card], terminal=here)
        yield page(merge.merge_plan, plan, HOSTILE, terminal=here)
        yield page(merge_result.merge_result, plan, HOSTILE, terminal=here)
        hunk = Hunk(path=HOSTILE, line=1, ours=(HOSTILE,), theirs=(HOSTILE,))
        yield page(
            merge.merge_plan, plan, HOSTILE, hunks={one.task.id: (hunk,) for one in plan.conflicts}, terminal=here
        )
        yield page(merge.merge_progress, Progress(HOSTILE, 0, 1, (TaskId(HOSTILE),), HOSTILE), terminal=here)
        yield page(error.error, InvalidInput("x", HOSTILE, why=HOSTILE, fix=(HOSTILE,)), terminal=here)
        yield page(
            run.agents, [{"task": HOSTILE, "agent": HOSTILE, "doing": HOSTILE, "activity": HOSTILE}], terminal=here
        )
        for kind in get_args(EventKind):
            yield page(events.event, Event(kind=kind, text=HOSTILE, tool=HOSTILE), terminal=here)
        board = Board(here)
        board.tasks, board.details = {task.id: task}, Details({task.id: HOSTILE})
        yield render(board.frame(NOW, width or 80, 24), here)


def test_hostile_text_is_harmless_on_every_page() -> None:
    """No field of any page lets a control, an override or a stray byte through; markup stays text."""
    pages = list(everywhere())
    assert len(pages) > 200
    for text in pages:
        odd = {one for one in text if not one.isprintable() and one != "\n" and unicodedata.category(one) != "Zs"}
        assert not odd
    assert any("[/red]" in text for text in pages)


def a_step(task: Task, commits: int = 2) -> MergeStep:
    pairs = tuple((Oid(f"{at}a" * 20), Oid(f"{at}b" * 20)) for at in range(commits))
    return MergeStep(task=task, replayed=Replayed(MERGED, pairs), paths=frozenset(["a.py", "b.py"]))


def a_plan(hostile: Task | None = None) -> MergePlan:
    def after(name: str, *names: str) -> Task:
        return change_spec(BY_NAME[name], after=tuple(map(TaskId, names)))

    if hostile:
        clash = MergeConflict(task=hostile, paths=(HOSTILE,), partners=(TaskId(HOSTILE),))
        return MergePlan(
            before=BASE,
            onto=BASE,
            conflicts=(clash,),
            blocked=(Blocked(BY_NAME["api-docs"], HOSTILE),),
            red_base=HOSTILE,
        )
    return MergePlan(
        before=BASE,
        onto=BASE,
        steps=(
            a_step(after("db-schema")),
            a_step(after("auth-hash"), 1),
            a_step(after("old-thing", "db-schema")),
            a_step(after("api-docs", "db-schema", "auth-hash")),
        ),
        conflicts=(
            MergeConflict(
                task=after("rate-limit", "auth-hash"), paths=("src/auth.py",), partners=(TaskId("auth-hash"),)
            ),
        ),
        blocked=(Blocked(after("changelog", "rate-limit"), "it builds on rate-limit, which is finished"),),
        failures=(Failure(after("login-form"), "test"),),
        results=results(0, 0),
    )
