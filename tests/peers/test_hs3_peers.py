"""HistFactory documents in HS3 beside pyhs3, which shares no code with darkstats.

Both sum the same logarithms: agreement to the rounding of the sum, 1e-13 relative, is found, and
1e-10 is asked. pyhs3 builds a graph for each document, which takes seconds, so there are few.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats.model import compile_workspace
from darkstats.model.hs3_writing import hs3_document
from darkstats.workspace import Workspace, read_patchset, read_workspace
from peers.pyhs3_density import a_point, their_density
from strategies import Size, random_workspace

Item = dict[str, Any]


@pytest.fixture(scope="module")
def pyhs3() -> Any:
    return pytest.importorskip("pyhs3", reason="pyhs3 is not installed: darkstats[publish]")


def off_centre(document: Item) -> bool:
    """Whether a normsys or histosys is not centred on zero."""
    return any(
        modifier.get("constraint") not in (None, "Gauss")
        for channel in document["distributions"]
        for sample in channel.get("samples", ())
        for modifier in sample["modifiers"]
    )


@pytest.mark.parametrize("seed", [0, 1, 4])
def test_random_workspaces_have_the_likelihood_in_pyhs3(pyhs3: Any, seed: int) -> None:
    """Every modifier and constraint: the same logarithm, constants included."""
    size = Size(channels=2, samples=2, bins=3, systematics=3)
    workspace = Workspace.from_document(random_workspace(np.random.default_rng(seed), size))
    model, document = compile_workspace(workspace), hs3_document(workspace)
    assert not off_centre(document)
    point = a_point(model, seed)
    ours = model.log_density(point, model.observation)
    assert np.isfinite(ours)
    assert their_density(pyhs3, document, point) == pytest.approx(ours, rel=1e-10)


def test_a_hypothesis_of_a_search_has_the_likelihood_in_pyhs3(pyhs3: Any, repository: Path) -> None:
    """A mass of the axion-like particle: window, shape parameters and systematics."""
    folder = repository / "workspaces/alp"
    patches = folder / "patchset.json.gz"
    name = read_patchset(patches).point_names[251]
    workspace = read_workspace(folder / "background_only.json", patchset=patches, point=name)
    model = compile_workspace(workspace)
    point = a_point(model, 5)
    found = their_density(pyhs3, hs3_document(workspace), point)
    assert found == pytest.approx(model.log_density(point, model.observation), rel=1e-10)


def with_pull(auxdata: float, high: float = 1.1, low: float = 0.9) -> Workspace:
    normsys = {"name": "s", "type": "normsys", "data": {"hi": high, "lo": low}}
    factor = {"name": "mu", "type": "normfactor", "data": None}
    sample = {"name": "b", "data": [50.0], "modifiers": [normsys, factor]}
    settings = [{"name": "s", "auxdata": [auxdata]}]
    return Workspace.from_document(
        {
            "channels": [{"name": "SR", "samples": [sample]}],
            "observations": [{"name": "SR", "data": [55.0]}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": settings}}],
            "version": "1.0.0",
        }
    )


def test_a_constraint_off_centre_is_refused_by_pyhs3_and_not_misread(pyhs3: Any) -> None:
    """HS3 0.2 centres normsys on zero; the later form names a distribution, which pyhs3 refuses."""
    assert not off_centre(hs3_document(with_pull(0.0)))
    document = hs3_document(with_pull(0.3))
    assert off_centre(document)
    with pytest.raises(ValueError, match="constraint"):
        pyhs3.Workspace(**document)


@pytest.mark.parametrize(("high", "low", "exact"), [(1.1, 0.9, True), (1.5, 0.5, False)])
def test_pyhs3_rounds_some_factors_to_single_precision(
    pyhs3: Any, high: float, low: float, exact: bool
) -> None:
    """Factors that single precision holds exactly: pyhs3 0.4.2 takes their logarithm in it.

    pyhf, the third, sides with darkstats. When this fails, pyhs3 has mended it: say so on the page
    of accepted bundles.
    """
    import pyhf

    workspace = with_pull(0.0, high, low)
    model = compile_workspace(workspace)
    values = {"s": 0.4, "mu": 1.0}
    point = np.array([values[name] for name in model.parameter_names])
    ours = model.log_density(point, model.observation)
    theirs = pyhf.Workspace(workspace.document)
    stated = theirs.model()
    listed = [values[name] for name in stated.config.par_names]
    assert float(stated.logpdf(listed, theirs.data(stated))[0]) == pytest.approx(ours, rel=1e-13)
    apart = abs(their_density(pyhs3, hs3_document(workspace), point) - ours)
    assert (apart < 1e-12) if exact else (1e-9 < apart < 1e-6)


def test_why_staterror_is_not_written(pyhs3: Any) -> None:
    """pyhs3 0.4.2 makes no likelihood of a staterror in its default form.

    When this fails, pyhs3 has learnt it; decision 29 may be looked at again.
    """
    axis = {"name": "x", "min": 0.0, "max": 1.0, "nbins": 1}
    modifier = {"name": "stat", "type": "staterror", "constraint": "Gauss", "parameters": ["g"]}
    sample = {"name": "b", "data": {"contents": [50.0], "errors": [5.0]}, "modifiers": [modifier]}
    document = {
        "metadata": {"hs3_version": "0.2"},
        "distributions": [{"name": "SR", "type": "histfactory_dist", "axes": [axis],
                           "samples": [sample]}],
        "data": [{"name": "d", "type": "binned", "axes": [axis], "contents": [55.0]}],
        "likelihoods": [{"name": "l", "distributions": ["SR"], "data": ["d"]}],
        "domains": [{"name": "dom", "type": "product_domain",
                     "axes": [{"name": "g", "min": 0.0, "max": 5.0}]}],
        "parameter_points": [{"name": "p", "parameters": [{"name": "g", "value": 1.0}]}],
        "analyses": [{"name": "a", "likelihood": "l", "domains": ["dom"], "init": "p"}],
    }  # fmt: skip
    with pytest.raises(Exception, match=r"StatErrorModifier\.data is required"):
        their_density(pyhs3, document, np.array([1.0]))
