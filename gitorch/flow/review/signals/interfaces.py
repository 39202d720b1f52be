"""Signals of public functions and types that a branch removes or declares differently."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gitorch.flow.review.signals.line_signals import excerpt
from gitorch.flow.review.signals.rules import is_in, signal
from gitorch.flow.review.values import RiskSignal
from gitorch.git.diff.file_patches import NO_FILE, FilePatch

_DECLARATIONS = {
    (".py", ".pyi"): r"^(?:async )?(?:def|class) ([A-Za-z]\w*)",
    (".js", ".mjs", ".cjs", ".ts", ".tsx", ".jsx", ".mts"): (
        r"^export (?:default )?(?:abstract )?(?:async )?(?:function\*?|class|const|let|interface|type|enum) (\w+)"
    ),
    (".go",): r"^(?:func (?:\([^)]*\) )?|type )([A-Z]\w*)",
    (".rs",): r"^\s*pub (?:const |async |unsafe )*(?:fn|struct|enum|trait|type) (\w+)",
    (".java", ".kt", ".cs"): r"^\s*public (?:[\w<>\[\], ?]+ )?(\w+)\s*[({]",
    (".rb",): r"^\s*def (?:self\.)?([a-z]\w*[!?]?)",
    (".php",): r"^\s*public (?:static )?function (\w+)",
    (".h", ".hpp"): r"^(?:[\w:*&<>]+ )+\*?(\w+)\(",
}


def interface_signals(files: Sequence[FilePatch]) -> Iterator[RiskSignal]:
    """Yield the public declarations that are gone or different; one that moved unchanged is neither."""
    added = {line.text.strip() for file in files for line in file.added}
    for file in files:
        if is_in(file.path, "tests") or is_in(file.path, "generated"):
            continue
        pattern = next((text for ends, text in _DECLARATIONS.items() if file.old_path.endswith(ends)), "")
        if not pattern:
            continue
        later = {match[1] for line in file.added if (match := re.match(pattern, line.text))}
        for line in file.removed:
            match = re.match(pattern, line.text)
            if match and line.text.strip() not in added:
                word = "declared differently" if match[1] in later else "removed"
                number = 0 if file.new_mode == NO_FILE else line.new or 0
                yield signal("interface-changed", f"{match[1]} was {word}: {excerpt(line.text)}", file.path, number)
