"""Which tasks make a merge fail its checks: one, a blamed pair, a larger set. Checks run in `flow.merge.checks`."""
