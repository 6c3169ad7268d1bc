"""The verbs of the command line that run and keep a service."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from darkstats.workflows.verbs import Verb

__all__ = ["GROUPS", "VERBS"]

_HOME = "darkstats.service.commands"
_UPKEEP = "darkstats.service.upkeep"
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
        "serve backup": Verb(
            request="BackupRequest", task="backup", panel=_PANEL, home=_UPKEEP,
            file=False, figures=False,
            help="Write all that a service keeps to one file, while it runs.\n\n"
            "Example: darkstats serve backup monday.db",
        ),
        "serve restore": Verb(
            request="RestoreRequest", task="restore", panel=_PANEL, home=_UPKEEP,
            file=False, figures=False,
            help="Make a store of a backup, where there is none.\n\n"
            "Example: darkstats serve restore monday.db --store restored.db",
        ),
        "serve upgrade": Verb(
            request="UpgradeRequest", task="upgrade", panel=_PANEL, home=_UPKEEP,
            file=False, figures=False,
            help="Bring the store up to date with this version of darkstats, and check it.\n\n"
            "Example: darkstats serve upgrade",
        ),
    }
)  # fmt: skip

#: Verbs of several steps, with the words of their help.
GROUPS: Mapping[str, tuple[str, str]] = MappingProxyType({"serve": (_PANEL, VERBS["serve"].help)})
