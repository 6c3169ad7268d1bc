"""Two HS3 documents in one: what is shared, what is renamed, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from combined_models import as_hs3, binned_document, combined, events_document, joined
from darkstats.errors import DocumentError, OptionError
from darkstats.inference import upper_limit
from darkstats.model.combined.compilation import compile_likelihood
from darkstats.workspace.correlations import read_correlations
from darkstats.workspace.hs3 import Hs3Document
from darkstats.workspace.hs3.joining import join_documents

Item = dict[str, Any]


def copied(document: Item) -> Item:
    found: Item = json.loads(json.dumps(document))
    return found


def mapped(tmp_path: Path, **entries: Any) -> Any:
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"schema": "darkstats.correlations/1", **entries}))
    return read_correlations(str(path))


def test_two_searches_of_events_keep_their_densities_apart() -> None:
    """The same names in both, other numbers: the likelihood is the product of the two."""
    one, other = events_document(), events_document(200, seed=9)
    other["distributions"][1]["mean"] = 0.3  # of "sig"
    both = joined(one, other)
    model = compile_likelihood(both)
    assert model.parameter_names == ("mu", "nb", "c", "alpha")
    assert [channel.name for channel in model.channels] == ["model", "model_2"]
    parts = [compile_likelihood(Hs3Document.from_document(d, "one")) for d in (one, other)]
    point = model.inits * 1.1 + 0.1
    total = sum(part.log_density(point, part.observation) for part in parts)
    unit = parts[0].log_density(point, parts[0].observation) - _without_constraint(parts[0], point)
    assert model.log_density(point, model.observation) == pytest.approx(total - unit, rel=1e-12)
    assert any(
        "'model' of the right document is called 'model_2'" in w for w in notes_of(one, other)
    )


def _without_constraint(model: Any, point: Any) -> float:
    from dataclasses import replace

    free = [replace(p, constraint="none") for p in model.parameters]
    value: float = model.with_parameters(free).log_density(point, model.observation)
    return value


def notes_of(left: Item, right: Item) -> tuple[str, ...]:
    sides = [Hs3Document.from_document(one, "side") for one in (left, right)]
    return join_documents(*sides)[1]


def test_the_order_of_the_two_does_not_matter() -> None:
    events, bins = events_document(), as_hs3(binned_document())
    limits = [
        upper_limit(m, m.observation) for m in (combined(events, bins), combined(bins, events))
    ]
    assert limits[0].observed == pytest.approx(limits[1].observed, rel=1e-6)


def test_a_combination_is_combined_further() -> None:
    """Bins, events, and bins again: the constraint of alpha stands once."""
    bins = binned_document()
    bins["channels"][0]["name"] = bins["observations"][0]["name"] = "CR"
    bins["observations"][0]["data"] = [49.0, 33.0]
    model = combined(joined(as_hs3(binned_document()), events_document()), as_hs3(bins))
    names = model.parameter_names
    assert names.count("alpha") == 1
    # Errors of single bins belong to their search, whatever both call them.
    assert {"stat_0", "stat_0_2", "bins_1", "bins_1_2"} < set(names)
    assert [one.name for one in model.binned.model.channels] == ["SR", "CR"]
    usual = combined(as_hs3(binned_document()), events_document())
    medians = [upper_limit(one, one.observation).expected[2] for one in (model, usual)]
    assert 0.8 * medians[1] < medians[0] < 0.99 * medians[1]  # a third search beside the two


def test_names_that_the_map_takes_apart_are_two_parameters(tmp_path: Path) -> None:
    apart = mapped(tmp_path, decorrelate=[{"name": "alpha", "left": "alpha_e", "right": "alpha_b"}])
    model = combined(events_document(), as_hs3(binned_document()), correlations=apart)
    assert {"alpha_e", "alpha_b"} < set(model.parameter_names)
    assert "alpha" not in model.parameter_names
    assert all(p.constrained for p in model.parameters if p.name.startswith("alpha"))


def test_names_that_the_map_ties_are_one_parameter(tmp_path: Path) -> None:
    """Parameters of interest of different names, and a nuisance parameter, too."""
    text = json.dumps(binned_document()).replace('"mu"', '"strength"').replace('"alpha"', '"eff"')
    bins = as_hs3(json.loads(text))
    with pytest.raises(OptionError, match="'mu', and that of the right one 'strength'"):
        joined(events_document(), bins)
    tied = mapped(
        tmp_path,
        correlate=[
            {"left": "mu", "right": "strength", "name": "mu"},
            {"left": "alpha", "right": "eff", "name": "alpha"},
        ],
    )
    model = combined(events_document(), bins, correlations=tied)
    usual = combined(events_document(), as_hs3(binned_document()))
    assert model.parameter_names == usual.parameter_names
    limits = [upper_limit(m, m.observation).observed for m in (model, usual)]
    assert limits[0] == pytest.approx(limits[1], rel=1e-9)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            {"correlate": [{"left": "nb", "right": "tilt", "coefficient": 0.5}]},
            "in the left document it is no pull of width 1 around 0",
        ),
        ({"correlate": [{"left": "nobody", "right": "tilt"}]}, "names 'nobody', no floating"),
        ({"correlate": [{"left": "alpha", "right": "tilt", "name": "mu"}]}, "'mu', a name that"),
        (
            {"correlate": [{"left": "alpha", "right": "tilt", "coefficient": 0, "name": "tilt"}]},
            "has the coefficient 0",
        ),
        (
            {"correlate": [{"left": "c", "right": "tilt"},
                           {"left": "nb", "right": "alpha", "coefficient": 0, "name": "bins_0"}]},
            "correlates what it does not name",
        ),
    ],
)  # fmt: skip
def test_maps_that_do_not_fit_are_refused(entries: Item, message: str, tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=message):
        joined(
            events_document(), as_hs3(binned_document()), correlations=mapped(tmp_path, **entries)
        )


def test_different_constraints_are_refused() -> None:
    """The width of alpha is 1 in a normsys, and 0.5 in the document of events."""
    events = events_document()
    events["distributions"][3]["sigma"] = 0.5
    with pytest.raises(DocumentError, match=r"'alpha' is constrained to 0 with the width 0\.5"):
        joined(events, as_hs3(binned_document()))


def test_a_parameter_that_is_held_in_one_of_the_two_is_refused() -> None:
    bins = binned_document()
    settings = [{"name": "alpha", "fixed": True}]
    bins["measurements"][0]["config"]["parameters"] = settings
    with pytest.raises(DocumentError, match="'alpha' is constant in the right document"):
        joined(events_document(), as_hs3(bins))


def test_ranges_without_overlap_are_refused() -> None:
    events = events_document()
    (axes,) = (one["axes"] for one in events["domains"])
    for axis in axes:
        if axis["name"] == "alpha":
            axis.update(min=-9.0, max=-6.0)
    for one in events["parameter_points"][0]["parameters"]:
        if one["name"] == "alpha":
            one["value"] = -7.0
    with pytest.raises(DocumentError, match="nothing is common to both"):
        joined(events, as_hs3(binned_document()))


def test_the_same_data_are_not_counted_twice() -> None:
    other = copied(events_document())
    other["distributions"][1]["mean"] = 0.3
    with pytest.raises(OptionError, match="would count twice"):
        joined(events_document(), other)
    bins = as_hs3(binned_document())
    with pytest.raises(OptionError, match="'SR' of the right document has the data of 'SR'"):
        joined(bins, bins)


def test_constants_of_one_name_and_two_values_stay_apart() -> None:
    """The peak of each document stands where its own constant says."""
    one, other = events_document(), events_document(200, seed=9)
    for document, mass in ((one, 0.5), (other, 0.3)):
        document["distributions"][1]["mean"] = "mass"
        point = document["parameter_points"][0]["parameters"]
        point.append({"name": "mass", "value": mass, "const": True})
    both = joined(one, other)
    held = {
        p["name"]: p["value"] for p in both.document["parameter_points"][0]["parameters"]
        if p.get("const")
    }  # fmt: skip
    assert held == {"aux_alpha": 0.0, "mass": 0.5, "mass_2": 0.3}
    means = [d["mean"] for d in both.document["distributions"] if d["name"].startswith("sig")]
    assert means == ["mass", "mass_2"]


def test_an_item_makes_room_for_a_parameter_of_its_name() -> None:
    """A function of the left document is called as a parameter of the right one."""
    events = events_document()
    text = json.dumps(events).replace('"nsig"', '"tilt"')
    model = combined(json.loads(text), as_hs3(binned_document()))
    usual = combined(events, as_hs3(binned_document()))
    point = usual.inits + 0.1
    assert model.parameter_names == usual.parameter_names
    assert model.log_density(point, model.observation) == pytest.approx(
        usual.log_density(point, usual.observation), rel=1e-14
    )


def test_only_what_is_reached_is_carried() -> None:
    """Of a document of many hypotheses, one analysis with its parts."""
    events = events_document()
    events["distributions"].append({"name": "left_over", "type": "gaussian_dist", "x": "x",
                                    "mean": 0.1, "sigma": 0.1})  # fmt: skip
    second = {**events["analyses"][0], "name": "second"}
    events["analyses"].append(second)
    both = joined(events, as_hs3(binned_document()), analyses=("second", None))
    assert "left_over" not in {one["name"] for one in both.document["distributions"]}
    assert both.analysis_names == ("combined",)
    assert any(
        "of 2 analyses of the left document, 'analysis' was taken" in words
        for words in notes_of(events, as_hs3(binned_document()).document)
    )


def test_whether_data_are_simulated_is_said_where_both_say_it() -> None:
    for said, expected in (((True, True), True), ((True, False), False), ((True, None), None)):
        sides = [copied(events_document()), copied(events_document(200, seed=9))]
        for side, value in zip(sides, said, strict=True):
            if value is not None:
                side["misc"] = {"darkstats": {"simulated": value}}
        assert joined(*sides).simulated is expected


def test_signals_are_scaled_to_one_cross_section(tmp_path: Path) -> None:
    """Either side times a factor is the strength of that side times it; ranges follow."""
    events, bins = events_document(), as_hs3(binned_document())
    usual = combined(events, bins)
    scaled = combined(
        events, bins, correlations=mapped(tmp_path, signal_scale={"left": 0.1, "right": 0.1})
    )
    assert scaled.parameter_names == usual.parameter_names
    poi = usual.require_poi()
    assert scaled.upper[poi] == pytest.approx(10.0 * usual.upper[poi])
    point = usual.inits.copy()
    tenfold = point.copy()
    tenfold[poi] *= 10.0
    assert scaled.log_density(tenfold, scaled.observation) == pytest.approx(
        usual.log_density(point, usual.observation), rel=1e-12
    )
    limits = [upper_limit(model, model.observation).observed for model in (usual, scaled)]
    assert limits[1] == pytest.approx(10.0 * limits[0], rel=1e-5)


def test_cross_sections_that_differ_are_said(tmp_path: Path) -> None:
    """Signal strength 1 is 0.1 pb here and 0.01 pb there, until the map scales it."""
    events, bins = events_document(), as_hs3(binned_document())
    for document, value in ((events, 0.1), (bins.document, 0.01)):
        own = document.setdefault("misc", {}).setdefault("darkstats", {})
        own["reference_cross_section_pb"] = value
    assert any(
        "0.1 pb in the left document and 0.01 pb" in w for w in notes_of(events, bins.document)
    )
    assert "reference_cross_section_pb" not in joined(events, bins).search
    scale = mapped(tmp_path, signal_scale={"left": 0.1})
    assert joined(events, bins, correlations=scale).search[
        "reference_cross_section_pb"
    ] == pytest.approx(0.01)


def test_events_that_come_from_elsewhere_are_not_none() -> None:
    """An empty list beside the name of a spectrum means: not given; the whole has no data then."""
    events = events_document()
    events["data"][0]["entries"] = []
    events["misc"] = {"darkstats": {"spectra": {"analysis": "recoil"}}}
    both = joined(events, as_hs3(binned_document()))
    assert both.without_events("combined") == ("model",)
    assert both.spectrum_of("combined") == "recoil"


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("coefficient", [0.6, -1.0, -0.3])
def test_pulls_are_rotated_in_densities(coefficient: float, swapped: bool, tmp_path: Path) -> None:
    """The events see c times the shared pull and the rest of a new one, exactly."""
    sides = [events_document(), as_hs3(binned_document())]
    entry = {"left": "alpha", "right": "alpha", "coefficient": coefficient}
    tied = mapped(tmp_path, correlate=[entry])
    model = combined(*(reversed(sides) if swapped else sides), correlations=tied)
    events = compile_likelihood(Hs3Document.from_document(sides[0], "events"))
    usual = combined(*sides)
    names = model.parameter_names
    rest = math.sqrt(1.0 - coefficient**2)
    assert ("alpha_uncorrelated" in names) == (rest > 0.0)
    point = model.inits + 0.05
    values = dict(zip(names, point, strict=True))
    pull, new = values["alpha"], values.get("alpha_uncorrelated", 0.0)
    mixed = coefficient * pull + rest * new
    together = np.array([values[name] for name in usual.parameter_names])
    seen = np.array([values[name] for name in events.parameter_names])
    turned = seen.copy()
    turned[events.parameter_index("alpha")] = mixed
    expected = usual.log_density(together, usual.observation)
    expected += events.log_density(turned, events.observation)
    expected -= events.log_density(seen, events.observation)
    # Constraints: of the turned pull there is none, of the new one there is.
    unit = 0.5 * math.log(2.0 * math.pi)
    expected += 0.5 * mixed**2 - 0.5 * pull**2 - (0.5 * new**2 + unit if rest else 0.0)
    assert model.log_density(point, model.observation) == pytest.approx(expected, rel=1e-12)


def test_pulls_of_bins_on_both_sides_are_not_rotated(tmp_path: Path) -> None:
    bins = binned_document()
    bins["channels"][0]["name"] = bins["observations"][0]["name"] = "CR"
    bins["observations"][0]["data"] = [49.0, 33.0]
    left = joined(as_hs3(binned_document()), events_document())
    entry = {"left": "tilt", "right": "tilt", "coefficient": 0.5}
    with pytest.raises(DocumentError, match="both documents have it in HistFactory channels"):
        joined(left, as_hs3(bins), correlations=mapped(tmp_path, correlate=[entry]))
