"""Read task drafts from text, tasks files, Markdown, checklists and NDJSON, and turn drafts into tasks.

Nothing is guessed: unknown keys, missing dependencies and ambiguous names are errors with file and line. Prompts are
kept byte for byte.
"""

from gitorch.flow.intake.draft import STDIN, TaskDraft, from_text, headline, shortened
from gitorch.flow.intake.entry import context_text
from gitorch.flow.intake.formats import read, read_folder
from gitorch.flow.intake.names import resolve

__all__ = [
    "STDIN",
    "TaskDraft",
    "context_text",
    "from_text",
    "headline",
    "read",
    "read_folder",
    "resolve",
    "shortened",
]
