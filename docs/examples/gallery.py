"""Small figures of every search for docs/gallery.md, from scans that are there.

    python docs/examples/summary_table.py --committed --work WORK
    python docs/examples/gallery.py WORK docs/images/gallery

Each figure is the one of `darkstats plot`, made smaller: 800 pixels wide, few colours.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageColor

from darkstats.report.figures.style import BAND_1, BAND_2, BLACK, GREY

START = "import sys; from darkstats.cli import main; sys.argv[0] = 'darkstats'; sys.exit(main())"
WIDTH = 800
COLOURS = 64
GREYS = tuple(f"#{level:02x}{level:02x}{level:02x}" for level in range(0, 256, 17))
LOOKS = (*GREYS, BLACK, GREY, BAND_1, BAND_2)
MOST_BYTES = 80_000
#: Figures that need no scan.
WITHOUT_SCAN = ("regimes",)
#: Options of `darkstats plot` by search and figure.
FIGURES: dict[str, tuple[str, ...]] = {
    "regimes": (),
    "alp": ("--coupling", "alp_photon"),
    "zprime_invisible_2018": ("--coupling", "lmu_ltau_invisible_dressed"),
    "zprime_invisible_2020": ("--coupling", "lmu_ltau_invisible_dressed"),
    "zprime_lfv_2018": ("--coupling", "lfv_efficiency"),
    "dark_higgsstrahlung": ("--coupling", "dark_higgsstrahlung_dressed"),
    "zprime_tautau": ("--coupling", "cross_section"),
    "zprime_tautau_high": ("--coupling", "cross_section"),
    "zprime_mumu": ("--coupling", "lmu_ltau_mumu"),
    "zprime_mumu_cuts": ("--coupling", "lmu_ltau_mumu"),
    "muonphilic_scalar": ("--coupling", "muonphilic_scalar_mumu"),
    "single_photon": ("--coupling", "dark_photon"),
    "inelastic_dark_matter": ("--coupling", "cross_section"),
    "b_to_k_alp": ("--coupling", "b_to_k_branching"),
    **{
        f"b_to_{kaon}_scalar{decay}": ("--coupling", f"b_to_{kaon}_branching")
        for kaon in ("k", "kstar")
        for decay in ("", "_ee", "_pipi", "_kk")
    },
}


def shrunk(source: Path, target: Path) -> None:
    """Write a small copy with a palette."""
    image = Image.open(source).convert("RGB")
    height = round(image.height * WIDTH / image.width)
    small = image.resize((WIDTH, height), Image.Resampling.LANCZOS)
    # Looks that cover little, as the swatch of a band too thin to be seen, keep their colours.
    found = small.quantize(COLOURS, dither=Image.Dither.NONE).getpalette() or []
    looks = [value for one in LOOKS for value in ImageColor.getrgb(one)[:3]]
    palette = Image.new("P", (1, 1))
    palette.putpalette([*found[: 3 * COLOURS], *looks])
    small.quantize(palette=palette, dither=Image.Dither.NONE).save(target, optimize=True)
    if target.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{target}: {target.stat().st_size} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--cards", help="names, with commas")
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    names = asked.cards.split(",") if asked.cards else list(FIGURES)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            figure = Path(folder) / f"{name}.png"
            scan = [] if name in WITHOUT_SCAN else [str(asked.work / f"{name}-scan/scan.json")]
            words = ["plot", *scan, "-o", str(figure)]
            done = subprocess.run(
                [sys.executable, "-c", START, *words, *FIGURES[name]], check=False,
                capture_output=True, text=True, env={**os.environ, "MPLBACKEND": "agg"},
            )  # fmt: skip
            if done.returncode != 0:
                raise SystemExit(f"{name}: {done.stderr}")
            shrunk(figure, asked.output / f"{name}.png")


if __name__ == "__main__":
    main()
