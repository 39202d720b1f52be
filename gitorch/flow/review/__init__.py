"""Review a branch: its card, and the signals that say where to look."""

from gitorch.flow.review.card import branch_signals, card, changes, in_review_order
from gitorch.flow.review.file_signals import path_signals
from gitorch.flow.review.values import FileChange, ReviewCard, RiskSignal

__all__ = [
    "FileChange",
    "ReviewCard",
    "RiskSignal",
    "branch_signals",
    "card",
    "changes",
    "in_review_order",
    "path_signals",
]
