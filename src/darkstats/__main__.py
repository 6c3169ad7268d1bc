"""``python -m darkstats`` is ``darkstats``."""

from __future__ import annotations

from darkstats.cli import main

if __name__ == "__main__":
    main()
