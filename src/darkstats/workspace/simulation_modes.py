"""Names of the parameters by which smoothed simulation moves bins together."""

from __future__ import annotations

import re

__all__ = ["FUNCTIONALS", "is_simulation_mode", "names_a_simulation_mode", "simulation_mode"]

#: Names of modes: functionals of a window, powers of the place in it.
FUNCTIONALS = ("sum", "slope", "curvature", "cubic")
_BETWEEN = "_simulation_"
_MODE = re.compile(rf"{_BETWEEN}(row\d+_)?({'|'.join(FUNCTIONALS)})$")


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


def names_a_simulation_mode(name: str) -> bool:
    """Whether a parameter is, by its name, such an error of some process in a window.

    Examples
    --------
    >>> names_a_simulation_mode("charm_simulation_row2_sum")
    True
    >>> names_a_simulation_mode("signal_simulation")
    False
    """
    return _MODE.search(name) is not None
