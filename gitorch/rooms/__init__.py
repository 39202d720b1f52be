"""What an agent can see and touch: its worktree, environment, ports and prepared files."""
