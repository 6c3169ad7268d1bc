"""What to cite: darkstats, the definitions it implements, the programs underneath."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkstats.provenance import package_version

if TYPE_CHECKING:
    from darkstats.workspace.json_values import JsonObject

__all__ = ["CITATIONS", "Citation", "bibtex", "citation_record"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A reference, and what in darkstats rests on it."""

    key: str
    kind: str
    use: str
    fields: tuple[tuple[str, str], ...]

    def bibtex(self) -> str:
        """Return the reference as a BibTeX entry."""
        lines = [f"  {name} = {{{value}}}," for name, value in self.fields]
        return "\n".join([f"% {self.use}", f"@{self.kind}{{{self.key},", *lines, "}"])


def _article(key: str, use: str, **fields: str) -> Citation:
    return Citation(key=key, kind="article", use=use, fields=tuple(fields.items()))


CITATIONS = (
    _article(
        "pyhf_joss",
        "HistFactory workspaces, their schema and digests; the referee",
        author="Heinrich, Lukas and Feickert, Matthew and Stark, Giordon and Cranmer, Kyle",
        title="{pyhf: pure-Python implementation of HistFactory statistical models}",
        journal="J. Open Source Softw.",
        volume="6",
        number="58",
        pages="2823",
        year="2021",
        doi="10.21105/joss.02823",
    ),
    Citation(
        key="HistFactory",
        kind="techreport",
        use="the statistical model",
        fields=(
            (
                "author",
                "Cranmer, Kyle and Lewis, George and Moneta, Lorenzo and Shibata, Akira and "
                "Verkerke, Wouter",
            ),
            (
                "title",
                "{HistFactory: A tool for creating statistical models for use with RooFit and "
                "RooStats}",
            ),
            ("number", "CERN-OPEN-2012-016"),
            ("year", "2012"),
            ("url", "https://cds.cern.ch/record/1456844"),
        ),
    ),
    _article(
        "Cowan:2010js",
        "asymptotic distributions, Asimov data, test statistics",
        author="Cowan, Glen and Cranmer, Kyle and Gross, Eilam and Vitells, Ofer",
        title="{Asymptotic formulae for likelihood-based tests of new physics}",
        journal="Eur. Phys. J. C",
        volume="71",
        pages="1554",
        year="2011",
        eprint="1007.1727",
        archivePrefix="arXiv",
        doi="10.1140/epjc/s10052-011-1554-0",
    ),
    _article(
        "Buckley:2018vdr",
        "simplified likelihoods",
        author="Buckley, Andy and Citron, Matthew and Fichet, Sylvain and Kraml, Sabine and "
        "Waltenberger, Wolfgang and Wardle, Nicholas",
        title="{The Simplified Likelihood Framework}",
        journal="JHEP",
        volume="04",
        pages="064",
        year="2019",
        eprint="1809.05548",
        archivePrefix="arXiv",
        doi="10.1007/JHEP04(2019)064",
    ),
    _article(
        "Read:2002hq",
        "CLs",
        author="Read, Alexander L.",
        title="{Presentation of search results: the CL(s) technique}",
        journal="J. Phys. G",
        volume="28",
        pages="2693--2704",
        year="2002",
        doi="10.1088/0954-3899/28/10/313",
    ),
    _article(
        "Feldman:1997qc",
        "--method fc",
        author="Feldman, Gary J. and Cousins, Robert D.",
        title="{A unified approach to the classical statistical analysis of small signals}",
        journal="Phys. Rev. D",
        volume="57",
        pages="3873--3889",
        year="1998",
        eprint="physics/9711021",
        archivePrefix="arXiv",
        doi="10.1103/PhysRevD.57.3873",
    ),
    _article(
        "Cowan:2011an",
        "--method pcl",
        author="Cowan, Glen and Cranmer, Kyle and Gross, Eilam and Vitells, Ofer",
        title="{Power-constrained limits}",
        year="2011",
        eprint="1105.3166",
        archivePrefix="arXiv",
    ),
    _article(
        "Baker:1983tu",
        "goodness of fit against the saturated model",
        author="Baker, Steve and Cousins, Robert D.",
        title="{Clarification of the use of chi-square and likelihood functions in fits to "
        "histograms}",
        journal="Nucl. Instrum. Meth.",
        volume="221",
        pages="437--442",
        year="1984",
        doi="10.1016/0167-5087(84)90016-4",
    ),
    _article(
        "James:1975dr",
        "MINUIT, through iminuit: the fallback minimiser",
        author="James, F. and Roos, M.",
        title="{Minuit: a system for function minimization and analysis of the parameter errors "
        "and correlations}",
        journal="Comput. Phys. Commun.",
        volume="10",
        pages="343--367",
        year="1975",
        doi="10.1016/0010-4655(75)90039-9",
    ),
)


def _software() -> Citation:
    return Citation(
        key="darkstats",
        kind="software",
        use="this program",
        fields=(
            ("author", "{The darkstats developers}"),
            ("title", "{darkstats: certified limits for dark-sector searches}"),
            ("version", package_version("darkstats") or "unreleased"),
        ),
    )


def bibtex() -> str:
    """Return all references as BibTeX, each with what it stands for."""
    return "\n\n".join(one.bibtex() for one in (_software(), *CITATIONS))


def citation_record() -> JsonObject:
    """Return all references as a record (``darkstats.citation/1``)."""
    return {
        "schema": "darkstats.citation/1",
        "references": [
            {"key": one.key, "kind": one.kind, "use": one.use, **dict(one.fields)}
            for one in (_software(), *CITATIONS)
        ],
    }
