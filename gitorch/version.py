"""The version, for code below the public API too."""

__version__ = "0.1.0"
