"""Scan records for tests: made up, but with the shape of real ones; or from a patch set."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

Record = dict[str, Any]

#: Ratios of the five expected limits to the median: CLs at 90 %, Gaussian.
BAND = (0.509, 0.698, 1.0, 1.446, 2.003)
FAILURE = "no certified crossing of the confidence level"


def _bands(median: float, wiggle: float) -> Record:
    return {"observed": median * wiggle, "expected": [median * ratio for ratio in BAND]}


def point(name: str, values: list[float], median: float, phase: float, **couplings: Any) -> Record:
    """One hypothesis; ``phase`` moves the observed limit about the expected ones."""
    z = 2.2 * math.sin(phase)
    return {
        "name": name,
        "values": values,
        "status": "ok",
        "reason": None,
        "observed_reason": None,
        **_bands(median, math.exp(0.25 * z)),
        "mu_hat": max(0.3 * z, 0.0) * median,
        "p0": 0.5 * math.erfc(z / math.sqrt(2.0)),
        "significance": z,
        "signed_significance": z,
        "cross_section_fb": _bands(1e3 * median, math.exp(0.25 * z)),
        "couplings": {
            key: {"symbol": symbol, "unit": unit, **_bands(factor * median**0.5, math.exp(z / 8))}
            for key, (symbol, unit, factor) in couplings.items()
        },
    }


def failed(one: Record) -> Record:
    """The same hypothesis without a result."""
    none = {"observed": None, "expected": [None] * 5}
    return {
        **one,
        **none,
        "status": "failed",
        "reason": FAILURE,
        "observed_reason": FAILURE,
        "mu_hat": None,
        "p0": None,
        "significance": None,
        "signed_significance": None,
        "cross_section_fb": none,
        "couplings": {key: {**value, **none} for key, value in one["couplings"].items()},
    }


def _record(name: str, title: str, labels: list[str], points: list[Record], **facts: Any) -> Record:
    return {
        "schema": "darkstats.scan/1",
        "name": name,
        "title": title,
        "simulated": True,
        "data": "simulated: pseudo-data, fixed seed",
        "labels": labels,
        "method": "cls",
        "cl": 0.9,
        "calculator": "asymptotic",
        "luminosity_ipb": 445.0,
        "reference_cross_section_pb": 1.0,
        "poi_label": "cross section / 1 pb",
        "collision": {"sqrt_s_gev": 10.583005244258363, "beams": "e+ e-"},
        "points": points,
        "provenance": {},
        **facts,
    }


def alp(n: int = 60, *, without: tuple[int, ...] = ()) -> Record:
    """A scan over one mass, with hypotheses ``without`` a result."""
    points = []
    for k in range(n):
        mass = 0.2 * (9.7 / 0.2) ** (k / (n - 1))
        median = 0.05 * (1.0 + mass) / (1.0 - (mass / 10.583) ** 2)
        one = point(f"m_{k}", [mass], median, 0.9 * k, alp_photon=("g_agg", "1/GeV", 2.7e-3))
        points.append(failed(one) if k in without else one)
    title = "Search for axion-like particles in three-photon events, 445 pb^-1, simulated"
    return _record("alp", title, ["m_a_gev"], points, cl=0.95)


LOW = (2, 5)  # of low_counts(): hypotheses with an asymptotic limit below that of no event


def low_counts() -> Record:
    """A short ALP scan; what holds at low counts is three times as high as the asymptotic limit."""

    def raised(value: Record) -> Record:
        held = [3.0 * limit for limit in value["expected"]]
        return {"observed": 3.0 * value["observed"], "expected": held}

    found = alp(n=12)
    for k in LOW:
        point = found["points"][k]
        fb, coupling = point["cross_section_fb"], point["couplings"]["alp_photon"]
        point["low_counts"] = {**raised(point), "cross_section_fb": raised(fb)}
        coupling["low_counts"] = raised(coupling)
    return found


def zprime(luminosity_ipb: float = 276.0, n: int = 30) -> Record:
    """A scan over one mass with a second set of windows, told apart by a label."""
    points = []
    for k in range(n):
        mass = 0.5 + 7.0 * k / (n - 1)
        median = (276.0 / luminosity_ipb) ** 0.5 * (1.0 + math.exp(mass - 6.0))
        couplings = {
            "lmu_ltau_invisible": ("g'", None, 0.04 * math.exp(mass / 3.0)),
            "lmu_ltau": ("g'", None, 0.06 * math.exp(mass / 3.0)),
        }
        points.append(point(f"m_{k}", [mass, k % 2], median, 0.7 * k, **couplings))
    points = points[::2] + points[1::2]  # as patch sets list them: one set, then the other
    title = (
        f"Search for an invisible Z', e+e- -> mu+mu- and missing energy, {luminosity_ipb:g} pb^-1"
    )
    labels = ["m_zprime_gev", "shifted"]
    facts = {"luminosity_ipb": luminosity_ipb, "benchmarks": ["lmu_ltau_invisible", "lmu_ltau"]}
    return _record("zprime", title, labels, points, **facts)


def plane(columns: int = 12, *, without: tuple[int, ...] = ()) -> Record:
    """A scan over two masses, in columns of the first one."""
    points = []
    for j in range(columns):
        heavy = 4.0 + 0.5 * j
        light = 0.1
        while light < min(heavy, 10.5 - heavy):
            couplings = {"dark_higgsstrahlung": ("eps^2 alpha_D", None, 1e-7 * (1.0 + light))}
            name = f"ma_{j}_mh_{len(points)}"
            one = point(name, [heavy, light], 1.0 + 0.1 * j, 1.3 * len(points), **couplings)
            points.append(failed(one) if len(points) in without else one)
            light += 0.35 - 0.01 * j
    title = "Search for dark Higgsstrahlung, e+e- -> A' h', 8.34 fb^-1, simulated"
    labels = ["m_dark_photon_gev", "m_dark_higgs_gev"]
    return _record("dark_higgsstrahlung", title, labels, points, luminosity_ipb=8340.0)


def predicted_plane(*, without: tuple[int, ...] = ()) -> Record:
    """A plane of a model that predicts its cross section: a signal strength of 1 means it.

    The masses are no grid: columns are of unlike lengths and steps, one ends before its neighbours,
    and one has a single hypothesis. The median limit is 1 where the heavier mass is 600 and the
    lighter one 0, and grows with both.
    """
    columns = {
        150.0: (0.0,), 200.0: (0.0, 50.0), 300.0: (0.0, 50.0, 100.0, 150.0),
        400.0: (0.0, 50.0, 150.0, 250.0), 500.0: (0.0, 100.0, 150.0),
        550.0: (0.0, 100.0, 200.0, 300.0), 650.0: (0.0, 100.0, 200.0, 300.0, 400.0),
        800.0: (0.0, 150.0, 300.0, 450.0), 1000.0: (0.0, 200.0, 400.0),
    }  # fmt: skip
    points = []
    for heavy, lights in columns.items():
        for light in lights:
            median = math.exp((heavy - 600.0) / 150.0 + light / 120.0)
            one = point(f"C1_{heavy:g}_N1_{light:g}", [heavy, light], median, 0.7 * len(points))
            points.append(failed(one) if len(points) in without else one)
    for one in points:
        del one["cross_section_fb"]
    return _record(
        "electroweakinos", "Search for electroweakinos, 139 fb^-1", ["m_c1_gev", "m_n1_gev"],
        points, cl=0.95, luminosity_ipb=139e3, reference_cross_section_pb=None, poi_label=None,
    )  # fmt: skip


def projection(systematics: str = "same") -> Record:
    """A record of projections to two luminosities, with its statement on systematic errors."""
    statements = {
        "same": "relative systematic errors stay as they are",
        "statistical": "relative systematic errors fall with the square root of the luminosity",
    }
    blind = {"observed": None, "observed_reason": "blinded", "p0": None}
    scans = []
    for luminosity_ipb in (9e3, 5e4):
        scan = zprime(luminosity_ipb)
        scan["title"] += f"; projected to {luminosity_ipb / 1e3:g} fb^-1"
        scan["points"] = [{**point, **blind} for point in scan["points"]]
        for point in scan["points"]:
            for coupling in point["couplings"].values():
                coupling["observed"] = None
        scans.append(scan)
    return {
        "schema": "darkstats.projection/1",
        "name": "zprime",
        "simulated": True,
        "systematics": systematics,
        "systematics_statement": statements[systematics],
        "scans": scans,
    }


def from_patchset(folder: Path, *, step: int = 1, cl: float = 0.95) -> Record:
    """A record from the likelihoods themselves: every ``step``-th point of a patch set."""
    import darkstats

    base, patches = folder / "background_only.json", folder / "patchset.json"
    patchset = darkstats.read_patchset(patches)
    points = []
    for one in list(patchset)[::step]:
        workspace = darkstats.read_workspace(base, patchset=patches, point=one.name)
        model = darkstats.compile_workspace(workspace)
        limit = darkstats.upper_limit(model, model.observation, cl=cl, probe=False, scan_points=0)
        found = darkstats.significance(model, model.observation, uncapped=True)
        assert found.p0 is not None
        points.append(
            {
                "name": one.name,
                "values": list(one.values),
                "status": "ok",
                "reason": None,
                "observed": limit.observed,
                "observed_reason": None,
                "expected": list(limit.expected),
                "mu_hat": limit.mu_hat,
                "p0": found.p0.value,
                "significance": found.observed,
                "signed_significance": found.observed,
                "couplings": {},
            }
        )
    title = "Bump hunt, simulated"
    labels = [label if label.endswith("_gev") else f"{label}_gev" for label in patchset.labels]
    return _record("bump_hunt", title, labels, points, cl=cl, luminosity_ipb=None)


def global_significance(z_local: float = 2.9) -> Record:
    """A record of global significance with four methods and counted up-crossings."""
    levels = [0.5 + 0.75 * k for k in range(12)]
    means = [60.0 * math.exp(-0.5 * u) for u in levels]
    curve = [0.5 + 0.3 * k for k in range(50)]
    law = [60.0 * math.exp(-0.5 * u) for u in curve]
    p = 0.5 * math.erfc(z_local / math.sqrt(2.0))
    return {
        "schema": "darkstats.global/1",
        "name": "alp",
        "title": "Search for axion-like particles in three-photon events, 445 pb^-1, simulated",
        "simulated": True,
        "z_local": z_local,
        "p_local": p,
        "levels": [
            {"z_global": 1.0, "p_local": 2.8e-4},
            {"z_global": 2.0, "p_local": 3.5e-5},
            {"z_global": 3.0, "p_local": 1.9e-6},
        ],
        "up_crossings": {
            "levels_u": levels,
            "means": means,
            "errors": [0.06 * mean for mean in means],
            "used": [k < 8 for k in range(12)],
            "curve_u": curve,
            "curve": law,
            "curve_low": [0.94 * value for value in law],
            "curve_high": [1.06 * value for value in law],
            "observed_u": z_local**2,
        },
        "methods": [
            _method("toys", 0.43, 0.005, 0.18),
            _method("up-crossings", 0.52, 0.03, -0.05),
            _method("covariance", 0.45, 0.01, 0.13, valid=False, extrapolated=True),
            {**_method("Euler characteristic", None, None, 1.9), "p_global_below": 0.03},
        ],
    }


def _method(
    name: str, p: float | None, error: float | None, z: float, *, valid: bool = True,
    extrapolated: bool = False,
) -> Record:  # fmt: skip
    return {
        "method": name,
        "p_global": p,
        "p_global_error": error,
        "p_global_below": None,
        "z_global": z,
        "valid": valid,
        "extrapolated": extrapolated,
        "reasons": [],
    }


def regions(*names: str) -> list[Record]:
    """Scans of one irregular grid of three masses by several regions, with limits and with CLs.

    Each region is strongest at masses of its own. The limit on the signal strength is 1 where CLs
    at strength 1 is 0.05. Every hypothesis has ``m_dm`` = 60, or lies 130 below ``m_heavy2``.
    """
    places = [
        (float(heavy), float(second), 60.0)
        for k, heavy in enumerate(range(400, 1300, 100))
        for second in range(210 + 10 * (k % 3), heavy, 130)
    ]
    places += [(float(heavy), second, second - 130.0) for heavy in range(400, 1300, 200)
               for second in (135.0, 240.0, 370.0)]  # fmt: skip
    found = []
    for n, name in enumerate(names):
        points = []
        for k, (heavy, second, dark) in enumerate(places):
            strongest = 500.0 + 300.0 * n
            median = math.exp((heavy - 850.0) / 200.0 + ((second - strongest) / 400.0) ** 2)
            one = point(f"sb_{heavy:g}_{second:g}_{dark:g}", [heavy, second, dark], median, 0.7 * k)
            one["CLs_obs"] = 0.05 ** (1.0 / one["observed"])
            one["CLs_exp"] = [0.05 ** (1.0 / limit) for limit in one["expected"]]
            del one["cross_section_fb"]
            points.append(one)
        found.append(
            _record(
                name, f"Search for heavy squarks, region {name}", ["m_heavy_gev", "m_heavy2_gev",
                "m_dm_gev"], points, cl=0.95, reference_cross_section_pb=None, poi_label=None,
                provenance={"inputs_sha256": f"{n:064x}"},
            )
        )  # fmt: skip
    return found
