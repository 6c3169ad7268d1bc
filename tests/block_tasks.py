"""Tasks for tests of executors: importable by name in other processes."""

import os
import signal
import time
from pathlib import Path

from darkstats.errors import OptionError
from darkstats.execution.jobs import Job, Task, inputs_bytes


def prepare(inputs, settings):
    return {"numbers": inputs["numbers"], **settings}


def squares(context, block):
    return {"block": block, "value": context["numbers"][block] ** 2 + context["shift"]}


def kills_itself(context, block):
    """Die the first time that a chosen block is run."""
    mark = Path(context["folder"]) / f"{block}"
    if block in context["deadly"] and not mark.exists():
        mark.write_text("dead", "utf-8")
        os.kill(os.getpid(), signal.SIGKILL)
    return squares(context, block)


def always_dies(context, block):
    os.kill(os.getpid(), signal.SIGKILL)


def fails(context, block):
    if block == 2:
        raise OptionError("block two cannot be had")
    return squares(context, block)


def breaks(context, block):
    return {"value": 1 / (block - 2), "block": block}


def slow(context, block):
    time.sleep(context["pause_s"])
    return squares(context, block)


def slow_negatives(context, block):
    time.sleep(context["pause_s"])
    return {"block": block, "value": -context["numbers"][block]}


SQUARES = Task(prepare=prepare, run=squares)
KILLS_ITSELF = Task(prepare=prepare, run=kills_itself)
ALWAYS_DIES = Task(prepare=prepare, run=always_dies)
FAILS = Task(prepare=prepare, run=fails)
BREAKS = Task(prepare=prepare, run=breaks)
SLOW = Task(prepare=prepare, run=slow)
SLOW_NEGATIVES = Task(prepare=prepare, run=slow_negatives)


def job(n_blocks=8, **settings):
    data, digest = inputs_bytes({"numbers": [0.1 * k for k in range(n_blocks)]})
    return Job(
        kind="test",
        settings={"shift": 1.0} | settings,
        n_blocks=n_blocks,
        inputs_digest=digest,
        inputs=data,
    )
