"""Datacards to workspaces: what lines mean, in closed form, and what is refused, with its line."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats.conversion.converted import Conversion
from darkstats.conversion.datacard_building import convert_datacard
from darkstats.conversion.datacard_joining import join
from darkstats.conversion.datacard_reading import read_datacard
from darkstats.errors import CardError
from darkstats.model import InterpolationCodes, compile_workspace

CARD = """imax 1
jmax 2
kmax *
bin a
observation 12
bin a a a
process s b c
process 0 1 2
rate 5 10 4
"""
FAKE = "shapes * * FAKE\n"

Make = Callable[..., Conversion]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Convert the lines of a card after those of ``CARD``, or a whole card."""

    def made(lines: str = "", card: str = CARD, **options: Any) -> Conversion:
        path = tmp_path / "card.txt"
        path.write_text(card + lines)
        return convert_datacard(read_datacard(path), **options)

    return made


def sample(found: Conversion, process: str, channel: int = 0) -> dict[str, Any]:
    samples = found.workspace.document["channels"][channel]["samples"]
    made: dict[str, Any] = next(one for one in samples if one["name"] == process)
    return made


def modifier(found: Conversion, process: str, name: str) -> dict[str, Any]:
    made: dict[str, Any] = next(
        one for one in sample(found, process)["modifiers"] if one["name"] == name
    )
    return made


def parameter(found: Conversion, name: str) -> dict[str, Any]:
    config = found.workspace.document["measurements"][0]["config"]
    made: dict[str, Any] = next(one for one in config["parameters"] if one["name"] == name)
    return made


def rates(found: Conversion, **values: float) -> np.ndarray:
    """Expected events at values of the parameters, at the recommended codes."""
    codes = InterpolationCodes.parse(found.interpolation) if found.interpolation else None
    model = compile_workspace(found.workspace, interpolation=codes)
    point = np.array(model.inits, dtype=float)
    for name, value in values.items():
        point[list(model.parameter_names).index(name)] = value
    return np.asarray(model.expected_rates(point))


@pytest.mark.parametrize("theta", [-3.0, -1.0, -0.4, 0.0, 0.3, 1.0, 2.5])
@pytest.mark.parametrize("kappa", [1.02, 1.5, 0.7, 3.0])
def test_lnn_of_one_number_is_a_power(kappa: float, theta: float, make: Make) -> None:
    """The yield is the rate times kappa**theta, for any theta, at the recommended codes."""
    found = make(f"k lnN - {kappa} -\n")
    assert found.interpolation == "normsys=code1,histosys=code4p"
    expected = 5.0 + 10.0 * kappa**theta + 4.0
    assert rates(found, k=theta) == pytest.approx([expected], rel=1e-12)


def test_lnn_of_two_numbers_is_down_and_up(make: Make) -> None:
    """0.8/1.1 is 0.8 at -1 and 1.1 at +1; in between Combine's own smoothing, and that is told."""
    found = make("k lnN - 0.8/1.1 -\n")
    assert modifier(found, "b", "k")["data"] == {"lo": 0.8, "hi": 1.1}
    for theta, factor in ((-1.0, 0.8), (1.0, 1.1), (2.0, 1.21), (-2.0, 0.64)):
        assert rates(found, k=theta) == pytest.approx([9.0 + 10.0 * factor], rel=1e-9)
    (told,) = found.differences
    assert told.parameter == "k"
    assert told.size is not None
    assert 0.0 < told.size <= (told.size_default or 0.0)


def test_no_effect_and_remarks(make: Make) -> None:
    """-, --, 0 and 1 have no effect; words beyond the columns are remarks."""
    found = make("k lnN - -- 0 # none\nm lnN 1.0 1.2 - a remark of 3 words\n")
    assert [one["name"] for one in sample(found, "b")["modifiers"]] == ["m"]
    assert [one["name"] for one in sample(found, "s")["modifiers"]] == ["r"]
    assert any("k changes nothing" in note for note in found.notes)


def test_gmn_of_one_process_is_a_shapesys(make: Make) -> None:
    """N events times alpha: a Poisson term of N, so an error of the rate over the root of N."""
    found = make("g gmN 25 - 0.4 -\n")
    made = modifier(found, "b", "g")
    assert made["type"] == "shapesys"
    assert made["data"] == [10.0 / 5.0]
    model = compile_workspace(found.workspace)
    assert (10.0 / made["data"][0]) ** 2 == pytest.approx(25.0)
    assert len(model.parameter_names) == 2


def test_gmn_of_two_processes_is_a_control_channel(make: Make) -> None:
    """One parameter on two processes: a channel of N events, and a factor on both."""
    found = make("g gmN 20 - 0.5 0.2\n")
    assert [one["type"] for one in sample(found, "b")["modifiers"]] == ["normfactor"]
    control = found.workspace.document["channels"][1]
    assert control["name"] == "g_events"
    assert control["samples"][0]["data"] == [20.0]
    assert found.workspace.document["observations"][1] == {"name": "g_events", "data": [20.0]}
    assert any("g_events" in note for note in found.notes)


def test_gmn_without_events(make: Make) -> None:
    """N = 0: the process is alpha times a count that may be zero; zero events were seen."""
    card = CARD.replace("rate 5 10 4", "rate 5 10 0")
    found = make("g gmN 0 - - 0.3\n", card)
    assert sample(found, "c")["data"] == [0.3]
    assert found.workspace.document["observations"][1]["data"] == [0.0]
    assert parameter(found, "g")["bounds"] == [[0.0, 30.0]]


def test_the_rate_of_gmn_is_n_alpha(make: Make) -> None:
    """A rate that was rounded gives way to N alpha, as in Combine, and that is told."""
    found = make("g gmN 25 - 0.404 -\n")
    assert sample(found, "b")["data"] == pytest.approx([10.1])
    assert any("25 times 0.404" in note for note in found.notes)


def test_rate_parameters(make: Make) -> None:
    """A free factor with value and range; one without a range gets one, and that is told."""
    found = make("f rateParam a b 1.5 [0.5,4]\ng rateParam * c 2\n")
    assert parameter(found, "f") == {"name": "f", "inits": [1.5], "bounds": [[0.5, 4.0]]}
    assert parameter(found, "g")["bounds"] == [[0.0, 20.0]]
    assert any("g has no range" in note for note in found.notes)
    assert rates(found, f=3.0, g=0.5) == pytest.approx([5.0 + 30.0 + 2.0])


def test_products_of_rate_parameters(make: Make) -> None:
    """@0*@1 is a factor for each; so ABCD can be written without a ratio."""
    card = """imax 4
jmax 1
kmax *
bin A B C D
observation 16 50 100 500
bin A A B C D
process s b b b b
process 0 1 1 1 1
rate 3 1 1 1 1
"""
    lines = """d rateParam D b 500 [1,1000]
t rateParam B b 0.1 [0,10]
d rateParam B b 500 [1,1000]
u rateParam C b 0.2 [0,10]
d rateParam C b 500 [1,1000]
p rateParam A b (@0*@1*@2) d,t,u
"""
    found = make(lines, card)
    names = [one["name"] for one in sample(found, "b")["modifiers"]]
    assert names == ["d", "t", "u"]
    assert rates(found, r=0.0) == pytest.approx([10.0, 50.0, 100.0, 500.0])


@pytest.mark.parametrize("theta", [-2.0, -0.5, 0.0, 1.0, 3.0])
def test_a_constrained_rate_parameter_is_linear(theta: float, make: Make) -> None:
    """rateParam with param: the factor is mean + error theta, theta of a unit Gaussian."""
    found = make("f rateParam a b 1 [0,3]\nf param 1.2 0.3\nk lnN - 1.1 -\n")
    assert parameter(found, "f")["bounds"] == [[-4.0, 5.0]]
    expected = 9.0 + 10.0 * (1.2 + 0.3 * theta) * 1.1**0.7
    assert rates(found, f=theta, k=0.7) == pytest.approx([expected], rel=1e-9)
    assert any("counts errors of 0.3 from 1.2" in note for note in found.notes)


def test_groups_mass_and_frozen_parameters(make: Make) -> None:
    """Groups of free parameters and the mass go to the sidecar; a frozen parameter is fixed."""
    lines = """k lnN - 1.1 -
m lnN 1.2 - -
n lnN - 1.1 -
o lnN - - -
theory group = k n o
theory group += m
nuisance edit freeze k
"""
    found = make(lines, mass="125")
    assert found.sidecar["groups"] == {"theory": ["n", "m"]}
    assert found.sidecar["conversion"]["mass_gev"] == 125.0
    assert parameter(found, "k")["fixed"] is True
    assert parameter(found, "r")["bounds"] == [[0.0, 20.0]]


def test_edits_drop_and_rename(make: Make) -> None:
    """Drop and rename act on the columns that they name, in order."""
    lines = """k lnN 1.1 1.2 1.3
nuisance edit rename b a k kb
nuisance edit drop c * k
nuisance edit drop c * k ifexists
"""
    found = make(lines)
    assert [one["name"] for one in sample(found, "s")["modifiers"]] == ["r", "k"]
    assert [one["name"] for one in sample(found, "b")["modifiers"]] == ["kb"]
    assert sample(found, "c")["modifiers"] == []


def test_join_as_combine_cards(tmp_path: Path) -> None:
    """One bin takes the label, several take it before their names; one name is one parameter."""
    one, two = tmp_path / "one.txt", tmp_path / "two.txt.gz"
    one.write_text(CARD + "k lnN 1.1 1.2 -\n")
    text = """imax 2
jmax 1
kmax 2
bin x y
observation 3 4
bin x x y y
process s b s b
process 0 1 0 1
rate 1 2 1 3
k lnN 1.05 - - -
m lnN - 1.3 - 1.3
"""
    two.write_bytes(gzip.compress(text.encode()))
    cards = [("sr", read_datacard(one)), ("cr", read_datacard(two))]
    found = convert_datacard(join(cards))
    assert found.workspace.channel_names == ("sr", "cr_x", "cr_y")
    assert ("k", "normsys") in found.workspace.modifiers
    with pytest.raises(CardError, match="a second bin sr"):
        join([("sr", read_datacard(one)), ("sr", read_datacard(one))])


def test_a_name_of_two_kinds_in_two_cards(tmp_path: Path) -> None:
    """gmN here and lnN there, or gmN of other events, are no one parameter."""
    paths = [tmp_path / f"{i}.txt" for i in range(3)]
    for path, line in zip(paths, ("lnN - 1.1 -", "gmN 10 - 1 -", "gmN 20 - 0.5 -"), strict=True):
        path.write_text(f"{CARD}k {line}\n")
    cards = [("abc"[i], read_datacard(path)) for i, path in enumerate(paths)]
    with pytest.raises(CardError, match=r"1\.txt, line 10: .*one of two lines"):
        join(cards[:2])
    with pytest.raises(CardError, match=r"gmN of 20 events here, and of 10 at"):
        join(cards[1:])


REFUSED = {
    "k lnU - 1.2 -": (10, "lnU lets the yield float"),
    "k gmM - 0.2 -": (10, "write gmN"),
    "k trG - 0.2 -": (10, "truncated Gaussian"),
    "k lnX - 1.2 -": (10, "'lnX' is no kind"),
    "k lnN - 1.2": (10, "2 effects for 3 columns"),
    "k lnN - x -": (10, "'x' is no number"),
    "k lnN - nan -": (10, "'nan' is no number"),
    "k lnN - -0.5 -": (10, "not positive"),
    "k lnN - 0/1.2 -": (10, "not positive"),
    "k lnN - 1e-320 -": (10, "absurdly far from 1"),
    "k lnN - 0.9/1e9 -": (10, "absurdly far from 1"),
    "k lnN - 0.9/1/1.1 -": (10, "two numbers or more"),
    "k lnN - 1.1 -\nk lnN - 1.2 -": (11, "acts twice on b of a"),
    "r lnN - 1.1 -": (10, "signal strength"),
    "k[nofloat] lnN - 1.1 -": (10, "nofloat"),
    "k shape - 1 -": (10, "no templates kDown and kUp"),
    "g gmN x - 0.4 -": (10, "whole number of events"),
    "g gmN 25 - 4 -": (10, "25 events times 4 are 100"),
    "g gmN 25 - 0.4 -\nh gmN 25 - 0.4 -": (11, "a second gmN"),
    "f rateParam a b (@0+@1) g,h": (10, "the formula"),
    "f rateParam a b @0*@1 g,h": (10, "names g, which is no free rateParam"),
    "f rateParam a b @0*@0 g": (10, "name each argument once"),
    "f rateParam z b 1": (10, "no process b in a bin z"),
    "f rateParam a b 1 [2,1]": (10, "range [2,1] is empty"),
    "f rateParam a b 5 [0,2]": (10, "outside the range"),
    "f rateParam a b file.root:w": (10, "formula"),
    "f rateParam a b 1\nf rateParam a c 2": (11, "another value or range than at"),
    "f rateParam a b 1\nf param 1 -0.1/+0.2": (11, "write lnN of two numbers"),
    "f rateParam a b 1\nf param 0 0.1": (11, "around a positive number"),
    "f rateParam a b 1 [2,3]\nf param 1 0.1": (10, "outside the range"),
    "f rateParam a b 1\nf param 1 0.1\ng rateParam a b 1\ng param 1 0.2": (
        10,
        "is constrained, too",
    ),
    "f rateParam a b 1\nf param 1 0.1\ng rateParam a c @0 f": (12, "no free rateParam"),
    "f extArg w.root:w": (10, "RooFit workspace"),
    "d discrete": (10, "discrete choice"),
    "g group = k": (10, "names k, which is no parameter"),
    "g group k": (10, "no definition of a group"),
    "a autoMCStats": (10, "no line of autoMCStats"),
    "z autoMCStats 10": (10, "no bin z"),
    "nuisance edit freeze k": (10, "nothing named k"),
    "nuisance edit add s a k lnN 1.2": (10, "nuisance edit add cannot be carried"),
    "k lnN - 1.1 -\nnuisance edit drop (b|c) a k": (11, "patterns cannot be carried"),
}


@pytest.mark.parametrize("lines", REFUSED, ids=str)
def test_lines_that_are_refused(lines: str, make: Make) -> None:
    """What cannot be carried names file and line, and says what to do."""
    line, words = REFUSED[lines]
    with pytest.raises(CardError) as caught:
        make(f"{lines}\n")
    assert caught.value.line == line
    assert words in str(caught.value)
    assert "card.txt, line" in str(caught.value)


HEADS = {
    ("imax 1", "imax 2"): (1, "imax is 2, and there are 1 bins"),
    ("jmax 2", "jmax 1"): (2, "jmax is 1"),
    ("kmax *", "kmax 3"): (3, "kmax is 3, and there are 0"),
    ("kmax *", "kmax many"): (3, "whole number"),
    ("observation 12", "observation 12 13"): (5, "2 observations for 1 bins"),
    ("observation 12", "observation -3"): (5, "negative number of observed"),
    ("observation 12", "observation -1"): (9, "no template"),
    ("observation 12\n", ""): (8, "the observed events are missing"),
    ("bin a a a", "bin a a z"): (9, "bin z has rates and no observation"),
    ("process 0 1 2", "process 1 2 3"): (9, "no process is a signal"),
    ("process 0 1 2", "process 0 1"): (9, "2 process numbers for 3"),
    ("process s b c", "process s b b"): (9, "stands twice"),
    ("rate 5 10 4", "rate 5 10"): (9, "2 rates for 3"),
    ("rate 5 10 4", "rate 5 -10 4"): (9, "the rate -10 is negative"),
    ("rate 5 10 4", "rate 5 inf 4"): (9, "is no number"),
    ("rate 5 10 4", "rates 5 10 4"): (None, "no line with rates"),
    ("bin a\n", "shapes * * w.root w:$PROCESS\nbin a\n"): (4, "RooFit workspace"),
    ("bin a\n", "shapes * a FAKE\nshapes * a FAKE\nbin a\n"): (5, "second line of shapes"),
    ("bin a\n", "shapes * a\nbin a\n"): (4, "too few words"),
}


@pytest.mark.parametrize("change", HEADS, ids=str)
def test_heads_that_are_refused(change: tuple[str, str], make: Make) -> None:
    """A card that contradicts itself is refused where it does."""
    line, words = HEADS[change]
    with pytest.raises(CardError) as caught:
        make(card=CARD.replace(*change, 1))
    assert words in str(caught.value)
    assert caught.value.line == line


def test_files_that_are_no_cards(tmp_path: Path) -> None:
    """Missing, binary, empty, damaged gzip: a sentence each."""
    for name, data in (("a", None), ("b", b"\xff\xfe\x00"), ("c", b""), ("d.gz", b"no gzip")):
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(CardError, match=name):
            read_datacard(path)


@pytest.mark.parametrize("rates_of_card", ["rate 0 0 0", "rate 0 10 4"])
def test_a_card_without_signal_says_so(make: Make, rates_of_card: str) -> None:
    """A rate of 0 leaves its process out: no patch brings it back, the card has to."""
    with pytest.raises(CardError, match="no signal expects an event: s in bin a") as caught:
        make(card=CARD.replace("rate 5 10 4", rates_of_card))
    assert "a rate above 0" in str(caught.value)
    assert "patch" not in str(caught.value)


def test_a_factor_that_looks_like_an_error_is_told(make: Make) -> None:
    """Carried as Combine has it, and told: 0.2 is one fifth, 1.2 is 20 %."""
    found = make("k lnN - 0.2 -\n")
    assert modifier(found, "b", "k")["data"] == {"lo": 5.0, "hi": 0.2}
    assert any("lnN 0.2 is a factor" in note and "write 1.2" in note for note in found.notes)
    for usual in ("1.2", "0.8", "0.2/5.0"):
        notes = make(f"k lnN - {usual} -\n").notes
        assert not any("is a factor" in note for note in notes)


def test_a_wrong_number_is_seen(make: Make) -> None:
    """The closed form fails for another kappa: the test above can fail."""
    found = make("k lnN - 1.5 -\n")
    assert rates(found, k=1.0) != pytest.approx([9.0 + 10.0 * 1.4], rel=1e-3)


def test_keywords_and_old_numbers(tmp_path: Path) -> None:
    """$WORD is replaced; bins and parameters may be numbers, which Combine names theta1."""
    path = tmp_path / "card.txt"
    text = CARD.replace("bin a", "bin 1").replace("1 a a", "1 1 1").replace("rate 5", "rate $RATE")
    path.write_text(f"{text}1 lnN - 1.1 -\n")
    found = convert_datacard(read_datacard(path, {"RATE": "7"}))
    assert found.workspace.channel_names == ("1",)
    assert sample(found, "s")["data"] == [7.0]
    assert ("theta1", "normsys") in found.workspace.modifiers
    assert json.dumps(found.workspace.document)


def test_one_standard_deviation_of_gmn(make: Make) -> None:
    """gmN is a Poisson term: -2 log L of the constraint is 2 (theta - N - N log(theta / N))."""
    found = make("g gmN 4 - 2.5 -\n", CARD)
    model = compile_workspace(found.workspace)
    names = list(model.parameter_names)
    start = np.array(model.inits, dtype=float)
    index = next(i for i, name in enumerate(names) if name.startswith("g"))
    moved = start.copy()
    moved[index] = 1.3

    def deviance(point: np.ndarray) -> float:
        mean = 5.0 + 10.0 * point[index] + 4.0
        observed = 12.0
        main = 2.0 * (mean - observed * math.log(mean))
        return main + 2.0 * (4.0 * point[index] - 4.0 * math.log(4.0 * point[index]))

    expected = deviance(moved) - deviance(start)
    observation = model.observation
    change = model.log_density(start, observation) - model.log_density(moved, observation)
    assert 2.0 * change == pytest.approx(expected, rel=1e-9)
