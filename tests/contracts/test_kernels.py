"""One machine code for every workspace, found again by the next process, and never in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from darkstats.fit import fit_batch
from darkstats.fit import minimise as minimise_module
from darkstats.model import HistFactoryModel
from darkstats.model import evaluate as evaluate_module
from small_models import compiled, counting, on_off
from strategies import random_workspace

PROGRAM = """
import json, math, sys
from darkstats.fit import fit, minimise
from darkstats.fit.warming import ensure_compiled, kernels_are_compiled
from darkstats.model import compile_workspace
from darkstats.workspace import read_workspace
model = compile_workspace(read_workspace(sys.argv[1]))
before = kernels_are_compiled()
ensure_compiled()
found = fit(model, model.observation, poi_lower=-math.inf, poi_upper=math.inf)
value = [found.twice_nll, *found.parameters.tolist()]
entry = minimise._fit_entry
print(json.dumps({
    "before": before,
    "value": value,
    "misses": sum(entry.stats.cache_misses.values()),
    "hits": sum(entry.stats.cache_hits.values()),
    "scipy": "scipy.linalg" in sys.modules,
}))
"""


def run(workspace: Path, cache: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(workspace)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": cache},
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def models() -> list[HistFactoryModel]:
    random = [compiled(random_workspace(np.random.default_rng(seed))) for seed in range(5)]
    return [counting(5.0, 1.0, 3.0), counting(5.0, 1.0, 3.0, 1.0), on_off(5.0, 9.0, 2.0), *random]


def test_one_compiled_kernel_serves_every_workspace() -> None:
    """Shapes, modifiers and numbers of lanes are data: none of them triggers a compilation."""
    for model in models():
        for lanes in (1, 3, 20):
            counts = np.repeat(model.observation.counts[None], lanes, axis=0)
            auxdata = np.repeat(model.observation.auxdata[None], lanes, axis=0)
            fit_batch(model, counts, auxdata)
        model.expected_rates(model.inits)
    for entry in (minimise_module._fit_entry, evaluate_module._evaluate):
        assert len(entry.signatures) == 1


def test_the_next_process_compiles_nothing(
    example_workspaces: dict[str, Path], tmp_path: Path
) -> None:
    """The first process lets another one fill the cache: both load from it, with the same bits.

    The negative signal of this example came out with other last digits where the kernel was run by
    the process that had compiled it.
    """
    workspace = example_workspaces["bump_hunt"]
    first, second = run(workspace, str(tmp_path)), run(workspace, str(tmp_path))
    assert (first["before"], first["misses"], first["hits"]) == (False, 0, 1)
    assert (second["before"], second["misses"], second["hits"]) == (True, 0, 1)
    assert first["value"] == second["value"]
    assert not second["scipy"]


CREDIBLE = """
import json, sys
from darkstats.inference.bayes import bayes_limits
from darkstats.inference.bayes.quadrature.window_kernel import _window_entry
from darkstats.model import compile_workspace
from darkstats.workspace import read_patchset, read_workspace
folder = sys.argv[1]
base = read_workspace(f"{folder}/background_only.json", accept=("poi-unknown", "poi-no-effect"))
points = read_patchset(f"{folder}/patchset.json").points[:8]
models = [compile_workspace(base.patched(list(point.operations))) for point in points]
limits = bayes_limits(models, cl=0.9)
misses = sum(_window_entry.stats.cache_misses.values())
print(json.dumps([misses, [[x.observed, x.observed_error, *x.expected] for x in limits]]))
"""


def test_a_kernel_that_nobody_asked_for_in_time_is_compiled_elsewhere_too(
    tmp_path: Path, repository: Path
) -> None:
    """A kernel that is called without having been prepared: nothing is compiled in this process.

    Errors of these limits came out with other last digits where the process had compiled it.
    """
    said = [
        subprocess.run(
            [sys.executable, "-c", CREDIBLE, str(repository / "workspaces/zprime_invisible_2018")],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        ).stdout
        for _ in range(2)
    ]
    misses, limits = json.loads(said[0])
    assert misses == 0
    assert len(limits) == 8
    assert said[0] == said[1]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
def test_an_unusable_cache_folder_costs_time_once(
    example_workspaces: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no cache can be written, a private temporary folder keeps the kernels."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    first = run(example_workspaces["two_bins"], str(blocked / "below"))
    again = run(example_workspaces["two_bins"], str(blocked / "below"))
    assert (first["before"], again["before"]) == (False, True)
    usual = run(example_workspaces["two_bins"], os.environ.get("NUMBA_CACHE_DIR", ""))
    assert first["value"] == again["value"] == usual["value"]


def test_every_kernel_source_names_the_cache() -> None:
    """A file with kernels is part of the digest that names their cache: no stale machine code."""
    from darkstats import kernel

    root = Path(kernel.__file__).parent.parent
    sources = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if any(line.startswith("@kernel") for line in path.read_text("utf-8").splitlines())
    }
    assert sources <= set(kernel._SOURCES)
    assert all((root / name).exists() for name in kernel._SOURCES)


PLAIN = """
import sys
import numpy as np
from darkstats.fit import fit_batch
from darkstats.model import compile_workspace
from darkstats.workspace import read_workspace
for path in sys.argv[1:]:
    model = compile_workspace(read_workspace(path))
    n = model.n_bins
    counts = np.vstack([model.observation.counts, np.zeros(n), np.full(n, np.nan)])
    auxdata = np.repeat(model.observation.auxdata[None], 3, axis=0)
    batch = fit_batch(model, counts, auxdata, poi_values=0.5)
    print(*batch.status, *(f"{value:.9e}" for value in batch.twice_nll[:2]))
"""


def test_kernels_run_as_plain_python(example_workspaces: dict[str, Path]) -> None:
    """Without compilation the same kernels give the same statuses and deviances."""
    paths = [str(example_workspaces[name]) for name in ("two_bins", "on_off")]
    printed = [
        subprocess.run(
            [sys.executable, "-c", PLAIN, *paths],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "NUMBA_DISABLE_JIT": flag},
        ).stdout.split()
        for flag in ("0", "1")
    ]
    assert len(printed[0]) == 10
    for compiled_word, plain_word in zip(*printed, strict=True):
        assert float(plain_word) == pytest.approx(float(compiled_word), rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_cache_is_made_again(
    example_workspaces: dict[str, Path], tmp_path: Path, damage: str
) -> None:
    """Machine code that is cut off or has flipped bits is compiled again; numbers stay the same."""
    workspace = example_workspaces["two_bins"]
    first = run(workspace, str(tmp_path))
    files = sorted(tmp_path.rglob("*.nbc"))
    assert files
    for path in files:
        data = path.read_bytes()
        middle = len(data) // 2
        changed = (
            data[:middle] if damage == "cut" else data[:middle] + b"\xff" * 64 + data[middle + 64 :]
        )
        path.write_bytes(changed)
    again = run(workspace, str(tmp_path))
    assert again["value"] == first["value"]
    assert run(workspace, str(tmp_path))["before"] is True
