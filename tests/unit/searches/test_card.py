"""Cards: the shipped ones are good, and a bad one names file, line and key."""

from pathlib import Path

import numpy as np
import pytest

from darkstats.errors import CardError, OptionError
from darkstats.searches.card import read_card
from darkstats.workflows.search_start import SearchStartRequest, start_search

MODELS = Path(__file__).parents[3] / "models"
ALP = MODELS / "alp.yaml"
Z18, Z20 = "zprime_invisible_2018", "zprime_invisible_2020"


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_card_is_good(path):
    card = read_card(path)
    assert card.name == path.stem
    assert "simulated" in card.title
    assert len(card.digest) == 64


def test_every_number_of_the_card_says_where_it_comes_from():
    marks = ("[published]", "[lit", "[computed]", "[choice]")
    exempt = ("events:", "process:", "settings: {min", "settings: {isr", "masses_gev:", "4.0, 4.5")
    for line in ALP.read_text("utf-8").splitlines():
        body = line.split("#")[0]
        numbers = any(character.isdigit() for character in body)
        if numbers and not any(word in body for word in (*exempt, "title", "hepdata", "name:")):
            assert any(mark in line for mark in marks), line


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("luminosity_ipb: 445", "luminosity_ipb: -3", "luminosity_ipb", "not more than 0"),
        ("luminosity_ipb: 445", "luminosty_ipb: 445", "luminosty_ipb", "did you mean"),
        ("luminosity_ipb: 445", "luminosity_ipb: [1]", "luminosity_ipb", "a list"),
        ("high_gev: 9.7", "high_gev: 12.0", "bump_hunt.high_gev", "cannot be made"),
        (
            "efficiency_reference: born",
            "efficiency_reference: dressed",
            "efficiency_reference",
            "born",
        ),
        (
            "quote: least_favourable",
            "quote: best",
            "background_choice.quote",
            "least_favourable",
        ),
        (
            "extents: [1.0, 0.8, 1.2]",
            "extents: []",
            "background_choice",
            "extents",
        ),
        (
            "    n_orders: 3",
            "    largest_order: 3\n    n_orders: 3",
            "bump_hunt",
            "largest_order 3 lies below the order 4",
        ),
        ("energy_tail: [0.30, 0.04]", "energy_tail: [0.3]", "detector", "energy_tail"),
        (
            "conversion_rad: [0.014, 0.40]",
            "conversion_rad: [0.014]",
            "conversion_rad",
            "polar angle",
        ),
        (
            "conversion_rad: [0.014, 0.40]",
            "conversion_rad: [14, 400]",
            "conversion_rad",
            "mrad",
        ),
        ("switch_gev: 6.85", "switch_gev: 0.1", "bump_hunt", "ascend"),
        ("process: three_photons", "process: four_photons", "backgrounds[0].process", "did you"),
        ("cl: 0.95", "cl: 1.5", "statistics.cl", "more than"),
        ("cl: 0.95", "cl: 0.5", "statistics.cl", "0.5 is not more than 0.5"),
        ("method: cls", "method: csl", "statistics.method", "did you mean 'cls'"),
        ("data: pseudo", "data: observed", "data", "not known"),
        ("[4.0, 0.93]]", "[4.0, 1.7]]", "detector", "outside"),
        ("theta_range_deg: [37.3, 123.7]", "theta_range_deg: [90, 10]", "selection", "empty"),
        ("kind: bump_hunt", "kind: dump_hunt", "kind", "did you mean"),
        ("name: alp", "name: alp\nname: other", "name", "twice"),
        ("9.5, 9.7]", "9.5, 11.7]", "signal.masses_gev", "cannot be made"),
        ("n_bins: 100", "n_bins: 2.5", "bump_hunt.n_bins", "whole number"),
        ("[0.08, 0.055]", "[8, 5.5]", "bump_hunt.efficiency_error[0]", "write 0.08 for 8 %"),
        ("luminosity_error: 0.007", "luminosity_error: 7", "luminosity_error", "is a fraction"),
        ("min_energy_gev: 0.65", "min_energy_gev: 650", "selection.min_energy_gev", "in MeV?"),
        (
            "  n_bins: 100",
            "  recoil_ceiling_gev: 9800\n  n_bins: 100",
            "bump_hunt.recoil_ceiling_gev",
            "in MeV?",
        ),
        ("follow_acceptance: true", "follow_acceptance: 2", "bump_hunt.follow_acceptance", "true"),
        ("  n_bins: 100", "  merging_rad: 0.1\n  n_bins: 100", "bump_hunt", "merging_rad"),
        ("merging_rad: 0.07", "merging_rad: 4.0", "detector.merging_rad", "degrees or mrad?"),
        ("constant_gev: 0.009", "constant_gev: 90", "bump_hunt.diphoton.constant_gev", "in MeV?"),
    ],
)
def test_a_bad_card_names_file_line_and_key(tmp_path, old, new, key, says):
    text = ALP.read_text("utf-8")
    assert old in text
    path = tmp_path / "bad.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(CardError) as caught:
        read_card(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, line ")
    assert key in message
    assert says in message


def test_the_background_merges_photons_as_the_detector_does(tmp_path):
    """One number in the card: what follows the acceptance takes the angle of the detector."""
    path = tmp_path / "alp.yaml"
    path.write_text(ALP.read_text("utf-8").replace("merging_rad: 0.07", "merging_rad: 0.05"))
    card = read_card(path)
    assert card.settings.follow_acceptance
    assert card.settings.merging_rad == card.detector.merging_rad == 0.05


def test_missing_keys_files_and_broken_yaml(tmp_path):
    with pytest.raises(CardError, match="cannot be read"):
        read_card(tmp_path / "none.yaml")
    path = tmp_path / "card.yaml"
    for text, says in (
        ("", "is empty"),
        ("name: [", "no valid YAML"),
        ("- 1", "expected a mapping"),
        ("name: x", "'title' is missing"),
        ("a: !!python/object/apply:os.system [ls]", "unknown key"),
    ):
        path.write_text(text, "utf-8")
        with pytest.raises(CardError, match=says):
            read_card(path)


def test_a_process_that_lacks_its_settings_is_refused(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(ALP.read_text("utf-8").replace("meson: eta,", "meso: eta,"), "utf-8")
    with pytest.raises(CardError, match="meson_photon"):
        read_card(path)


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        (Z18, "layout: adjacent", "layout: circular", ("layout", "not known")),
        (Z18, "variable: recoil_pt_gev", "variable: pt", ("cuts", "not known")),
        (Z18, ", above: 0.8}", "}", ("cuts", "needs a bound")),
        (Z18, "[0.5, 0.262]", "[0.5, 0.0]", ("widths", "not more than 0")),
        (
            Z18,
            "high_gev: 8.0",
            "high_gev: 18.0",
            ("high_gev", "cannot be made"),
        ),
        (
            Z18,
            "tracking: 0.04",
            "tracking: -0.04",
            ("tracking", "not more than"),
        ),
        (Z18, "lepton: mu", "lepton: e", ("process", "choose one of")),
        (Z18, "figure: punzi", "figure: pinza", ("figure", "did you mean")),
        (Z20, "cuts: smooth", "cuts: stepped", ("optimise.figure", "cuts that are smooth")),
        (Z20, "cuts: smooth", "emptiness: 1.0", ("optimise.figure", "without emptiness")),
        (Z20, "recoil_pt_gev: [0.8", "recoil: [0.8", ("scan", "no column")),
        (Z18, ", above: 0.8}", ", along: m_ll_gev, above: [[2, 1], [1, 1]]}", ("cuts", "ascend")),
        (Z18, ", above: 0.8}", ", along: m_ll_gev, above: [[2, 1, 1]]}", ("cuts", "rows of")),
        (Z18, ", above: 0.8}", ", along: mass, above: [[2, 1]]}", ("along", "not known")),
        (Z20, "cuts: smooth", "cuts: bumpy", ("optimise.cuts", "not known")),
        (Z18, "emptiness: 1.0", "emptiness: -1.0", ("optimise.emptiness", "less than 0")),
        (
            "dark_higgsstrahlung",
            "figure: punzi",
            "masses_gev: [1]\n    figure: punzi",
            ("masses_gev", "unknown key"),
        ),
        (Z18, "flavours: mumu", "flavours: mumu\n  helicity: 1", ("helicity", "true or false")),
        (Z18, "misidentification: 0.3", "misidentification: 2", ("process", "outside")),
        ("dark_higgsstrahlung", "a: [3.0, 6.0]", "a: [6.0, 3.0]", ("ring", "ascend")),
        ("dark_higgsstrahlung", "0.02, 0.15", "0.02, 1.15", ("higgs_fractions", "more than")),
        ("zprime_lfv_2018", "[lfv_efficiency]", "[flavour]", ("benchmarks", "not known")),
        ("zprime_lfv_2018", "process: tau_pairs", "process: tau_pair", ("process", "did you mean")),
    ],
)
def test_a_bad_recoil_card_names_file_line_and_key(tmp_path, name, old, new, expected):
    text = (MODELS / f"{name}.yaml").read_text("utf-8")
    assert old in text
    path = tmp_path / "bad.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(CardError) as caught:
        read_card(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, line ")
    for words in expected:
        assert words in message


def test_cuts_that_follow_the_hypothesis_are_read(tmp_path):
    text = (MODELS / f"{Z20}.yaml").read_text("utf-8")
    path = tmp_path / "card.yaml"
    assert read_card(MODELS / f"{Z20}.yaml").settings.optimise.cuts == "smooth"
    assert "cuts: smooth" in text
    assert read_card(MODELS / f"{Z20}.yaml").settings.optimise.figure == "fit"
    text = text.replace("cuts: smooth", "").replace("figure: fit", "figure: punzi")
    path.write_text(text, "utf-8")
    assert read_card(path).settings.optimise.cuts == "stepped"
    assert read_card(path).settings.optimise.emptiness == 0.0
    assert read_card(MODELS / f"{Z18}.yaml").settings.optimise.emptiness == 1.0
    text = (MODELS / "dark_higgsstrahlung.yaml").read_text("utf-8")
    card = read_card(MODELS / "dark_higgsstrahlung.yaml")
    assert card.settings.optimise.scan["helicity_sine"][0] == 0.0
    assert card.settings.optimise.cuts == "smooth"
    assert card.settings.optimise.emptiness == 4.0
    assert "  helicity: true" in text
    path.write_text(text.replace("  helicity: true", "  helicity: false"), "utf-8")
    with pytest.raises(CardError, match="helicity_sine"):
        read_card(path)


def test_a_lower_bound_may_follow_a_column(tmp_path):
    text = (MODELS / f"{Z18}.yaml").read_text("utf-8")
    placed = ", along: recoil_mass_squared_gev2, above: [[1.0, 0.5], [9.0, 1.5]]}"
    assert "{variable: recoil_pt_gev, above: 0.8}" in text
    path = tmp_path / "placed.yaml"
    path.write_text(text.replace("recoil_pt_gev, above: 0.8}", f"recoil_pt_gev{placed}"), "utf-8")
    (cut,) = (c for c in read_card(path).settings.cuts if c.variable == "recoil_pt_gev")
    assert cut.along == ("recoil_mass_squared_gev2",)
    assert cut.bounds(np.array([0.0, 5.0, 20.0])).tolist() == [0.5, 1.0, 1.5]


def test_shipped_cuts_without_a_signal_follow_the_mass():
    """In e mu there is no signal to choose with: the bounds are those chosen in mu mu."""
    cuts = read_card(MODELS / "zprime_lfv_2018.yaml").settings.cuts
    followed = {cut.variable for cut in cuts if hasattr(cut, "along")}
    assert followed == {"recoil_pt_gev", "recoil_pt_lmax_gev", "recoil_pt_lmin_gev"}


def test_a_card_is_like_another_but_for_its_own_keys(tmp_path: Path) -> None:
    """Mappings are merged key by key, lists are replaced; places are those of each file."""
    (tmp_path / "base.yaml").write_text((MODELS / "alp.yaml").read_text("utf-8"), "utf-8")
    card = tmp_path / "card.yaml"
    card.write_text(
        "like: base.yaml\nname: other\ndetector: {photon_efficiency: 0.9}\nbenchmarks: []\n",
        "utf-8",
    )
    found, base = read_card(card), read_card(tmp_path / "base.yaml")
    assert (found.name, found.benchmarks) == ("other", ())
    assert found.detector.photon_efficiency == 0.9
    assert found.detector.position_rad == base.detector.position_rad
    assert (found.settings, found.signal, found.title) == (base.settings, base.signal, base.title)
    assert found.digest != base.digest
    for text, problem in (
        ("like: base.yaml\nluminosity_ipb: -1\n", "card.yaml, line 2: luminosity_ipb"),
        ("like: base.yaml\ncolour: 1\n", "unknown key"),
        ("like: ../base.yaml\n", "beside this card"),
        ("like: none.yaml\n", "none.yaml"),
        ("like: card2.yaml\n", "like another card itself"),
    ):
        (tmp_path / "card2.yaml").write_text("like: base.yaml\n", "utf-8")
        card.write_text(text, "utf-8")
        with pytest.raises(CardError, match=problem):
            read_card(card)


def test_a_card_that_is_like_another_is_no_start(tmp_path: Path) -> None:
    """A new search starts from the whole card."""
    with pytest.raises(OptionError, match=r"start from that one"):
        start_search(
            SearchStartRequest(
                name="mine", like=str(MODELS / "b_to_k_scalar_ee.yaml"),
                output=str(tmp_path / "mine.yaml"),
            )
        )  # fmt: skip
