"""The `claude` command line: as an agent, and as a model that answers a question."""
