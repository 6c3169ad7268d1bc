"""Records of every verb, kept before a rearrangement of the code and compared after it.

    python -m tests.golden write golden.json.gz      # before
    python -m tests.golden compare golden.json.gz    # after: exit status 1 names what differs

A rearrangement changes no bit: numbers are compared as they are written. Bits depend on the
processor and on the versions of the numerical packages, so a file serves the machine that it was
made on and is not kept in the repository. What describes the run (versions, command, folders) is
left out; ``--except FIELD`` leaves out a field that was changed on purpose. One run at a time: all
write into ``darkstats-golden`` among the temporary files, since digests of events name their file;
remove it after a run that was killed.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
LEFT_OUT = frozenset({"versions", "command"})

_TWO = "workspaces/examples/two_bins.json"
_ON_OFF = "workspaces/examples/on_off.json"
_THREE = "workspaces/examples/three_channels.json"
_BUMP = "workspaces/examples/bump_hunt.json"
_EXAMPLES = MappingProxyType({"two": _TWO, "onoff": _ON_OFF, "three": _THREE, "bump": _BUMP})
_ALP = "workspaces/alp/background_only.json --patchset workspaces/alp/patchset.json.gz"
_HS3 = "models/alp/unbinned.json"


def tasks() -> dict[str, str]:
    """Command lines by name, in an order in which each finds the files of those before it."""
    found: dict[str, str] = {}
    for name, path in _EXAMPLES.items():
        for method in ("cls", "clsb", "pcl"):
            found[f"limit {method} {name}"] = f"limit {path} --method {method}"
        found[f"limit blind {name}"] = f"limit {path} --blind"
        found[f"limit toys {name}"] = f"limit {path} --calculator toys --toys 400 --seed 5"
        for engine in ("quadrature", "laplace"):
            found[f"bayes {engine} {name}"] = f"limit {path} --method bayes --engine {engine}"
        for statistic in ("qtilde", "q", "q0", "t", "ttilde"):
            found[f"test {statistic} {name}"] = f"hypotest {path} --test-stat {statistic}"
        found[f"test toys {name}"] = f"hypotest {path} --calculator toys --toys 500"
        found[f"significance {name}"] = f"significance {path}"
        found[f"significance toys {name}"] = f"significance {path} --calculator toys --toys 500"
        found[f"gof {name}"] = f"gof {path} --calculator toys --toys 300"
        found[f"fit {name}"] = f"fit {path} --minos mu"
        found[f"rank {name}"] = f"rank {path}"
        found[f"scan-poi {name}"] = f"scan-poi {path}"
        found[f"inspect {name}"] = f"inspect {path}"
        found[f"digest {name}"] = f"digest {path}"
    found["fc"] = f"limit {_ON_OFF} --method fc --toys 200"
    found["bayes prior"] = f"limit {_TWO} --method bayes --prior coupling:2 --cl 0.95"
    found["nuts"] = f"limit {_ON_OFF} --method bayes --engine nuts --expected none"
    found["bounded"] = f"limit {_TWO} --test-stat q --poi-lower -2 --band fixed-sigma"
    found["masked"] = f"limit {_THREE} --mask control --json"
    found["prune"] = f"prune {_THREE} -t normsys"
    found["rename"] = f"rename {_TWO} -m mu=strength"
    found["combine"] = f"combine {_TWO} {_BUMP}"
    found["inspect events"] = f"inspect {_HS3}"
    found["point"] = f"limit {_ALP} --point m_0p9403"
    found["build"] = (
        "build models/alp.yaml -o {here}/alp --quick --workers 1 --cache {here}/cache --events npz"
    )
    events = f"{_HS3} --point 0.9979 --data {{here}}/alp --unblind"
    for verb in ("fit", "limit", "hypotest", "significance", "gof"):
        found[f"events {verb}"] = f"{verb} {events}"
    for method in ("clsb", "pcl", "bayes"):
        found[f"events limit {method}"] = f"limit {events} --method {method}"
    found["events toys"] = f"hypotest {events} --calculator toys --toys 100"
    found["events fc"] = f"limit {events} --method fc --toys 50"
    found["scan events"] = (
        f"scan {_HS3} --data {{here}}/alp -o {{here}}/events --workers 1 --unblind"
    )
    found["global events"] = "global {here}/events --toys 20 --workers 1"
    found["scan"] = "scan workspaces/zprime_lfv_2018 --method cls -o {here}/lfv --workers 1"
    found["scan bayes"] = "scan workspaces/zprime_lfv_2018 --method bayes --workers 1"
    found["scan toys"] = (
        "scan workspaces/examples/mass_scan --method cls --calculator toys --toys 100 --workers 1"
    )
    found["global"] = "global {here}/lfv --toys 200 --workers 1"
    found["project"] = "project workspaces/zprime_lfv_2018 --lumi 1,50 --workers 1 --method cls"
    found["plan"] = "shards plan workspaces/zprime_lfv_2018 --method cls -o {here}/job"
    found["run"] = "shards run {here}/job"
    found["merge"] = "shards merge {here}/job"
    found["plot"] = "plot {here}/lfv/scan.json"
    found["export"] = "export {here}/lfv/scan.json --csv {here}/scan.csv"
    found["citation"] = "citation"
    found["no such point"] = f"limit {_ALP} --point m_1"
    found["level"] = f"limit {_TWO} --cl 95"
    return found


def record(words: str, folder: Path) -> Any:
    """Record of one command line, with its exit status, without what describes the run."""
    from darkstats.cli import run

    out = io.StringIO()
    arguments = [word.replace("{here}", str(folder)) for word in words.split()]
    if "--json" not in arguments:
        arguments.append("--json")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        status = run(arguments)
    text = out.getvalue().replace(str(folder), "{here}")
    return {"status": status, "record": _plain(json.loads(text))}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items() if key not in LEFT_OUT}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def differences(before: Any, after: Any, apart: frozenset[str], where: str = "") -> Iterator[str]:
    """Places at which two records differ."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted((before.keys() | after.keys()) - apart):
            if key not in before or key not in after:
                yield f"{where}/{key}: only {'after' if key not in before else 'before'}"
            else:
                yield from differences(before[key], after[key], apart, f"{where}/{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, apart, f"{where}/{index}")
    elif before != after or type(before) is not type(after):
        yield f"{where}: {_short(before)} -> {_short(after)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 80 else f"{text[:77]}..."


def records(names: list[str]) -> dict[str, Any]:
    """Records of all commands, or of those whose name holds one of these words."""
    folder = Path(tempfile.gettempdir()) / "darkstats-golden"  # digests of events name their file
    folder.mkdir()
    found = {}
    try:
        for name, words in tasks().items():
            if not names or any(word in name for word in names):
                found[name] = record(words, folder)
                sys.stderr.write(f"{found[name]['status']} {name}\n")
    finally:
        shutil.rmtree(folder)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Write or compare; returns the exit status."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("what", choices=("write", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="commands whose name has this word")
    parser.add_argument("--except", nargs="*", default=[], dest="apart", metavar="FIELD")
    asked = parser.parse_args(arguments)
    path = asked.file.resolve()
    os.chdir(REPOSITORY)
    found = records(asked.only)
    if asked.what == "write":
        path.write_bytes(gzip.compress(json.dumps(found, sort_keys=True).encode(), mtime=0))
        return 0
    before = json.loads(gzip.decompress(path.read_bytes()))
    if asked.only:
        before = {name: one for name, one in before.items() if name in found}
    moved = list(differences(before, found, frozenset(asked.apart)))
    text = "\n".join(moved) or f"{len(found)} records are what they were"
    sys.stdout.write(f"{text}\n")
    return 1 if moved else 0


if __name__ == "__main__":
    sys.exit(main())
