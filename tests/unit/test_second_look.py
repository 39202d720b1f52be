"""What changed since a review: marks by patch id, and the agent's answers to comments."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from gitorch.cli.terminal.style import TerminalStyle
from gitorch.cli.views.reviewing.second_look import second_look as page
from gitorch.flow.review.second_look import changes_since, read_marks, second_look, unseen
from gitorch.git.diff.file_patches import BranchPatch, FilePatch, Hunk
from gitorch.git.diff.hunk_ids import hunk_patches
from gitorch.git.diff.patch_lines import LineKind, PatchLine
from gitorch.model.note import ViewedNote
from gitorch.model.review.answers import LONGEST_ANSWER, read_answers, read_question_answers
from gitorch.model.task import Comment


def _file(path: str, *hunks: tuple[int, str]) -> FilePatch:
    made = [
        Hunk(
            f"@@ -{line},2 +{line},2 @@",
            line,
            line,
            (
                PatchLine(LineKind.CONTEXT, "context", old=line, new=line),
                PatchLine(LineKind.REMOVED, "old", old=line + 1),
                PatchLine(LineKind.ADDED, text, new=line + 1),
            ),
        )
        for line, text in hunks
    ]
    modes = {"old_mode": "100644", "new_mode": "100644"}
    return FilePatch(path=path, old_path=path, status="M", hunks=tuple(made), **modes)


def _note(time: int, *ids: str, **fields: object) -> ViewedNote:
    return ViewedNote(task="x", patch_ids=ids, time=f"2026-11-29T00:00:0{time}Z", **fields)  # type: ignore[arg-type]  # any field


def test_marks_follow_the_order_of_their_time() -> None:
    """A mark that was taken back is gone, also when notes were copied by a rebase; a verdict is no mark."""
    notes = [_note(2, unmarked=("a",)), _note(1, "a", "b"), _note(3, "c", "c"), _note(1, "a", "b")]
    assert read_marks(notes).viewed == Counter(b=1, c=2)
    judged = read_marks([*notes, _note(4, "a", verdict="revise", attempt=2)])
    assert (judged.viewed, judged.judged, judged.attempt) == (Counter(b=1, c=2), Counter(a=1), 2)


def test_equal_hunks_count_one_by_one() -> None:
    """Two hunks with the same change are two: one mark leaves the other."""
    hunks = hunk_patches(BranchPatch((_file("a.py", (1, "new"), (40, "new"), (80, "other")),)))
    assert hunks[0].ids == hunks[1].ids != hunks[2].ids
    assert unseen(hunks, Counter(hunks[0].ids)) == [hunks[1], hunks[2]]
    assert unseen(hunks, Counter([*hunks[0].ids, *hunks[1].ids, *hunks[2].ids])) == []
    assert [hunk.place for hunk in hunks] == ["a.py:2", "a.py:41", "a.py:81"]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("Comment 1: done 1a2b3c4d", "done 1a2b3c4d"),
        ("- **Comment 1**: done `1a2b3c4`, with a test", "done 1a2b3c4 with a test"),
        ("1. kept, because the API needs it", "kept, because the API needs it"),
        ("comment #1 - refuted: line 3 shows it", "refuted: line 3 shows it"),
        ("Comment 1: done", "done"),
    ],
)
def test_answers_of_the_agent_are_read(line: str, answer: str) -> None:
    """The documented form, and how models usually vary it."""
    assert str(read_answers(f"## Done\nAll.\n{line}\n## Left open\n")[1]) == answer


@pytest.mark.parametrize("text", ["1 file is done", "Comment 1: maybe", "100 tests kept green? no", "", "done 1a2b3c4"])
def test_ordinary_words_are_no_answer(text: str) -> None:
    """A sentence that only has such words answers nothing."""
    assert 1 not in read_answers(text)


def test_comments_stand_beside_the_code_with_their_answers() -> None:
    """A comment is shown at the hunk with its line; what agents wrote cannot steer the terminal."""
    old = hunk_patches(BranchPatch((_file("a.py", (1, "new"), (40, "b")),)))
    hunks = hunk_patches(BranchPatch((_file("a.py", (1, "newer"), (44, "b")),)))
    marks = read_marks([_note(1, *(i for hunk in old for i in hunk.ids), verdict="revise", attempt=1)])
    comments = [Comment(text="use\x1b[2J less", file="a.py", line=2), Comment(text="say why")]
    look = second_look(hunks, marks, comments, "Comment 1: done 1a2b3c4\nComment 2: refuted: \x1b]0;x\x07 it does")
    assert look.hunks == (hunks[0],)
    narrow = page(look, TerminalStyle(symbols=False, width=40)).split("\n")
    assert all(len(line) <= 40 for line in narrow[:2])
    text = page(look, TerminalStyle(symbols=False))
    assert text.splitlines()[:3] == [
        "since it was sent back (attempt 1), 1 hunk to look at, 1 change gone, 2 of 2 comments answered",
        "! 2. say why",
        "  -> refuted: ]0;x it does",
    ]
    assert "\x1b" not in text
    lines = text.splitlines()
    assert lines[lines.index("! 1. a.py:2: use\\x1b[2J less") + 2 :] == [
        "@@ -1,2 +1,2 @@",
        " context",
        "-old",
        "+newer",
    ]


def _new_lines(path: str, first: int, *texts: str) -> FilePatch:
    lines = tuple(PatchLine(LineKind.ADDED, text, new=first + count) for count, text in enumerate(texts))
    hunk = Hunk(f"@@ +{first} @@", first, first, lines)
    return msgspec.structs.replace(_file(path), hunks=(hunk,))


def test_only_the_new_part_of_a_hunk_is_shown() -> None:
    """The interdiff stands for a file where a part was there before; a file that is new or rewritten is shown whole."""
    hunks = hunk_patches(BranchPatch((_new_lines("long", 1, *"abcdef"), _new_lines("new", 1, "x", "y"))))
    interdiff = hunk_patches(
        BranchPatch((_new_lines("long", 3, "c"), _new_lines("new", 1, "x", "y"), _new_lines("other", 1, "z")))
    )
    changed = [hunk.place for hunk in changes_since(hunks, interdiff, is_same_base=True)]
    assert changed == ["long:3", "new:1", "other:1"]
    moved = [*interdiff, *hunk_patches(BranchPatch((_new_lines("long", 90, "upstream"),)))]
    assert [hunk.place for hunk in changes_since(hunks, moved, is_same_base=False)] == ["long:3", "new:1"]
    assert changes_since(hunks, [], is_same_base=True) == tuple(hunks)


def test_answers_to_questions_are_read_by_number() -> None:
    """An answer goes on until the next one, or until another part of the message; hidden characters are shown."""
    text = (
        "## Done\nAll.\nAnswer 1: because\n\n- of `x`\n**Answer to question 2:** no\x1b[2J\n"
        "Comment 3: done 1a2b3c4\nmore\n"
        "# Answer 4.\nfour\n## Left open\nmuch\nAnswer 5:\n\nAnswer 1: later"
    )
    found = read_question_answers(text)
    assert (found[1], found[4]) == ("later", "four")
    assert found[2].startswith("no")
    assert "\x1b" not in found[2]
    assert sorted(found) == [1, 2, 4]
    assert read_question_answers("Answer 1: because\n\n- of `x`") == {1: "because\n\n- of `x`"}
    long = read_question_answers("Answer 1: " + "x" * 3 * LONGEST_ANSWER)[1]
    assert long.endswith(f"[cut: {2 * LONGEST_ANSWER} characters more]")
    assert read_question_answers("The answer is 1: yes") == {}
