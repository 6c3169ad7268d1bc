"""The verbs of the command line that run and keep a service."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from darkstats.workflows.verbs import Verb

__all__ = ["GROUPS", "VERBS"]

_HOME = "darkstats.service.commands"
_PANEL = "Service"

VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "serve": Verb(
            request="ServeRequest", task="serve", panel=_PANEL, home=_HOME,
            file=False, figures=False,
            help="Start a service: a web page and an HTTP API that answer what the command line "
            "answers.\n\n"
            "Example: darkstats serve --open",
        ),
        "serve token": Verb(
            request="TokenRequest", task="token", panel=_PANEL, home=_HOME,
            file=False, figures=False,
            help="Make, list and revoke the keys of a service.\n\n"
            "Example: darkstats serve token add anna",
        ),
    }
)  # fmt: skip

#: Verbs of several steps, with the words of their help.
GROUPS: Mapping[str, tuple[str, str]] = MappingProxyType({"serve": (_PANEL, VERBS["serve"].help)})
