"""Break a great many valid workspaces, and see that each gives a typed error or a sound number.

Run from the root of the repository::

    python -m tests.soak.mutated_workspaces --cases 1000000 --seed 1 --limits-every 1000

Each case is a function of the seed and its number only: ``--first N --cases 1`` repeats case N.
The exit status is 1 if there was a traceback, a numerical warning, a case of more than ten seconds,
a limit that is neither a finite number nor explained, or a workspace that passed although it holds
a literal that is no number (``NaN``, ``Infinity``, ``1e309``, ``true``, ``null``, ``"12"``) where
JSON of a workspace has none.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import DarkstatsError, DocumentError, WorkspaceError
from darkstats.workspace import Workspace, read_workspace
from strategies import Size, corrupt, random_workspace

if TYPE_CHECKING:
    from collections.abc import Callable

SLOW_SECONDS = 10.0
CASES_PER_WORKSPACE = 20
NO_NUMBER = re.compile(
    rb'NaN|Infinity|1e309|1e\+?308|(?<!"name":.)"12"|(?<!"fixed":.)true|(?<!"data":.)(?<!"poi":.)null',
    re.DOTALL,
)
"""Literals of faults that no workspace with a meaning holds (``"fixed": true`` and so on apart)."""


@dataclass
class Tally:
    """What became of the cases."""

    refused: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    passed: int = 0
    passed_without_numbers: int = 0
    limits: Counter[str] = field(default_factory=Counter)
    tracebacks: list[str] = field(default_factory=list)
    slow: list[int] = field(default_factory=list)
    slowest_seconds: float = 0.0

    @property
    def clean(self) -> bool:
        silent = self.limits["not a number"] + self.limits["none, without a reason"]
        silent += self.passed_without_numbers
        return not self.tracebacks and not self.slow and not silent

    def record(self, cases: int, seconds: float) -> dict[str, Any]:
        return {
            "cases": cases,
            "refused_with_typed_error": dict(self.refused),
            "passed_lint": self.passed,
            "passed_with_a_literal_that_is_no_number": self.passed_without_numbers,
            "limits": dict(self.limits),
            "tracebacks": len(self.tracebacks),
            "slow_cases": self.slow,
            "slowest_seconds": round(self.slowest_seconds, 3),
            "finding_codes": dict(self.codes.most_common()),
            "cases_per_second": round(cases / seconds, 1),
        }


def limit_of(workspace: Workspace) -> str:
    """Compute the asymptotic limit of a workspace; return what came of it."""
    try:
        from darkstats.inference.upper_limit import upper_limit
        from darkstats.model import compile_workspace
    except ImportError:
        return "inference absent"
    try:
        model = compile_workspace(workspace)
        found = upper_limit(model, model.observation, probe=False)
    except DarkstatsError as error:
        return type(error).__name__
    values = [found.observed, *found.expected]
    if any(value is not None and not math.isfinite(value) for value in values):
        return "not a number"
    if None in values:
        explained = found.observed_reason or found.expected_reason
        return "none, with a reason" if explained else "none, without a reason"
    return "number"


def mutated(seed: int, case: int, document: dict[str, Any]) -> bytes:
    return corrupt(np.random.default_rng((seed, 1, case)), document)


def base(seed: int, case: int) -> dict[str, Any]:
    rng = np.random.default_rng((seed, 0, case // CASES_PER_WORKSPACE))
    return random_workspace(rng, Size(channels=2, samples=2, bins=3, systematics=2))


def examine(data: bytes, case: int, tally: Tally, *, with_limit: bool) -> None:
    begin = time.perf_counter()
    try:
        workspace = read_workspace(data)
        tally.passed += 1
        tally.passed_without_numbers += NO_NUMBER.search(data) is not None
        if with_limit:
            tally.limits[limit_of(workspace)] += 1
    except WorkspaceError as error:
        tally.refused["WorkspaceError"] += 1
        tally.codes.update({finding.code for finding in error.findings})
        if not all(f.pointer is not None and f.remedy and f.message for f in error.findings):
            tally.tracebacks.append(f"case {case}: a finding without a remedy")
    except DocumentError as error:
        tally.refused[type(error).__name__] += 1
        if not error.remedy:
            tally.tracebacks.append(f"case {case}: an error without a remedy")
    except Exception:
        tally.tracebacks.append(f"case {case}:\n{traceback.format_exc()}")
    seconds = time.perf_counter() - begin
    tally.slowest_seconds = max(tally.slowest_seconds, seconds)
    if seconds > SLOW_SECONDS:
        tally.slow.append(case)


def run(
    cases: int,
    seed: int,
    *,
    first: int = 0,
    limits_every: int = 0,
    progress: Callable[[int, Tally], None] | None = None,
) -> Tally:
    """Examine ``cases`` mutated workspaces; every ``limits_every``-th that passes gets a limit."""
    tally = Tally()
    if limits_every > 0:
        limit_of(read_workspace(json.dumps(base(seed, first)).encode()))  # compile, untimed
    document: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for case in range(first, first + cases):
            if case % CASES_PER_WORKSPACE == 0 or not document:
                document = base(seed, case)
            wanted = limits_every > 0 and tally.passed % limits_every == 0
            examine(mutated(seed, case, document), case, tally, with_limit=wanted)
            if progress is not None and (case + 1 - first) % 10_000 == 0:
                progress(case + 1 - first, tally)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument(
        "--limits-every",
        type=int,
        default=0,
        metavar="N",
        help="compute the limit of every N-th workspace that passes (0: never)",
    )
    options = parser.parse_args()
    begin = time.perf_counter()

    def progress(done: int, tally: Tally) -> None:
        rate = done / (time.perf_counter() - begin)
        sys.stderr.write(f"\r{done} cases, {rate:.0f}/s, {len(tally.tracebacks)} tracebacks ")

    tally = run(
        options.cases,
        options.seed,
        first=options.first,
        limits_every=options.limits_every,
        progress=progress,
    )
    record = tally.record(options.cases, time.perf_counter() - begin)
    sys.stderr.write("\n" + "\n".join(tally.tracebacks[:20]) + "\n")
    sys.stdout.write(json.dumps(record, indent=2) + "\n")
    return 0 if tally.clean else 1


if __name__ == "__main__":
    sys.exit(main())
