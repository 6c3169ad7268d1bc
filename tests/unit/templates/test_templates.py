"""Histograms, variations, smoothing; what users bring."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from darkstats.errors import InputError, OptionError
from darkstats.templates.histfactory import prune, symmetrise
from darkstats.templates.histogram import Histogram
from darkstats.templates.smoothing import smoothed, smoothing_kernel
from darkstats.templates.users import (
    UserSample,
    workspace_from_cabinetry,
    workspace_from_histograms,
)

contents = arrays(float, 8, elements=st.floats(0.5, 100.0))


def histogram(values, variances=None):
    values = np.asarray(values, float)
    return Histogram(
        edges=(np.arange(len(values) + 1.0),),
        values=values,
        variances=values if variances is None else np.asarray(variances, float),
    )


def test_filling_counts_what_falls_outside():
    x = np.array([0.5, 0.6, 1.5, 9.0, -1.0])
    weights = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    found = Histogram.fill([x], [np.array([0.0, 1.0, 2.0])], weights)
    np.testing.assert_array_equal(found.values, [3.0, 3.0])
    np.testing.assert_array_equal(found.variances, [5.0, 9.0])
    assert found.outside == pytest.approx(9.0)
    assert found.equivalent_entries == pytest.approx(36.0 / 14.0)
    with pytest.raises(OptionError, match="no number"):
        Histogram.fill([np.array([np.nan])], [np.array([0.0, 1.0])])


@given(contents, st.floats(0.1, 10.0))
def test_scaling_and_adding(values, factor):
    one = histogram(values)
    np.testing.assert_allclose(one.scaled(factor).variances, factor**2 * values)
    np.testing.assert_allclose(one.added(one).values, one.scaled(2.0).values)
    assert one.merged(4).values.sum() == pytest.approx(values.sum())
    assert one.scaled(factor).equivalent_entries == pytest.approx(one.equivalent_entries)


def test_hist_and_back_is_the_same():
    hist = pytest.importorskip("hist", reason="hist is an optional extra")
    rng = np.random.default_rng(1)
    theirs = hist.Hist(
        hist.axis.Regular(5, 0.0, 5.0),
        hist.axis.Variable([0.0, 1.0, 4.0]),
        storage=hist.storage.Weight(),
    )
    theirs.fill(*rng.uniform(-1.0, 6.0, (2, 1000)), weight=rng.uniform(0.5, 2.0, 1000))
    ours = Histogram.from_uhi(theirs)
    assert ours.outside == pytest.approx(theirs.sum(flow=True).value - theirs.sum().value)
    again = Histogram.from_uhi(ours.to_hist())
    np.testing.assert_array_equal(again.values, ours.values)
    np.testing.assert_array_equal(again.variances, ours.variances)
    for one, two in zip(again.edges, ours.edges, strict=True):
        np.testing.assert_array_equal(one, two)
    with pytest.raises(OptionError, match="is no numeric histogram"):
        Histogram.from_uhi([1, 2, 3])


def test_histograms_that_cannot_be_are_refused():
    for bad in (
        lambda: histogram([1.0, np.inf]),
        lambda: histogram([1.0], [-1.0]),
        lambda: Histogram(edges=(np.array([1.0, 0.0]),), values=np.ones(1), variances=np.ones(1)),
        lambda: histogram([1.0, 2.0]).added(histogram([1.0])),
        lambda: histogram([1.0, 2.0, 3.0]).merged(2),
    ):
        with pytest.raises(OptionError):
            bad()


@given(contents, contents, contents)
def test_symmetrised_variations_stay_symmetric(nominal, low, high):
    first = symmetrise(nominal, low, high)
    second = symmetrise(nominal, *first)
    inside = (first[0] > 0.0) & (first[1] > 0.0)  # not cut at zero
    np.testing.assert_allclose((first[0] + first[1])[inside], 2.0 * nominal[inside])
    np.testing.assert_allclose(second[0][inside], first[0][inside], atol=1e-9)
    assert np.all(first[0] >= 0.0)


def test_one_direction_is_mirrored():
    nominal = np.array([10.0, 20.0])
    low, high = symmetrise(nominal, None, np.array([11.0, 18.0]))
    np.testing.assert_allclose(low, [9.0, 22.0])
    np.testing.assert_allclose(high, [11.0, 18.0])
    with pytest.raises(OptionError, match="at least one"):
        symmetrise(nominal, None, None)


def test_pruning_splits_yield_and_shape():
    nominal = np.array([10.0, 20.0, 30.0])
    scaled = prune("a", nominal, 0.9 * nominal, 1.1 * nominal)
    assert [m["type"] for m in scaled.modifiers] == ["normsys"]
    assert scaled.modifiers[0]["data"] == {"lo": 0.9, "hi": 1.1}
    tilt = np.array([1.0, 0.0, -1.0])
    shaped = prune("b", nominal, nominal - tilt, nominal + tilt)
    assert [m["type"] for m in shaped.modifiers] == ["histosys"]
    assert shaped.dropped == ("b: yield, 0",)
    nothing = prune("c", nominal, nominal, nominal)
    assert nothing.modifiers == ()
    with pytest.raises(OptionError, match="add up to"):
        prune("d", 0.0 * nominal, nominal, nominal)


@given(contents, contents)
def test_what_pruning_keeps_multiplies_to_the_variation(low, high):
    nominal = np.full(8, 10.0)
    found = prune("a", nominal, low, high, yield_threshold=0.0, shape_threshold=0.0)
    norm, shape = found.modifiers
    rebuilt = norm["data"]["hi"] * np.array(shape["data"]["hi_data"])
    np.testing.assert_allclose(rebuilt, high, rtol=1e-4)


@given(contents, st.floats(0.3, 3.0))
def test_smoothing_keeps_totals(values, width):
    edges = np.cumsum(np.concatenate(([0.0], np.linspace(1.0, 2.0, 8))))
    kernel = smoothing_kernel(edges, width)
    np.testing.assert_allclose(kernel.sum(axis=0), 1.0)
    assert (kernel @ values).sum() == pytest.approx(values.sum())
    assert smoothed(values, edges, width).sum() == pytest.approx(values.sum())


def test_a_flat_density_stays_flat():
    edges = np.linspace(0.0, 1.0, 41)
    flat = np.diff(edges) * 7.0
    inner = slice(12, 28)
    np.testing.assert_allclose((smoothing_kernel(edges, 2.0) @ flat)[inner], flat[inner], rtol=1e-5)
    np.testing.assert_allclose(smoothed(flat, edges, 2.0), flat, rtol=1e-9)


def user_channels():
    signal = UserSample(name="signal", nominal=histogram([0.0, 4.0, 1.0]), free="mu")
    background = UserSample(
        name="background",
        nominal=histogram([20.0, 15.0, 10.0]),
        yields={"luminosity": (0.99, 1.01)},
        variations={"scale": (None, histogram([18.0, 15.0, 12.0]))},
    )
    return {"signal_region": [signal, background]}


def test_histograms_become_a_workspace_that_pyhf_reads():
    pyhf = pytest.importorskip("pyhf", reason="pyhf is the referee")
    document = workspace_from_histograms(user_channels(), poi="mu")
    pyhf.schema.validate(document, "workspace.json")
    model = pyhf.Workspace(document).model()
    assert model.config.poi_name == "mu"
    expected = model.expected_data(model.config.suggested_init(), include_auxdata=False)
    np.testing.assert_allclose(expected, [20.0, 19.0, 11.0])
    assert document["observations"][0]["data"] == [20.0, 15.0, 10.0]


def test_what_users_get_wrong_is_named():
    channels = user_channels()
    with pytest.raises(OptionError, match="no sample has the free factor 'nu'"):
        workspace_from_histograms(channels, poi="nu")
    negative = UserSample(name="qcd", nominal=histogram([1.0, -2.0, 1.0], [1, 1, 1]))
    with pytest.raises(OptionError, match=r"channel signal_region, sample qcd, bin 1"):
        workspace_from_histograms(
            {"signal_region": [*channels["signal_region"], negative]}, poi="mu"
        )
    with pytest.raises(OptionError, match="no data"):
        workspace_from_histograms(channels, poi="mu", observed={})


def test_cabinetry_fills_from_ntuples(tmp_path, monkeypatch):
    pytest.importorskip("cabinetry", reason="cabinetry is an optional extra")
    uproot = pytest.importorskip("uproot", reason="uproot is an optional extra")
    rng = np.random.default_rng(7)
    for name, x in (
        ("signal", rng.normal(5.0, 0.5, 500)),
        ("background", rng.uniform(0.0, 10.0, 5000)),
        ("data", rng.uniform(0.0, 10.0, 5000)),
    ):
        with uproot.recreate(tmp_path / f"{name}.root") as file:
            file["events"] = {"mass": x, "weight": np.full(len(x), 0.5)}
    config = {
        "General": {
            "Measurement": "test",
            "POI": "mu",
            "InputPath": str(tmp_path / "{SamplePath}"),
            "HistogramFolder": str(tmp_path / "histograms"),
        },
        "Regions": [{"Name": "region", "Variable": "mass", "Binning": [0, 2, 4, 6, 8, 10]}],
        "Samples": [
            {"Name": "Data", "SamplePath": "data.root", "Tree": "events", "Data": True},
            {"Name": "signal", "SamplePath": "signal.root", "Tree": "events", "Weight": "weight"},
            {
                "Name": "background",
                "SamplePath": "background.root",
                "Tree": "events",
                "Weight": "weight",
            },
        ],
        "NormFactors": [{"Name": "mu", "Samples": "signal", "Nominal": 1, "Bounds": [0, 10]}],
        "Systematics": [
            {
                "Name": "luminosity",
                "Type": "Normalization",
                "Up": {"Normalization": 0.02},
                "Down": {"Normalization": -0.02},
            }
        ],
    }
    path = tmp_path / "config.json"  # JSON is YAML
    path.write_text(json.dumps(config), "utf-8")
    monkeypatch.chdir(tmp_path)
    document = workspace_from_cabinetry(path)
    samples = {s["name"]: s["data"] for s in document["channels"][0]["samples"]}
    assert sum(samples["signal"]) == pytest.approx(250.0)
    assert sum(samples["background"]) == pytest.approx(2500.0)
    config["Samples"][1]["Tree"] = "nothing"
    path.write_text(json.dumps(config), "utf-8")
    with pytest.raises(InputError, match="cabinetry refused it"):
        workspace_from_cabinetry(path)
    with pytest.raises(InputError, match="no such configuration"):
        workspace_from_cabinetry(tmp_path / "absent.yml")
