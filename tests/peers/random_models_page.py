"""The page of the study of random models, written from its record."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Any

__all__ = ["page"]

COLUMNS = {
    "models": "models",
    "agreed": "agreed",
    "other_crossing": "another crossing",
    "refused": "refused",
    "undecided": "undecided",
    "differs": "different",
    "slow": "too slow",
}


def page(record: dict[str, Any]) -> str:
    """Markdown of the study."""
    text = Path(__file__).with_suffix(".md.in").read_text("utf-8")
    return Template(text).substitute(
        models=record["models"],
        asked=record["asked"],
        seed=record["seed"],
        tolerance=f"{record['tolerance']:g}",
        absolute=f"{record['tolerance'] / 10.0:g}",
        toys=record["toys"],
        limit=f"{record['limit_s']:g}",
        answerable=record["answerable"],
        again=record["again"],
        rest=record["models"] - record["again"],
        table=_classes(record["classes"]),
        refusals=_table(
            ("command and reason", "times"),
            [(_plain(reason), str(n)) for reason, n in record["refusals"].items()],
        ),
        differing=_differing(record),
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _classes(classes: dict[str, Any]) -> str:
    rows = [
        (name, *(str(row[key]) for key in COLUMNS), f"{row['slowest_s']:.1f}")
        for name, row in classes.items()
    ]
    totals = [str(sum(row[key] for row in classes.values())) for key in COLUMNS]
    slowest = max(row["slowest_s"] for row in classes.values())
    rows.append(("all", *totals, f"{slowest:.1f}"))
    return _table(("class", *COLUMNS.values(), "slowest"), rows)


def _differing(record: dict[str, Any]) -> str:
    items = record["differing"]
    if not items:
        return "None."
    rows = [
        (
            item["class"],
            str(item["number"]),
            item["quantity"],
            _number(item["ours"]),
            _number(item["reference"]),
        )
        for item in items
    ]
    return _table(("class", "model", "number", "darkstats", "reference"), rows)


def _plain(text: str) -> str:
    return "`" + text.replace("|", "/").replace("`", "'").strip() + "`"


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, list):
        return ", ".join(_number(item) for item in value)
    return "none" if value is None else str(value)
