"""The bubblewrap sandbox of a room: what is visible in it, its network, and the process that starts it."""
