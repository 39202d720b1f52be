"""The program: what `orchestrate` and `python -m gitorch` run."""

import os

try:
    from gitorch.cli.main import main
except KeyboardInterrupt:  # Ctrl-C before the command line could handle it
    os._exit(130)

__all__ = ["main"]

if __name__ == "__main__":
    main()
