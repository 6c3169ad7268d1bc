"""A card of a new search to start from: the nearest one there is, or a commented one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from darkstats.errors import OptionError
from darkstats.options import argument, option
from darkstats.workflows.outcome import Outcome, Shell

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["SearchStartRequest", "start_search"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")

_CARD = """\
# Search for a narrow resonance X in e+e- -> gamma X, X -> mu+mu-, simulated.
#
# Say beside every number where it comes from: [published], [computed], [choice].
# All keys: the reference page of cards. Try it: darkstats build {name}.yaml -o {name} --quick
name: {name}
title: Search for e+e- -> gamma X, X -> mu+mu-, simulated
kind: recoil_hunt                 # windows in a squared mass, here that of the two muons
luminosity_ipb: 1000              # [choice]
data: pseudo                      # drawn from the simulated spectrum: never real data

detector:
  veto_inefficiency: 0.003        # [choice] further photons above threshold that are missed
  lepton_efficiency: 0.95         # [choice]
  photon_efficiency: 0.95         # [choice]

selection:
  kind: declared                  # an event has these objects, and no other track or photon
  objects:
    mu_plus: {{particles: [-13], count: 1, min_momentum_gev: 0.7, theta_range_deg: [45, 125]}}
    mu_minus: {{particles: [13], count: 1, min_momentum_gev: 0.7, theta_range_deg: [45, 125]}}
    photon: {{particles: [22], count: 1, min_energy_gev: 0.5, theta_range_deg: [37.3, 123.7]}}
  columns:                        # numbers of four-vectors; beams is the sum of both
    m_mumu_squared_gev2: mass_squared(mu_plus + mu_minus)
    total_mass_gev: mass(mu_plus + mu_minus + photon)
    missing_energy_gev: energy(cm(beams - mu_plus - mu_minus - photon))
    cos_helicity: cos_angle(rest(mu_minus, mu_plus + mu_minus), cm(mu_plus + mu_minus))

backgrounds:
  - name: mumu_gamma
    process: radiative_muons      # exact at leading order, collinear radiation beside it
    settings:
      min_energy_gev: 0.4
      max_cosine: 0.95
      muon_theta_range_deg: [42.0, 128.0]
      min_muon_momentum_gev: 0.6
    events: {{full: 2000000, quick: 100000}}
    events_per_block: 100000

signal:
  process: photon_vector          # own events: lhe, with settings: {{path: "x_{{mass_gev}}.lhe"}}
  settings: {{decay: mumu}}
  masses_gev: [0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
  events: {{full: 100000, quick: 10000}}
  events_per_block: 10000

recoil_hunt:
  variable: m_mumu_squared_gev2
  variable_words: squared dimuon mass
  mass_label: m_x_gev
  layout: sliding
  first_gev: 1.0
  high_gev: 6.0
  window_sigma: 6.0
  step_sigma: 20.0                # narrower steps make more hypotheses: 1 to 2 in the end
  widths: simulated               # resolution of the squared mass, from the signals
  cuts:
    - {{variable: total_mass_gev, above: 10.2, below: 11.0}}
  smoothing_sigma: {{mumu_gamma: 3.0}}
  systematics:
    signal: {{efficiency: 0.05, luminosity: 0.01}}
    background: {{luminosity: 0.01}}
    mumu_gamma: {{mumu_gamma_yield: 0.10}}
  reference_pb: 0.01              # cross section of mu = 1

benchmarks: []                    # couplings of this very signal, from cross sections

statistics: {{method: cls, cl: 0.95}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchStartRequest:
    """A card to start from."""

    name: Annotated[str, argument("NAME", "Of the new search: letters, digits and _.")]
    like: Annotated[
        str | None,
        option(
            "--like", metavar="CARD", reads="file", usual="two muons beside a photon",
            help="Card of the nearest search, such as models/alp.yaml.",
        ),
    ] = None  # fmt: skip
    output: Annotated[
        str | None,
        option(
            "-o", "--output", metavar="FILE", writes=True, usual="NAME.yaml",
            help="Card to write; not overwritten.",
        ),
    ] = None  # fmt: skip

    def __post_init__(self) -> None:
        """Check the name.

        Raises
        ------
        OptionError
            It is none.
        """
        if not _NAME.fullmatch(self.name):
            raise OptionError(f"{self.name!r} is no name of a search: use letters, digits and _")


def start_search(request: SearchStartRequest, shell: Shell | None = None) -> Outcome[str]:
    """Write a card that builds as it is, to be changed.

    Raises
    ------
    OptionError
        The file is there already, or the card that it shall be like is like another one.
    CardError
        The card that it shall be like cannot be used.
    """
    from darkstats.report.records import SCHEMAS
    from darkstats.report.writing import write_text

    where = request.output or f"{request.name}.yaml"
    if Path(where).exists():
        raise OptionError(f"{where} is there already: name another file with -o")
    text = _CARD.format(name=request.name) if request.like is None else _like(request)
    write_text(where, text)

    def sheet() -> RenderableType:
        from darkstats.report.tables import sheet as table

        use = f"edit it, then: darkstats build {where} -o {request.name} --quick"
        return table(f"Card {where}", notes=[("use", use)])

    return Outcome(
        result=where,
        record=lambda: {"schema": SCHEMAS["template"], "files": [where], "notes": []},
        sheet=sheet,
    )


def _like(request: SearchStartRequest) -> str:
    """The text of another card with the new name."""
    from darkstats.searches.card import read_card

    path = Path(request.like or "")
    card = read_card(path)
    text = path.read_text("utf-8")
    if base := re.search(r"(?m)^like:\s*(\S+)", text):
        raise OptionError(f"{path} is like {base[1]}: start from that one")
    renamed = re.sub(r"(?m)^name:.*$", f"name: {request.name}", text, count=1)
    head = f"# Made of the card of {card.name}: check every number, and say where it is from.\n"
    return head + renamed
