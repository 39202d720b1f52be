"""What an agent must not change: the hooks that limit its git, and snapshots to compare. Reports are in `services`."""
