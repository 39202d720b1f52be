"""Linked worktrees and checkouts: their state, their rescue points, their removal. Rooms of agents are in `rooms`."""
