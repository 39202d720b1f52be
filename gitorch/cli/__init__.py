"""The command line: thin commands, the views and JSON answers they print, and the terminal they print to."""
