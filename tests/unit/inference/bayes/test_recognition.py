"""Which models are counting windows, and how their nuisance parameters come apart."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bayes_models import normsys, window
from darkstats.inference.bayes.nuisances import NuisancePriors
from darkstats.inference.bayes.quadrature.recognition import recognise, structure_key
from darkstats.inference.bayes.quadrature.windows import LEVELS, mixtures
from darkstats.inference.bayes.rules import combine, gamma_rule, gauss_rule, legendre_panels
from darkstats.workspace import read_patchset, read_workspace
from small_models import counting, on_off, spectrum


def test_parameters_that_act_alike_become_one_variable() -> None:
    """Two efficiencies of the signal, a common factor, two of the background: 3 variables."""
    model = window(
        3.0,
        on_signal=[normsys("eff", 0.1), normsys("eff2", 0.1), normsys("common", 0.05)],
        on_background=[normsys("b1", 0.1), normsys("b2", 0.2), normsys("common", 0.05)],
    )
    plan = recognise(model)
    assert plan is not None
    assert [len(v.parameters) for v in plan.signal] == [2]
    assert [len(v.parameters) for v in plan.shared] == [1]
    assert [[len(v.parameters) for v in bin_] for bin_ in plan.private] == [[2]]


@pytest.mark.parametrize(
    "model",
    [
        spectrum([1.0] * 5, [1.0] * 5, 0.1),
        window(
            1.0,
            on_background=[
                {"name": "h", "type": "histosys", "data": {"hi_data": [4.0], "lo_data": [2.5]}},
                normsys("h", 0.1),
            ],
        ),
    ],
    ids=["five bins", "normsys and histosys of one name"],
)
def test_other_models_are_left_to_other_engines(model) -> None:
    """Many bins, or a parameter that acts twice on one sample."""
    assert recognise(model) is None


def test_structure_ignores_numbers_but_not_their_equality() -> None:
    """Windows of one search share a plan unless two normsys become equal, or differ."""
    one = window(1.0, on_signal=[normsys("a", 0.1)], on_background=[normsys("a", 0.1)])
    two = window(9.0, on_signal=[normsys("a", 0.2)], on_background=[normsys("a", 0.2)])
    other = window(9.0, on_signal=[normsys("a", 0.2)], on_background=[normsys("a", 0.3)])
    assert structure_key(one) == structure_key(two) != structure_key(other)
    assert structure_key(counting(1.0, 1.0, 1.0)) != structure_key(on_off(1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    "name", ["zprime_invisible_2018", "zprime_lfv_2018", "dark_higgsstrahlung"]
)
def test_windows_of_the_searches_are_recognised(repository, name: str) -> None:
    """Every structure in the patch sets of the counting searches has a plan and few nodes."""
    from darkstats.model import compile_workspace

    folder = repository / "workspaces" / name
    (patches,), (document,) = (
        sorted(folder.glob(f"{stem}.json*")) for stem in ("patchset", "background_only")
    )
    workspace = read_workspace(document)
    points = read_patchset(patches).points
    for point in points[:: max(1, len(points) // 40)]:
        model = compile_workspace(workspace.patched(list(point.operations)))
        plan = recognise(model)
        assert plan is not None
        priors = NuisancePriors().resolve(model)
        nodes = mixtures(plan, [model], [priors], model.observation.counts[None, :], LEVELS[1])
        assert nodes is not None
        assert nodes.proper
        assert nodes.weight.sum() == pytest.approx(1.0)


def test_gauss_rule_keeps_the_moments() -> None:
    """n nodes integrate polynomials of degree 2n - 1 as the atoms do; a constant stays one."""
    x, w = legendre_panels(np.linspace(-6.0, 6.0, 7), 12)
    w = w * np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi)
    values, weights = np.stack([x, 3.0 + 0.1 * x, np.full_like(x, 2.0)]), np.stack([w, w, w])
    nodes, reduced = gauss_rule(values, weights, 9)
    assert nodes.shape == (3, 9)
    for power in range(18):
        np.testing.assert_allclose(
            (reduced * nodes**power).sum(axis=1),
            (weights * values**power).sum(axis=1),
            rtol=1e-9,
            atol=1e-9 * np.abs(values**power * weights).sum(axis=1).max(),
        )


def test_sums_and_products_of_rules() -> None:
    """Means of a product and of a sum of independent variables."""
    one = (np.array([1.0, 3.0]), np.array([0.25, 0.75]))
    two = (np.array([2.0, 5.0]), np.array([0.5, 0.5]))
    for product, mean in ((True, 2.5 * 3.5), (False, 2.5 + 3.5)):
        values, weights = combine(one, two, product=product)
        assert weights @ values == pytest.approx(mean)


@pytest.mark.parametrize("shape", [0.3, 1.0, 4.0, 400.0])
def test_gamma_rule_has_the_moments_of_a_gamma_distribution(shape: float) -> None:
    """Mean 1, variance 1/shape, and the mean of the inverse where it exists."""
    x, w = gamma_rule(np.array(shape), 15)
    assert w @ x == pytest.approx(1.0, rel=1e-7)
    assert w @ (x - 1.0) ** 2 == pytest.approx(1.0 / shape, rel=1e-6)
    if shape > 1.5:
        assert w @ (1.0 / x) == pytest.approx(shape / (shape - 1.0), rel=1e-8)


PLAIN = """
import numpy as np
from bayes_models import answer, normsys, window
from small_models import on_off
for model in (window(2.0, on_signal=[normsys("e", 0.1)], on_background=[normsys("b", 0.2)]),
              on_off(2.0, 4.0, 3.0)):
    found = answer(model)
    print(found.limit, found.posterior.log_evidence)
"""


def test_the_kernel_runs_as_plain_python() -> None:
    """Without compilation the same windows have the same limits."""
    folder = str(Path(__file__).parents[3])
    printed = [
        [
            float(word)
            for word in subprocess.run(
                [sys.executable, "-c", PLAIN],
                check=True,
                capture_output=True,
                text=True,
                cwd=folder,
                env={**os.environ, "NUMBA_DISABLE_JIT": flag, "PYTHONPATH": _path(folder)},
            ).stdout.split()
        ]
        for flag in ("0", "1")
    ]
    np.testing.assert_allclose(printed[0], printed[1], rtol=1e-11)


def _path(folder: str) -> str:
    return os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")])
