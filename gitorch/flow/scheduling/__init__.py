"""Scheduling: which task starts next, and on which commit."""
