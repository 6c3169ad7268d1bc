"""Compare limits, tests and significances of random models with a computation of their own.

    python -m tests.peers.random_models --models 3000 --output docs/studies/random-models

Each model is a document (:mod:`tests.peers.random_documents`) that goes through the command line
as a user's would, and through :mod:`tests.peers.plain_statistics`, which shares no code with
darkstats. Where the two differ, the reference searches again, exhaustively: the lower minimum is
right. ``--partial`` keeps what is done, so that a long run may be cut.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tests.peers import plain_statistics as plain
from tests.peers.plain_likelihoods import Likelihood, UnbinnedLikelihood, likelihood_of
from tests.peers.random_documents import CLASSES, UNBINNED, random_document

LIMIT_S = 30.0
"""Processor time that a command may take."""
AGAIN_S = 0.5
"""Processor time after which a command that is still there is interrupted once more."""
PATIENCE_S = 300.0
"""Processor time after which a process that does not heed its own clock is ended."""
TOLERANCE = 1e-5
"""Of limits, relative; of logarithms of p-values and of statistics, absolute and relative."""
AT_WALL = 10.0
"""How much wider all is where a rate is held at zero: the fit's wall there is stiff, not hard."""
TOYS = 1000
METHODS = ("cls", "clsb", "pcl", "cls", "q")

Found = dict[str, Any]


class _TooLongError(BaseException):
    """Not an Exception: no handler of the command may take it for its own."""


def _stop(*_: object) -> None:
    raise _TooLongError


def run_command(arguments: list[str]) -> Found:
    """Record of a command, with the processor time it took."""
    from darkstats.cli.running import run

    out = io.StringIO()
    started = time.process_time()
    signal.signal(signal.SIGPROF, _stop)
    # again and again: Python drops what a handler raises inside a callback of the collector
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S, AGAIN_S)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            status = run([*arguments, "--json", "--threads", "1"])
        record: Found = json.loads(out.getvalue())
    except _TooLongError:
        return {"slow": True, "seconds": LIMIT_S}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
    record["status"], record["seconds"] = status, time.process_time() - started
    return record


def _reason(record: Found) -> str:
    """Class of a refusal: its type and its words, without names and numbers."""
    keys = ("message", "observed_reason", "expected_reason")
    text = next((record[key] for key in keys if record.get(key)), "")
    text = text.split("\n")[1] if "problem(s)\n" in text else text
    text = re.sub(r"^.*?\.json: ", "", text.strip())
    text = re.sub(r"/\S+", "#", text)
    text = re.sub(r"'[^']*'", "'#'", text)
    text = re.sub(r"[-+]?\d[\d.]*(e[-+]?\d+)?", "#", text)
    return f"{record.get('error', 'null')}: {text[:90]}"


class _Judge:
    """Verdicts on the numbers of one model, with the reference behind them."""

    def __init__(self, likelihood: Likelihood, *, extra: int) -> None:
        self.likelihood, self.extra = likelihood, extra
        self.curves: dict[tuple[float, float, int], plain.Curve] = {}
        self.rows: list[Found] = []

    def curve(self, asimov_mu: float = 0.0, lower: float = 0.0, extra: int | None = None) -> Any:
        """Reference profile likelihoods, made once."""
        key = (asimov_mu, lower, self.extra if extra is None else extra)
        if key not in self.curves:
            self.curves[key] = plain.Curve(
                self.likelihood, asimov_mu=asimov_mu, poi_lower=lower, extra=key[2]
            )
        return self.curves[key]

    def note(self, quantity: str, verdict: str, ours: Any, theirs: Any, **more: Any) -> None:
        """Keep one verdict."""
        self.rows.append(
            {"quantity": quantity, "verdict": verdict, "ours": ours, "reference": theirs, **more}
        )


def close(a: float, b: float, tolerance: float = TOLERANCE) -> bool:
    """Whether two statistics agree: relative, or absolute near zero."""
    return abs(a - b) <= tolerance * max(abs(b), 0.1)


def _refused(judge: _Judge, quantity: str, record: Found, reference: Any) -> bool:
    """Note a refusal or a stop; True if there is no number to judge."""
    if record.get("slow"):
        judge.note(quantity, "slow", None, reference())
    elif record["status"] != 0:
        judge.note(quantity, "refused", None, reference(), reason=_reason(record))
    else:
        return False
    return True


def _tail(curve: Any, mu: float, method: str, *, bounded: bool) -> float:
    """Logarithm of CLs or CLs+b of the reference at ``mu``, after a search from many starts."""
    q = curve.q(mu, extra=curve.extra)
    sb, b = plain.log_p(q, curve.q_asimov(mu, extra=curve.extra), bounded=bounded)
    return min(sb - b, 0.0) if method == "cls" else sb


def judge_limit(judge: _Judge, record: Found, method: str) -> None:
    """Observed limit and band."""
    bounded, name = method != "q", "cls" if method == "q" else method
    lower = 0.0 if bounded else float(judge.likelihood.lower[judge.likelihood.poi])

    def reference(extra: int | None = None) -> plain.Limit | None:
        curve = judge.curve(0.0, lower, extra)
        if not math.isfinite(curve.free.value):
            return None
        return plain.limits(curve, cl=0.95, method=name, bounded=bounded)

    def shown() -> Any:
        found = reference()
        return None if found is None else found.observed

    label = f"limit {method}"
    if _refused(judge, label, record, shown):
        return
    for extra in (None, 40):
        theirs = reference(extra)
        if theirs is None:
            verdicts = [("observed", "differs", record["observed"], None)]
        else:
            curve = judge.curve(0.0, lower, extra)
            verdicts = _limit_verdicts(curve, record, theirs, name, bounded=bounded)
        if all(v[1].startswith("agreed") for v in verdicts):
            break
    for which, verdict, ours, number in verdicts:
        judge.note(f"{label} {which}", verdict, ours, number)


def _limit_verdicts(
    curve: Any, record: Found, theirs: plain.Limit, method: str, *, bounded: bool
) -> list[tuple[str, str, Any, Any]]:
    found: list[tuple[str, str, Any, Any]] = []
    ours, number = record["observed"], theirs.observed
    tolerance = TOLERANCE
    if any(curve.at_wall(mu) for mu in list(curve.known[False])):
        tolerance *= AT_WALL
    if ours is None:
        found.append(("observed", "refused", None, number))
    elif number is not None and abs(ours - number) <= tolerance * max(number, 1e-300):
        found.append(("observed", "agreed", ours, number))
    else:
        at_floor = theirs.floor is not None and ours <= theirs.floor * (1.0 + tolerance)
        mu = ours if ours > 0.0 else 1e-5 * curve.likelihood.natural_scale()
        tail = _tail(curve, mu, method, bounded=bounded) - math.log(0.05)
        good = abs(tail) <= 3.0 * tolerance or (ours == 0.0 and tail <= 0.0)
        verdict = "agreed: another crossing" if good and not at_floor else "differs"
        if not curve.settled(mu):
            verdict = "undecided"
        found.append(("observed", verdict, ours, number))
    names = ("-2", "-1", "0", "+1", "+2")
    for which, mine, other in zip(names, record["expected"], theirs.expected, strict=True):
        if mine is None:
            found.append((which, "refused", None, other))
            continue
        same = abs(mine - other) <= tolerance * max(other, 1e-300)
        verdict = "agreed" if same else "differs"
        if not same and mine > 0.0:
            n = float(which)
            alpha = 0.05 * (plain.norm.cdf(n) if method == "cls" else 1.0)
            wanted = n - float(plain.norm.ppf(alpha))
            root = math.sqrt(curve.q_asimov(mine, extra=curve.extra))
            if abs(root - wanted) <= tolerance:
                verdict = "agreed: another crossing"
            elif not curve.settled(mine):
                verdict = "undecided"
        found.append((which, verdict, mine, other))
    return found


def judge_significance(judge: _Judge, record: Found) -> None:
    """Observed q0, Z and p0, and the expected Z."""

    def reference(extra: int | None = None) -> Any:
        curve = judge.curve(1.0, 0.0, extra)
        if not math.isfinite(curve.free.value):
            return None
        fixed = curve.at(0.0, data=True, extra=curve.extra)
        q0 = 0.0 if curve.mu_hat <= 0.0 else max(2.0 * (fixed - curve.free.value), 0.0)
        return q0, curve.q_asimov(0.0, extra=curve.extra), curve.settled(0.0)

    if _refused(judge, "significance", record, reference):
        return
    for extra in (None, 40):
        theirs = reference(extra)
        wall = theirs is not None and judge.curve(1.0, 0.0, extra).at_wall(0.0)
        wide = TOLERANCE * (AT_WALL if wall else 1.0)
        verdicts = []
        for name, ours, number in (
            ("observed", record["observed"], None if theirs is None else theirs[0]),
            ("expected", record["expected"][2], None if theirs is None else theirs[1]),
        ):
            if ours is None:
                verdict = "refused"
            elif number is None or not math.isfinite(number):
                verdict = "differs"
            elif close(ours * ours, number, wide):
                verdict = "agreed"
            else:
                verdict = "differs" if theirs[2] else "undecided"
            z = None if number is None else math.sqrt(number)
            verdicts.append((name, verdict, ours, z))
        if record["observed"] is not None and record["p0"] is not None:
            wanted = float(plain.norm.logsf(record["observed"]))
            same = _p_agrees(record["p0"], wanted)
            ours = record["p0"]["value"]
            verdicts.append(("p0", "agreed" if same else "differs", ours, math.exp(wanted)))
        if all(v[1] != "differs" for v in verdicts):
            break
    for name, verdict, ours, number in verdicts:
        more = {"reason": _reason(record)} if verdict == "refused" else {}
        judge.note(f"significance {name}", verdict, ours, number, **more)


def _p_agrees(found: Found, log_p: float) -> bool:
    """Whether a printed p-value, or the bound in its place, is that of this logarithm."""
    if found["value"] is None:
        return found["bound"] is not None and math.exp(log_p) <= found["bound"]
    return math.isclose(found["value"], math.exp(log_p), rel_tol=1e-7, abs_tol=1e-300)


def judge_test(judge: _Judge, record: Found, mu: float) -> None:
    """CLs, CLs+b and CLb of one signal strength, and the statistics behind them."""

    def reference(extra: int | None = None) -> Any:
        curve = judge.curve(0.0, 0.0, extra)
        if not math.isfinite(curve.free.value):
            return None
        q = curve.q(mu, extra=curve.extra)
        return q, curve.q_asimov(mu, extra=curve.extra), curve.settled(mu)

    if _refused(judge, "hypotest", record, reference):
        return
    for extra in (None, 40):
        theirs = reference(extra)
        if theirs is None:
            verdicts = [("statistic", "differs", record["statistic"], None)]
            continue
        q, asimov, settled = theirs
        wide = TOLERANCE * (AT_WALL if judge.curve(0.0, 0.0, extra).at_wall(mu) else 1.0)
        bad = "differs" if settled else "undecided"
        verdicts = [
            ("q", "agreed" if close(record["statistic"], q, wide) else bad, record["statistic"], q),
            (
                "q_A",
                "agreed" if close(record["statistic_asimov"], asimov, wide) else bad,
                record["statistic_asimov"],
                asimov,
            ),
        ]
        sb, b = plain.log_p(record["statistic"], record["statistic_asimov"])
        for name, found, wanted in (
            ("CLs", record["cls"], min(sb - b, 0.0)),
            ("CLs+b", record["clsb"], sb),
            ("CLb", record["clb"], b),
        ):
            same = _p_agrees(found, wanted)
            verdict = "agreed" if same else "differs"
            verdicts.append((name, verdict, found["value"], math.exp(wanted)))
        if all(v[1] == "agreed" for v in verdicts):
            break
    for name, verdict, ours, number in verdicts:
        judge.note(f"hypotest {name}", verdict, ours, number)


def judge_interval(judge: _Judge, record: Found, n: int, background: float) -> None:
    """Ends of a Feldman-Cousins interval against the exact construction, within the toys' error."""
    if _refused(judge, "interval", record, lambda: None):
        return
    interval = record.get("interval") or record
    alpha = 0.1
    noise = 5.0 * math.sqrt(alpha * (1.0 - alpha) / TOYS)
    for name, inner, outer in (("upper", -1.0, 1.0), ("lower", 1.0, -1.0)):
        end = interval[name]
        if end is None:
            judge.note(f"interval {name}", "refused", None, None, reason=_reason(record))
            continue
        width = 5.0 * interval[f"{name}_error"] + 0.01 * (end + 0.1)
        # the exact p-value must cross the level within the error of the end
        sides = [
            [
                plain.feldman_cousins_p(max(end + sign * f * width, 0.0), background, n)
                for f in (0.0, 0.3, 0.6, 1.0)
            ]
            for sign in (inner, outer)
        ]
        inside, outside = max(sides[0]), min(sides[1])
        good = inside >= alpha - noise and (outside <= alpha + noise or end == 0.0)
        judge.note(f"interval {name}", "agreed" if good else "differs", end, [inside, outside])


def judge_toys(judge: _Judge, record: Found, signal: float, n: int, background: float) -> None:
    """CLs+b and CLb by toys against sums over outcomes, within five binomial errors."""
    if _refused(judge, "toys", record, lambda: None):
        return
    exact = plain.counting_cls(signal, background, n)
    for name, key, p in zip(("CLs+b", "CLb"), ("clsb", "clb"), exact, strict=True):
        ours = record[key]["value"]
        error = math.sqrt(max(p * (1.0 - p), 1.0 / TOYS) / TOYS)
        if ours is None:  # beyond the toys: a bound stands in its place
            good = record[key]["bound"] is not None and p <= record[key]["bound"] + 5.0 * error
        else:
            good = abs(ours - p) <= 5.0 * error
        judge.note(f"toys {name}", "agreed" if good else "differs", ours, p)


def examine(name: str, number: int, seed: int, folder: Path, *, extra: int = 3) -> Found:
    """Everything that is asked of one model."""
    document = random_document(name, number, seed)
    path = folder / f"{name.replace(' ', '_')}_{number}.json"
    path.write_text(json.dumps(document), "utf-8")
    likelihood = likelihood_of(document)
    rng = np.random.default_rng([seed, number, 7])
    mu = float(f"{likelihood.natural_scale() * math.exp(rng.normal(0.5, 0.8)):.6g}")
    method = METHODS[number % len(METHODS)]
    if isinstance(likelihood, UnbinnedLikelihood) and method == "q":
        method = "cls"
    extra = 2 if isinstance(likelihood, UnbinnedLikelihood) else extra
    judge = _Judge(likelihood, extra=extra)
    options = ["--test-stat", "q"] if method == "q" else ["--method", method]
    records = {
        "limit": run_command(["limit", str(path), *options]),
        "significance": run_command(["significance", str(path)]),
        "hypotest": run_command(["hypotest", str(path), "--mu", repr(mu)]),
    }
    if name == "counting":
        toys = ["--toys", str(TOYS)]
        records["interval"] = run_command(
            ["limit", str(path), "--method", "fc", "--cl", "0.9", *toys]
        )
        records["toys"] = run_command(
            ["hypotest", str(path), "--mu", repr(mu), "--calculator", "toys", *toys]
        )
    started = time.process_time()
    with np.errstate(all="ignore"):
        judge_limit(judge, records["limit"], method)
        judge_significance(judge, records["significance"])
        judge_test(judge, records["hypotest"], mu)
        if name == "counting":
            n = int(document["observations"][0]["data"][0])
            background = document["channels"][0]["samples"][1]["data"][0]
            judge_interval(judge, records["interval"], n, background)
            judge_toys(judge, records["toys"], mu, n, background)
    path.unlink()
    return {
        "class": name,
        "number": number,
        "rows": judge.rows,
        "seconds": {verb: record["seconds"] for verb, record in records.items()},
        "warned": sum(bool(record.get("warnings")) for record in records.values()),
        "reference_seconds": time.process_time() - started,
    }


# --------------------------------------------------------------------------- many models


def tasks_of(models: int) -> list[tuple[str, int]]:
    """Class and number of each model: the classes in turn, the unbinned ones every third time."""
    tasks: list[tuple[str, int]] = []
    turn = 0
    while len(tasks) < models:
        for name in CLASSES:
            if name not in UNBINNED:
                tasks.append((name, turn))
            elif turn % 3 == 0:
                tasks.append((name, turn // 3))
        turn += 1
    return tasks[:models]


def _warm_up(document: Found, path: Path) -> None:
    from darkstats.cli.running import run

    path.write_text(json.dumps(document), "utf-8")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        run(["limit", str(path)])
        run(["significance", str(path)])
    plain.Curve(likelihood_of(document), extra=0)


def _work(connection: Any, seed: int) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with tempfile.TemporaryDirectory() as folder:
        # kernels are compiled once for an installation: not part of any command's time
        for name in ("counting", "bump"):
            _warm_up(random_document(name, 0, seed), Path(folder) / "first.json")
        connection.send(None)
        while (task := connection.recv()) is not None:
            try:
                connection.send(examine(*task, seed, Path(folder)))
            except Exception as error:  # a fault of the comparison, which must be seen
                connection.send(
                    {
                        "class": task[0],
                        "number": task[1],
                        "rows": [],
                        "broken": f"{type(error).__name__}: {error}",
                        "seconds": {},
                        "warned": 0,
                        "reference_seconds": 0.0,
                    }
                )


class _Worker:
    """A process that examines one model after the other, and is replaced when it hangs."""

    def __init__(self, seed: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_work, args=(other, seed), daemon=True)
        self.process.start()
        self.ready = False
        self.task: tuple[str, int] | None = None
        self.before = 0.0

    def give(self, task: tuple[str, int]) -> None:
        """Start a model."""
        self.task, self.before = task, self._processor()
        self.connection.send(task)

    def _processor(self) -> float:
        """Processor time of the process so far; infinite once it is gone."""
        try:
            text = Path(f"/proc/{self.process.pid}/stat").read_text("ascii")
        except OSError:
            return math.inf
        fields = text.rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def check(self) -> None:
        """Raise EOFError if the process has died, or heeds its own clock no more."""
        if self.task is not None and self._processor() - self.before > PATIENCE_S:
            raise EOFError

    def end(self) -> None:
        """Stop the process."""
        self.process.kill()
        self.process.join()


def _pooled(
    waiting: list[tuple[str, int]], *, seed: int, workers: int, stop_s: float
) -> Iterator[Found]:
    """Results as they come; a worker that hangs or dies is replaced."""
    pool = [_Worker(seed)]
    pool[0].connection.poll(None)  # the first compiles what is not compiled yet, for all
    pool += [_Worker(seed) for _ in range(workers - 1)]
    started = time.monotonic()

    def in_time() -> bool:
        return time.monotonic() - started < stop_s

    while True:
        for k, worker in enumerate(pool):
            try:
                if worker.connection.poll():
                    found = worker.connection.recv()
                    if found is None:
                        worker.ready = True
                    else:
                        worker.task = None
                        yield found
                worker.check()
                if worker.ready and worker.task is None and waiting and in_time():
                    worker.give(waiting.pop(0))
            except (EOFError, OSError):  # it has died, or hangs in compiled code
                worker.end()
                pool[k] = _Worker(seed)
                if worker.task is not None:
                    yield _ended(worker.task)
        idle = all(worker.task is None for worker in pool)
        if idle and not (waiting and in_time()):
            break
        time.sleep(0.05)
    for worker in pool:
        worker.end()


def _ended(task: tuple[str, int]) -> Found:
    """Result of a model whose process had to be ended."""
    slow = {"quantity": "all", "verdict": "slow", "ours": None, "reference": None}
    return {
        "class": task[0],
        "number": task[1],
        "rows": [slow],
        "seconds": {},
        "warned": 0,
        "reference_seconds": 0.0,
    }


def examine_all(
    tasks: list[tuple[str, int]], *, seed: int, workers: int, partial: Path | None, stop_s: float
) -> list[Found]:
    """Results of all models; those in ``partial`` are not made again."""
    results: list[Found] = []
    if partial is not None and partial.exists():
        results = [json.loads(line) for line in partial.read_text("utf-8").splitlines()]
    done = {(result["class"], result["number"]) for result in results}
    waiting = [task for task in tasks if task not in done]
    if waiting and stop_s > 0.0:
        for found in _pooled(waiting, seed=seed, workers=workers, stop_s=stop_s):
            results.append(found)
            if partial is not None:
                with partial.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(found) + "\n")
    wanted = set(tasks)
    return [result for result in results if (result["class"], result["number"]) in wanted]


def _has_answer(reference: Any) -> bool:
    """Whether the reference found finite numbers where darkstats refused."""
    if isinstance(reference, list | tuple):
        return all(_has_answer(value) for value in reference)
    return isinstance(reference, int | float) and math.isfinite(reference)


def summary(results: list[Found]) -> Found:
    """Counts by class, refusals by reason, and every number that differs."""
    classes: dict[str, Found] = {}
    refusals: Counter[str] = Counter()
    differing, undecided, broken = [], [], []
    answerable = 0
    for result in sorted(results, key=lambda r: (list(CLASSES).index(r["class"]), r["number"])):
        row = classes.setdefault(
            result["class"],
            {
                "models": 0,
                "agreed": 0,
                "other_crossing": 0,
                "refused": 0,
                "undecided": 0,
                "differs": 0,
                "slow": 0,
                "slowest_s": 0.0,
            },
        )
        row["models"] += 1
        row["slowest_s"] = max([row["slowest_s"], *result["seconds"].values()])
        if "broken" in result:
            broken.append({key: result[key] for key in ("class", "number", "broken")})
        for item in result["rows"]:
            verdict = item["verdict"]
            key = "other_crossing" if verdict == "agreed: another crossing" else verdict
            row[key] += 1
            where = {"class": result["class"], "number": result["number"], **item}
            if verdict == "refused":
                answerable += _has_answer(item["reference"])
                verb = item["quantity"].split()[0]
                refusals[f"{verb}: {item.get('reason', 'null')}"] += 1
            elif verdict in ("differs", "slow"):
                differing.append(where)
            elif verdict == "undecided":
                undecided.append(where)
    return {
        "classes": classes,
        "refusals": dict(refusals.most_common()),
        "answerable": answerable,
        "differing": differing,
        "undecided": undecided,
        "broken": broken,
    }


def _finite(value: Any) -> Any:
    """The same with text in the place of what JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, np.floating | np.integer | np.bool_):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def main() -> int:
    """Run the comparison; exit status 1 if a number differs or a command takes too long."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--partial", type=Path, help="file of finished models, added to")
    parser.add_argument("--stop", type=float, default=math.inf, help="start no model after S")
    parser.add_argument(
        "--again", type=int, default=0, help="models of --partial run once more on later code"
    )
    parser.add_argument("--only", nargs="*", help="classes")
    parser.add_argument("--output", type=Path, help="write .json and .md with this stem")
    args = parser.parse_args()
    tasks = tasks_of(args.models)
    if args.only:
        tasks = [task for task in tasks if task[0] in args.only]
    results = examine_all(
        tasks, seed=args.seed, workers=args.workers, partial=args.partial, stop_s=args.stop
    )
    record = _finite(
        {
            "models": len(results),
            "asked": args.models,
            "again": args.again,
            "seed": args.seed,
            "tolerance": TOLERANCE,
            "toys": TOYS,
            "limit_s": LIMIT_S,
            **summary(results),
        }
    )
    if args.output is not None:
        from tests.peers.random_models_page import page

        args.output.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
        args.output.with_suffix(".md").write_text(page(record), "utf-8")
    for name, row in record["classes"].items():
        sys.stdout.write(f"{name:24s} {row}\n")
    for reason, count in record["refusals"].items():
        sys.stdout.write(f"{count:6d} {reason}\n")
    for item in [*record["differing"], *record["undecided"][:20], *record["broken"]]:
        sys.stdout.write(f"{item}\n")
    return 1 if record["differing"] or record["broken"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
