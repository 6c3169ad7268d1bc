"""Compare thousands of generated workspaces with pyhf.

python -m tests.soak.model_against_pyhf --cases 5000 --seed 0
"""

from __future__ import annotations

import argparse
import logging
import sys

import numpy as np
from tests.pyhf_comparison import CODES, RELATIVE, disagreement
from tests.strategies import random_workspace


def main() -> int:
    """Run the comparison; exit status 1 if any workspace disagrees."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    logging.getLogger("pyhf").setLevel(logging.ERROR)
    worst, bad = 0.0, []
    for seed in range(args.seed, args.seed + args.cases):
        rng = np.random.default_rng(seed)
        difference = disagreement(random_workspace(rng), CODES[seed % 3], rng)
        worst = max(worst, difference)
        if not difference < RELATIVE:
            bad.append(seed)
    sys.stdout.write(
        f"{args.cases} workspaces, worst relative difference {worst:.2e}, disagreeing {bad}\n"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
