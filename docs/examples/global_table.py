"""Global significance of the largest excess of each of some scans, by toys, with the time it takes.

    for c in NAMES; do
      darkstats build models/$c.yaml -o B/$c && darkstats scan B/$c -o B/$c-scan; done
    python docs/examples/global_table.py B/*-scan docs/studies/global-searches.json --toys 1024

Prints the table of docs/studies/scans.md. Time is CPU time of `darkstats global` alone. Results of
other searches in the file stay.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

ASIMOV = "Asimov data"
START = "import sys; from darkstats.cli import main; sys.argv[0] = 'darkstats'; sys.exit(main())"


def judged(folder: Path, toys: int) -> dict[str, Any]:
    """Result of one scan, or why there is none."""
    scan = json.loads((folder / "scan.json").read_text("utf-8"))
    row: dict[str, Any] = {"hypotheses": len(scan["points"]), "data": scan["data"]}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", START, "global", str(folder), "--toys", str(toys), "--workers", "1",
         "--json"],
        capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    row["cpu_s"] = round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1)
    # Of Asimov data no method is valid, but all that the toys gave is written.
    if done.returncode != 0 and not (ASIMOV in scan["data"] and ASIMOV in done.stderr):
        lines = [line for line in done.stderr.splitlines() if "error:" in line]
        if not lines:
            raise SystemExit(f"{folder}: {done.stderr}")
        return row | {"reason": lines[-1].partition("error: ")[2]}
    record = json.loads((folder / "global.json").read_text("utf-8"))
    (by_toys,) = (one for one in record["methods"] if one["method"] == "toys")
    return row | {
        "point": record["point"]["name"],
        "z_local": record["z_local"],
        "p_local_toys": record["local_toys"]["p"],
        "p_global": by_toys["p_global"],
        "p_global_error": by_toys["p_global_error"],
        "toys": by_toys["toys"],
        "z_local_of_z_global": {f"{one['z_global']:g}": one["z_local"] for one in record["levels"]},
        "other_valid_methods": [
            one["method"] for one in record["methods"] if one["method"] != "toys" and one["valid"]
        ],
    }


def table(found: dict[str, dict[str, Any]]) -> str:
    """One line for each search."""
    lines = [
        "| search | hypotheses | data | largest local σ | global p | toys, failed "
        "| local σ of 1, 2 σ global | CPU [s] |\n" + "|---" * 8 + "|"
    ]
    for name, row in found.items():
        kind = "Asimov" if "Asimov" in row["data"] else "pseudo"
        if "reason" in row:
            lines.append(f"| `{name}` | {row['hypotheses']} | {kind} | | {row['reason']} | | | |")
            continue
        levels = [f"{z:.2f}" for z in row["z_local_of_z_global"].values()]
        p = f"{row['p_global']:.3f} ± {row['p_global_error']:.3f}"
        lines.append(
            f"| `{name}` | {row['hypotheses']} | {kind} | {row['z_local']:.2f} | {p} | "
            f"{row['toys']['asked']}, {row['toys']['failed']} | {', '.join(levels)} | "
            f"{row['cpu_s']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scans", type=Path, nargs="+")
    parser.add_argument("output", type=Path)
    parser.add_argument("--toys", type=int, default=1024)
    asked = parser.parse_args()
    held = json.loads(asked.output.read_text("utf-8")) if asked.output.is_file() else {}
    for folder in asked.scans:
        name = json.loads((folder / "scan.json").read_text("utf-8"))["name"]
        held[name] = judged(folder, asked.toys)
        text = json.dumps(held, indent=1, sort_keys=True) + "\n"
        asked.output.write_text(text, "utf-8")
    print(table(dict(sorted(held.items()))))


if __name__ == "__main__":
    main()
