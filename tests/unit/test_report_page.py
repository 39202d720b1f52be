"""The page of a report as values: its graph, its timeline, its diffs, and what it says of a task."""

from __future__ import annotations

import re
from datetime import timedelta

import msgspec
from markdown_it import MarkdownIt

from gitorch.cli.views.reporting import report_page, report_text, report_words
from gitorch.cli.views.reporting.report_diff import patch_files
from gitorch.cli.views.reporting.report_graph import BOX_HEIGHT, BOX_WIDTH, TaskGraph, task_graph
from gitorch.cli.views.reporting.report_timeline import CHART_WIDTH, timeline
from gitorch.git.diff.patch_lines import LineKind, Patch, PatchLine
from gitorch.model.naming import TaskId
from gitorch.model.task import State
from gitorch.services.report import ReportEntry
from tests.support.pages import NIGHT, NOW, a_task, an_attempt, page, results
from tests.support.report_night import a_report, busy_night, hostile_entry


def graph_of(**after: str) -> TaskGraph:
    """Return the graph of tasks, each with the names of those that it builds on."""
    tasks = [
        a_task(name, number, State.QUEUED, after=tuple(map(TaskId, names.split())))
        for number, (name, names) in enumerate(after.items(), start=1)
    ]
    return task_graph(tasks)


def test_an_edge_passes_no_other_box() -> None:
    """A task that waits for two of a chain: the long edge has a row of its own."""
    graph = graph_of(a="", b="a", c="b", d="c a")
    corners = {box.id: (box.x, box.y) for box in graph.boxes}
    assert len({x for x, _ in corners.values()}) == 4
    (long,) = [edge.path for edge in graph.edges if "H" in edge.path]
    passed = [(int(x), int(y)) for x, y in re.findall(r"(\d+) (\d+) H", long)]
    assert len(passed) == 2
    for x, y in passed:
        assert not any(box.x == x and box.y <= y <= box.y + BOX_HEIGHT for box in graph.boxes)


def test_tasks_without_a_connection_stand_below_in_rows() -> None:
    """Twelve loose tasks do not make a column of twelve."""
    graph = graph_of(a="", b="a", **{f"loose{number}": "" for number in range(12)})
    loose = [box for box in graph.boxes if box.id.startswith("loose")]
    assert len({box.y for box in loose}) == 3
    assert min(box.y for box in loose) > max(box.y for box in graph.boxes if box not in loose)
    assert graph.width >= max(box.x for box in graph.boxes) + BOX_WIDTH


def test_groups_stand_below_each_other() -> None:
    """What is connected stands together: two chains do not share rows, whatever their order in the queue."""
    graph = graph_of(a="", x="", b="a", y="x", c="a", z="y")
    rows = {name: {box.y for box in graph.boxes if box.id in name} for name in ("abc", "xyz")}
    assert max(rows["abc"]) + BOX_HEIGHT < min(rows["xyz"]) or max(rows["xyz"]) + BOX_HEIGHT < min(rows["abc"])
    corners = {str(box.id): box.y for box in graph.boxes}
    assert 2 * corners["a"] == corners["b"] + corners["c"]


def test_no_box_says_by_its_colour_alone_that_checks_failed() -> None:
    """Finished work that fails its checks is red, and says why."""
    tasks = [
        a_task("good", 1, State.FINISHED, results=results(0)),
        a_task("bad", 2, State.FINISHED, results=results(0, 1)),
    ]
    boxes = {box.id: (box.state, box.kind) for box in task_graph(tasks).boxes}
    assert boxes == {"good": ("finished", "finished"), "bad": ("finished, checks failed", "bad")}


def test_the_axis_has_round_times() -> None:
    """Each time stands once, on a whole step, within the chart."""
    for seconds, step in ((3, 1), (45, 10), (100, 30), (5000, 900), (80_000, 3 * 3600)):
        task = a_task("a", 1, State.FINISHED, attempts=1, attempt=an_attempt(1, seconds, started=NOW))
        chart = timeline([ReportEntry(task=task)], NOW + timedelta(seconds=seconds))
        ticks, left = chart.ticks, chart.label_width
        words = [word for _, word in ticks]
        assert 1 <= len(set(words)) == len(words) <= 9
        for word in words:
            hours, minutes, *rest = map(int, word.split(":"))
            assert (hours * 3600 + minutes * 60 + sum(rest)) % step == 0
        assert all(left <= x <= left + CHART_WIDTH for x, _ in ticks)


def test_names_next_to_the_bars_take_only_the_room_that_they_need() -> None:
    """A phone shows a third of the chart: short names leave it to the bars."""
    widths = [
        timeline([ReportEntry(task=a_task(name, 1, State.FINISHED, attempts=1, attempt=an_attempt(1, 9)))], NOW)
        for name in ("a", "a" * 20, "a" * 60)
    ]
    assert [chart.label_width for chart in widths] == [24, 176, 190]
    assert [min(bar.x for bar in chart.rows[0].bars) for chart in widths] == [24, 176, 190]


def test_a_timeline_shows_each_wait() -> None:
    """Queued, an attempt that met a limit, the wait for it, the attempt after it, and its checks."""
    other = ReportEntry(task=a_task("other", 1, State.MERGED, attempts=1, attempt=an_attempt(1, 60)))
    _, row = timeline([hostile_entry(), other], NOW).rows
    assert [bar.kind for bar in row.bars] == ["queue", "agent", "limit", "agent", "checks"]
    assert [bar.words for bar in row.bars] == [
        "queued, 1h00m",
        "attempt 1, claude: limited, 30m00s",
        "waited for a limit, 3h30m",
        "attempt 2, claude: finished, 20m00s",
        "test, 3m20s",
    ]
    starts = [bar.x for bar in row.bars]
    assert starts == sorted(starts)


def test_a_timeline_is_of_the_last_night() -> None:
    """An attempt that ended the day before is counted, not drawn: it would squeeze all others."""
    old = a_task("old", 1, State.MERGED, attempts=1, attempt=an_attempt(1, 60, started=NOW - timedelta(days=4)))
    chart = timeline([ReportEntry(task=old), *(ReportEntry(task=task) for task in NIGHT)], NOW)
    assert chart.earlier == 1
    assert "old" not in {row.id for row in chart.rows}


def test_lines_of_a_diff_are_grouped_in_runs() -> None:
    """What was removed and what was added instead share a run, in which a stylesheet puts them side by side."""
    (file,) = patch_files(hostile_entry().patch)
    assert [(run.kind, len(run.lines)) for run in file.runs] == [
        ("hunk", 1),
        ("context", 1),
        ("change", 3),
        ("context", 1),
    ]
    assert (file.added, file.removed) == (2, 1)


def test_a_file_that_was_only_renamed_is_folded() -> None:
    """Its name says all; with changed lines, it is open."""
    renamed = (
        PatchLine(LineKind.FILE, "a/old.py b/new.py"),
        PatchLine(LineKind.META, "rename from old.py"),
        PatchLine(LineKind.META, "rename to new.py"),
    )
    changed = (*renamed, PatchLine(LineKind.HUNK, "@@ -0,0 +1 @@"), PatchLine(LineKind.ADDED, "x", new=1))
    entry = msgspec.structs.replace(hostile_entry(), patch=Patch(lines=(*renamed, *changed)))
    assert [(file.is_renamed, file.is_open) for file in patch_files(entry.patch)] == [(True, False), (True, True)]
    page = report_page.page(a_report(entry), NOW)
    assert '<details class="file"><summary>new.py <span class="size"> renamed</span></summary>' in page
    assert '<details class="file" open><summary>new.py' in page


def test_a_page_holds_everything_about_a_task() -> None:
    """Comments with their answers, what changed since the review, the end of a failed check, the transcript, tokens."""
    page = report_page.page(busy_night(), NOW)
    for part in (
        "<h3>Since the last review</h3>",
        "it was sent back (attempt 1), 1 hunk to look at, 1 of 1 comment answered",
        '<div class="answer">↳ kept, ',
        "<summary>what it printed</summary>",
        '<pre class="tool">Bash  ',
        "7 earlier events are left out; see: orchestrate log hostile",
        "$1.20",
        "421k in, 9k out",
        "The diff is longer; see: orchestrate diff hostile",
        '<label for="split">',
    ):
        assert part in page, part
    assert "{{ 7 * 7 }}" in page


def test_a_night_without_work_is_red() -> None:
    """An empty night and one in which everything failed are bad news in the first line."""
    empty = report_page.page(a_report(), NOW)
    assert '<strong class="bad">nothing ran: there are no tasks</strong>' in empty
    failed = a_task("one", 1, State.FAILED, attempts=1, attempt=an_attempt(1, 60), reason="exit code 3")
    page = report_page.page(a_report(ReportEntry(task=failed)), NOW)
    assert '<strong class="bad">0 of 1 task finished' in page
    assert '<p class="bad">exit code 3</p>' in page


def test_no_task_went_both_well_and_wrong() -> None:
    """Passed checks do not make a conflict good news."""
    named = {section.title: {name for name, _ in section.lines} for section in report_words.sections(busy_night(), NOW)}
    assert "orders-api" in named["Went wrong"]
    assert not named["Went well"] & named["Went wrong"]


def test_a_line_of_the_text_is_broken_below_itself() -> None:
    """At 60 columns, what does not fit goes on below the name of its task, not at the edge."""
    lines = page(report_text.text, busy_night(), width=60, now=NOW).splitlines()
    titles = {section.title for section in report_words.sections(busy_night(), NOW)}
    assert all(line.startswith(("  ", "↳")) for line in lines[2:] if line and line not in titles)
    assert any(len(line) > 50 for line in lines)
    assert any(line.startswith("    ") for line in lines), "not below the next name"
    assert "↳ orchestrate review" in "\n".join(lines)


def test_the_table_has_the_size_of_a_task_that_needs_no_verdict() -> None:
    """Of its diff, as the board of `status` has it; without anything to review there is no column for the risk."""
    lines = [PatchLine(LineKind.ADDED, "one", new=1), PatchLine(LineKind.REMOVED, "two", old=1)]
    patch = Patch((PatchLine(LineKind.FILE, "a.py"), PatchLine(LineKind.HUNK, "@@ -1 +1 @@"), *lines))
    merged = ReportEntry(task=a_task("one", 1, State.MERGED, attempts=1), patch=patch)
    page = report_page.page(a_report(merged), NOW)
    assert "<td>+1 -1</td>" in page
    assert "<th>Risk</th>" not in page
    assert "<th>Risk</th>" in report_page.page(busy_night(), NOW)


def test_what_a_task_waits_for_stands_alone_or_after_other_facts() -> None:
    """A queued task has no other facts, and then no dot in front of it."""
    tasks = [a_task("first", 1, State.QUEUED), a_task("second", 2, State.QUEUED, after=("first",))]
    page = report_page.page(a_report(*(ReportEntry(task=task) for task in tasks)), NOW)
    assert '<p class="dim">after first</p>' in page


def test_a_report_in_markdown_mentions_nobody() -> None:
    """Posted in a pull request, it notifies no one, refers to no issue and links to nothing; its words are the same."""
    planted = (
        "@octocat and @acme/owners, fixes #12, closes acme/app#3, GH-7, gh-8, see !4 and &5, or "
        "https://github.example/acme/app/issues/9, www.planted.example and mail@planted.example; $x$ ![i](http://a.b/c)"
    )
    failed = a_task("one", 1, State.FAILED, attempts=1, attempt=an_attempt(1, 60), reason=planted)
    parser = MarkdownIt("gfm-like", {"linkify": False})
    tokens = parser.parse(report_text.markdown(a_report(ReportEntry(task=failed)), NOW))
    pieces = [piece for token in tokens for piece in token.children or ()]
    shown = "".join(piece.content for piece in pieces)
    assert planted in shown.replace("\u200b", "")
    assert not re.findall(r"@\w|[#!&]\w|gh-\d|://|www\.", shown, re.IGNORECASE)
    assert {piece.type for piece in pieces} <= {"text", "text_special", "strong_open", "strong_close"}
