"""Resolve conflicts: remembered, regenerated, by structure; proven by checks. Merging text is in `syntax`."""
