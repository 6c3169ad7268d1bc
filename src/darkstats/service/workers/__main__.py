"""``python -m darkstats.service.workers``: one worker, started by its supervisor."""

from __future__ import annotations

from darkstats.service.workers.process import main

if __name__ == "__main__":
    main()
