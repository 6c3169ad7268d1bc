"""Public likelihoods, as their authors published them: accepted or not, time and memory.

``python -m tests.peers.public_likelihoods --output docs/studies/public-likelihoods`` runs
``inspect``, ``fit`` and the default ``limit`` of every likelihood below ``$DARKSTATS_DATA`` as a
user does, each in a process of its own, and scans two published sets of signals to their end:
table, CSV, figure, HEPData. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

Found = dict[str, Any]

REGIONS = ("RegionA", "RegionB", "RegionC")
ARCHIVE = "atlas_susy_2018_31/pyhf-ins1748602-probability-models.tar.gz"
PALLET = "public/ATLAS-SUSY-2019-08_1Lbb_pallet.json.gz"
RULE = "patch.sbottom_{m_sb}_{m_n2}_{m_n1}"
POINT = "patch.sbottom_1300_205_60.json"
TIMEOUT_S = 600
#: Verbs of a background: without the signal, the limit is refused for that reason.
VERBS = ("inspect", "fit", "limit")


def run(words: list[str], folder: Path) -> Found:
    """Run a command; exit status, seconds of wall and CPU, peak memory, last words of an error."""
    script = (
        "import resource, subprocess, sys, json\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "use = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps([done.returncode, use.ru_utime + use.ru_stime, use.ru_maxrss,\n"
        "                  done.stderr[-1500:]]))\n"
    )
    command = [sys.executable, "-m", "darkstats", *words]
    start = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, *command],
            capture_output=True, text=True, timeout=TIMEOUT_S, cwd=folder, check=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"status": None, "wall_s": TIMEOUT_S, "cpu_s": None, "peak_mib": None,
                "said": f"no answer within {TIMEOUT_S} s"}  # fmt: skip
    wall = time.perf_counter() - start
    status, cpu, peak, said = json.loads(done.stdout)
    errors = [line for line in said.splitlines() if "error" in line]
    words_of = errors[-1] if status and errors else ""
    return {
        "status": status,
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "peak_mib": round(peak / 1024.0),
        "said": words_of.replace(str(data()), "").strip()[:400],
    }


def data() -> Path:
    """Folder of the likelihoods."""
    return Path(os.environ["DARKSTATS_DATA"]) / "likelihoods"


def likelihoods(root: Path) -> list[tuple[str, list[str], list[str]]]:
    """Name, arguments that name it, and those that add a signal (none where there is none)."""
    found: list[tuple[str, list[str], list[str]]] = []
    for path in sorted((root / "public").glob("*.json.gz")):
        signal = ["--point", "C1N2_Wh_hbb_500_100"] if path.name in PALLET else []
        found.append((path.name, [str(path)], signal))
    for region in REGIONS:
        archive = root / ARCHIVE
        if archive.is_file():
            signal = ["--patch", f"{archive}:{region}/{POINT}"]
            name = f"sbottom multi-b {region}"
            found.append((name, [f"{archive}:{region}/BkgOnly.json"], signal))
    own = sorted((root / "pyhf_validation").glob("[12]bin*.json"))
    found += [(f"pyhf {path.stem}", [str(path)], []) for path in own]
    return found


def study_one(name: str, source: list[str], signal: list[str], folder: Path) -> Found:
    """The verbs on one likelihood; the limit with a signal where there is one."""
    verbs = {"inspect": run(["inspect", *source], folder), "fit": run(["fit", *source], folder)}
    verbs["limit"] = run(["limit", *source, *signal], folder)
    own = name.startswith("pyhf ")
    expected = 0 if signal or own else 2
    absent = "poi-unknown" in verbs["limit"]["said"]
    accepted = all(verbs[verb]["status"] == 0 for verb in ("inspect", "fit"))
    good = verbs["limit"]["status"] == expected and (expected == 0 or absent)
    return {
        "name": name,
        "signal": signal[1].rpartition("/")[2] if signal else None,
        "accepted": accepted and good,
        "verbs": verbs,
    }


def study_scan(name: str, words: list[str], points: int, kind: str, folder: Path) -> Found:
    """A whole scan with the documented command, and what is made of it."""
    out = folder / "scan"
    shutil.rmtree(out, ignore_errors=True)
    steps = {"scan": run(["scan", *words, "-o", str(out)], folder)}
    record = out / "scan.json"
    found: Found = {"name": name, "points": points, "steps": steps}
    if steps["scan"]["status"] != 0:
        return found
    content = json.loads(record.read_text("utf-8"))
    rows = [
        line for line in (out / "scan.csv").read_text("utf-8").splitlines()
        if not line.startswith("#")
    ]  # fmt: skip
    steps["plot"] = run(["plot", str(record), "-o", f"{kind}={folder / 'figure.pdf'}"], folder)
    steps["export"] = run(
        ["export", str(record), "--csv", "again.csv", "--hepdata", str(folder / "hepdata"),
         "--sqrt-s", "13000"], folder,
    )  # fmt: skip
    medians = [point["expected"][2] for point in content["points"] if point["status"] == "ok"]
    observed = [p["observed"] for p in content["points"] if p["observed"] is not None]
    return found | {
        "labels": content["labels"],
        "statement": content["summary"]["statement"],
        "rows_of_csv": len(rows) - 1,
        "excluded": sum(value < 1.0 for value in observed),
        "median_below_one": sum(value is not None and value < 1.0 for value in medians),
        "hepdata_files": sorted(path.name for path in (folder / "hepdata").iterdir()),
    }


def study(only_scans: bool = False) -> Found:
    """Everything, one command after the other."""
    root = data()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = root / ARCHIVE
        for part in ("a", "b"):
            (folder / part).mkdir()
        ones = [] if only_scans else [study_one(*one, folder) for one in likelihoods(root)]
        scans = [
            study_scan(
                "1Lbb pallet, C1N2 to Wh", [str(root / PALLET)], 125, "expected", folder / "a"
            ),
            study_scan(
                "sbottom multi-b RegionA, loose patches",
                [f"{archive}:RegionA/BkgOnly.json", "-p", f"{archive}:RegionA/patch.*.json",
                 "--name-pattern", RULE],
                217, "limits", folder / "b",
            ),
        ]  # fmt: skip
    return {"likelihoods": ones, "scans": scans, "processors": os.cpu_count()}


def page(record: Found) -> str:
    """The page of the study."""
    lines = [
        "<!-- diataxis: explanation -->",
        "# Public likelihoods",
        "",
        "Likelihoods as their authors published them, read and fitted as a user does, each command",
        "in a process of its own. Background-only files have no signal: `inspect` and `fit` do",
        "without, and `limit` is refused with the finding `poi-unknown` until a patch is applied.",
        f"Times are those of a machine with {record['processors']} processors that others used at",
        "the same time; CPU seconds count all threads.",
        "",
        "| likelihood | accepted | `inspect` | `fit` | `limit` | signal of the limit |",
        "|---|---|---|---|---|---|",
    ]
    for one in record["likelihoods"]:
        verbs = one["verbs"]
        lines.append(
            f"| {one['name']} | {'yes' if one['accepted'] else '**no**'} | "
            + " | ".join(_cell(verbs[verb]) for verb in VERBS)
            + f" | {one['signal'] or '-'} |"
        )
    refused = [one for one in record["likelihoods"] if not one["accepted"]]
    lines += ["", f"{len(record['likelihoods']) - len(refused)} of {len(record['likelihoods'])} "
              "likelihoods are accepted."]  # fmt: skip
    for one in refused:
        for verb in VERBS:
            said = one["verbs"][verb]["said"]
            if one["verbs"][verb]["status"] != 0:
                lines.append(f"* {one['name']}, `{verb}`: {said or 'no reason'}")
    lines += [
        "",
        "## Published sets of signals, to the end",
        "",
        "`darkstats scan PALLET -o scan`, and `darkstats scan RECORD:RegionA/BkgOnly.json -p",
        f"'RECORD:RegionA/patch.*.json' --name-pattern '{RULE}' -o scan`; then `plot`, `export`.",
        "",
        "| scan | points | labels | result | `scan` | `plot` | `export` | rows of the CSV "
        "| signal strength 1 excluded (expected) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in record["scans"]:
        steps = one["steps"]
        cells = [_cell(steps[step]) if step in steps else "not reached" for step in
                 ("scan", "plot", "export")]  # fmt: skip
        lines.append(
            f"| {one['name']} | {one['points']} | {', '.join(one.get('labels', []))} | "
            f"{one.get('statement', steps['scan']['said'])} | {' | '.join(cells)} | "
            f"{one.get('rows_of_csv', '-')} | {one.get('excluded', '-')} "
            f"({one.get('median_below_one', '-')}) |"
        )
    lines += [
        "",
        "Made by",
        "`python -m tests.peers.public_likelihoods --output docs/studies/public-likelihoods`;",
        "numbers are in `public-likelihoods.json`.",
        "",
    ]
    return "\n".join(lines)


def _cell(one: Found) -> str:
    if one["cpu_s"] is None:
        return f"**{one['said']}**"
    word = "" if one["status"] == 0 else "refused, "
    return f"{word}{one['wall_s']:.1f} s ({one['cpu_s']:.1f} s CPU), {one['peak_mib']} MiB"


def main() -> int:
    """Run the study; exit status 1 if a likelihood is not accepted or a scan does not end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, help="write .json and .md with this stem")
    parser.add_argument("--only-scans", action="store_true")
    args = parser.parse_args()
    record = study(args.only_scans)
    if args.output is not None:
        text = json.dumps(record, indent=1, ensure_ascii=False)
        args.output.with_suffix(".json").write_text(text + "\n", "utf-8")
        args.output.with_suffix(".md").write_text(page(record), "utf-8")
    sys.stdout.write(page(record))
    steps = [step["status"] for scan in record["scans"] for step in scan["steps"].values()]
    refused = [one["name"] for one in record["likelihoods"] if not one["accepted"]]
    return 1 if refused or any(status != 0 for status in steps) else 0


if __name__ == "__main__":
    raise SystemExit(main())
