"""The section of a card that says which events are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.errors import OptionError
from darkstats.searches.declared_selection import DeclaredSelection, ObjectClass
from darkstats.simulation.b_candidates import BCandidateSelection
from darkstats.simulation.displaced_pairs import DisplacedPairSelection
from darkstats.simulation.muons_and_tracks import MuonsAndTracksSelection
from darkstats.simulation.selection import DileptonRecoilSelection, ThreePhotonSelection
from darkstats.simulation.single_photon import SinglePhotonSelection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from darkstats.searches.card_file import Entry
    from darkstats.simulation.selection import Selection

__all__ = ["read_selection"]


def read_selection(entry: Entry) -> Selection:
    """Return the selection of a card.

    Raises
    ------
    CardError
        With file, line and key.
    """
    return _READERS[entry["kind"].text(choices=tuple(_READERS))](entry)


def _numbers(entry: Entry, *names: str) -> dict[str, float]:
    """Those of these keys that are there, all above zero."""
    return {name: entry[name].number(above=0.0) for name in names if name in entry}


def _theta(entry: Entry, usual: tuple[float, float]) -> tuple[float, float]:
    return _range(entry["theta_range_deg"]) if "theta_range_deg" in entry else usual


def _b_candidate(entry: Entry) -> Selection:
    names = ("min_momentum_gev", "min_photon_energy_gev")
    entry.keys(required=("kind",), optional=names)
    return BCandidateSelection(**_numbers(entry, *names))


def _displaced_pair(entry: Entry) -> Selection:
    names = ("min_photon_energy_gev", "min_momentum_gev")
    entry.keys(required=("kind",), optional=names)
    return DisplacedPairSelection(**_numbers(entry, *names))


def _muons_and_tracks(entry: Entry) -> Selection:
    names = ("min_momentum_gev", "min_track_pt_gev")
    fakes = "pion_misidentification"
    entry.keys(required=("kind",), optional=(*names, "theta_range_deg", fakes))
    found = _numbers(entry, *names)
    if fakes in entry:
        found[fakes] = entry[fakes].number(low=0.0, high=1.0)
    return MuonsAndTracksSelection(theta_range_deg=_theta(entry, (25.0, 150.0)), **found)


def _single_photon(entry: Entry) -> Selection:
    entry.keys(required=("kind",), optional=("min_energy_gev", "theta_range_deg"))
    return SinglePhotonSelection(
        theta_range_deg=_theta(entry, (37.3, 123.7)), **_numbers(entry, "min_energy_gev")
    )


def _three_photons(entry: Entry) -> Selection:
    entry.keys(required=("kind",), optional=("min_energy_gev", "theta_range_deg", "conversion_rad"))
    return ThreePhotonSelection(
        min_energy_gev=_numbers(entry, "min_energy_gev").get("min_energy_gev", 0.65),
        theta_range_deg=_theta(entry, (37.3, 123.7)),
        conversion_rad=_pair_of_angles(entry),
    )


def _dilepton_recoil(entry: Entry) -> Selection:
    entry.keys(
        required=("kind", "flavours"), optional=("min_momentum_gev", "theta_range_deg", "helicity")
    )
    return DileptonRecoilSelection(
        flavours=entry["flavours"].text(choices=("mumu", "emu")),
        min_momentum_gev=_numbers(entry, "min_momentum_gev").get("min_momentum_gev", 0.7),
        theta_range_deg=_theta(entry, (45.0, 125.0)),
        helicity=entry["helicity"].flag() if "helicity" in entry else False,
    )


def _range(entry: Entry) -> tuple[float, float]:
    items = entry.items()
    if len(items) != 2:
        entry.fail(f"expected two numbers, found {len(items)}")
    low, high = (item.number() for item in items)
    if not low < high:
        entry.fail(f"the range from {low:g} to {high:g} is empty")
    return low, high


def _pair_of_angles(entry: Entry) -> tuple[float, float]:
    """Least differences in polar angle and azimuth of two photons; (0, 0) where none is given."""
    if "conversion_rad" not in entry:
        return 0.0, 0.0
    items = entry["conversion_rad"].items()
    if len(items) != 2:
        entry["conversion_rad"].fail("expected differences in polar angle and in azimuth, rad")
    first, second = (item.number(above=0.0) for item in items)
    return first, second


def _object(name: str, entry: Entry) -> ObjectClass:
    entry.keys(
        required=("particles", "count"),
        optional=("min_momentum_gev", "min_energy_gev", "theta_range_deg", "identified"),
    )
    least = next((entry[k] for k in ("min_momentum_gev", "min_energy_gev") if k in entry), None)
    try:
        return ObjectClass(
            name=name,
            pdg_ids=tuple(int(one.number()) for one in entry["particles"]),
            count=entry["count"].whole(low=1),
            min_momentum_gev=0.0 if least is None else least.number(low=0.0),
            theta_range_deg=_range(entry["theta_range_deg"])
            if "theta_range_deg" in entry
            else (0.0, 180.0),
            identified=entry["identified"].flag() if "identified" in entry else True,
        )
    except OptionError as error:
        entry.fail(str(error))


def _declared(entry: Entry) -> DeclaredSelection:
    entry.keys(
        required=("kind", "objects", "columns"), optional=("rows", "veto_tracks", "veto_photons")
    )
    objects = tuple(_object(name, one) for name, one in entry["objects"].mapping().items())
    rows = entry["rows"].mapping() if "rows" in entry else {}
    vetoes = {name: entry[name].flag() for name in ("veto_tracks", "veto_photons") if name in entry}
    columns = entry["columns"].mapping()
    for name, column in columns.items():
        if not name.isidentifier():
            column.fail(f"{name!r} is no name of a column", "use letters, digits and underscores")
    try:
        return DeclaredSelection(
            objects=objects,
            columns=tuple((name, column.text()) for name, column in columns.items()),
            rows=tuple((name, one.text()) for name, one in rows.items()),
            **vetoes,
        )
    except OptionError as error:
        entry.fail(str(error))


#: Reads the section of each kind.
_READERS: Mapping[str, Callable[[Entry], Selection]] = {
    "three_photons": _three_photons,
    "dilepton_recoil": _dilepton_recoil,
    "displaced_pair": _displaced_pair,
    "b_candidate": _b_candidate,
    "muons_and_tracks": _muons_and_tracks,
    "single_photon": _single_photon,
    "declared": _declared,
}
