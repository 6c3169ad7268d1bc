"""Generated requests against the whole HTTP interface: no fault of the server, no hang.

    python -m tests.soak.http --cases 100000

Requests come from the interface's own description (schemathesis), as it allows and as it forbids
them; half of the digests, keys and jobs that they name are there. Each answer must be one that the
description knows, in its form, within seconds; what the description forbids must be refused.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
import warnings
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from darkstats.service.api import create_app
from darkstats.service.settings import Quotas, Settings
from darkstats.service.store import Store
from darkstats.service.workers.worker import work_once

WORKSPACE = {
    "version": "1.0.0",
    "channels": [
        {"name": "c", "samples": [
            {"name": "s", "data": [5.0], "modifiers": [
                {"name": "mu", "type": "normfactor", "data": None}]},
            {"name": "b", "data": [50.0], "modifiers": []}]},
    ],
    "observations": [{"name": "c", "data": [51.0]}],
    "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
}  # fmt: skip
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_schema_conformance,
]  # fmt: skip
LONGEST_S = 10.0
_REFERENCE = re.compile(r"sha256:[0-9a-f]{64}(/[^\x00-\x1f]*)?|result:[0-9a-f]{64}")
_HEALTH = list(hypothesis.HealthCheck)


@dataclass
class Report:
    """Answers by status and operation, and what was wrong."""

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest_s: float = 0.0


class Target:
    """An application with a document, a finished job and a queued one."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(f"sqlite:///{folder}/soak.db")
        quotas = Quotas(queued=10**9, stored=10**12)
        app = create_app(self.store, Settings(quotas=quotas, names=("testserver",)))
        app.state.darkstats.stopping.set()  # streams and waits end at once
        self.schema = schemathesis.openapi.from_asgi("/openapi.json", app)
        from starlette.testclient import TestClient

        client = TestClient(app, base_url="http://localhost")
        body = json.dumps(WORKSPACE).encode()
        kept = client.post("/api/v1/documents", content=body).json()
        self.reference = kept["references"]["document.json"]
        done = client.post("/api/v1/digest", json={"source": self.reference}).json()
        assert work_once(self.store)
        queued = client.post("/api/v1/inspect", json={"source": self.reference}).json()
        self.known = {"digest": kept["digest"], "key": done["key"], "name": queued["name"]}

    def place(self, case: Any, dice: random.Random) -> None:
        """Let half of what a request names be there."""
        for name, value in self.known.items():
            if name in case.path_parameters and dice.random() < 0.5:
                case.path_parameters[name] = value
        if dice.random() < 0.5:
            case.body = self._put(case.body)

    def _put(self, value: Any) -> Any:
        if isinstance(value, str):
            return _REFERENCE.sub(lambda _: self.reference, value)
        if isinstance(value, list):
            return [self._put(one) for one in value]
        if isinstance(value, dict):
            return {name: self._put(one) for name, one in value.items()}
        return value


def soak(cases: int, seed: int, *, most_verbs: int = 1_000) -> Report:
    """Send so many requests, spread over all operations and both ways to make them.

    Of the verbs, which all work alike, so many are chosen.
    """
    report, dice = Report(), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        target = Target(Path(folder))
        found = [result.ok() for result in target.schema.get_all_operations()]
        verbs = [one for one in found if one.method == "post" and "questions" in _tags(one)]
        left_out = dice.sample(verbs, max(len(verbs) - most_verbs, 0))
        found = [one for one in found if one not in left_out]
        ways = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        each = max(cases // (len(found) * len(ways)), 1)
        for operation in found:
            for way in ways:
                _send(target, operation, way, count=each, report=report, dice=dice)
                sys.stderr.write(f"{report.cases} sent, {len(report.faults)} at fault: "
                                 f"{operation.label}, {way.value}\n")  # fmt: skip
        target.store.close()
    return report


def _tags(operation: Any) -> list[str]:
    return list(operation.definition.raw.get("tags", ()))


def _send(
    target: Target, operation: Any, way: GenerationMode, *, count: int, report: Report,
    dice: random.Random,
) -> None:  # fmt: skip
    sent = 0
    try:
        strategy = operation.as_strategy(generation_mode=way)
    except Exception as error:  # nothing of this operation can be made wrong
        if way is GenerationMode.POSITIVE:
            report.faults.append(f"{operation.label}: {type(error).__name__}: {error}")
        return

    @hypothesis.seed(dice.randrange(2**32))
    @hypothesis.settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=_HEALTH,
        phases=[hypothesis.Phase.generate],
    )  # fmt: skip
    @hypothesis.given(case=strategy)
    def each(case: Any) -> None:
        nonlocal sent
        sent += 1
        if way is GenerationMode.POSITIVE:  # or it would be right again
            target.place(case, dice)
        _one(case, way, report)

    with suppress(hypothesis.errors.Unsatisfiable):
        each()


def _checks(case: Any, way: GenerationMode) -> list[Any]:
    """Forms know no types: a number in the place of a file is a file that holds its digits."""
    wrong = way is GenerationMode.NEGATIVE and case.media_type != "multipart/form-data"
    return [*CHECKS, negative_data_rejection] if wrong else CHECKS


def _one(case: Any, way: GenerationMode, report: Report) -> None:
    label = f"{case.method} {case.path}"
    begun = time.monotonic()
    try:
        answer = case.call()
        report.statuses[answer.status_code] += 1
        case.validate_response(answer, checks=_checks(case, way))
    except (Exception, BaseExceptionGroup) as error:
        text = " ".join(str(error).split())
        report.faults.append(f"{label} ({way.value}): {type(error).__name__}: {text[:1500]}")
    seconds = time.monotonic() - begun
    if seconds > LONGEST_S:
        report.faults.append(f"{label}: took {seconds:.1f} s")
    report.cases += 1
    report.operations[label] += 1
    report.slowest_s = max(report.slowest_s, seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, help="file for the figures, as JSON")
    given = parser.parse_args()
    begun = time.monotonic()
    report = soak(given.cases, given.seed)
    told = {
        "cases": report.cases, "seed": given.seed, "operations": len(report.operations),
        "statuses": {str(k): report.statuses[k] for k in sorted(report.statuses)},
        "faults": len(report.faults), "slowest_s": round(report.slowest_s, 3),
        "seconds": round(time.monotonic() - begun, 1),
    }  # fmt: skip
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    for kind, number in Counter(one[:1500] for one in report.faults).most_common(20):
        sys.stdout.write(f"{number} x {kind}\n")
    if given.report is not None:
        given.report.write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
