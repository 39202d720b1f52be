"""Signals: what in a branch a reviewer should look at, and why. How they are shown is in `cli.views`."""
