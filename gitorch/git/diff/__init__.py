"""What branches change: paths, files, patches, hunks, lines. How a change is shown or judged is not here."""
