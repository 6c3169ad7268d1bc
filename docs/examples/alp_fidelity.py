"""Compare the simulated ALP search, without what detector and fit lose, with a prototype.

    python docs/examples/alp_fidelity.py docs/studies/alp-effects.json

Prints a table of docs/studies/fidelity.md from what docs/examples/alp_effects.py found before any
effect. Expected limits are for the simulated spectrum itself, without fluctuations.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from darkstats.signals.axion_like_particle import coupling_igev

# Efficiency and expected limits (pb) of an independent prototype with photon
# efficiency 1, computed.
PROTOTYPE = {
    0.25: (0.32, 0.045), 0.3: (0.32, 0.053), 0.5: (0.31, 0.074), 0.8: (0.30, 0.099),
    1.0: (0.29, 0.116), 1.5: (0.28, 0.161), 2.0: (0.26, 0.207), 3.0: (0.25, 0.292),
    4.0: (0.25, 0.355), 5.0: (0.29, 0.346), 6.0: (0.30, 0.322), 6.85: (0.30, 0.327),
    7.5: (0.31, 0.366), 8.0: (0.31, 0.331), 8.5: (0.32, 0.323), 9.0: (0.32, 0.323),
    9.5: (0.31, 0.335), 9.7: (0.30, 0.281),
}  # fmt: skip
#: What the prototype's efficiency is multiplied by: three photons are found.
FOUND = 0.95**3


def table(report: dict[str, Any]) -> str:
    """Rows of the page."""
    lines = [
        "| m [GeV] | efficiency | / prototype | expected [pb] | / prototype | g [1e-3/GeV] "
        "| g / published | order | spurious [sigma] |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for mass, (efficiency, prototype_pb) in PROTOTYPE.items():
        found = report["stages"]["before"][f"{mass:g}"]
        expected, published = found["expected_pb"], report["published_pb"][f"{mass:g}"]
        lines.append(
            f"| {mass:g} | {found['efficiency']:.3f} "
            f"| {found['efficiency'] / (efficiency * FOUND):.2f} "
            f"| {expected:.3f} | {expected / prototype_pb:.2f} "
            f"| {1e3 * coupling_igev(mass, expected):.2f} | {np.sqrt(expected / published):.2f} "
            f"| {found['order']} | {found['spurious_sigma']:+.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("effects", type=Path)
    print(table(json.loads(parser.parse_args().effects.read_text("utf-8"))))


if __name__ == "__main__":
    main()
