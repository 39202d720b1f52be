"""`python -m gitorch`."""

from gitorch.cli.main import main

main()
