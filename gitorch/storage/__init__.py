"""Durable files: atomic writes, locks, the task store, the operation log, plans, shared notes and trust."""
