"""Limits that are to be recast, of whatever file they come in."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError, OptionError
from darkstats.signals.mediators import MEDIATORS
from darkstats.signals.productions import PRODUCTIONS
from darkstats.workflows.recast_checks import require_same_search, require_sigma

if TYPE_CHECKING:
    from darkstats.reinterpret.recast_searches import Limit
    from darkstats.report.recasts import GivenLimit
    from darkstats.report.scan_table import Limits, ScanTable
    from darkstats.workflows.recast_requests import RecastRequest

__all__ = ["GivenLimits", "read_limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenLimits:
    """Limits by curve, with what they are; why there is none; upper ends by mass."""

    limit: GivenLimit
    curves: Mapping[str, Sequence[tuple[float, Limit | None]]]
    reasons: Mapping[float, str] = field(default_factory=dict)
    upper: Mapping[float, float] = field(default_factory=dict)
    table: ScanTable | None = None


def _digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _level(request: RecastRequest, known: float | None) -> float:
    """The level of the limit, said once."""
    if known is None:
        if request.cl is None:
            raise OptionError(f"{request.limit} does not say its level: give it with --cl")
        return request.cl
    if request.cl is not None and not math.isclose(request.cl, known, abs_tol=1e-9):
        raise OptionError(f"--cl {request.cl:g}: {request.limit} says {known:g}; leave --cl out")
    return known


def _rate_unit(request: RecastRequest, unit: str) -> None:
    wanted = PRODUCTIONS[request.production].unit
    if wanted == unit:
        return
    names = {"pb": "a cross section", "1": "branching fractions", None: "no absolute rate"}
    raise OptionError(
        f"{request.limit} limits {names[unit]}, and production {request.production} has "
        f"{names[wanted]}: choose another --production, or name the mediator with --from"
    )


def read_limits(request: RecastRequest) -> GivenLimits:
    """Read the file of the limit: a record, a curve, or a table of rates.

    Raises
    ------
    DocumentError
        It cannot be used.
    OptionError
        It does not go with the mediator or the production that is asked for.
    """
    ending = Path(request.limit).suffix.lower()
    if ending in {".yaml", ".yml"}:
        return _of_rates(request)
    if ending in {".csv", ".txt", ".lmt"}:
        from darkstats.reinterpret.recast_files import is_rates

        return _of_rates(request) if is_rates(request.limit) else _of_curve(request)
    return _of_record(request)


def _of_rates(request: RecastRequest) -> GivenLimits:
    from darkstats.reinterpret.hepdata_tables import read_rate_table
    from darkstats.reinterpret.recast_files import read_rates
    from darkstats.report.constraints.curve import Source
    from darkstats.report.numbers import level_words
    from darkstats.report.recasts import GivenLimit

    is_csv = Path(request.limit).suffix.lower() == ".csv"
    found = (read_rates if is_csv else read_rate_table)(request.limit)
    if request.source is not None:
        raise OptionError(
            f"{request.limit} limits a rate, not the coupling of {request.source}: leave --from out"
        )
    _rate_unit(request, found.unit)
    cl = _level(request, found.cl)
    quantity = "branching fraction" if found.unit == "1" else "cross section"
    limit = GivenLimit(
        source=request.limit, sha256=_digest(request.limit), words=found.words, cl=cl,
        level=(
            level_words("bayes", cl) if found.is_credible
            else Source(citation=request.limit, cl=cl).level
        ),
        quantity=quantity, unit=found.unit, simulated=found.simulated,
    )  # fmt: skip
    return GivenLimits(limit=limit, curves={"observed": found.limits})


def _of_curve(request: RecastRequest) -> GivenLimits:
    from darkstats.report.constraints.curve import Source
    from darkstats.report.constraints.folder import read_file
    from darkstats.report.recasts import GivenLimit

    one = read_file(Path(request.limit))
    if request.source is None:
        raise OptionError(
            f"{request.limit} limits the coupling of {' or '.join(one.couplings)}: say so with "
            "--from"
        )
    if request.source not in one.couplings:
        raise OptionError(
            f"--from {request.source}: {request.limit} limits the coupling of "
            f"{' or '.join(one.couplings)}"
        )
    if one.shape == "outline":
        raise DocumentError(
            "is the outline of a region, which has no one coupling at a mass",
            source=request.limit, remedy="give a curve: mass, and lowest excluded coupling",
        )  # fmt: skip
    for a, b in zip(one.mass_gev, one.mass_gev[1:], strict=False):
        if not 0.0 < a < b:
            raise DocumentError(
                f"a mass of {b:g} GeV comes after {a:g}", source=request.limit,
                remedy="sort rows by rising mass above zero, one each",
            )  # fmt: skip
    cl = _level(request, one.source.cl)
    model = MEDIATORS[request.source]
    limit = GivenLimit(
        source=request.limit, sha256=_digest(request.limit), words=one.source.citation, cl=cl,
        level=Source(citation=request.limit, cl=cl, method=one.source.method).level,
        quantity=model.symbol, unit=model.unit,
    )  # fmt: skip
    upper = () if one.upper is None else zip(one.mass_gev, one.upper, strict=True)
    return GivenLimits(
        limit=limit, curves={"observed": tuple(zip(one.mass_gev, one.lower, strict=True))},
        upper=dict(upper),
    )  # fmt: skip


def _of_record(request: RecastRequest) -> GivenLimits:
    from darkstats.report.limit_table import SCHEMA as LIMIT
    from darkstats.report.numbers import level_words
    from darkstats.report.recasts import CURVES, GivenLimit
    from darkstats.report.scan_reading import read_scan
    from darkstats.workflows.plot_subjects import read_record

    record = read_record(request.limit)
    if record.get("schema") == LIMIT:
        record = _as_scan(record, request.limit)
    table = read_scan(record, source=request.limit)
    require_sigma(table.benchmarks, request.limit)
    masses, ctau_mm = _places(table, request.limit)
    key = "cross_section" if request.source is None else request.coupling or request.source
    if request.source is None:
        if request.coupling is not None:
            raise OptionError("--coupling goes with --from, the mediator that it is of")
        if PRODUCTIONS[request.production].unit == "1":
            key = f"{request.production}_branching"
            if key not in table.limits:
                raise OptionError(
                    f"{request.limit} limits no branching fraction of {request.production}: "
                    f"a card with the benchmark {key} does"
                )
        else:
            _rate_unit(request, "pb")
    require_same_search(request, table.benchmarks, table.searched)
    limits = table.limits_on(key)
    size = _size(key, limits, request)
    given = {
        name: [
            float(size * value) if math.isfinite(value) and value > 0.0 else None
            for value in values
        ]
        for name, values in zip(CURVES, limits.holding, strict=True)
    }
    from darkstats.reinterpret.lifetimes import tables_by_mass

    if ctau_mm is None:
        curves: dict[str, list[tuple[float, Limit | None]]] = {
            name: list(zip(masses, values, strict=True)) for name, values in given.items()
        }
    else:
        curves = {
            name: list(tables_by_mass(masses, ctau_mm, values)) for name, values in given.items()
        }
    model = None if request.source is None else MEDIATORS[request.source]
    limit = GivenLimit(
        source=request.limit, sha256=_digest(request.limit), words=table.title or table.name,
        cl=_level(request, table.cl), level=level_words(table.method, table.cl),
        quantity=_QUANTITIES[key == "cross_section"] if model is None else model.symbol,
        unit=PRODUCTIONS[request.production].unit if model is None else model.unit,
        simulated=table.simulated,
    )  # fmt: skip
    kept = {k: v for k, v in curves.items() if any(one is not None for _, one in v)}
    if not kept:
        raise DocumentError(f"has no limit on {key}", source=request.limit)
    reasons = {
        mass: reason for mass, reason in zip(masses, table.reasons, strict=True) if reason
    }  # fmt: skip
    return GivenLimits(limit=limit, curves=kept, reasons=reasons, table=table)


#: Fields of a limit that say its sizes.
_OF_LIMITS = (
    "observed", "observed_error", "expected", "expected_error", "low_counts", "cross_section_fb",
    "couplings", "warnings",
)  # fmt: skip
_QUANTITIES = {True: "cross section", False: "branching fraction"}


def _size(key: str, limits: Limits, request: RecastRequest) -> float:
    """Size of the unit of limits in that of the recast."""
    if key == "cross_section":
        return 1e-3
    return 1.0 if request.source is None else _per_gev(limits, request)


def _as_scan(record: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The limit on one hypothesis as a scan of one, if a coupling says its mass."""
    from darkstats.report.limit_table import inputs_of
    from darkstats.report.scan_table import SCHEMA as SCAN

    couplings = record.get("couplings")
    first: Any = next(iter(couplings.values()), None) if isinstance(couplings, dict) else None
    masses = first.get("masses") if isinstance(first, dict) else None
    if not isinstance(masses, dict) or len(masses) != 1:
        raise DocumentError(
            "does not say the one mass of its hypothesis", source=source,
            remedy="give darkstats limit a model with --cross-sections, with --point of a patch "
            "set whose label of the mass ends with _gev, or with --mass; or recast a scan",
        )  # fmt: skip
    if (ctau := record.get("ctau_mm")) is not None:
        raise DocumentError(
            f"is a limit at c tau = {ctau} mm alone, and couplings give other lifetimes",
            source=source, pointer="/ctau_mm",
            remedy="recast the scan, which has a limit at each lifetime",
        )  # fmt: skip
    ((label, mass),) = masses.items()
    inputs = inputs_of(record)
    # A scan says some fields in another way, such as p0: a recast needs those of limits alone.
    limits = {key: record[key] for key in _OF_LIMITS if key in record}
    point = {**limits, "name": str(label), "values": [mass], "status": "ok"}
    facts = {
        key: record.get(key) for key in ("method", "cl", "calculator", "conversions", "searched")
    }
    return {
        **facts, "schema": SCAN, "name": inputs.source, "title": inputs.source,
        "simulated": inputs.simulated, "labels": [label], "points": [point],
    }  # fmt: skip


def _places(table: ScanTable, source: str) -> tuple[list[float], list[float] | None]:
    """Masses of the hypotheses in GeV, and lifetimes c tau in mm where they are the other axis."""
    if table.is_told_apart and len(table.axes) == 2 and table.axes[1] == "ctau_mm":
        size = _mass_unit(table, source)
        return (size * table.coordinates[:, 0]).tolist(), table.coordinates[:, 1].tolist()
    return _masses(table, source), None


def _masses(table: ScanTable, source: str) -> list[float]:
    if table.dimension != 1 or not table.is_told_apart:
        raise DocumentError(
            f"has the axes {', '.join(table.axes) or 'none'}", source=source,
            remedy="a recast needs one mass for each hypothesis, or a mass and ctau_mm",
        )  # fmt: skip
    size = _mass_unit(table, source)
    return [size * value for value in table.first_coordinate]


def _mass_unit(table: ScanTable, source: str) -> float:
    """Size of the unit of the first axis in GeV."""
    from darkstats.reinterpret.mass_names import MASS_UNITS

    unit = (table.axis_words[0].unit or "").lower()
    if unit not in MASS_UNITS:
        raise DocumentError(
            f"the unit of {table.axes[0]} is {unit!r}, which is none of masses", source=source,
            remedy="let the label end with _gev, or say it in the sidecar",
        )  # fmt: skip
    return float(MASS_UNITS[unit])


def _per_gev(limits: Limits, request: RecastRequest) -> float:
    """Size of the unit of a coupling in that of the mediator."""
    wanted = MEDIATORS[str(request.source)].unit
    if limits.unit == wanted:
        return 1.0
    if (limits.unit, wanted) == ("1/TeV", "1/GeV"):
        return 1e-3
    raise OptionError(
        f"{limits.key} of {request.limit} has the unit {limits.unit or 'none'}, and "
        f"{request.source} {wanted or 'none'}"
    )
