"""Ranges that would be cut into too many windows are refused before any is made."""

from pathlib import Path

import pytest

from darkstats.errors import CardError, OptionError
from darkstats.searches.card import read_card
from darkstats.searches.recoil_hunt import RecoilHunt
from darkstats.searches.recoil_windows import RecoilWidths


def hunt(width_gev2: float, layout: str = "sliding", **more: float) -> RecoilHunt:
    return RecoilHunt(
        luminosity_ipb=1.0,
        asimov=True,
        layout=layout,
        first_gev=1.0,
        high_gev=6.0,
        widths=RecoilWidths(points=((1.0, width_gev2), (6.0, width_gev2))),
        variable="m_mumu_squared_gev2",
        **more,
    )


@pytest.mark.parametrize("layout", ["sliding", "adjacent"])
def test_a_mass_in_place_of_its_square_is_refused_before_windows_are_made(layout):
    # 35 GeV^2 in steps of 5 MeV: 8 x 7000 fine bins.
    with pytest.raises(OptionError, match=r"column m_mumu_squared_gev2.*5\.6e\+04 fine") as caught:
        hunt(0.005, layout).centres_gev2()
    assert "mass_squared(...)" in str(caught.value)
    assert "1 to 36 GeV^2 (first_gev 1 to high_gev 6)" in str(caught.value)


def test_steps_that_are_too_short_are_refused():
    with pytest.raises(OptionError, match=r"3.5e\+05 windows"):
        hunt(0.1, step_sigma=0.001).centres_gev2()


def test_the_largest_number_of_bins_is_allowed():
    # 35 / 0.0141 x 8 = 19,858
    centres, _ = hunt(0.0141, step_sigma=20.0).centres_gev2()
    assert len(centres) == int(35 / 0.282) + 1
    with pytest.raises(OptionError, match="fine bins"):
        hunt(0.0139, step_sigma=20.0).centres_gev2()


def test_a_cut_whose_bounds_are_swapped_is_refused_with_its_line(tmp_path: Path) -> None:
    text = Path("models/zprime_mumu.yaml").read_text("utf-8")
    assert "  cuts:\n" in text
    variable = text.split("  cuts:\n")[1].split("variable: ")[1].split(",")[0]
    cut = f"    - {{variable: {variable}, above: 11.0, below: 10.2}}\n"
    path = tmp_path / "swapped.yaml"
    path.write_text(text.replace("  cuts:\n", "  cuts:\n" + cut, 1), "utf-8")
    with pytest.raises(CardError, match=r"no number is above 11 and below 10\.2") as caught:
        read_card(path)
    assert "swap above and below" in str(caught.value)
    assert "swapped.yaml, line" in str(caught.value)
