"""Pages that are notebooks: their text is Markdown, their outputs are shown as they were kept.

Nothing is executed here: ``docs/examples/run_notebooks.py`` does that, and a test runs it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from myst_parser.parsers.sphinx_ import MystParser

if TYPE_CHECKING:
    from docutils import nodes


def as_markdown(notebook: dict[str, Any]) -> str:
    """The page: text, code, and what the code showed."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        parts += [_output(output) for output in cell["outputs"]]
    return "\n\n".join(parts) + "\n"


def _output(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        return f"![what the cell above draws](data:image/png;base64,{data['image/png']})"
    if "text/html" in data:
        return "```{raw} html\n" + "".join(data["text/html"]) + "\n```"
    return "```text\n" + "".join(output.get("text", data.get("text/plain", ""))).rstrip() + "\n```"


class NotebookParser(MystParser):
    """Reads a notebook as the Markdown page that it shows."""

    supported: ClassVar[tuple[str, ...]] = ("notebook",)

    def parse(self, inputstring: str, document: nodes.document) -> None:
        super().parse(as_markdown(json.loads(inputstring)), document)


def setup(app: Any) -> dict[str, Any]:
    app.add_source_suffix(".ipynb", "notebook")
    app.add_source_parser(NotebookParser)
    return {"version": "1", "parallel_read_safe": True}
