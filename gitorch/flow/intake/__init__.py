"""What a person hands in, as drafts of tasks: words, tasks files, Markdown, checklists, NDJSON; and drafts as tasks.

Nothing is asked and nothing is guessed: a key that nobody knows, a dependency that is not there and a name that
means two tasks are errors which say where. Prompts stay as they are, byte for byte.
"""

from gitorch.flow.intake.draft import STDIN, Draft, from_text, headline, shortened
from gitorch.flow.intake.entry import context_text
from gitorch.flow.intake.formats import read, read_folder
from gitorch.flow.intake.names import resolve

__all__ = [
    "STDIN",
    "Draft",
    "context_text",
    "from_text",
    "headline",
    "read",
    "read_folder",
    "resolve",
    "shortened",
]
