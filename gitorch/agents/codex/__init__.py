"""The `codex` command line: as an agent, and as a model that answers a question."""
