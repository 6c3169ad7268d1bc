"""Names of the parameters by which smoothed simulation moves bins together."""

from __future__ import annotations

__all__ = ["is_simulation_mode", "simulation_mode"]

_BETWEEN = "_simulation_"


def simulation_mode(process: str, mode: str) -> str:
    """Name of the parameter of a mode of a process.

    Examples
    --------
    >>> simulation_mode("charm", "sum")
    'charm_simulation_sum'
    """
    return f"{process}{_BETWEEN}{mode}"


def is_simulation_mode(process: str, name: str) -> bool:
    """Whether a modifier of a process is the statistical error of its simulation.

    Examples
    --------
    >>> is_simulation_mode("charm", "charm_simulation_sum"), is_simulation_mode("charm", "lumi")
    (True, False)
    """
    return name.startswith(f"{process}{_BETWEEN}")
