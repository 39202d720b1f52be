# ruff: noqa: E501, RUF001 (pictures are as wide as they are, and show the symbols)
"""What people read: pages as whole pictures in plain strings, and what no picture may ever do."""

from __future__ import annotations

import io
import itertools
import os
import re
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from textwrap import dedent
from typing import Any, TextIO
from xml.etree import ElementTree

import msgspec
import pytest

from gitorch.cli import error_pages, events, merge_pages, overview, review_pages, run_pages, task_pages, words
from gitorch.cli.board import Board, follow, watch
from gitorch.cli.layout import Look
from gitorch.cli.safe import cells
from gitorch.cli.screen import Screen, look
from gitorch.errors import InvalidInput, LimitReached
from gitorch.flow.merger import Clash, Failure, Held, Plan, Progress, Step
from gitorch.flow.review import Card, Change, Signal
from gitorch.git.hunks import Hunk
from gitorch.git.replay import Replayed
from gitorch.model.naming import Oid, TaskId
from gitorch.model.outcome import Event, Usage
from gitorch.model.task import (
    Attempt,
    CheckResult,
    Comment,
    Phase,
    Priority,
    State,
    Task,
    by_id,
    change,
    change_attempt,
)

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 22, 7, 12, tzinfo=UTC)
BASE, TIP, MERGED = Oid("4bc72dc" + "0" * 33), Oid("9f3c21a" + "0" * 33), Oid("1d7be04" + "0" * 33)
HOSTILE = "\x1b[2J\u202eevil\x9b31m\r\n[/red]\u200b\U000e0041\udcff" + "Z\u0301" * 9


def a_task(name: str, number: int, state: State, **fields: Any) -> Task:
    return Task(id=TaskId(name), number=number, title=name, prompt=name, state=state, branch=f"orch/{name}", **fields)


def an_attempt(number: int, seconds: float, usd: float | None = None, **fields: Any) -> Attempt:
    usage = Usage(usd=usd, input_tokens=420_000, output_tokens=9_000)
    defaults = {"agent": "claude", "phase": Phase.ENDED, "started": NOW - timedelta(hours=8), "ending": "completed"}
    return Attempt(number=number, seconds=seconds, usage=usage, **{**defaults, **fields})


def results(*exit_codes: int | None) -> tuple[CheckResult, ...]:
    known = (("test", "pytest -q", 43.0), ("lint", "ruff check .", 1.4))
    return tuple(
        CheckResult(name=name, command=command, tree=TIP, exit_code=code, seconds=seconds)
        for (name, command, seconds), code in zip(known, exit_codes, strict=False)
    )


NIGHT = [
    a_task("rate-limit", 3, State.FINISHED, attempts=2, attempt=an_attempt(2, 2298, 1.10), results=results(0, 0)),
    a_task("login-form", 4, State.FINISHED, attempts=1, attempt=an_attempt(1, 4500, 2.2), results=results(1, 0)),
    a_task("api-docs", 5, State.FINISHED, attempts=1, attempt=an_attempt(1, 1140, agent="codex")),
    a_task(
        "orders-api",
        6,
        State.CONFLICTED,
        attempts=1,
        attempt=an_attempt(1, 1860, 0.9),
        results=results(0, 0),
        reason="conflicts with auth-hash in src/auth.py",
    ),
    a_task("e2e-tests", 7, State.WAITING, attempts=1, attempt=an_attempt(1, 240, 0.06), reason="Which browser?"),
    a_task("upgrade-deps", 8, State.FAILED, attempts=2, attempt=an_attempt(2, 120, 0.02), reason="no changes"),
    a_task(
        "search-index",
        9,
        State.RUNNING,
        attempts=1,
        attempt=an_attempt(1, 0, phase=Phase.CHECKING, started=NOW - timedelta(minutes=12)),
    ),
    a_task(
        "dark-mode",
        10,
        State.WAITING,
        attempts=1,
        attempt=an_attempt(1, 720, 0.4),
        wake=NOW + timedelta(hours=2),
        reason="usage limit reached; goes on at 2026-11-22 09:12 UTC",
    ),
    a_task("db-schema", 1, State.APPROVED, attempts=1, attempt=an_attempt(1, 2511, 1.2), results=results(0, 0)),
    a_task(
        "auth-hash", 2, State.APPROVED, attempts=1, attempt=an_attempt(1, 1620, 0.44), results=results(0, 0), stale=True
    ),
    a_task("changelog", 11, State.QUEUED, after=("e2e-tests",)),
    a_task("release-notes", 12, State.QUEUED, after=("upgrade-deps", "db-schema"), priority=Priority.HIGH),
    a_task("typo-fixes", 13, State.QUEUED, attempts=1, attempt=an_attempt(1, 180, 0.1), comments=(Comment(text="x"),)),
    a_task(
        "old-thing", 14, State.MERGED, attempts=1, attempt=an_attempt(1, 180, 0.1), merged_as=TIP, results=results(0, 0)
    ),
    a_task("bad-idea", 15, State.REJECTED, attempts=1, attempt=an_attempt(1, 180, 0.1), reason="not what was meant"),
]
BY_NAME = {str(task.id): task for task in NIGHT}
DIFFS = {"rate-limit": (214, 31), "login-form": (402, 12), "api-docs": (96, 4), "db-schema": (120, 0)}
WHERE: dict[str, Any] = {"repository": "shop", "branch": "main", "integration": "orch/integration", "tip": BASE}


def night(width: int | None, **fields: Any) -> str:
    return overview.status(NIGHT, **WHERE, diffs=DIFFS, look=Look(width=width, **fields), now=NOW)


def picture(text: str) -> str:
    return dedent(text).strip("\n")


def test_status_at_100_columns() -> None:
    """Whose turn it is, with what has room."""
    assert night(100) == picture("""
        shop   on main   orch/integration at 4bc72dc

             Task           State         Took      Diff  Checks      Cost  Next
        Your turn
          ❯  rate-limit     finished    38m18s  +214 -31  ✓ 2/2      $1.10  review
          ❯  login-form     finished     1h15m  +402 -12  ✗ 1/2      $2.20  review: checks failed: test
          ❯  api-docs       finished    19m00s    +96 -4  none    429k tok  review: no check judged it
          ≠  orders-api     conflicted  31m00s            ✓ 2/2      $0.90  retry: conflicts with auth-hash…
          ?  e2e-tests      waiting      4m00s                       $0.06  answer: Which browser?
          ✗  upgrade-deps   failed       2m00s                       $0.02  retry: no changes
        Running
          ▶  search-index   running     12m00s                    429k tok  is being checked
          ◔  dark-mode      waiting     12m00s                       $0.40  goes on at 09:12: usage limit r…
        Approved
          ✓  db-schema      approved    41m51s   +120 -0  ✓ 2/2      $1.20  merge
          ✓  auth-hash      approved    27m00s            ✓ 2/2      $0.44  merge: stale, what it builds on…
        Queued
          ·  release-notes  queued                                          high priority; after upgrade-de…
          ·  changelog      queued                                          after e2e-tests
          ↺  typo-fixes     queued       3m00s                       $0.10  sent back with 1 comment
        Done
          ●  old-thing      merged       3m00s            ✓ 2/2      $0.10  as 9f3c21a
          –  bad-idea       rejected     3m00s                       $0.10  not what was meant
          1 column hidden: attempt

        15 tasks: 3 to review, 1 in conflict, 1 with a question, 1 failed, 1 running, 1 waiting for a limit,
          2 to merge, 3 queued, 1 merged, 1 dropped · $6.62 + 858k tok without a price
        ↳ orchestrate review          3 to review
        ↳ orchestrate log e2e-tests   what its agent asks
        ↳ orchestrate merge -n        1 in conflict: with what, and where
        """)


def test_status_at_80_columns() -> None:
    """The columns that matter least are hidden first, and said to be."""
    assert night(80) == picture("""
        shop   on main   orch/integration at 4bc72dc

             Task           State           Diff  Checks  Next
        Your turn
          ❯  rate-limit     finished    +214 -31  ✓ 2/2   review
          ❯  login-form     finished    +402 -12  ✗ 1/2   review: checks failed: test
          ❯  api-docs       finished      +96 -4  none    review: no check judged it
          ≠  orders-api     conflicted            ✓ 2/2   retry: conflicts with auth-ha…
          ?  e2e-tests      waiting                       answer: Which browser?
          ✗  upgrade-deps   failed                        retry: no changes
        Running
          ▶  search-index   running                       is being checked
          ◔  dark-mode      waiting                       goes on at 09:12: usage limit…
        Approved
          ✓  db-schema      approved     +120 -0  ✓ 2/2   merge
          ✓  auth-hash      approved              ✓ 2/2   merge: stale, what it builds …
        Queued
          ·  release-notes  queued                        high priority; after upgrade-…
          ·  changelog      queued                        after e2e-tests
          ↺  typo-fixes     queued                        sent back with 1 comment
        Done
          ●  old-thing      merged                ✓ 2/2   as 9f3c21a
          –  bad-idea       rejected                      not what was meant
          3 columns hidden: took, cost, attempt

        15 tasks: 3 to review, 1 in conflict, 1 with a question, 1 failed, 1 running,
          1 waiting for a limit, 2 to merge, 3 queued, 1 merged, 1 dropped
          · $6.62 + 858k tok without a price
        ↳ orchestrate review          3 to review
        ↳ orchestrate log e2e-tests   what its agent asks
        ↳ orchestrate merge -n        1 in conflict: with what, and where
        """)


def test_status_at_60_columns() -> None:
    """At sixty the task, its state and what is next are left."""
    assert night(60) == picture("""
        shop   on main   orch/integration at 4bc72dc

             Task           State       Next
        Your turn
          ❯  rate-limit     finished    review
          ❯  login-form     finished    review: checks failed: test
          ❯  api-docs       finished    review: no check judged it
          ≠  orders-api     conflicted  retry: conflicts with auth-…
          ?  e2e-tests      waiting     answer: Which browser?
          ✗  upgrade-deps   failed      retry: no changes
        Running
          ▶  search-index   running     is being checked
          ◔  dark-mode      waiting     goes on at 09:12: usage lim…
        Approved
          ✓  db-schema      approved    merge
          ✓  auth-hash      approved    merge: stale, what it build…
        Queued
          ·  release-notes  queued      high priority; after upgrad…
          ·  changelog      queued      after e2e-tests
          ↺  typo-fixes     queued      sent back with 1 comment
        Done
          ●  old-thing      merged      as 9f3c21a
          –  bad-idea       rejected    not what was meant
          5 columns hidden: checks, diff, took, cost, attempt

        15 tasks: 3 to review, 1 in conflict, 1 with a question,
          1 failed, 1 running, 1 waiting for a limit, 2 to merge,
          3 queued, 1 merged, 1 dropped
          · $6.62 + 858k tok without a price
        ↳ orchestrate review          3 to review
        ↳ orchestrate log e2e-tests   what its agent asks
        ↳ orchestrate merge -n
        """)


def test_status_below_60_columns() -> None:
    """Narrower than that, a task takes two lines."""
    assert night(50) == picture("""
        shop   on main   orch/integration at 4bc72dc

        ❯ rate-limit  finished
          review · attempt 2 · 38m18s · +214 -31 · ✓ 2/2 …
        ❯ login-form  finished
          review: checks failed: test · attempt 1 · 1h15m…
        ❯ api-docs  finished
          review: no check judged it · attempt 1 · 19m00s…
        ≠ orders-api  conflicted
          retry: conflicts with auth-hash in src/auth.py …
        ? e2e-tests  waiting
          answer: Which browser? · attempt 1 · 4m00s · $0…
        ✗ upgrade-deps  failed
          retry: no changes · attempt 2 · 2m00s · $0.02
        ▶ search-index  running
          is being checked · attempt 1 · 12m00s · 429k tok
        ◔ dark-mode  waiting
          goes on at 09:12: usage limit reached · attempt…
        ✓ db-schema  approved
          merge · attempt 1 · 41m51s · +120 -0 · ✓ 2/2 · …
        ✓ auth-hash  approved
          merge: stale, what it builds on has changed · a…
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

        15 tasks: 3 to review, 1 in conflict,
          1 with a question, 1 failed, 1 running,
          1 waiting for a limit, 2 to merge, 3 queued,
          1 merged, 1 dropped
          · $6.62 + 858k tok without a price
        ↳ orchestrate review          3 to review
        ↳ orchestrate log e2e-tests   what its agent asks
        ↳ orchestrate merge -n
        """)


def test_status_for_programs() -> None:
    """Without a terminal: no headings, no gaps, nothing cut, a dash for what is not there."""
    assert night(None) == picture("""
        shop   on main   orch/integration at 4bc72dc
           Task           State       Attempt    Took      Diff  Checks      Cost  Next
        ❯  rate-limit     finished          2  38m18s  +214 -31  ✓ 2/2      $1.10  review
        ❯  login-form     finished          1   1h15m  +402 -12  ✗ 1/2      $2.20  review: checks failed: test
        ❯  api-docs       finished          1  19m00s    +96 -4  none    429k tok  review: no check judged it
        ≠  orders-api     conflicted        1  31m00s         -  ✓ 2/2      $0.90  retry: conflicts with auth-hash in src/auth.py
        ?  e2e-tests      waiting           1   4m00s         -  -          $0.06  answer: Which browser?
        ✗  upgrade-deps   failed            2   2m00s         -  -          $0.02  retry: no changes
        ▶  search-index   running           1  12m00s         -  -       429k tok  is being checked
        ◔  dark-mode      waiting           1  12m00s         -  -          $0.40  goes on at 09:12: usage limit reached
        ✓  db-schema      approved          1  41m51s   +120 -0  ✓ 2/2      $1.20  merge
        ✓  auth-hash      approved          1  27m00s         -  ✓ 2/2      $0.44  merge: stale, what it builds on has changed
        ·  release-notes  queued            -       -         -  -              -  high priority; after upgrade-deps (failed)
        ·  changelog      queued            -       -         -  -              -  after e2e-tests
        ↺  typo-fixes     queued            1   3m00s         -  -          $0.10  sent back with 1 comment
        ●  old-thing      merged            1   3m00s         -  ✓ 2/2      $0.10  as 9f3c21a
        –  bad-idea       rejected          1   3m00s         -  -          $0.10  not what was meant
        15 tasks: 3 to review, 1 in conflict, 1 with a question, 1 failed, 1 running, 1 waiting for a limit, 2 to merge, 3 queued, 1 merged, 1 dropped · $6.62 + 858k tok without a price
        ↳ orchestrate review          3 to review
        ↳ orchestrate log e2e-tests   what its agent asks
        ↳ orchestrate merge -n        1 in conflict: with what, and where
        """)


def test_status_on_a_dumb_terminal() -> None:
    """ASCII stands for every symbol."""
    assert night(80, symbols=False) == picture("""
        shop   on main   orch/integration at 4bc72dc

             Task           State           Diff  Checks  Next
        Your turn
          >  rate-limit     finished    +214 -31  ok 2/2  review
          >  login-form     finished    +402 -12  x 1/2   review: checks failed: test
          >  api-docs       finished      +96 -4  none    review: no check judged it
          !  orders-api     conflicted            ok 2/2  retry: conflicts with auth-...
          ?  e2e-tests      waiting                       answer: Which browser?
          x  upgrade-deps   failed                        retry: no changes
        Running
          *  search-index   running                       is being checked
          ~  dark-mode      waiting                       goes on at 09:12: usage lim...
        Approved
          +  db-schema      approved     +120 -0  ok 2/2  merge
          +  auth-hash      approved              ok 2/2  merge: stale, what it build...
        Queued
          .  release-notes  queued                        high priority; after upgrad...
          .  changelog      queued                        after e2e-tests
          <  typo-fixes     queued                        sent back with 1 comment
        Done
          =  old-thing      merged                ok 2/2  as 9f3c21a
          -  bad-idea       rejected                      not what was meant
          3 columns hidden: took, cost, attempt

        15 tasks: 3 to review, 1 in conflict, 1 with a question, 1 failed, 1 running,
          1 waiting for a limit, 2 to merge, 3 queued, 1 merged, 1 dropped
          - $6.62 + 858k tok without a price
        -> orchestrate review          3 to review
        -> orchestrate log e2e-tests   what its agent asks
        -> orchestrate merge -n        1 in conflict: with what, and where
        """)


@pytest.mark.parametrize("width", [20, 40, 59, 60, 72, 80, 93, 100, 120, 200])
def test_no_line_of_a_status_is_wider_than_the_terminal(width: int) -> None:
    """Columns are chosen for the width; only the commands to copy are never cut."""
    lines = [line for line in night(width).splitlines() if not line.startswith("↳")]
    assert max(map(cells, lines)) <= width


def test_a_state_is_never_told_by_colour_alone() -> None:
    """Without colour every state has a word and nearly every one a symbol of its own, in Unicode and in ASCII."""
    for symbols in (True, False):
        rows = {line.split()[1]: line.split() for line in night(None, symbols=symbols).splitlines()[2:17]}
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


def test_what_is_not_judged_is_said_in_words_and_red() -> None:
    """Finished work without a check shows `none`, in red, and the reason beside it."""
    row = next(line for line in night(120, colour=True).splitlines() if "api-docs" in line)
    assert "\x1b[31mnone\x1b[0m" in row
    assert "\x1b[31mreview: no check judged it\x1b[0m" in row


def test_an_empty_queue_says_what_to_type() -> None:
    """Where there is nothing yet, the page is the way to start."""
    assert overview.status([], repository="shop", look=Look(width=80), now=NOW) == picture("""
        shop

        No tasks yet.
        ↳ orchestrate submit "what should be done"   queue the first one
        ↳ orchestrate demo                           see the whole loop, with no agent
        """)


def test_a_run_that_goes_on_and_a_warning_stand_at_the_top() -> None:
    """What the user must know first comes first, and the hint follows the run."""
    shown = overview.status(
        NIGHT[10:12], repository="shop", running=True, warnings=("no sandbox\x1b[2J",), look=Look(width=80), now=NOW
    ).splitlines()
    assert shown[:2] == ["shop   a run is going on", r"▲ no sandbox\x1b[2J"]
    assert shown[-1] == "↳ orchestrate watch   the run that is going on"


# ------------------------------------------------------------------------------------------- a thousand tasks


def a_thousand() -> list[Task]:
    found = []
    for number in range(1000):
        task = NIGHT[number % len(NIGHT)]
        found.append(msgspec.structs.replace(task, id=TaskId(f"{task.id}-{number}"), number=number + 1, after=()))
    return found


def test_a_thousand_tasks_fit_on_a_page() -> None:
    """The page stays about sixty lines, every group keeps a few, and the rest is counted with the way to see it."""
    lines = overview.status(a_thousand(), **WHERE, look=Look(width=100), now=NOW).splitlines()
    assert len(lines) <= 66
    shown = [line.split()[2] for line in lines if line.startswith("  ") and len(line.split()) > 2]
    assert {task.state for task in NIGHT} <= set(shown)
    hidden = sum(int(line.split()[1]) for line in lines if line.strip().startswith("… "))
    rows = sum(any(f" {task.id}-" in line for task in NIGHT) for line in lines if "orchestrate" not in line)
    assert hidden + rows == 1000


def test_all_shows_all() -> None:
    """With `show_all` each of a thousand tasks has its line."""
    text = overview.status(a_thousand(), look=Look(width=100), now=NOW, show_all=True)
    assert "more" not in text
    assert all(f" {task.id} " in text for task in a_thousand())


def test_one_left_over_is_shown_and_not_counted() -> None:
    """No line says "1 more": that line can as well hold the task."""
    tasks = [a_task(f"t{number}", number, State.MERGED) for number in range(1, 7)]
    text = overview.status(tasks, look=Look(width=80), now=NOW)
    assert "more" not in text
    assert "t1" in text


def test_a_status_waits_for_no_table_library() -> None:
    """Rendering imports neither rich nor click nor git; they would take longer than all of it."""
    script = "import sys, gitorch.cli.overview as o; print(sorted(m for m in sys.modules if m.split('.')[0] in ('rich', 'git')))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------------------------------------------- pages


def the_card() -> Card:
    task = msgspec.structs.replace(
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
    return Card(
        task=task,
        changes=(
            Change("src/limits.py", "A", 96, 0),
            Change("logo.png", "M", None, None),
            Change("old\x1b[2J.py", "D", 0, 10),
        ),
        commits=("9f3c21a Limit login attempts",),
        signals=(
            Signal(3, "check lint fails"),
            Signal(2, "sensitive", "src/limits.py"),
            Signal(1, "binary", "logo.png"),
        ),
    )


def test_a_card() -> None:
    """What a reviewer needs before the diff."""
    assert review_pages.card(the_card(), look=Look(width=80), now=NOW) == picture("""
        rate-limit · attempt 2 · claude · 38m18s · $1.10   orch/rate-limit on auth-hash
          Limit login attempts. Five failures in ten minutes lock the account for
          fifteen.

          Risk      high
          Checks    ✓ test  passed  43s  pytest -q
                    ✗ lint  exit code 1  1s  ruff check .
                      see attempts/2/check-lint/stdout
          Signals   ▲ check lint fails
                    ▲ sensitive  src/limits.py
                    ▲ binary  logo.png
          Commits   9f3c21a Limit login attempts
          Files     src/limits.py  +96 -0  added
                    logo.png       binary
                    old\\x1b[2J.py  +0 -10  deleted
                    3 files, +96 -10
          Comments  1. src/limits.py:31
                       Never reset.
                       See RFC 6585.
                    2. Nice.
          Agent     The counter lives in Redis.
        """)


def test_the_review_list() -> None:
    """What waits, with the reason for its place."""
    assert review_pages.review_list(
        [the_card(), Card(task=BY_NAME["api-docs"], changes=(Change("a.md", "M", 96, 4),), commits=(), signals=())],
        look=Look(width=80),
    ) == picture("""
        #  Task        Risk     Diff  Checks      Cost  Why
        1  rate-limit  high  +96 -10  ✗ 1/2      $1.10  check lint fails; sensitive: sr…
        2  api-docs    low    +96 -4  none    429k tok  nothing stands out

        2 tasks to review, +192 -14 lines
        ↳ orchestrate review rate-limit
        """)


def test_nothing_to_review() -> None:
    """An empty list says so."""
    assert review_pages.review_list([], look=Look(width=80)) == picture("""
        Nothing waits for a review.
        ↳ orchestrate status   whose turn it is
        """)


def test_the_page_of_a_task() -> None:
    """Everything about one task."""
    assert task_pages.task_page(the_card().task, by_id(BY_NAME.values()), look=Look(width=80), now=NOW) == picture("""
        ❯ rate-limit  #3  finished
          Limit login attempts. Five failures in ten minutes lock the account for
          fifteen.

          Next      review: checks failed: lint
          Asked     agent auto · role auto
          After     auth-hash (approved)
          Prompt    Limit login attempts.

                    - [ ] the sixth attempt returns 429
          Attempt   2 by claude · started Sat 23:12 · 38m18s · completed
                    $1.10 · 420k tokens in, 9k out
                    tried to move refs/heads/main, and was stopped
                    was refused: Bash: git push
          Agent     The counter lives in Redis.
          Checks    ✓ test  passed  43s  pytest -q
                    ✗ lint  exit code 1  1s  ruff check .
                      see attempts/2/check-lint/stdout
          Comments  1. src/limits.py:31
                       Never reset.
                       See RFC 6585.
                    2. Nice.
          Branch    orch/rate-limit  4bc72dc..9f3c21a
                    ../shop.orch/rate-limit

        ↳ orchestrate review rate-limit   read it and decide
        ↳ orchestrate diff rate-limit     what it changes
        """)


def test_a_merge_plan() -> None:
    """A tree in dependency order; numbers tell the order, conflicts their partners."""
    assert merge_pages.merge_plan(a_plan(), "orch/integration", look=Look(width=80)) == picture("""
        Into orch/integration at 4bc72dc, in this order. Nothing has been changed.

          1  db-schema        2 commits, 2 files
          3  └─ old-thing     2 commits, 2 files
          2  auth-hash        1 commit, 2 files
          4  ├─ api-docs      2 commits, 2 files, builds on db-schema, auth-hash
          ≠  └─ rate-limit    conflicts in src/auth.py with auth-hash
          –     └─ changelog  waits: it builds on rate-limit, which is finished
          ✗  login-form       left out: check test fails with it

        4 of 7 would go in, 1 conflict
        ↳ orchestrate retry rate-limit   a fresh attempt, on top of the others
        ↳ orchestrate merge              merge 4 tasks
        """)


def test_a_merge() -> None:
    """What went in and as what, and what did not and why."""
    assert merge_pages.merge_result(a_plan(), "orch/integration", look=Look(width=80)) == picture("""
        ✓ db-schema   2 commits as 1d7be04
        ✓ auth-hash   1 commit as 1d7be04
        ✓ old-thing   2 commits as 1d7be04
        ✓ api-docs    2 commits as 1d7be04
        ≠ rate-limit  conflicts in src/auth.py with auth-hash
        ✗ login-form  left out: check test fails with it
        – changelog   waits: it builds on rate-limit, which is finished
        4 tasks merged into orch/integration (4bc72dc..1d7be04)
          · 2 checks passed on this very tree
        ↳ orchestrate retry rate-limit    a fresh attempt, on top of the others
        ↳ orchestrate revise login-form   send it back with what fails
        ↳ orchestrate merge --recheck     test again what was found red
        ↳ git merge orch/integration      take it into the branch you are on
        """)


RED = Failure(
    BY_NAME["login-form"], "test", partners=(TaskId("auth-hash"),), alone=True, output="merges/4a/check-test/stdout"
)


def test_a_merge_that_names_who_fails_together() -> None:
    """Green alone and red together is said with the partner and the output; a flake is told, without colour too."""
    plan = msgspec.structs.replace(
        a_plan(), clashes=(), held=(), failures=(RED,), flakes=(msgspec.structs.replace(results(0)[0], flaky=True),)
    )
    assert merge_pages.merge_result(plan, "orch/integration", look=Look(width=120)) == picture("""
        ✓ db-schema   2 commits as 1d7be04
        ✓ auth-hash   1 commit as 1d7be04
        ✓ old-thing   2 commits as 1d7be04
        ✓ api-docs    2 commits as 1d7be04
        ✗ login-form  green alone, check test is red together with auth-hash
          see merges/4a/check-test/stdout
        ↺ test failed and passed on the same tree 9f3c21a: a flake
        4 tasks merged into orch/integration (4bc72dc..1d7be04) · 2 checks passed on this very tree
        ↳ orchestrate revise login-form   send it back with what fails
        ↳ orchestrate merge --recheck     test again what was found red
        ↳ git merge orch/integration      take it into the branch you are on
        """)


def test_a_merge_onto_a_red_base() -> None:
    """The base is named, and that it was checked without any of the tasks."""
    held = (Held(BY_NAME["db-schema"], "the integration branch fails its checks without it"),)
    plan = Plan(before=BASE, onto=BASE, held=held, red_base="test")
    assert merge_pages.merge_result(plan, "orch/integration", look=Look(width=80)) == picture("""
        – db-schema  waits: the integration branch fails its checks without it
        orch/integration fails by itself: test: no task is blamed
        Nothing was merged: 1 left out. orch/integration is unchanged.
        ↳ orchestrate merge --recheck   test again what was found red
        """)


def test_a_merge_plan_shows_the_places_of_a_conflict() -> None:
    """Each place with its line and both sides, cut at the width; what is more is counted."""
    hunk = Hunk(
        path="src/auth.py", line=31, ours=("def login(user):",), theirs=("def login(user, limit):", "x" * 90, "z")
    )
    plan = msgspec.structs.replace(a_plan(), held=(), failures=(), steps=a_plan().steps[:2])
    hunks = {TaskId("rate-limit"): (hunk, msgspec.structs.replace(hunk, line=40, ours=()), hunk, hunk, hunk)}
    shown = merge_pages.merge_plan(plan, "orch/integration", hunks=hunks, look=Look(width=80)).splitlines()
    assert "\n".join(shown[:19]) == picture("""
        Into orch/integration at 4bc72dc, in this order. Nothing has been changed.

          1  db-schema      2 commits, 2 files
          2  auth-hash      1 commit, 2 files
          ≠  └─ rate-limit  conflicts in src/auth.py with auth-hash

          src/auth.py:31
            auth-hash
              def login(user):
            rate-limit
              def login(user, limit):
              xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
              … 1 more line

          src/auth.py:40
            auth-hash
              (nothing)
            rate-limit
              def login(user, limit):
        """)
    assert (
        shown[-5:]
        == picture("""
          … 2 more places of rate-limit

        2 of 3 would go in, 1 conflict
        ↳ orchestrate retry rate-limit   a fresh attempt, on top of the others
        ↳ orchestrate merge              merge 2 tasks
        """).splitlines()
    )


def test_what_a_merge_is_doing_is_one_line() -> None:
    """Which tree of how many, what for, which check, of which tasks; it never breaks into two lines."""
    names = tuple(TaskId(f"task-{number}") for number in range(20))
    one = Progress("check the union", 0, 1, names, "test")
    assert merge_pages.merge_progress(one, look=Look(width=120)) == (
        "1/1  check the union · test of 20 tasks: task-0, task-1, task-2 and 17 more"
    )
    assert merge_pages.merge_progress(Progress("check a alone", 3, 4, names[:1], "lint"), look=Look(width=120)) == (
        "4/4  check a alone · lint of task-0"
    )
    assert (
        merge_pages.merge_progress(Progress("check the base", 1, 2, (), "test"), look=Look())
        == "2/2  check the base · test"
    )
    assert cells(merge_pages.merge_progress(one, look=Look(width=40))) <= 40


def test_the_order_of_a_merge_without_colour() -> None:
    """The order that is about to be merged is a tree in plain characters, too."""
    shown = merge_pages.merge_order(a_plan(), look=Look(width=80, symbols=False))
    assert [line[2:] for line in shown.splitlines()] == picture("""
          1  db-schema        2 commits, 2 files
          3  `- old-thing     2 commits, 2 files
          2  auth-hash        1 commit, 2 files
          4  |- api-docs      2 commits, 2 files, builds on db-schema, auth-hash
          !  `- rate-limit    conflicts in src/auth.py with auth-hash
          -     `- changelog  waits: it builds on rate-limit, which is finished
          x  login-form       left out: check test fails with it
        """).splitlines()
    assert merge_pages.merge_order(Plan(before=None, onto=BASE), look=Look()) == ""


def test_an_empty_merge() -> None:
    """Nothing merged is never told as done."""
    assert merge_pages.merge_result(Plan(before=None, onto=BASE), "orch/integration", look=Look(width=80)) == picture("""
        Nothing was merged: nothing is approved. orch/integration is unchanged.
        ↳ orchestrate review   approve what is good
        """)


def test_the_end_of_a_run() -> None:
    """What came of the night, what went wrong by name, and the next command."""
    assert run_pages.run_summary(NIGHT, "it is 07:00", 18_000, 6.41, look=Look(width=80), now=NOW) == picture("""
        ▲ 6 tasks finished, 1 in conflict, 1 with a question, 1 failed, 1 running,
          1 waiting for a limit, 3 queued, 1 dropped · 5h00m · $6.41
          ✗ upgrade-deps  no changes
          ❯ login-form  checks failed: test
          ❯ api-docs  no check judged it
        stopped early: it is 07:00
        ↳ orchestrate review   3 to review
        """)


def test_a_night_without_work() -> None:
    """A night in which nothing was finished says so first."""
    assert run_pages.run_summary([BY_NAME["upgrade-deps"]], seconds=60, look=Look(width=80), now=NOW) == picture("""
        ✗ No task was finished, 1 failed · 1m00s
          ✗ upgrade-deps  no changes
        ↳ orchestrate log upgrade-deps   why it failed
        """)


@pytest.mark.parametrize(
    ("name", "mark"), [("rate-limit", "✓ 1 task finished"), ("login-form", "▲ 1 task"), ("api-docs", "▲ 1 task")]
)
def test_only_a_green_night_is_ticked(name: str, mark: str) -> None:
    """A night whose work fails its checks, or that nothing checked, gets no tick."""
    assert run_pages.run_summary([BY_NAME[name]], look=Look(width=80), now=NOW).startswith(mark)


def test_an_empty_night() -> None:
    """A run that started nothing says so."""
    assert run_pages.run_summary([], seconds=3, look=Look(width=80), now=NOW) == picture("""
        ✗ Nothing was done: no task could start · 3s
        ↳ orchestrate status   whose turn it is
        """)


def test_who_works() -> None:
    """Who works, since when, and with what it was last seen."""
    assert run_pages.agents(
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
            }
        ],
        look=Look(width=100),
        now=NOW,
    ) == picture("""
        Task          Agent   Attempt  Doing     Pid   Since    CPU  Memory  Last seen
        search-index  claude        1  agent-1  1234  12m00s  2m05s  640 MB  Bash pytest
        """)


def test_an_error() -> None:
    """What, why, and the commands that mend it."""
    assert error_pages.error(
        LimitReached(
            "merge-conflict",
            "rate-limit conflicts with auth-hash",
            why="both change\nlines 7-9",
            fix=("orchestrate retry rate-limit", "orchestrate merge --skip rate-limit"),
        ),
        look=Look(width=80),
    ).rstrip("\n") == picture("""
        error: rate-limit conflicts with auth-hash
          why: both change
               lines 7-9
          fix: orchestrate retry rate-limit
               orchestrate merge --skip rate-limit
        """)


# ------------------------------------------------------------------------------------------------ one line each


@pytest.mark.parametrize(
    ("task", "before", "expected"),
    [
        (
            "db-schema",
            State.FINISHED,
            "07:12:00  approved    db-schema                 attempt 1  41m51s  +120 -0  checks 2/2  $1.20",
        ),
        (
            "login-form",
            State.RUNNING,
            "07:12:00  finished    login-form                attempt 1  1h15m  +402 -12  checks 1/2  $2.20"
            "  checks failed: test",
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
    assert events.event_line(now, then, look=Look(), now=NOW, diff=DIFFS.get(task)) == expected


def test_what_is_no_news_has_no_line() -> None:
    """A task that changed in nothing worth a line gives none; the beginning of checks and of mending gives one."""
    running = BY_NAME["search-index"]
    assert events.event_line(running, running, look=Look(), now=NOW) == ""
    working = change_attempt(running, phase=Phase.WORKING)
    assert "  checking    search-index" in events.event_line(running, working, look=Look(), now=NOW)
    assert events.event_line(working, working, look=Look(), now=NOW) == ""
    again = change_attempt(working, round=2)
    assert "  mending     search-index" in events.event_line(again, running, look=Look(), now=NOW)


def test_a_line_is_never_cut_for_a_program() -> None:
    """Without a terminal a long reason stays whole, on its one line."""
    task = change(BY_NAME["upgrade-deps"], reason="because " * 100)
    line = events.event_line(task, None, look=Look(), now=NOW)
    assert line.count("because") == 100
    assert "\n" not in line


# ---------------------------------------------------------------------------------------------------- hostility


def everywhere() -> Iterator[str]:
    """Render every page with hostile text in every field that others write."""
    results_ = tuple(
        msgspec.structs.replace(one, name=HOSTILE, command=HOSTILE, output=HOSTILE) for one in results(1, 0)
    )
    task = change_attempt(
        msgspec.structs.replace(
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
            from_ref=HOSTILE,
            after=(TaskId(HOSTILE),),
            results=results_,
            comments=(Comment(text=HOSTILE, file=HOSTILE, line=3),),
        ),
        summary=HOSTILE,
        denials=(HOSTILE,),
        alarms=(HOSTILE,),
        agent=HOSTILE,
    )
    card = Card(
        task=task,
        changes=(Change(HOSTILE, "A", 1, 2), Change(HOSTILE, "D", None, None)),
        commits=(HOSTILE,),
        signals=(Signal(3, HOSTILE, HOSTILE),),
    )
    plan = a_plan(task)
    for width, state in itertools.product((None, 45, 80, 200), State):
        here = Look(width=width)
        one = msgspec.structs.replace(task, state=state)
        yield overview.status([one], repository=HOSTILE, branch=HOSTILE, integration=HOSTILE, look=here, now=NOW)
        yield task_pages.task_page(one, {TaskId(HOSTILE): one}, look=here, now=NOW)
        yield events.event_line(one, None, look=here, now=NOW)
        yield run_pages.run_summary([one], HOSTILE, 3.0, look=here, now=NOW)
    for width in (None, 45, 80, 200):
        here = Look(width=width)
        yield review_pages.card(card, look=here, now=NOW)
        yield review_pages.review_list([card], look=here)
        yield merge_pages.merge_plan(plan, HOSTILE, look=here)
        yield merge_pages.merge_result(plan, HOSTILE, look=here)
        hunk = Hunk(path=HOSTILE, line=1, ours=(HOSTILE,), theirs=(HOSTILE,))
        yield merge_pages.merge_plan(plan, HOSTILE, hunks={one.task.id: (hunk,) for one in plan.clashes}, look=here)
        yield merge_pages.merge_progress(Progress(HOSTILE, 0, 1, (TaskId(HOSTILE),), HOSTILE), look=here)
        yield error_pages.error(InvalidInput("x", HOSTILE, why=HOSTILE, fix=(HOSTILE,)), look=here)
        yield run_pages.agents([{"task": HOSTILE, "agent": HOSTILE, "doing": HOSTILE, "activity": HOSTILE}], look=here)
        for kind in ("text", "thinking", "tool", "result", "error", "retry", "limit", "end", "new"):
            yield events.event(Event(kind=kind, text=HOSTILE, tool=HOSTILE), look=here)
        board = Board(here)
        board.tasks, board.activity = {task.id: task}, {task.id: HOSTILE}
        yield "\n".join("".join(text for text, _ in line) for line in board.lines(NOW, width or 80, 24))


def test_hostile_text_is_harmless_on_every_page() -> None:
    """No field of any page lets a control, an override or a stray byte through; markup stays text."""
    pages = list(everywhere())
    assert len(pages) > 200
    for page in pages:
        odd = {one for one in page if not one.isprintable() and one != "\n" and unicodedata.category(one) != "Zs"}
        assert not odd
    assert any("[/red]" in page for page in pages)


def a_step(task: Task, commits: int = 2) -> Step:
    pairs = tuple((Oid(f"{at}a" * 20), Oid(f"{at}b" * 20)) for at in range(commits))
    return Step(task=task, replayed=Replayed(MERGED, pairs), paths=frozenset(["a.py", "b.py"]))


def a_plan(hostile: Task | None = None) -> Plan:
    def after(name: str, *names: str) -> Task:
        return msgspec.structs.replace(BY_NAME[name], after=tuple(map(TaskId, names)))

    if hostile:
        clash = Clash(task=hostile, paths=(HOSTILE,), partners=(TaskId(HOSTILE),))
        return Plan(
            before=BASE, onto=BASE, clashes=(clash,), held=(Held(BY_NAME["api-docs"], HOSTILE),), red_base=HOSTILE
        )
    return Plan(
        before=BASE,
        onto=BASE,
        steps=(
            a_step(after("db-schema")),
            a_step(after("auth-hash"), 1),
            a_step(after("old-thing", "db-schema")),
            a_step(after("api-docs", "db-schema", "auth-hash")),
        ),
        clashes=(
            Clash(task=after("rate-limit", "auth-hash"), paths=("src/auth.py",), partners=(TaskId("auth-hash"),)),
        ),
        held=(Held(after("changelog", "rate-limit"), "it builds on rate-limit, which is finished"),),
        failures=(Failure(after("login-form"), "test"),),
        results=results(0, 0),
    )


# --------------------------------------------------------------------------------------------------- the board


def shown(board: Board, width: int, height: int) -> str:
    return "\n".join("".join(text for text, _ in line).rstrip() for line in board.lines(NOW, width, height))


def a_board() -> Board:
    board = Board(Look(), started=NOW - timedelta(hours=5, minutes=8), hint="Ctrl-C ends the watching")
    board.tasks = {task.id: task for task in NIGHT}
    board.activity = {TaskId("search-index"): "Bash pytest tests/search -q"}
    return board


def test_the_board() -> None:
    """Who works comes first, what is over last, the rest is counted."""
    assert shown(a_board(), 100, 15) == picture("""
        07:12:00  5h08m  ━━━━━━━━━━━━━━━━━━━━──────────────  9 of 15 done · $6.62 + 858k tok without a price

         ▶  search-index  running     claude  12m00s          429k tok  Bash pytest tests/search -q
         ?  e2e-tests     waiting     claude   4m00s             $0.06  answer: Which browser?
         ◔  dark-mode     waiting     claude  12m00s             $0.40  goes on at 09:12: usage limit reach…
         ✗  upgrade-deps  failed      claude   2m00s             $0.02  retry: no changes
         ≠  orders-api    conflicted  claude  31m00s  ✓ 2/2      $0.90  retry: conflicts with auth-hash in …
         ❯  rate-limit    finished    claude  38m18s  ✓ 2/2      $1.10  review
         ❯  login-form    finished    claude   1h15m  ✗ 1/2      $2.20  review: checks failed: test
         ❯  api-docs      finished    codex   19m00s  none    429k tok  review: no check judged it
         … 2 to merge, 3 queued, 1 merged, 1 dropped more

        3 to review · 1 in conflict · 1 with a question · 1 failed · 1 running · 1 waiting for a limit
        Ctrl-C ends the watching
        """)


@pytest.mark.parametrize("height", [6, 10, 14, 24, 60])
@pytest.mark.parametrize("width", [30, 50, 80, 140])
def test_a_board_fits_its_terminal(width: int, height: int) -> None:
    """Whatever the size, no line is too wide; from eight lines on, none is too many."""
    lines = shown(a_board(), width, height).splitlines()
    assert len(lines) <= max(height, 9)
    assert max(map(cells, lines)) <= width


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def a_stream(kind: type[io.TextIOWrapper] = io.TextIOWrapper, encoding: str = "utf-8") -> io.TextIOWrapper:
    return kind(io.BytesIO(), encoding=encoding, newline="")


def written(stream: TextIO) -> str:
    stream.flush()
    raw = getattr(stream, "buffer", None)
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode()


def a_screen(**environment: str) -> Screen:
    return Screen(a_stream(Terminal), a_stream(Terminal), a_stream(Terminal), {"TERM": "xterm", **environment})


def test_following_returns_what_the_work_returns() -> None:
    """`follow` carries the changes to their end, shows the last state, and hands on the result."""
    screen = a_screen(COLUMNS="100")
    tasks: dict[TaskId, Task] = {}

    def changes() -> Generator[list[Task], None, int]:
        yield []
        tasks[TaskId("db-schema")] = BY_NAME["db-schema"]
        return 42

    assert follow(changes(), lambda: tasks, dict, interval=0.01, screen=screen) == 42
    assert "db-schema" in written(screen.stdout)


def test_following_hands_on_errors_and_gives_the_terminal_back() -> None:
    """An error of the work comes through, after the cursor has been shown again."""
    screen = a_screen()

    def changes() -> Generator[list[Task], None, int]:
        yield []
        raise InvalidInput("x", "broken")

    with pytest.raises(InvalidInput):
        follow(changes(), dict, dict, screen=screen)
    assert written(screen.stdout).rstrip().endswith("\x1b[?25h")


def test_following_shows_what_agents_do_while_nothing_changes() -> None:
    """What an agent does now reaches the terminal while the work waits for its next change."""
    screen = a_screen(COLUMNS="120")
    asked = threading.Event()

    def activity() -> dict[TaskId, str]:
        asked.set()
        return {TaskId("search-index"): "Bash pytest\x1b[2J"}

    def changes() -> Generator[list[Task], None, None]:
        yield []
        assert asked.wait(300)
        assert _appears(screen.stdout, "Bash pytest\\x1b[2J")

    follow(changes(), lambda: {TaskId("search-index"): BY_NAME["search-index"]}, activity, interval=0.01, screen=screen)


def _appears(stream: TextIO, text: str) -> bool:
    """Wait until a text was drawn: a frame is at most a quarter of a second away."""
    pause = threading.Event()
    return any(text in written(stream) or pause.wait(0.05) for _ in range(6_000))


def test_watching_leaves_the_terminal_as_it_was() -> None:
    """`watch` draws on the other screen of the terminal and comes back from it."""
    screen = a_screen()
    stop = threading.Event()
    stop.set()
    watch(lambda: by_id(BY_NAME.values()), dict, screen=screen, stop=stop)
    text = written(screen.stdout)
    assert "rate-limit" in text
    assert text.index("\x1b[?1049h") < text.index("rate-limit") < text.rindex("\x1b[?1049l")


def test_a_board_without_colour_sends_no_colour() -> None:
    """With NO_COLOR the board still moves, and has no styles."""
    screen = a_screen(NO_COLOR="1")
    stop = threading.Event()
    stop.set()
    watch(lambda: by_id(BY_NAME.values()), dict, screen=screen, stop=stop)
    assert not re.findall(r"\x1b\[[\d;]*m", written(screen.stdout))


# ---------------------------------------------------------------------------------------------------- the words


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0s"),
        (0.44, "0.4s"),
        (59.9, "59s"),
        (60, "1m00s"),
        (2511, "41m51s"),
        (18_480, "5h08m"),
        (183_600, "2d03h"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    """Two units at most, the smaller one with two digits."""
    assert words.duration(seconds) == expected


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, ""),
        (Usage(), ""),
        (Usage(usd=0.0), "$0.00"),
        (Usage(usd=0.001), "<$0.01"),
        (Usage(usd=1.2, input_tokens=5), "$1.20"),
        (Usage(input_tokens=900, output_tokens=50), "950 tok"),
        (Usage(input_tokens=999_400), "999k tok"),
        (Usage(input_tokens=999_500), "1.0M tok"),
    ],
)
def test_costs(usage: Usage | None, expected: str) -> None:
    """Dollars where they are told, tokens where not, nothing where nothing is known; cents are not rounded away."""
    assert words.cost(usage) == expected


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(0, "just now"), (12, "12m ago"), (61, "1h ago"), (60 * 47, "1d ago"), (60 * 48, "2d ago")],
)
def test_ages(minutes: int, expected: str) -> None:
    """How long ago something was, in its largest unit."""
    assert words.age(NOW - timedelta(minutes=minutes), NOW) == expected


def test_clocks_are_those_of_the_reader() -> None:
    """A time is shown in the zone of the reader's clock, with its day where that is another."""
    here = NOW.astimezone(timezone(timedelta(hours=9)))
    assert words.clock(NOW, here) == "16:12"
    assert words.clock(NOW + timedelta(hours=8), here) == "Mon 00:12"
    assert words.clock(NOW + timedelta(days=9), here) == "2026-12-01 16:12"


@pytest.mark.parametrize(
    ("number", "expected"), [(999, "999 B"), (640_000_000, "640 MB"), (1_499_000_000, "1 GB"), (2 * 10**12, "2.0 TB")]
)
def test_sizes(number: int, expected: str) -> None:
    """Bytes in the unit that keeps the number short."""
    assert words.size(number) == expected


# -------------------------------------------------------------------------------------------------- the pictures


@pytest.mark.slow
def test_pictures_come_from_what_the_commands_print(tmp_path: Path) -> None:
    """The script of the README's pictures draws the demo's real output, loads nothing and knows no machine's paths."""
    script = [sys.executable, str(ROOT / "docs" / "make_pictures.py"), str(tmp_path)]
    subprocess.run(
        script,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    for name in ("status", "status-dark", "review", "merge"):
        text = (tmp_path / f"{name}.svg").read_text("utf-8")
        assert f"orchestrate {name.removesuffix('-dark')}" in said_by(tmp_path / f"{name}.svg")
        assert "url(http" not in text
        assert "gitorch-pictures" not in text
    assert "give-everybody-a-discount" in said_by(tmp_path / "status.svg")


def said_by(picture_file: Path) -> str:
    return "".join(ElementTree.fromstring(picture_file.read_text("utf-8")).itertext()).replace("\xa0", " ")


# --------------------------------------------------------------------------------------------------- the screen


@pytest.mark.parametrize(
    ("kind", "environment", "coloured"),
    [
        (Terminal, {"TERM": "xterm"}, True),
        (Terminal, {"TERM": "dumb"}, False),
        (Terminal, {}, False),
        (Terminal, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (Terminal, {"TERM": "xterm", "NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (io.TextIOWrapper, {"TERM": "xterm"}, False),
        (io.TextIOWrapper, {"FORCE_COLOR": "1"}, True),
        (io.TextIOWrapper, {"FORCE_COLOR": "0"}, False),
    ],
)
def test_who_decides_on_colour(kind: type[io.TextIOWrapper], environment: dict[str, str], coloured: bool) -> None:
    """NO_COLOR wins over FORCE_COLOR, which wins over what the stream is."""
    assert look(a_stream(kind), environment).colour is coloured


def test_width_is_that_of_the_terminal_and_without_one_there_is_none() -> None:
    """COLUMNS wins, 80 where nothing is known; what is not a terminal is never cut."""
    assert look(a_stream(Terminal), {"COLUMNS": "123"}).width == 123
    assert look(a_stream(Terminal), {"COLUMNS": "²"}).width == 80
    assert look(a_stream(Terminal), {}).width == 80
    assert look(a_stream(), {"COLUMNS": "123"}).width is None


def test_symbols_need_a_stream_and_a_terminal_that_can() -> None:
    """An encoding without the symbols, a dumb terminal and the console of Linux get ASCII."""
    assert look(a_stream(), {}).symbols
    assert not look(a_stream(encoding="latin-1"), {}).symbols
    assert not look(a_stream(Terminal), {"TERM": "linux"}).symbols
    assert Look(charset="ascii", symbols=False).clean("grün\x1b") == r"gr\xfcn\x1b"


def test_narration_keeps_quiet_and_answers_do_not() -> None:
    """`quiet` silences the narration alone; what a stream cannot take is escaped and not an error."""
    out, err = a_stream(encoding="ascii"), a_stream()
    screen = Screen(a_stream(), out, err, {}, quiet=True)
    screen.answer("grün")
    screen.say("told")
    screen.detail("told in detail")
    screen.warn("beware")
    assert written(out) == "gr\\xfcn\n"
    assert written(err) == "▲ beware\n"
