"""Review a branch: its card, and the signals that say where to look."""

from gitorch.flow.review.card import branch_facts, branch_signals, card, in_review_order
from gitorch.flow.review.signals.file_signals import path_signals
from gitorch.flow.review.values import BranchFacts, ReviewCard, RiskSignal
from gitorch.git.diff.file_changes import FileChange

__all__ = [
    "BranchFacts",
    "FileChange",
    "ReviewCard",
    "RiskSignal",
    "branch_facts",
    "branch_signals",
    "card",
    "in_review_order",
    "path_signals",
]
