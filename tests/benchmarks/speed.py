"""Speed beside peers, in one run: medians of ratios, with the certified fraction of fits.

    python -m tests.benchmarks.speed --peer-python PYTHON --output docs/studies/benchmarks

``PYTHON`` is an interpreter with ``pyhf[minuit] numpy<2.4 nextstat==0.10.1``; without it the peers
are left out. Rounds are interleaved, so that a machine whose speed drifts drifts for all.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tests.large_models import large_document

from darkstats.fit import fit, fit_batch
from darkstats.inference import ToyOptions, hypotest
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.provenance import versions
from darkstats.workspace import Workspace, read_workspace

#: Bins, nuisance parameters besides one for each bin, and the verb.
LARGE = ((50, 20, "fit"), (500, 100, "fit"), (2000, 200, "fit"), (500, 100, "rank"))
FOR_PYHF = 100  # parameters: its gradients by differences take minutes beyond

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
PEERS = HERE.parent / "peers.py"


@dataclass(slots=True)
class Row:
    """One comparison."""

    name: str
    unit: str
    ours: list[float] = field(default_factory=list)
    certified: list[float] = field(default_factory=list)
    peers: dict[str, list[float]] = field(default_factory=dict)
    peer_failed: dict[str, list[float]] = field(default_factory=dict)
    note: str = ""

    def ratio(self, peer: str) -> float:
        """Median over rounds of how many times faster we are."""
        faster_is_larger = self.unit.endswith("/s")
        pairs = zip(self.ours, self.peers[peer], strict=True)
        return statistics.median(a / b if faster_is_larger else b / a for a, b in pairs)


def data_folder() -> Path:
    """Folder of the reference likelihoods."""
    named = os.environ.get("DARKSTATS_DATA")
    return Path(named) if named else ROOT.parent / "shared" / "data"


def sbottom(region: str, point: str) -> Workspace:
    """One signal point of the published likelihood."""
    archive = next((data_folder() / "likelihoods" / "atlas_susy_2018_31").glob("*.tar.gz"))
    return read_workspace(
        f"{archive}:{region}/BkgOnly.json", patches=[f"{archive}:{region}/patch.{point}.json"]
    )


def throw(model: HistFactoryModel, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Toys of counts and auxiliary data at the starting values with no signal, and that point."""
    rng = np.random.default_rng(seed)
    point = model.inits
    point[model.require_poi()] = 0.0
    counts = rng.poisson(model.expected_rates(point), size=(n, model.n_bins)).astype(float)
    auxdata = np.zeros((n, model.n_parameters))
    for p, parameter in enumerate(model.parameters):
        if parameter.constraint == "gaussian":
            auxdata[:, p] = rng.normal(point[p], parameter.width, n)
        elif parameter.constraint == "poisson":
            auxdata[:, p] = rng.poisson(parameter.width * point[p], n)
    return counts, auxdata, point


def ask(python: str, request: dict[str, Any]) -> dict[str, float]:
    """Time a peer in its own interpreter."""
    done = subprocess.run(
        [python, str(PEERS)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
        cwd=tempfile.gettempdir(),
    )
    if done.returncode:
        raise SystemExit(f"{request['peer']} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def pyhf_order(
    workspace: Workspace, model: HistFactoryModel, counts: np.ndarray, auxdata: np.ndarray
) -> list[dict[str, list[float]]]:
    """Our toys in pyhf's order of channels and auxiliary data."""
    import pyhf

    theirs = pyhf.Workspace(workspace.document).model()
    places = {channel.name: slice(channel.start, channel.stop) for channel in model.channels}
    names = []
    for name in theirs.config.auxdata_order:
        members = theirs.config.param_set(name)
        names += (
            [name] if members.is_scalar else [f"{name}[{i}]" for i in range(members.n_parameters)]
        )
    index = [model.parameter_index(name) for name in names]
    return [
        {
            "main": np.concatenate([c[places[n]] for n in theirs.config.channels]).tolist(),
            "aux": a[index].tolist(),
        }
        for c, a in zip(counts, auxdata, strict=True)
    ]


def toy_fits(
    name: str,
    workspace: Workspace,
    n: int,
    *,
    few: int,
    args: argparse.Namespace,
    peers: list[str],
) -> Row:
    """Free fits of toys per second, level-1 certificate."""
    model = compile_workspace(workspace)
    row = Row(name=f"toy fits, {name}", unit="fits/s", note="certification level 1, all threads")
    counts, auxdata, point = throw(model, n, seed=1)
    fit_batch(model, counts[:64], auxdata[:64], start=point)
    toys = pyhf_order(workspace, model, counts[:few], auxdata[:few]) if peers else []
    for _ in range(args.rounds):
        start = time.perf_counter()
        batch = fit_batch(model, counts, auxdata, start=point)
        row.ours.append(n / (time.perf_counter() - start))
        row.certified.append(1.0 - batch.n_failed / n)
        for peer in peers:
            request = {
                "task": "toys",
                "peer": peer,
                "workspace": workspace.document,
                "toys": toys,
                "n_toys": 20 * few,
            }
            answer = ask(args.peer_python, request)
            row.peers.setdefault(peer, []).append(answer["rate"])
            row.peer_failed.setdefault(peer, []).append(answer["failed"])
    return row


def hypotest_time(workspace: Workspace, args: argparse.Namespace) -> Row:
    """Wall time of one asymptotic hypothesis test at mu = 1, model compiled beforehand."""
    row = Row(
        name="hypotest, sbottom RegionA 1300_205_60",
        unit="s",
        note="asymptotic, mu = 1, expected band included; certification level 2",
    )
    model = compile_workspace(workspace)
    hypotest(model, model.observation, 1.0)
    for _ in range(args.rounds):
        start = time.perf_counter()
        result = hypotest(model, model.observation, 1.0)
        row.ours.append(time.perf_counter() - start)
        row.certified.append(result.fits.certified / result.fits.attempted)
        if args.peer_python:
            request = {"task": "hypotest", "peer": "pyhf-scipy", "workspace": workspace.document}
            answer = ask(args.peer_python, request)
            row.peers.setdefault("pyhf-scipy", []).append(answer["seconds"])
            row.peer_failed.setdefault("pyhf-scipy", []).append(0.0)
    return row


def command(arguments: list[str], environment: dict[str, str] | None = None) -> tuple[float, float]:
    """Wall time in seconds and peak memory in MB of a whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    start = time.perf_counter()
    subprocess.run(
        arguments,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return seconds, max(before, peak) / 1024.0


def executable(name: str) -> str:
    """A console script of this environment."""
    return str(Path(sys.executable).parent / name)


def whole_command(args: argparse.Namespace) -> Row:
    """`darkstats limit` beside `pyhf cls` on the same 2-bin file, kernels cached."""
    row = Row(name="whole command, 2 bins", unit="s", note="darkstats limit against pyhf cls")
    workspace = str(ROOT / "workspaces" / "examples" / "two_bins.json")
    mine = [executable("darkstats"), "limit", workspace, "--calculator", "asymptotic", "--json"]
    command(mine)
    for _ in range(2 * args.rounds):
        row.ours.append(command(mine)[0])
        row.certified.append(1.0)
        row.peers.setdefault("pyhf cls", []).append(
            command([executable("pyhf"), "cls", workspace])[0]
        )
        row.peer_failed.setdefault("pyhf cls", []).append(0.0)
    return row


def large_models(args: argparse.Namespace) -> list[Row]:
    """Whole commands on models of many parameters, beside the fit in them and beside pyhf."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for n_bins, n_nuisance, verb in LARGE:
            document = large_document(n_bins, n_nuisance)
            path = Path(folder) / "large.json"
            path.write_text(json.dumps(document), "utf-8")
            model = compile_workspace(Workspace.from_document(document))
            row = Row(
                name=f"darkstats {verb}, {n_bins:,} bins, {model.n_parameters:,} parameters",
                unit="s",
            )
            rows.append(row)
            fit(model, model.observation)
            for _ in range(args.rounds):
                start = time.perf_counter()
                fit(model, model.observation)
                alone = time.perf_counter() - start
                row.ours.append(command([executable("darkstats"), verb, str(path), "--json"])[0])
                row.certified.append(1.0)
                row.peers.setdefault("one certified fit alone", []).append(alone)
                row.peer_failed.setdefault("one certified fit alone", []).append(0.0)
                if verb == "fit" and model.n_parameters < FOR_PYHF:
                    peer = command([executable("pyhf"), "fit", str(path)])[0]
                    row.peers.setdefault("pyhf fit", []).append(peer)
                    row.peer_failed.setdefault("pyhf fit", []).append(0.0)
    return rows


def first_run() -> Row:
    """The very first run after installation: kernels are compiled."""
    row = Row(name="first run, 2 bins", unit="s", note="empty kernel cache: compiles")
    workspace = str(ROOT / "workspaces" / "examples" / "two_bins.json")
    with tempfile.TemporaryDirectory() as folder:
        arguments = [executable("darkstats"), "limit", workspace, "--json"]
        row.ours.append(command(arguments, {"NUMBA_CACHE_DIR": folder})[0])
    row.certified.append(1.0)
    return row


def peak_memory(code: str) -> float:
    """Peak memory in MB of a Python process that runs ``code``."""
    # ru_maxrss survives exec and would report the parent; the high-water mark does not.
    report = (
        "print(next(int(line.split()[1]) / 1024 for line in open('/proc/self/status') "
        "if line.startswith('VmHWM')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], check=True, capture_output=True, text=True
    )
    return float(done.stdout.strip().splitlines()[-1])


def memory() -> list[Row]:
    """Peak memory of a limit on sbottom, and of a hundred thousand and a million toys."""
    archive = next((data_folder() / "likelihoods" / "atlas_susy_2018_31").glob("*.tar.gz"))
    limit = (
        "import sys; from darkstats.cli import main\n"
        f"sys.argv = ['darkstats', 'limit', '{archive}:RegionA/BkgOnly.json', '-p', "
        f"'{archive}:RegionA/patch.sbottom_1300_205_60.json', '--json', '-o', '{os.devnull}']\n"
        "try: main()\nexcept SystemExit: pass"
    )
    rows = [
        Row(
            name="peak memory, darkstats limit, sbottom RegionA",
            unit="MB",
            ours=[peak_memory(limit)],
        )
    ]
    workspace = ROOT / "workspaces" / "examples" / "two_bins.json"
    for n in (100_000, 1_000_000):
        toys = (
            "from darkstats.workspace import read_workspace\n"
            "from darkstats.model import compile_workspace\n"
            "from darkstats.inference import hypotest, ToyOptions\n"
            f"m = compile_workspace(read_workspace('{workspace}'))\n"
            f"hypotest(m, m.observation, 1.0, calculator='toys', toys=ToyOptions(n_toys={n}))"
        )
        rows.append(
            Row(
                name=f"peak memory, {n:,} toys per hypothesis, 2 bins",
                unit="MB",
                ours=[peak_memory(toys)],
            )
        )
    return rows


def throughput(args: argparse.Namespace) -> Row:
    """Toys per second of a whole toy hypothesis test: thrown, fitted twice, certified."""
    row = Row(name="toy hypotest, 2 bins", unit="toys/s", note="thrown, two fits each, level 1")
    workspace = read_workspace(ROOT / "workspaces" / "examples" / "two_bins.json")
    model = compile_workspace(workspace)
    for _ in range(args.rounds):
        start = time.perf_counter()
        result = hypotest(
            model, model.observation, 1.0, calculator="toys", toys=ToyOptions(n_toys=200_000)
        )
        row.ours.append(400_000 / (time.perf_counter() - start))
        counts = result.toys
        row.certified.append(1.0 if counts is None else counts.ok / counts.asked)
    return row


PAGE = """<!-- diataxis: explanation -->
# Speed beside peers

How fast the core is, beside the programs that people use for the same job, measured in one run
with the rounds interleaved. A ratio is the median over rounds of the ratios of one round: these
hold where the speed of a machine drifts, absolute rates do not. The share of certified fits
stands beside every rate, because a fast answer is worth something only if it is one.

{table}

{setting}

What the rows mean:

* *toy fits*: free fits of toys thrown at the background-only expectation, auxiliary data thrown
  too; ours with certification level 1 (gradient, EDM, curvature) for every toy, on all cores.
  pyhf fits the same toys one after the other. NextStat throws its own toys from the same point
  and fits them on all cores; its "failed" are fits that it reports as not converged. The bump
  model has 100 bins and 6 parameters; sbottom is the published ATLAS-SUSY-2018-31 likelihood, 64
  to 66 parameters.
* *hypotest*: one asymptotic test at mu = 1 with its expected band, in process, model built
  beforehand; certification level 2 (each minimum found again from another start).
* *whole command*: `darkstats limit --calculator asymptotic --json` against `pyhf cls` on the same
  file, two processes from start to end, kernels cached. A limit is about twenty hypothesis tests.
* *first run*: the same command with an empty kernel cache; it says that it is compiling.
* *peak memory*: high-water mark of the resident set of the whole process.
* *darkstats fit* and *rank* on models of `tests/large_models.py` (a peak on two backgrounds, a
  staterror for each bin, normsys and histosys): the whole command, beside one certified fit of the
  same model in process, and beside `pyhf fit` of the same file where that ends. A ranking is four
  fits for each nuisance parameter.

## Large models, before and after

CPU seconds and peak memory of whole commands, `--json` to `/dev/null`, before and after records of
more than 500 parameters left out the matrix, its condition number was taken from two eigenvalues,
impacts started where the parabola ends, and points of a scan shared the samples of their
background. Both were measured one after the other on 2026-11-29, on two cores that others used.

| command | before | after |
|---|---|---|
| `darkstats fit`, 2,000 bins, 2,201 parameters | 33.3 s, 1,132 MB | 10.3 s, 430 MB |
| `darkstats fit`, 500 bins, 601 parameters | 6.5 s, 293 MB | 3.8 s, 241 MB |
| `darkstats rank`, 500 bins, 601 parameters | 18.3 s, 248 MB | 9.5 s, 265 MB |
| one point of 1Lbb, in process, without and with shared samples | 1.44 s | 1.10 s |
| one point of sbottom RegionA, likewise | 0.184 s | 0.157 s |

About 3.5 s of each command are its start and the reading of compiled kernels. The two models are
`large_document(2000, 200)` and `large_document(500, 100)`; a point of 1Lbb took 0.43 s for its
patch, checks, digests and arrays, and takes 0.12 s.

## Again

Reproduce the table above with

```sh
python -m venv peers && peers/bin/pip install "numpy<2.4" "pyhf[minuit]" jsonpatch nextstat==0.10.1
python -m tests.benchmarks.speed --peer-python peers/bin/python --output docs/studies/benchmarks
```

NextStat is measured, never imported: it is licensed under the AGPL."""


def significant(value: float, unit: str = "") -> str:
    """Three digits, with thousands separators."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".strip()


def table(rows: list[Row]) -> str:
    """One line for each pair of program and peer."""
    lines = [
        "| what | darkstats | certified | peer | peer's | peer's failed | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours = significant(statistics.median(row.ours), row.unit)
        certified = f"{100 * statistics.median(row.certified):.4g} %" if row.certified else "-"
        if not row.peers:
            lines.append(f"| {row.name} | {ours} | {certified} | - | - | - | - |")
        for peer, values in row.peers.items():
            failed = f"{100 * statistics.median(row.peer_failed[peer]):.3g} %"
            theirs = significant(statistics.median(values), row.unit)
            ratio = significant(row.ratio(peer))
            lines.append(
                f"| {row.name} | {ours} | {certified} | {peer} | {theirs} | {failed} | {ratio} × |"
            )
    return "\n".join(lines)


def markdown(rows: list[Row], machine: dict[str, Any]) -> str:
    """The page of the documentation."""
    versions_ = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    setting = (
        f"Measured on {machine['date']}, {machine['cpus']} cores of an {machine['processor']} "
        f"(shared), {machine['rounds']} rounds; {versions_}; medians."
    )
    return PAGE.format(table=table(rows), setting=setting)


def processor() -> str:
    """Name of the processor."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
        return next(
            line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main() -> int:
    """Run all comparisons and write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peer-python", default="", help="interpreter with the peers installed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="run the parts whose name contains this")
    parser.add_argument("--output", default="", help="stem of the JSON and Markdown files")
    args = parser.parse_args()
    bump = Workspace.from_document(
        json.loads((data_folder().parent / "bench" / "bump100.json").read_text("utf-8"))
    )
    region_a = sbottom("RegionA", "sbottom_1300_205_60")
    region_c = sbottom("RegionC", "sbottom_1600_850_60")
    all_peers = ["pyhf-scipy", "pyhf-minuit", "nextstat"] if args.peer_python else []
    last = ["nextstat"] if args.peer_python else []
    parts: dict[str, Callable[[], list[Row]]] = {
        "bump": lambda: [
            toy_fits(
                "bump, 100 bins, 6 parameters", bump, 200_000, few=20, args=args, peers=all_peers
            )
        ],
        "sbottom": lambda: [
            toy_fits("sbottom RegionA", region_a, 20_000, few=10, args=args, peers=last),
            toy_fits("sbottom RegionC", region_c, 20_000, few=10, args=args, peers=last),
        ],
        "hypotest": lambda: [hypotest_time(region_a, args)],
        "throughput": lambda: [throughput(args)],
        "command": lambda: [whole_command(args), first_run()],
        "memory": memory,
        "large": lambda: large_models(args),
    }
    rows: list[Row] = []
    for name, part in parts.items():
        if args.only in name:
            found = part()
            rows += found
            sys.stdout.write(f"{name} done\n")
            sys.stdout.flush()
    machine = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cpus": len(os.sched_getaffinity(0)),
        "processor": processor(),
        "versions": versions(),
        "rounds": args.rounds,
    }
    text = markdown(rows, machine)
    sys.stdout.write(table(rows) + "\n")
    if args.output:
        document = {"machine": machine, "rows": [asdict(row) for row in rows]}
        Path(f"{args.output}.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
        Path(f"{args.output}.md").write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
