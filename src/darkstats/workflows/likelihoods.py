"""A likelihood that was read and compiled, with its data: what a statistical verb works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from darkstats.fit import FitOptions
    from darkstats.model import HistFactoryModel, Model, Observation
    from darkstats.model.combined.model import CombinedModel
    from darkstats.model.unbinned.model import UnbinnedModel
    from darkstats.report.provenance import Inputs
    from darkstats.report.sidecar import Sidecar
    from darkstats.workspace import Workspace
    from darkstats.workspace.hs3 import Hs3Document
    from darkstats.workspace.own_signals import OwnSignal

    EventModel: TypeAlias = UnbinnedModel | CombinedModel

__all__ = ["Likelihood"]

_PARTS = "ask pyhf and zfit for the parts that were combined"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Likelihood:
    """A compiled model, the data to confront it with, and where both come from.

    One of ``binned`` and ``events`` is there: the document that the model was compiled from, beside
    it. ``blind`` says whether the observation is Asimov data; ``notes`` hold what a reader has to
    know of the data, ``unbinned`` the fields of a record that only a model of events has.
    """

    model: Model
    observation: Observation
    inputs: Inputs
    sidecar: Sidecar
    options: FitOptions
    threads: int | None
    blind: bool = False
    binned: tuple[Workspace, HistFactoryModel] | None = None
    events: tuple[Hs3Document, EventModel] | None = None
    notes: tuple[str, ...] = ()
    unbinned: Mapping[str, Any] | None = None

    def histfactory(self, what: str) -> tuple[Workspace, HistFactoryModel]:
        """The workspace and the model, where they are HistFactory's.

        Raises
        ------
        OptionError
            The model is unbinned, or has events beside its bins; ``what`` says what needs the
            other kind.
        """
        if self.events is not None and self.events[1].bins_beside is not None:
            raise OptionError(f"{what} reads no events: {_PARTS}")
        if self.binned is None:
            raise OptionError(f"{what} needs a HistFactory workspace, not an unbinned model")
        return self.binned

    def unbinned_model(self) -> tuple[Hs3Document, UnbinnedModel]:
        """The document and the model, where it is unbinned.

        Raises
        ------
        OptionError
            It is HistFactory's, or has channels of it.
        """
        if self.events is None:
            raise OptionError("zfit is the referee of unbinned models: use --referee pyhf")
        document, model = self.events
        if model.bins_beside is not None:
            raise OptionError(f"no referee reads HistFactory channels beside events: {_PARTS}")
        return document, model.event_part

    @property
    def own_signal(self) -> OwnSignal | None:
        """What a patch says of a signal in the place of that of the search, if one does."""
        return None if self.binned is None else self.binned[0].own_signal

    @property
    def reference_cross_section_pb(self) -> float | None:
        """Cross section of signal strength 1, pb, as document or sidecar say it."""
        said = None if self.events is None else self.events[0].search
        stated: float | None = None if said is None else said.get("reference_cross_section_pb")
        return self.sidecar.reference_cross_section_pb if stated is None else stated

    @property
    def workspace_warnings(self) -> tuple[str, ...]:
        """What the linter found worth a look, and notes on the data."""
        if self.binned is None:
            return self.notes
        found = (str(one).removeprefix("warning ") for one in self.binned[0].warnings)
        return (*found, *self.notes)
