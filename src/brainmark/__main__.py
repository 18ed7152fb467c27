"""``python -m brainmark``: the command line."""

from __future__ import annotations

from brainmark.cli import main

if __name__ == "__main__":
    main()
