"""Run the notebooks of the tutorials, and write what they show into them.

    python docs/examples/run_notebooks.py            run and write
    python docs/examples/run_notebooks.py --check    run, and say whether they show the same

Jupyter opens the same files and is not needed here: code cells run in order in one namespace, in a
folder of their own that has the shipped workspaces in it. The value of a last line is shown as
Jupyter shows it: a figure as PNG, a result as a table and a line, anything else as text.
"""

from __future__ import annotations

import argparse
import ast
import base64
import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((REPOSITORY / "docs/tutorials").glob("*.ipynb"))

Output = dict[str, Any]


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def shown(value: object) -> dict[str, Any]:
    """What Jupyter keeps of a value: text, and HTML or PNG where it has them."""
    found: dict[str, Any] = {"text/plain": lines(repr(value))}
    if hasattr(value, "_repr_html_"):
        found["text/html"] = lines(value._repr_html_())
    if hasattr(value, "_repr_png_"):
        found["image/png"] = base64.b64encode(value._repr_png_()).decode()
    return found


def run_cell(source: str, names: dict[str, Any], number: int) -> list[Output]:
    """Run the code of a cell; return what it prints, and the value of its last line."""
    tree = ast.parse(source, f"<cell {number}>")
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    outputs: list[Output] = []
    value = None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, f"<cell {number}>", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"<cell {number}>", "eval"), names)
    if printed.getvalue():
        text = lines(printed.getvalue())
        outputs.append({"name": "stdout", "output_type": "stream", "text": text})
    if value is not None:
        outputs.append(
            {
                "data": shown(value),
                "execution_count": number,
                "metadata": {},
                "output_type": "execute_result",
            }
        )
    return outputs


def executed(path: Path) -> dict[str, Any]:
    """The notebook with the outputs of a fresh run."""
    notebook: dict[str, Any] = json.loads(path.read_text("utf-8"))
    names: dict[str, Any] = {"__name__": "__main__"}
    number = 0
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "workspaces").symlink_to(REPOSITORY / "workspaces")
        os.chdir(folder)
        try:
            for cell in notebook["cells"]:
                if cell["cell_type"] == "code":
                    number += 1
                    cell["execution_count"] = number
                    cell["outputs"] = run_cell("".join(cell["source"]), names, number)
        finally:
            os.chdir(before)
    return notebook


def in_words(notebook: dict[str, Any]) -> list[object]:
    """What a notebook shows, without the pixels: they depend on fonts."""
    found: list[object] = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            text = {kind: data[kind] for kind in data if kind != "image/png"}
            found.append([output.get("text"), text, "image/png" in data])
    return found


def write(path: Path, notebook: dict[str, Any]) -> None:
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("notebooks", nargs="*", type=Path, default=NOTEBOOKS)
    asked = parser.parse_args()
    status = 0
    for path in asked.notebooks:
        fresh = executed(path.resolve())
        same = in_words(fresh) == in_words(json.loads(path.read_text("utf-8")))
        print(f"{path.name}: {'shows the same' if same else 'shows other things'}")
        if asked.check:
            status |= not same
        else:
            write(path, fresh)
    return status


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "agg")
    sys.exit(main())
