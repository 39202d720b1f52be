"""The command line: thin commands, the views and JSON answers they print, and the terminal they print to."""

import gc

# Before anything else is imported. What a command imports and reads is needed until it ends: looking through it for
# garbage costs 6 ms of the imports, and 0.2 s of a board of 10,000 tasks.
gc.set_threshold(50_000, 20, 50)
