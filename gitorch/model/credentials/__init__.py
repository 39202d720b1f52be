"""Credentials in text and in environments: recognised and redacted. Standard library only in `scan`."""
