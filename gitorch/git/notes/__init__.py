"""Git notes: gitorch's JSON lines on commits, and the user's notes on rewritten ones. What lines say is in `model`."""
