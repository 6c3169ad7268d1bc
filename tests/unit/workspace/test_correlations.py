"""Combined workspaces share the nuisance parameters that a map says, as strongly as it says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats import workflows as w
from darkstats.errors import DocumentError, InputError, OptionError
from darkstats.inference import upper_limit
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.workspace import Workspace, combine, read_workspace
from darkstats.workspace.correlations import Correlations, correlations_of, with_correlations

Document = dict[str, Any]
MU = {"name": "mu", "type": "normfactor", "data": None}
SCHEMA = {"schema": "darkstats.correlations/1"}


def workspace(channel: str, modifiers: list[Document], data: float = 100.0) -> Workspace:
    samples = [
        {"name": "s", "data": [10.0], "modifiers": [MU]},
        {"name": "b", "data": [100.0], "modifiers": modifiers},
    ]
    return Workspace.from_document(
        {
            "channels": [{"name": channel, "samples": samples}],
            "observations": [{"name": channel, "data": [data]}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
            "version": "1.0.0",
        }
    )


def shape(name: str, up: float, down: float | None = None) -> Document:
    low = 100.0 - (up if down is None else down)
    return {"name": name, "type": "histosys", "data": {"hi_data": [100.0 + up], "lo_data": [low]}}


def norm(name: str, hi: float, lo: float) -> Document:
    return {"name": name, "type": "normsys", "data": {"hi": hi, "lo": lo}}


def mapped(**entries: Any) -> Correlations:
    return correlations_of({**SCHEMA, **entries}, "map.json")


def joined(left: Workspace, right: Workspace, correlations: Correlations) -> HistFactoryModel:
    one, two, _ = with_correlations(left, right, correlations)
    return compile_workspace(combine(one, two, join="outer"))


def prefit_covariance(model: HistFactoryModel) -> np.ndarray:
    """Covariance of the expected events from constraints alone, by central differences."""
    point = np.array(model.nominal, dtype=float)
    columns = []
    for p, parameter in enumerate(model.parameters):
        if parameter.constrained:
            ends = np.repeat(point[None, :], 2, axis=0)
            ends[0, p] += 1e-4
            ends[1, p] -= 1e-4
            up, down = model.expected_rates(ends)
            columns.append((up - down) / 2e-4)
    matrix = np.array(columns).T
    return np.asarray(matrix @ matrix.T)


@pytest.mark.parametrize("c", [1.0, 0.6, 0.0, -0.3, -1.0])
def test_covariance_of_a_coefficient(c: float) -> None:
    """Errors of 8 and 5 events with coefficient c: the covariance is 40 c, the variances stay."""
    entry = {"left": "a", "right": "b", "coefficient": c}
    model = joined(
        workspace("A", [shape("a", 8.0)]), workspace("B", [shape("b", 5.0)]),
        mapped(correlate=[entry]),
    )  # fmt: skip
    expected = [[64.0, 40.0 * c], [40.0 * c, 25.0]]
    assert prefit_covariance(model) == pytest.approx(np.array(expected), rel=1e-6, abs=1e-6)
    n_pulls = sum(parameter.constrained for parameter in model.parameters)
    assert n_pulls == (1 if abs(c) == 1.0 else 2)


@pytest.mark.parametrize("c", [0.5, -0.7])
def test_a_normsys_is_split_in_its_logarithm(c: float) -> None:
    """hi = 1/lo: the logarithms have the covariance, and no term is lost."""
    left, right = (
        workspace("A", [norm("a", 1.1, 1 / 1.1)]),
        workspace("B", [norm("b", 1.2, 1 / 1.2)]),
    )
    one, two, notes = with_correlations(
        left, right, mapped(correlate=[{"left": "a", "right": "b", "coefficient": c}])
    )
    assert notes == ()
    model = compile_workspace(combine(one, two, join="outer"))
    a, b = 100.0 * math.log(1.1), 100.0 * math.log(1.2)
    expected = [[a * a, c * a * b], [c * a * b, b * b]]
    # code4 is a polynomial near 0, whose slope is the logarithm to some 1e-4.
    assert prefit_covariance(model) == pytest.approx(np.array(expected), rel=1e-3)


def test_limits_do_not_depend_on_who_is_rotated() -> None:
    """The same coefficient with the sides exchanged is the same likelihood."""
    a, b = workspace("A", [shape("a", 8.0)], 104.0), workspace("B", [shape("b", 5.0)], 95.0)
    limits = []
    for left, right, names in ((a, b, ("a", "b")), (b, a, ("b", "a"))):
        entry = {"left": names[0], "right": names[1], "coefficient": 0.6}
        model = joined(left, right, mapped(correlate=[entry]))
        limits.append(upper_limit(model, model.observation, probe=False, scan_points=0).observed)
    assert limits[0] == pytest.approx(limits[1], rel=1e-7)


def test_full_correlation_is_one_name_and_none_is_two() -> None:
    """1 renames, 0 and decorrelate keep apart: the documents are those of rename by hand."""
    left, right = workspace("A", [shape("x", 8.0)]), workspace("B", [shape("x", 5.0)])
    apart = joined(left, right, mapped(decorrelate=[{"name": "x", "left": "x_a", "right": "x_b"}]))
    assert {"x_a", "x_b"} <= set(apart.parameter_names)
    zero = {"left": "x", "right": "x", "coefficient": 0, "name": "x_a"}
    again = joined(left, right, mapped(correlate=[zero]))
    assert {"x_a", "x"} <= set(again.parameter_names)
    together = joined(left, right, mapped())
    assert prefit_covariance(together)[0, 1] == pytest.approx(40.0, rel=1e-6)
    assert prefit_covariance(apart)[0, 1] == pytest.approx(0.0, abs=1e-9)


def test_opposite_signs_of_a_lopsided_variation_are_exact() -> None:
    """-1 exchanges up and down, whatever their sizes."""
    left, right = workspace("A", [shape("a", 8.0)]), workspace("B", [shape("b", 9.0, 2.0)])
    entry = {"left": "a", "right": "b", "coefficient": -1}
    _, two, notes = with_correlations(left, right, mapped(correlate=[entry]))
    (modifier,) = two.document["channels"][0]["samples"][1]["modifiers"]
    assert modifier == {
        "name": "a", "type": "histosys", "data": {"hi_data": [98.0], "lo_data": [109.0]},
    }  # fmt: skip
    assert notes == ()


def test_what_cannot_be_rotated_is_refused() -> None:
    """Lopsided variations, factors, and pulls with settings: the message names the place."""
    left = workspace("A", [shape("a", 8.0)])
    entry = {"left": "a", "right": "b", "coefficient": 0.5}
    wrong = (
        (workspace("B", [shape("b", 9.0, 2.0)]), "lopsided"),
        (workspace("B", [{"name": "b", "type": "staterror", "data": [3.0]}]), "staterror"),
        (workspace("B", [{"name": "b", "type": "normfactor", "data": None}]), "normfactor"),
        (workspace("B", [shape("b", 5.0), shape("b_uncorrelated", 1.0)]), "b_uncorrelated"),
    )
    for right, said in wrong:
        with pytest.raises(DocumentError, match=said) as refused:
            with_correlations(left, right, mapped(correlate=[entry]))
        assert "/correlate/0" in str(refused.value)
    document = workspace("B", [shape("b", 5.0)]).document
    document["measurements"][0]["config"]["parameters"] = [{"name": "b", "fixed": True}]
    with pytest.raises(DocumentError, match="settings"):
        with_correlations(left, Workspace.from_document(document), mapped(correlate=[entry]))


def test_small_mixed_terms_are_said() -> None:
    """1.06 and 0.94 are not each other's inverse: what is lost is 0.18 % at one sigma of both."""
    left, right = workspace("A", [norm("t", 1.06, 0.94)]), workspace("B", [norm("t", 1.06, 0.94)])
    entry = {"left": "t", "right": "t", "coefficient": 0.5}
    _, _, notes = with_correlations(left, right, mapped(correlate=[entry]))
    even = 0.5 * math.log(1.06 * 0.94)
    lost = 2.0 * 0.5 * math.sqrt(0.75) * abs(even)
    assert len(notes) == 1
    assert f"{lost:.2g}" in notes[0]


def test_names_that_would_correlate_by_accident_are_refused() -> None:
    """A new name may be nobody else's, on either side."""
    left = workspace("A", [shape("x", 8.0), shape("y", 1.0)])
    right = workspace("B", [shape("x", 5.0), shape("z", 1.0)])
    for entries in (
        {"decorrelate": [{"name": "x", "left": "z", "right": "q"}]},
        {"decorrelate": [{"name": "x", "left": "y", "right": "q"}]},
        {"correlate": [{"left": "x", "right": "z", "name": "y"}]},
        {"correlate": [{"left": "y", "right": "z", "name": "x"}]},
        {"correlate": [{"left": "y", "right": "x", "coefficient": 0, "name": "x"}]},
    ):
        with pytest.raises(DocumentError, match=r"already|correlates|called"):
            with_correlations(left, right, mapped(**entries))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "schema"),
        ({"schema": "else"}, "schema"),
        ({**SCHEMA, "corelate": []}, "corelate"),
        ({**SCHEMA, "correlate": {}}, "/correlate"),
        ({**SCHEMA, "correlate": [1]}, "/correlate/0"),
        ({**SCHEMA, "correlate": [{"left": "a"}]}, "right"),
        ({**SCHEMA, "correlate": [{"left": "a", "right": ""}]}, "no name"),
        ({**SCHEMA, "correlate": [{"left": "a", "right": "b", "rho": 1}]}, "rho"),
        ({**SCHEMA, "correlate": [{"left": "a", "right": "b", "coefficient": 1.5}]}, "between"),
        ({**SCHEMA, "correlate": [{"left": "a", "right": "b", "coefficient": True}]}, "between"),
        ({**SCHEMA, "correlate": [{"left": "a", "right": "b"}] * 2}, "again"),
        ({**SCHEMA, "decorrelate": [{"name": "a", "left": "b", "right": "b"}]}, "same name"),
        ({**SCHEMA, "signal_scale": {"up": 1}}, "/signal_scale"),
        ({**SCHEMA, "signal_scale": {"left": 0}}, "/signal_scale/left"),
    ],
)
def test_faulty_maps(document: Any, said: str) -> None:
    """Each fault is named with its place."""
    with pytest.raises(DocumentError, match=said):
        correlations_of(document, "map.json")


def test_unknown_names_are_refused() -> None:
    """A name of the other workspace, or none."""
    left, right = workspace("A", [shape("a", 8.0)]), workspace("B", [shape("b", 5.0)])
    with pytest.raises(DocumentError, match="left workspace has no modifier 'b'"):
        with_correlations(left, right, mapped(correlate=[{"left": "b", "right": "b"}]))


def test_a_scaled_signal_scales_its_limit() -> None:
    """Twice the signal, half the limit; the background keeps its yields."""
    left, right = workspace("A", [shape("a", 8.0)]), workspace("B", [shape("b", 5.0)])
    limits = []
    for scale in (1.0, 2.0):
        model = joined(left, right, mapped(signal_scale={"left": scale, "right": scale}))
        limits.append(upper_limit(model, model.observation, probe=False, scan_points=0).observed)
    assert limits[0] is not None
    assert limits[1] is not None
    assert limits[0] == pytest.approx(2.0 * limits[1], rel=1e-6)


@pytest.mark.parametrize("scale", [0.01, 3.0])
def test_a_staterror_that_signal_and_background_share_keeps_its_width(scale: float) -> None:
    """The errors of the background stay what they are: the limit scales as the signal does."""
    document = workspace("A", []).document
    for sample, errors in zip(document["channels"][0]["samples"], ([2.0], [20.0]), strict=True):
        sample["modifiers"].append({"name": "stat", "type": "staterror", "data": errors})
    left = Workspace.from_document(document)
    right = workspace("B", [shape("b", 1.0)], data=100.0)
    right.document["channels"][0]["samples"][0]["data"] = [1e-9]
    limits = []
    for one in (1.0, scale):
        model = joined(left, right, mapped(signal_scale={"left": one}))
        found = upper_limit(model, model.observation, probe=False, scan_points=0).observed
        assert found is not None
        limits.append(found)
    assert limits[1] * scale == pytest.approx(limits[0], rel=1e-5)


def test_two_searches_for_an_invisible_boson(repository: Path, tmp_path: Path) -> None:
    """The example of the how-to: one cross section, a map, and a limit below both single ones."""
    folder = repository / "workspaces"
    early, late = folder / "zprime_invisible_2018", folder / "zprime_invisible_2020"
    path = tmp_path / "map.json"
    path.write_bytes((repository / "docs/examples/zprime_correlations.json").read_bytes())
    asked = w.CombineRequest(
        left=str(early / "background_only.json"),
        right=str(late / "background_only.json"),
        left_patchset=str(early / "patchset.json"), left_point="m_7p9900",
        right_patchset=str(late / "patchset.json.gz"), right_point="m_7p9900",
        join="left outer", correlations=str(path),
    )  # fmt: skip
    found = w.combine(asked).result
    names = {name for name, _ in found.modifiers}
    assert {"trigger_2018", "trigger_2020", "luminosity", "luminosity_uncorrelated"} <= names
    model = compile_workspace(Workspace.from_document(found.document))
    both = upper_limit(model, model.observation, probe=False, scan_points=0)
    single = read_workspace(
        late / "background_only.json", patchset=late / "patchset.json.gz", point="m_7p9900"
    )
    alone = compile_workspace(single)
    one = upper_limit(alone, alone.observation, probe=False, scan_points=0)
    assert both.expected[2] is not None
    assert one.expected[2] is not None
    assert both.expected[2] < 1.001 * one.expected[2]


def test_a_patch_set_needs_its_point() -> None:
    """A point alone may be one of an HS3 document; a map that is not there is named."""
    with pytest.raises(OptionError, match="--left-patchset"):
        w.CombineRequest(left="a", right="b", left_patchset="p.json")
    with pytest.raises(InputError):
        w.combine(w.CombineRequest(left="a", right="b", correlations="nowhere.json"))
