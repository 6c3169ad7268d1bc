"""The section of a card that says which events are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.errors import OptionError
from darkstats.searches.declared_selection import DeclaredSelection, ObjectClass
from darkstats.simulation.b_candidates import BCandidateSelection
from darkstats.simulation.displaced_pairs import DisplacedPairSelection
from darkstats.simulation.selection import DileptonRecoilSelection, ThreePhotonSelection
from darkstats.simulation.single_photon import SinglePhotonSelection

if TYPE_CHECKING:
    from darkstats.searches.card_file import Entry
    from darkstats.simulation.selection import Selection

__all__ = ["read_selection"]

_KINDS = (
    "three_photons",
    "dilepton_recoil",
    "displaced_pair",
    "b_candidate",
    "single_photon",
    "declared",
)


def read_selection(entry: Entry) -> Selection:
    """Return the selection of a card.

    Raises
    ------
    CardError
        With file, line and key.
    """
    kind = entry["kind"].text(choices=_KINDS)
    if kind == "declared":
        return _declared(entry)
    if kind == "b_candidate":
        names = ("min_momentum_gev", "min_photon_energy_gev")
        entry.keys(required=("kind",), optional=names)
        found = {name: entry[name].number(above=0.0) for name in names if name in entry}
        return BCandidateSelection(**found)
    if kind == "displaced_pair":
        names = ("min_photon_energy_gev", "min_momentum_gev")
        entry.keys(required=("kind",), optional=names)
        found = {name: entry[name].number(above=0.0) for name in names if name in entry}
        return DisplacedPairSelection(**found)
    theta = _range(entry["theta_range_deg"]) if "theta_range_deg" in entry else None
    if kind == "single_photon":
        entry.keys(required=("kind",), optional=("min_energy_gev", "theta_range_deg"))
        least = entry["min_energy_gev"].number(above=0.0) if "min_energy_gev" in entry else 1.0
        return SinglePhotonSelection(min_energy_gev=least, theta_range_deg=theta or (37.3, 123.7))
    if kind == "three_photons":
        entry.keys(
            required=("kind",), optional=("min_energy_gev", "theta_range_deg", "conversion_rad")
        )
        threshold = entry["min_energy_gev"].number(above=0.0) if "min_energy_gev" in entry else 0.65
        return ThreePhotonSelection(
            min_energy_gev=threshold,
            theta_range_deg=theta or (37.3, 123.7),
            conversion_rad=_pair_of_angles(entry),
        )
    entry.keys(
        required=("kind", "flavours"), optional=("min_momentum_gev", "theta_range_deg", "helicity")
    )
    threshold = entry["min_momentum_gev"].number(above=0.0) if "min_momentum_gev" in entry else 0.7
    return DileptonRecoilSelection(
        flavours=entry["flavours"].text(choices=("mumu", "emu")),
        min_momentum_gev=threshold,
        theta_range_deg=theta or (45.0, 125.0),
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
