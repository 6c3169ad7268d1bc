"""How a spectrum fills windows."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkstats.errors import DocumentError, UnknownNameError
from darkstats.scan.spectrum import FILL_SCHEMA, SpectrumMap, read_fill

DOCUMENT = {
    "channels": [{"name": "a", "samples": []}, {"name": "b", "samples": []}],
    "observations": [{"name": "b", "data": [0.0] * 6}, {"name": "a", "data": [0.0] * 10}],
}


def spectrum(windows, **more):
    return SpectrumMap.of(DOCUMENT, {"windows": windows, **more})


def test_edges_are_groups_of_fine_bins_in_each_row():
    fill = {"w": {"x": {"spectrum": "a", "edges": [1, 3, 4], "row_length": 5}}}
    fine = np.arange(16.0)
    found = spectrum(fill).window("w").gather(fine)
    assert found.tolist() == [1 + 2, 3, 6 + 7, 8]


def test_rows_may_be_merged():
    rule = {"spectrum": "a", "edges": [0, 1, 2], "row_length": 2, "rows": [0, 3]}
    found = spectrum({"w": {"x": rule}}).window("w").gather(np.arange(16.0))
    assert found.tolist() == [0 + 2 + 4, 1 + 3 + 5, 6 + 8, 7 + 9]


def test_channels_follow_one_another():
    """The fine bins of b come after those of a, whatever the order of the observations."""
    fill = {
        "w": {
            "on": {"spectrum": "b", "bins": [[0, 2, 5, 1]]},
            "off": {"spectrum": "a", "bins": [[9, 1], []]},
        }
    }
    found = spectrum(fill).window("w").gather(np.arange(16.0))
    assert found.tolist() == [10 + 11 + 15, 9, 0]


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4)), max_size=3), min_size=1),
    st.integers(0, 2**32 - 1),
)
def test_gathering_is_summing(runs, seed):
    runs = [[(a, min(n, 10 - a)) for a, n in one] for one in runs]
    bins = [[x for pair in one for x in pair] for one in runs]
    fill = {"w": {"x": {"spectrum": "a", "bins": bins}}}
    fine = np.random.default_rng(seed).poisson(3.0, (2, 16)).astype(float)
    found = spectrum(fill).window("w").gather(fine)
    for toy in range(2):
        for k, one in enumerate(runs):
            assert found[toy, k] == sum(fine[toy, a : a + n].sum() for a, n in one)


def test_an_ordinary_patch_set_keeps_its_bins():
    same = SpectrumMap.same_bins(DOCUMENT, ["p", "q"])
    fine = np.arange(16.0)
    assert same.window("q").gather(fine).tolist() == fine.tolist()
    assert same.channels == (("a", 0), ("b", 10))


def test_windows_take_the_order_of_their_model():
    """A fill whose channels come in another order than those of the model fills the same bins."""
    fill = {
        "on": {"spectrum": "b", "bins": [[0, 2, 5, 1]]},
        "off": {"spectrum": "a", "bins": [[9, 1], []]},
    }
    window = spectrum({"w": fill}).window("w")
    fine = np.arange(16.0)
    assert window.for_channels((("on", 1), ("off", 2))) is window
    assert window.for_channels((("off", 2), ("on", 1))).gather(fine).tolist() == [9, 0, 26 + 10]
    aligned = spectrum({"w": fill, "x": fill}).aligned({"w": (("off", 2), ("on", 1))})
    assert list(aligned.windows) == ["w"]
    for wrong in ((("on", 1),), (("on", 2), ("off", 1)), (("on", 1), ("of", 2))):
        with pytest.raises(DocumentError, match=r"its fill on \(1\), off \(2\)"):
            window.for_channels(wrong)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"spectrum": "c", "bins": [[0, 1]]}, "no channel 'c'"),
        ({"spectrum": "b", "bins": [[5, 2]]}, "beyond the 6"),
        ({"spectrum": "a", "edges": [0, 11], "row_length": 10}, "beyond the 10"),
    ],
)
def test_impossible_fills_are_refused(rule, says):
    with pytest.raises(DocumentError, match=says):
        spectrum({"w": {"x": rule}})


def test_nested_channels_must_have_the_same_bins():
    with pytest.raises(DocumentError, match="same bins"):
        spectrum({}, contains={"a": "b"})


def test_unknown_windows_are_named():
    with pytest.raises(UnknownNameError, match="nowhere"):
        spectrum({}).window("nowhere")


def test_files_are_checked(tmp_path):
    good = {"schema": FILL_SCHEMA, "windows": {}}
    (tmp_path / "fill.json").write_text(json.dumps(good), "utf-8")
    (tmp_path / "fill.json.gz").write_bytes(gzip.compress(json.dumps(good).encode()))
    assert read_fill(tmp_path / "fill.json") == read_fill(tmp_path / "fill.json.gz") == good
    (tmp_path / "other.json").write_text("{}", "utf-8")
    (tmp_path / "broken.json.gz").write_bytes(b"nothing")
    for name in ("other.json", "broken.json.gz", "absent.json"):
        with pytest.raises(DocumentError, match=name):
            read_fill(tmp_path / name)
