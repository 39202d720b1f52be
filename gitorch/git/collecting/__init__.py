"""Bring an agent's commits into its branch: fetch, redact, record. The checks of the gate are in `git.commit_gate`."""
