"""Train the network of a search card, and write its weights into the card.

    python docs/examples/four_muons_training.py models/zprime_mumu.yaml
    python docs/examples/four_muons_training.py models/zprime_mumu.yaml --check

Needs darkstats[classifier]. A build of a card without weights trains the same network, the same
bytes; one with weights needs no scikit-learn. ``--check`` trains and compares.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

from darkstats.searches.build import simulate
from darkstats.searches.card import SearchCard, read_card
from darkstats.searches.network import Network
from darkstats.searches.network_training import NetworkChoice, train
from darkstats.searches.optimise import halves
from darkstats.searches.recoil_hunt import RecoilHunt
from darkstats.simulation.production import default_cache

_WIDTH = 118
#: The block of a card: from the key to the next one that stands as far to the left, or the end.
_BLOCK = re.compile(r"^    +weights:.*\n(?:^      +.*\n)*", re.MULTILINE)


def choice_of(card: SearchCard) -> tuple[RecoilHunt, NetworkChoice]:
    """The search of a card, and its network."""
    if not isinstance(card.settings, RecoilHunt) or card.settings.network is None:
        raise SystemExit(f"{card.source}: has no network")
    return card.settings, card.settings.network


def trained(card: SearchCard, *, cache: Path, workers: int) -> Network:
    """The network that a build of the card without weights trains."""
    hunt, choice = choice_of(card)
    assert hunt.optimise is not None
    by = hunt.optimise.events_by
    chosen = {
        name: halves(sample, by)[0]
        for name, sample in simulate(card, cache=cache, workers=workers).items()
    }
    return train(
        replace(choice, network=None),
        {(m[0],): chosen[f"signal_{m[0]:g}"] for m in card.signal.masses_gev},
        {one.name: chosen[one.name] for one in card.backgrounds},
        variable=hunt.variable,
        widths=hunt.widths,
    )


def block(network: Network) -> str:
    """The weights as lines of a card."""

    def listed(values: tuple[float, ...]) -> str:
        return "[" + ", ".join(f"{value:g}" for value in values) + "]"

    def folded(key: str, text: str, at: int) -> list[str]:
        return textwrap.wrap(
            f"{key}{text}", _WIDTH, initial_indent=" " * at, subsequent_indent=" " * (at + 4)
        )

    lines = ["    weights:                      # [computed] docs/examples/four_muons_training.py"]
    lines += folded("offsets: ", listed(network.offsets), 6)
    lines += folded("scales: ", listed(network.scales), 6)
    lines.append("      layers:")
    for layer in network.layers:
        rows = ", ".join(listed(row) for row in layer.weights)
        lines += folded("- weights: ", f"[{rows}]", 8)
        lines += folded("biases: ", listed(layer.biases), 10)
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("card", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    card = read_card(asked.card)
    network = trained(card, cache=asked.cache or default_cache(), workers=asked.workers)
    if asked.check:
        same = choice_of(card)[1].network == network
        print(f"{asked.card}: {'the same' if same else 'other'} weights")
        sys.exit(0 if same else 1)
    text = asked.card.read_text("utf-8")
    if _BLOCK.search(text):
        text = _BLOCK.sub(lambda _: block(network), text, count=1)
    else:
        text = re.sub(
            r"^(    epochs:.*\n|  network:\n)", lambda m: m[1] + block(network), text, count=1,
            flags=re.MULTILINE,
        )  # fmt: skip
    asked.card.write_text(text, "utf-8")
    if choice_of(read_card(asked.card))[1].network != network:
        raise SystemExit(f"{asked.card}: the card does not read as the network that was written")
    count = sum(len(one.biases) * (len(one.weights) + 1) for one in network.layers)
    print(f"{asked.card}: wrote {count} weights")


if __name__ == "__main__":
    main()
