"""Write trees, commits and packs that no ref leads to yet. Moving refs is in `git.repository`."""
