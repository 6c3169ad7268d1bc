"""Earlier constraints: the catalogue, and readers of three formats that name what is wrong."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from darkstats.errors import DocumentError, OptionError
from darkstats.report.constraints.catalogue import catalogue, statements
from darkstats.report.constraints.csv_files import coupling_of, read_csv, read_header
from darkstats.report.constraints.curve import Constraint, Source
from darkstats.report.constraints.folder import INDEX, read_file, read_folder
from darkstats.report.constraints.text_files import read_axion_limits, read_darkcast
from darkstats.signals.axion_like_particle import coupling_igev
from darkstats.signals.benchmarks import BENCHMARKS

AXION = "# CMS PbPb https://arxiv.org/abs/1810.04602, 95% CL\n# Mass [eV]  g [GeV^-1]\n"
DARKCAST = "#  mass  lower  upper\n1.0e-2 1.0e-5 2.0e-3\n2.0e-2 2.0e-5 1.0e-3\n"
MODULE = '''
import darkcast
notes = """
This limit was extracted from figure 4. A 90% CL is used.
"""
bibtex = """
@article{Lees:2014xha,
 author = "Lees, J. P. and others",
 collaboration  = "BaBar",
 journal        = "Phys. Rev. Lett.",
 volume         = "113",
 year           = "2014",
 eprint         = "1406.2980"
}
"""
model = darkcast.Model("dark_photon")
raise SystemExit("this module must never run")
'''


def test_the_catalogue_is_sound() -> None:
    """Each entry has a source, a grade and a known coupling; keys are unique."""
    entries = [*catalogue(), *statements()]
    assert len(entries) > 10
    assert len({one.key for one in entries}) == len(entries)
    for one in entries:
        assert set(one.couplings) <= set(BENCHMARKS)
        assert one.source.citation
        assert one.source.read
        assert one.source.certainty in {"A", "B"}
        assert one.source.arxiv or one.source.citation.endswith(("(1988) 3375", "(1991) 341"))
    assert all(len(one.mass_gev) <= 21 for one in catalogue()), "short tables only"


def test_the_catalogue_is_chosen_by_coupling() -> None:
    """A constraint on one coupling is not shown for another."""
    assert {one.label for one in catalogue("lmu_ltau_invisible")} == {"Belle II 2018"}
    assert catalogue("dark_photon") == ()
    assert "belle2_dark_higgsstrahlung" in {one.key for one in statements("dark_higgsstrahlung")}


def test_the_catalogue_agrees_with_the_digitised_curves(reference_curves: Path) -> None:
    """Its coarse ALP curves lie within 5 % of the collections that they were read from."""
    shipped = {one.key: one for one in catalogue("alp_photon")}
    for key, file in (("lep_alp", "LEP"), ("opal_alp", "OPAL")):
        whole = read_csv(reference_curves / f"ALPphoton_AxionLimits_{file}.csv")
        for mass, value in zip(shipped[key].mass_gev, shipped[key].lower, strict=True):
            near = min(
                abs(math.log(value / g))
                for m, g in zip(whole.mass_gev, whole.lower, strict=True)
                if abs(math.log(m / mass)) < 0.05
            )
            assert near < 0.05, (key, mass)
    for key, file in (("e137_alp", "E137"), ("nucal_alp", "NuCal")):
        whole = read_csv(reference_curves / f"ALPphoton_{file}.csv")
        for mass, value in zip(shipped[key].mass_gev, shipped[key].lower, strict=True):
            near = min(
                math.hypot(math.log(m / mass), math.log(g / value))
                for m, g in zip(whole.mass_gev, whole.lower, strict=True)
            )
            assert near < 0.06, (key, mass)


def test_the_belle2_curve_is_the_mean_of_the_published_one(reference_curves: Path) -> None:
    """From 0.4 GeV on, the catalogue's curve is the mean that it claims to be, within 4 %.

    Geometric mean of the published limit on the cross section within 12 % in mass (0.6 GeV above
    4 GeV), converted at the mass. Couplings are given to three digits; which steps lie within the
    range is what may differ.
    """
    lines = (reference_curves / "BelleII_ALP_3gamma_2020_xsec_ALPaca.csv").read_text("utf-8")
    rows = [line.split(",") for line in lines.splitlines() if line[0].isdigit()]
    steps = [tuple(map(float, row)) for row in rows]
    (shipped,) = (one for one in catalogue("alp_photon") if one.key == "belle2_alp_2020")
    compared = 0
    for mass, value in zip(shipped.mass_gev, shipped.lower, strict=True):
        if mass >= 0.4:
            reach = max(0.12 * mass, 0.03) if mass < 4.0 else 0.6
            near = [
                math.log(coupling_igev(mass, sigma))
                for low, high, sigma in steps
                if abs(0.5 * (low + high) - mass) < reach
            ]
            assert value == pytest.approx(math.exp(sum(near) / len(near)), rel=0.04), mass
            compared += 1
    assert compared == 17


def test_axion_limits_text_is_converted_from_ev(tmp_path: Path) -> None:
    """Masses in eV become GeV; level and preprint are taken from the comments."""
    path = tmp_path / "CMS_PbPb.txt"
    path.write_text(AXION + "5e9\t1e-3\n2.0e10 1.4e-4\n")
    one = read_axion_limits(path)
    assert one.mass_gev == (5.0, 20.0)
    assert one.lower == (1e-3, 1.4e-4)
    assert (one.unit, one.couplings) == ("1/GeV", ("alp_photon",))
    assert (one.source.cl, one.source.arxiv) == (0.95, "1810.04602")
    assert one.label == "CMS PbPb"
    assert one.vertices(1.0) == ((5.0, 20.0, 20.0, 5.0), (1e-3, 1.4e-4, 1.0, 1.0))


def test_darkcast_text_with_its_module(tmp_path: Path) -> None:
    """Both ends are read; notes and BibTeX come from a module that is parsed, never run."""
    path = tmp_path / "BaBar_Lees2014xha.lmt"
    path.write_text(DARKCAST)
    path.with_suffix(".py").write_text(MODULE)
    one = read_darkcast(path)
    assert one.mass_gev == (1e-2, 2e-2)
    assert one.upper == (2e-3, 1e-3)
    assert one.couplings == ("dark_photon",)
    assert one.source.citation == "BaBar, Phys. Rev. Lett. 113 (2014)"
    assert (one.source.arxiv, one.source.cl) == ("1406.2980", 0.9)
    assert one.source.read.startswith("This limit was extracted from figure 4.")
    assert one.vertices(1.0) == ((1e-2, 2e-2, 2e-2, 1e-2), (1e-5, 2e-5, 1e-3, 2e-3))


def test_darkcast_text_with_a_bibtex_file(tmp_path: Path) -> None:
    """One-sided limits have no upper end; the entry may lie in a file of its own."""
    path = tmp_path / "KLOE.lmt"
    path.write_text("0.5 1e-3\n0.9 2e-3\n")
    path.with_suffix(".bibtex").write_text("@article{x, author = {Anastasi, A.}, year = 2015}")
    one = read_darkcast(path)
    assert one.upper is None
    assert one.source.citation == "Anastasi (2015)"
    assert one.source.cl is None
    assert one.source.level == "level not stated"


def test_csv_files_tell_quantity_level_and_shape(tmp_path: Path) -> None:
    """The name of the column says what is limited; a polygon encloses what is excluded."""
    path = tmp_path / "x.csv"
    path.write_text("# E137; polygon vertices\nmass_GeV,g_agg_UL95_GeV^-1\n0,1e-3\n1,1e-4\n")
    one = read_csv(path)
    assert (one.couplings, one.shape, one.source.cl) == (("alp_photon",), "outline", 0.95)
    assert one.mass_gev == (0.0, 1.0)
    path.write_text("mass_lo_GeV,mass_hi_GeV,gprime\n1,2,0.1\n2,4,0.3\n")
    steps = read_csv(path)
    assert steps.mass_gev == (1.0, 2.0, 2.0, 4.0)
    assert steps.lower == (0.1, 0.1, 0.3, 0.3)
    assert steps.couplings == ("lmu_ltau",)


@pytest.mark.parametrize(
    ("name", "text", "place", "words"),
    [
        ("a.txt", AXION + "1e9 nan\n2e9 1e-3\n", ", line 3", "'nan', which is no positive number"),
        ("a.txt", AXION + "1e9 1e-3\n2e9 -1e-3\n", ", line 4", "is '-1e-3'"),
        ("a.txt", AXION + "1e9 1e-3\n2e9 inf\n", ", line 4", "is 'inf'"),
        ("a.txt", AXION + "1e9 1e-3\n2e9\n", ", line 4", "has 1 columns, not 2"),
        ("a.txt", AXION + "1e9 1e-3 3\n", ", line 3", "has 3 columns, not 2 to 2"),
        ("a.txt", AXION + "1e9 1e-3\n", "", "1 points, too few for a curve"),
        ("a.txt", AXION + "1e25 1e-3\n1e26 1e-3\n", ", line 3", "beyond any collider"),
        ("a.lmt", DARKCAST + "3e-2 1e-3 1e-5\n", ", line 4", "lies below the lower end"),
        ("a.lmt", "# mass tau r\n1 2 3\n2 3 4\n", "", "its third column is not called upper"),
        ("a.csv", "mass_GeV,g_agg_GeV^-1\n1,nan\n2,1\n", ", line 2", "g_agg_GeV^-1 is 'nan'"),
        ("a.csv", "# x\nmass_GeV,g_agg_GeV^-1\n1,2,3\n", ", line 3", "has 3 of 2 columns"),
        ("a.csv", "mass_GeV,g_agg_GeV^-1\n1,2\n2e5,1\n", ", line 3", "are they in eV?"),
        ("a.csv", "mass_GeV,BR\n1,2\n2,1\n", ", line 1", "no mass and coupling"),
        ("a.csv", "# nothing\n", "", "has no line of column names"),
        ("a.json", "{}", "", "ends with .json"),
    ],
)  # fmt: skip
def test_a_faulty_file_names_file_line_and_remedy(
    tmp_path: Path, name: str, text: str, place: str, words: str
) -> None:
    """Whatever cannot be drawn is refused; nothing is skipped."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DocumentError) as refused:
        read_file(path)
    message = str(refused.value)
    assert message.startswith(f"{path}{place}: ")
    assert words in message
    assert refused.value.remedy or "too few" in message


def test_files_that_are_no_text(tmp_path: Path) -> None:
    """Bytes, a missing file, a broken module beside a limit."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DocumentError, match="no text in UTF-8"):
        read_file(path)
    with pytest.raises(DocumentError, match="cannot be read: No such file"):
        read_file(tmp_path / "missing.csv")
    limit = tmp_path / "b.lmt"
    limit.write_text(DARKCAST)
    limit.with_suffix(".py").write_text("model = (")
    with pytest.raises(DocumentError, match=r"b\.py, line 1: is no Python"):
        read_file(limit)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files of all three formats, and some about other things."""
    (tmp_path / "LEP.txt").write_text("1e9 1e-3\n2e9 1e-3\n")
    (tmp_path / "README.txt").write_text("Not a constraint.\n")
    (tmp_path / "alp.csv").write_text("mass_GeV,g_agg_GeV^-1\n1,1e-3\n2,1e-4\n")
    (tmp_path / "theta.csv").write_text("mass_GeV,sin_theta\n1,nan\n")
    (tmp_path / "dark.lmt").write_text(DARKCAST)
    return tmp_path


def test_a_folder_gives_what_is_about_the_coupling(folder: Path) -> None:
    """Files about something else are not even read; the others are all there."""
    found = read_folder(folder, "alp_photon")
    assert [one.key for one in found.constraints] == ["LEP.txt", "alp.csv"]
    assert found.others == 3
    assert [one.key for one in read_folder(folder, "dark_photon").constraints] == ["dark.lmt"]
    with pytest.raises(OptionError, match="none of its 5 files is about lmu_ltau"):
        read_folder(folder, "lmu_ltau")
    with pytest.raises(OptionError, match="there is no such folder"):
        read_folder(folder / "nowhere", "alp_photon")


def test_a_faulty_file_about_the_coupling_is_an_error(folder: Path) -> None:
    """It is never left out silently."""
    (folder / "alp.csv").write_text("mass_GeV,g_agg_GeV^-1\n1,1e-3\n2,nan\n")
    with pytest.raises(DocumentError, match=r"alp\.csv, line 3"):
        read_folder(folder, "alp_photon")
    (folder / INDEX).write_text("alp.csv: {leave_out: true}\n")
    assert [one.key for one in read_folder(folder, "alp_photon").constraints] == ["LEP.txt"]


def test_the_index_says_what_files_do_not(folder: Path) -> None:
    """Label, level, method, source and coupling travel with the curve."""
    (folder / INDEX).write_text(
        'LEP.txt: {label: LEP (here), cl: 0.95, method: CLs, arxiv: "1509.00476", citation: us}\n'
        "dark.lmt: {couplings: [lmu_ltau], projection: true}\n"
    )
    lep, _ = read_folder(folder, "alp_photon").constraints
    assert (lep.label, lep.source.cl, lep.source.method) == ("LEP (here)", 0.95, "CLs")
    assert (lep.source.arxiv, lep.source.citation) == ("1509.00476", "us")
    (dark,) = read_folder(folder, "lmu_ltau").constraints
    assert dark.projection


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing.txt: {}\n", "names nothing.txt, which is not in the folder"),
        ("LEP.txt: 3\n", "is no mapping"),
        ("LEP.txt: {colour: red}\n", "is no key of a constraint"),
        ("LEP.txt: {cl: high}\n", "is 'high', no float"),
        ("LEP.txt: {arxiv: 1509.00476}\n", "quote it"),
        ("LEP.txt: {cl: 95.0}\n", "a level lies between 0 and 1"),
        ("LEP.txt: {cl: 0.95\n", "is no YAML"),
        ("[1, 2]\n", "is no mapping of file names"),
    ],
)
def test_a_faulty_index_is_refused(folder: Path, text: str, words: str) -> None:
    """A misspelt key or name does not pass unnoticed."""
    (folder / INDEX).write_text(text)
    with pytest.raises(DocumentError, match=r"constraints\.yaml") as refused:
        read_folder(folder, "alp_photon")
    assert words in str(refused.value)


def test_impossible_constraints_are_refused() -> None:
    """Points, levels and grades are checked where a constraint is made."""
    source = Source(citation="x")

    def make(**changed: object) -> Constraint:
        facts: dict[str, object] = {
            "key": "k", "label": "l", "couplings": ("alp_photon",), "unit": None, "shape": "curve",
            "mass_gev": (1.0, 2.0), "lower": (1.0, 2.0), "source": source,
        }  # fmt: skip
        return Constraint(**{**facts, **changed})  # type: ignore[arg-type]  # faulty on purpose

    for changed, words in (
        ({"mass_gev": (1.0,), "lower": (1.0,)}, "two points or more"),
        ({"lower": (1.0, 2.0, 3.0)}, "two points or more in each column, got 2, 3"),
        ({"lower": (1.0, 0.0)}, "couplings are positive"),
        ({"mass_gev": (1.0, math.nan)}, "masses are numbers"),
        ({"mass_gev": (1.0, 1e9)}, "is no mass in GeV"),
        ({"shape": "outline", "upper": (3.0, 4.0)}, "an outline has no upper end"),
    ):
        with pytest.raises(OptionError, match=words):
            make(**changed)
    with pytest.raises(OptionError, match="none of A, B, C"):
        Source(citation="x", certainty="D")


def test_every_reference_curve_is_read_or_refused_with_a_reason(reference_curves: Path) -> None:
    """Constraints of the collection are read, other tables are told from them by their columns.

    One of them gives masses in eV under a heading in GeV: it is refused, naming file and line.
    """
    read, refused = {}, {}
    for path in sorted(reference_curves.glob("*.csv")):
        if coupling_of(read_header(path)) is None:
            with pytest.raises(DocumentError, match="no mass and coupling"):
                read_csv(path)
            continue
        try:
            read[path.name] = read_csv(path)
        except DocumentError as error:
            refused[path.name] = str(error)
    assert set(refused) == {"ALPphoton_BeamDump_combined.csv"}
    assert "line 46" in refused["ALPphoton_BeamDump_combined.csv"]
    assert "are they in eV?" in refused["ALPphoton_BeamDump_combined.csv"]
    assert len(read) >= 35
    belle2 = read["BelleII_ALP_3gamma_2020_gagg_AxionLimits.csv"]
    assert (len(belle2.lower), belle2.source.cl, belle2.shape) == (348, 0.95, "curve")
    assert read["BaBar_BKa_2022_gaW.csv"].source.cl == 0.9
