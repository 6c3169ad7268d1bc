"""Workers of a service without its doors, to be killed: ``python -m tests.soak.service_server``.

    python -m tests.soak.service_server sqlite:////PATH 2

A job may lose any number of workers here: it is not the job that kills them.
"""

from __future__ import annotations

import sys
import threading

from darkstats.service.store import changes
from darkstats.service.workers.limits import Limits
from darkstats.service.workers.supervisor import Supervisor


def main() -> None:
    changes.MOST_ATTEMPTS = 1_000_000
    url, workers = sys.argv[1], int(sys.argv[2])
    supervisor = Supervisor(url, workers=workers, limits=Limits(lease_s=15.0, nice=0))
    supervisor.start()
    while supervisor.alive() < workers + 1:
        threading.Event().wait(0.01)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
