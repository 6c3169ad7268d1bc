"""What compiled likelihoods share: parameters, data of their own, and how either is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from darkstats.model.observation import Observation
from darkstats.model.parameters import Parameter, ParameterTable
from darkstats.provenance import digest_of

__all__ = ["CompiledModel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledModel(ParameterTable):
    """A likelihood with its parameters and data. Equal if the digests are.

    Parameters
    ----------
    digest
        SHA-256 of all that the likelihood depends on.
    parameters
        In order.
    poi_index
        Place of the parameter of interest; None if there is none.
    observation
        Data of its own.
    """

    digest: str
    parameters: tuple[Parameter, ...] = field(compare=False, repr=False)
    poi_index: int | None = field(compare=False)
    observation: Observation = field(compare=False, repr=False)

    def with_poi(self, name: str) -> Self:
        """Return the same likelihood with another parameter of interest.

        Examples
        --------
        >>> import darkstats
        >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
        >>> model = darkstats.compile_workspace(workspace)
        >>> model.with_poi("background_bins[0]").poi_name
        'background_bins[0]'
        """
        index = self.parameter_index(name)
        return replace(self, poi_index=index, digest=digest_of({"base": self.digest, "poi": name}))

    def with_observation(self, observation: Observation) -> Self:
        """Return the same likelihood with other data of its own.

        Examples
        --------
        >>> import darkstats
        >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
        >>> model = darkstats.compile_workspace(workspace)
        >>> asimov = model.asimov(model.inits)
        >>> round(darkstats.upper_limit(model.with_observation(asimov), asimov).observed, 3)
        2.365
        """
        return replace(self, observation=observation)

    def with_parameters(self, parameters: Sequence[Parameter]) -> Self:
        """Return the same likelihood with other starting values and ranges."""
        return replace(self, parameters=tuple(parameters))

    def with_range(self, name: str, lower: float, upper: float) -> Self:
        """Return the same likelihood with another range of one parameter; infinity is allowed.

        Examples
        --------
        >>> import darkstats
        >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
        >>> model = darkstats.compile_workspace(workspace)
        >>> model.with_range("mu", 0.0, 5.0).upper
        array([ 5., 10., 10.])
        """
        index = self.parameter_index(name)
        changed = replace(self.parameters[index], lower=lower, upper=upper)
        parameters = (*self.parameters[:index], changed, *self.parameters[index + 1 :])
        digest = digest_of({"base": self.digest, "range": [name, repr(lower), repr(upper)]})
        return replace(self, parameters=parameters, digest=digest)
