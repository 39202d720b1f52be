"""gitorch: queue work for coding agents in the evening, review finished git branches in the morning."""

__version__ = "0.1.0"
