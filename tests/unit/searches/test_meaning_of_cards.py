"""What a card means: a squared mass and the mass that it declares, an object, numbers of events."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from darkstats.errors import CardError, OptionError
from darkstats.searches.build import build, sample_requests, simulate
from darkstats.searches.card import read_card
from darkstats.searches.recoil_windows import RecoilWidths
from darkstats.searches.signal_masses import require_declared_mass, require_declared_squares
from darkstats.searches.simulation_size import whole_blocks
from darkstats.simulation.candidates import Candidates
from darkstats.workflows.search_start import SearchStartRequest, start_search

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A new card with replacements in it."""

    def made(*changes: tuple[str, str]) -> Path:
        path = tmp_path / "dimuon.yaml"
        path.unlink(missing_ok=True)
        start_search(SearchStartRequest(name="dimuon", output=str(path)))
        text = path.read_text("utf-8")
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path.write_text(text, "utf-8")
        return path

    return made


SQUARE = "m_mumu_squared_gev2: mass_squared(mu_plus + mu_minus)"
SMALL = (
    ("events: {full: 2000000, quick: 100000}", "events: {full: 20, quick: 20}"),
    ("events_per_block: 100000", "events_per_block: 20"),
    ("events: {full: 100000, quick: 10000}", "events: {full: 20, quick: 20}"),
    ("events_per_block: 10000\n", "events_per_block: 20\n"),
    ("[0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]", "[2.0, 3.0]"),
)


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        ("mass(mu_plus + mu_minus)", r"in GeV\^1"),
        ("energy(mu_plus) + 0.1", r"in GeV\^1"),
        ("mass(mu_plus + mu_minus) ** 4", r"in GeV\^4"),
        ("sqrt(mass_squared(mu_plus + mu_minus))", r"in GeV\^1"),
        ("theta(mu_plus)", "without a unit of mass"),
        ("p(mu_plus) / p(mu_minus)", "without a unit of mass"),
    ],
)
def test_windows_in_anything_but_a_squared_mass_are_refused(
    write: Write, column: str, unit: str
) -> None:
    path = write((SQUARE, f"m_mumu_squared_gev2: {column}"))
    with pytest.raises(CardError, match=unit) as caught:
        read_card(path)
    assert caught.value.key == "recoil_hunt.variable"
    assert "mass_squared(...)" in str(caught.value)


@pytest.mark.parametrize(
    "column",
    [
        "mass(mu_plus + mu_minus) ** 2",
        "mass_squared(mu_plus + mu_minus) - 0.0446",
        "mass(mu_plus) * energy(mu_minus)",
        "0.5 * max(mass_squared(mu_plus + photon), mass_squared(mu_minus + photon))",
        "mass(mu_plus + mu_minus) ** 2 + energy(photon)",  # units are mixed: not judged
    ],
)
def test_what_is_in_gev2_or_cannot_be_judged_is_taken(write: Write, column: str) -> None:
    read_card(write((SQUARE, f"m_mumu_squared_gev2: {column}")))


def rows(values: np.ndarray, weights: np.ndarray | None = None) -> Candidates:
    return Candidates(
        columns={"x": values},
        weight_pb=np.ones(len(values)) if weights is None else weights,
        n_generated=len(values),
        sum_weight_pb=float(len(values)),
        sum_weight_squared_pb2=float(len(values)),
    )


WIDTHS = RecoilWidths(points=((1.0, 0.05), (6.0, 0.05)))
NORMAL = np.random.default_rng(3).normal(0.0, 0.05, 400)


def test_a_column_of_the_mass_itself_is_told_apart_from_another_mass() -> None:
    require_declared_squares({(3.0,): rows(9.0 + NORMAL)}, "x", WIDTHS)
    with pytest.raises(OptionError, match="the mass and not its square"):
        require_declared_squares({(3.0,): rows(3.0 + NORMAL)}, "x", WIDTHS)
    with pytest.raises(OptionError, match=r"signal of 3 GeV.*as of a mass of 2 GeV.*masses_gev"):
        require_declared_squares({(1.0,): rows(1.0 + NORMAL), (3.0,): rows(4.0 + NORMAL)}, "x",
                                 WIDTHS)  # fmt: skip


def test_wrong_choices_of_an_event_and_few_rows_are_no_contradiction() -> None:
    spread = np.random.default_rng(4).uniform(0.0, 100.0, 1200)
    require_declared_squares({(3.0,): rows(np.concatenate([9.0 + NORMAL, spread]))}, "x", WIDTHS)
    require_declared_squares({(3.0,): rows(np.full(99, 4.0))}, "x", WIDTHS)


def test_a_window_in_another_mass_is_refused() -> None:
    require_declared_mass(3.0, rows(2.9 + NORMAL), "x")
    with pytest.raises(OptionError, match=r"signal of 3 GeV: the median of x is 2\.\d+ GeV"):
        require_declared_mass(3.0, rows(2.0 + NORMAL), "x")


def test_a_build_refuses_signals_of_another_mass(write: Write, tmp_path: Path) -> None:
    more = (("full: 20, quick: 20", "full: 2000, quick: 2000"),
            ("events_per_block: 20", "events_per_block: 2000"))  # fmt: skip
    path = write(*SMALL, *more, (SQUARE, f"{SQUARE} + 2.25"))
    with pytest.raises(OptionError, match=r"signal of 2 GeV: 0 % of its .* m_mumu_squared_gev2"):
        build(read_card(path), tmp_path / "out", cache=tmp_path / "cache")


def test_an_object_that_no_event_has_is_named(write: Write, tmp_path: Path) -> None:
    swapped = ("{particles: [22], count: 1,", "{particles: [22], count: 3,")
    card = read_card(write(*SMALL, swapped))
    with pytest.raises(CardError) as caught:
        simulate(card, cache=tmp_path / "cache")
    assert caught.value.key == "selection.objects.photon"
    assert "20 events of signal_3" in str(caught.value)
    assert "0 have 3 photon" in str(caught.value)
    assert caught.value.source.endswith("dimuon.yaml")
    assert "degrees, not radians" in str(caught.value)


@pytest.mark.parametrize("name", ["lepton_efficiency", "trigger_efficiency"])
def test_events_that_count_for_nothing_are_refused(write: Write, tmp_path: Path, name: str) -> None:
    """No window is measured of them, and no number of theirs is divided by zero."""
    more = (("full: 20, quick: 20", "full: 2000, quick: 2000"),
            ("events_per_block: 20", "events_per_block: 2000"))  # fmt: skip
    path = write(*SMALL, *more, ("  lepton_efficiency: 0.95 ", f"  {name}: 0 "))
    with pytest.raises(CardError, match=f"{name} is zero") as caught:
        build(read_card(path), tmp_path / "out", cache=tmp_path / "cache")
    assert caught.value.key == f"detector.{name}"


def test_a_setting_is_refused_under_one_name_of_its_process(write: Write) -> None:
    with pytest.raises(CardError) as caught:
        read_card(write(("settings: {decay: mumu}", "settings: {decay: ee}")))
    assert str(caught.value).count("photon_vector") == 1
    with pytest.raises(CardError) as caught:
        read_card(write(("settings: {decay: mumu}", "settings: {decays: mumu}")))
    assert str(caught.value).count("process") == 2  # the key, and the remedy


def test_more_events_than_asked_for_are_told(write: Write) -> None:
    card = read_card(write(("full: 100000, quick: 10000}", "full: 100000, quick: 100}")))
    assert whole_blocks(sample_requests(card, quick=False, seed=1)) == []
    (said,) = whole_blocks(sample_requests(card, quick=True, seed=1))
    assert said.startswith(
        "signal_0.5 and 7 more samples: 10000 events were simulated, not the 100"
    )


@pytest.mark.parametrize(
    ("benchmark", "of"),
    [
        ("dark_photon", "radiative seen as invisible with max_cosine = 0.95"),
        ("lmu_ltau_tautau", "mumu seen as tautau"),
        ("b_to_k_branching", "b_to_k"),
    ],
)
def test_benchmarks_of_another_signal_are_refused(write: Write, benchmark: str, of: str) -> None:
    """epsilon of e+e- -> gamma X, X -> mu mu would be that of an A' that always decays so."""
    path = write(("benchmarks: []", f"benchmarks: [{benchmark}]"))
    with pytest.raises(CardError) as refused:
        read_card(path)
    said = " ".join(str(refused.value).split())
    assert f"benchmarks[0]: {benchmark} is of {of}, and the signal is of " in said
    assert "darkstats recast SCAN --to MODEL --production radiative --final-state mumu" in said


def test_benchmarks_of_the_same_signal_are_taken(write: Write) -> None:
    path = write(
        ("settings: {decay: mumu}", "settings: {decay: invisible}"),
        ("benchmarks: []", "benchmarks: [dark_photon]"),
    )
    assert read_card(path).benchmarks == ("dark_photon",)
    narrow = write(
        ("settings: {decay: mumu}", "settings: {decay: invisible, max_cosine: 0.9}"),
        ("benchmarks: []", "benchmarks: [dark_photon]"),
    )
    with pytest.raises(CardError, match=r"max_cosine = 0\.9"):
        read_card(narrow)


def test_own_events_say_what_they_are(write: Write, tmp_path: Path) -> None:
    """Or no benchmark turns their cross section into a coupling."""
    for mass in ("2", "3"):
        (tmp_path / f"x_{mass}.lhe").write_text("<LesHouchesEvents/>", "utf-8")
    own = (
        *SMALL,
        ("process: photon_vector ", "process: lhe "),
        ("settings: {decay: mumu}", 'settings: {path: "x_{mass_gev}.lhe"}'),
        ("benchmarks: []", "benchmarks: [dark_photon]"),
    )
    with pytest.raises(CardError, match=r"searched: \{production: radiative, final_state: invis"):
        read_card(write(*own))
    said = "searched: {production: radiative, final_state: %s}\nbenchmarks: [dark_photon]"
    stated = read_card(write(*own, ("benchmarks: [dark_photon]", said % "invisible")))
    assert stated.searched is not None
    assert stated.searched.production == "radiative"
    with pytest.raises(CardError, match="is of radiative seen as invisible"):
        read_card(write(*own, ("benchmarks: [dark_photon]", said % "mumu")))
    mine = "searched: {production: radiative, final_state: mumu}\nbenchmarks: []"
    with pytest.raises(CardError, match="the signal says it already"):
        read_card(write(("benchmarks: []", mine)))
