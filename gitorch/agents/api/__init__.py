"""The `api` agent: the Anthropic Messages API with a shell and a text editor, in a process of its own."""
