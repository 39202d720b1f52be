"""The terminal: the output streams and what they can show, and hostile text made safe for them."""
