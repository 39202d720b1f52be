"""Commits and files on their way to workers and back. How a worker runs is in `services.workers`."""
