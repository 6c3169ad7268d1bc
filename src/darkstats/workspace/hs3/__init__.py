"""HS3 documents of likelihoods, and the files of their events.

``document`` reads, checks and writes; ``checks`` are the rules, ``expressions`` the language of
generic functions, ``building`` makes documents, ``event_files`` reads what they are fitted to.
"""

from darkstats.workspace.hs3.document import (
    HS3_VERSION,
    Hs3Analysis,
    Hs3Channel,
    Hs3Document,
    Hs3Parameter,
    looks_like_hs3,
    read_hs3,
    write_hs3,
)

__all__ = [
    "HS3_VERSION",
    "Hs3Analysis",
    "Hs3Channel",
    "Hs3Document",
    "Hs3Parameter",
    "looks_like_hs3",
    "read_hs3",
    "write_hs3",
]
