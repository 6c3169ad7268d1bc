"""An optional package that is absent costs one clear sentence, and nothing before it is needed."""

from __future__ import annotations

import importlib.abc
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from darkstats.errors import MissingExtraError


class _Absent(importlib.abc.MetaPathFinder):
    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = packages

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname.partition(".")[0] in self.packages:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


@contextmanager
def absent(*packages: str) -> Iterator[None]:
    """Make ``packages`` look as if they were not installed, and put everything back."""
    names = [name for name in sys.modules if name.partition(".")[0] in packages]
    # what darkstats imported while the package was there may hold it: import that again, too
    names += [name for name in sys.modules if name.startswith("darkstats.report.figures")]
    hidden: dict[str, ModuleType] = {name: sys.modules.pop(name) for name in names}
    finder = _Absent(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [n for n in sys.modules if n.startswith("darkstats.report.figures")]:
            del sys.modules[name]
        sys.modules.update(hidden)


def test_absent_hides_a_package_and_brings_it_back() -> None:
    """The context manager itself works, also when the body fails."""
    import pyhf

    def body() -> None:
        with absent("pyhf"):
            with pytest.raises(ModuleNotFoundError, match="pyhf"):
                import pyhf  # noqa: F401 -- the import is the test
            raise KeyError("leave by an error")

    with pytest.raises(KeyError):
        body()
    assert sys.modules["pyhf"] is pyhf


def test_plot_without_matplotlib_names_the_extra(
    repository: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """``--plot`` without the plot extra says which command installs it, and exits with 2."""
    from darkstats.cli import run

    workspace = str(repository / "workspaces/examples/two_bins.json")
    with absent("matplotlib", "mplhep"):
        status = run(["limit", workspace, "--plot", str(tmp_path / "limit.png")])
    assert status == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "pip install 'darkstats[plot]'" in message
    assert not (tmp_path / "limit.png").exists()


def test_convert_without_uproot_names_the_extra(tmp_path: Path) -> None:
    """A datacard with templates, and HistFactory XML, need the extra that reads ROOT files."""
    from darkstats.conversion.datacard_building import convert_datacard
    from darkstats.conversion.datacard_reading import read_datacard

    (tmp_path / "h.root").write_bytes(b"root")
    lines = "shapes * * h.root $PROCESS", "bin a", "observation 1", "bin a a", "process s b"
    (tmp_path / "card.txt").write_text("\n".join([*lines, "process 0 1", "rate 1 2", ""]))
    card = read_datacard(tmp_path / "card.txt")
    with absent("uproot"), pytest.raises(MissingExtraError, match=r"darkstats\[templates\]"):
        convert_datacard(card)


def test_a_limit_without_any_extra(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A limit needs no optional package at all."""
    from darkstats.cli import run

    workspace = str(repository / "workspaces/examples/two_bins.json")
    with absent("matplotlib", "mplhep", "zfit", "cabinetry", "hist", "uproot"):
        assert run(["limit", workspace, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["poi"] == "mu"


def test_the_error_carries_the_command() -> None:
    """The message of the error is a line that can be pasted."""
    error = MissingExtraError("matplotlib", "plot")
    assert str(error).endswith("python -m pip install 'darkstats[plot]'")


def test_events_in_parquet_without_pyarrow_name_the_extra(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Parquet file without the package that reads it costs one sentence, and exit status 2."""
    from darkstats.cli import run

    (tmp_path / "e.parquet").write_bytes(b"PAR1")
    model = str(repository / "models/alp/unbinned.json")
    with absent("pyarrow"):
        status = run(["limit", model, "--data", str(tmp_path / "e.parquet")])
    assert status == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "pip install 'darkstats[templates]'" in message


@pytest.mark.parametrize("option", ["--engine", "--referee"])
def test_zfit_that_is_absent_is_named(
    option: str, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """zfit as engine or referee without the extra: the command that installs it."""
    import numpy as np

    from darkstats.cli import run
    from darkstats.workspace.hs3.event_files import write_events

    x = np.linspace(0.2, 2.0, 500)
    write_events(tmp_path / "e.npz", {"mgg_squared_gev2": x}, {"simulated": True})
    model = str(repository / "models/alp/unbinned.json")
    with absent("zfit"):
        status = run(["limit", model, "--data", str(tmp_path / "e.npz"), option, "zfit"])
    assert status == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "pip install 'darkstats[unbinned]'" in message


def test_training_a_network_without_scikit_learn_names_the_extra() -> None:
    """A card without weights needs the package that trains; one with weights does not."""
    from types import MappingProxyType

    import numpy as np

    from darkstats.searches.network_training import NetworkChoice, train
    from darkstats.searches.recoil_windows import RecoilWidths
    from darkstats.simulation.candidates import Candidates

    def sample(mass: np.ndarray) -> Candidates:
        return Candidates(
            columns=MappingProxyType({"mass": mass, "square": mass**2}),
            weight_pb=np.ones(len(mass)), n_generated=len(mass),
            sum_weight_pb=1.0, sum_weight_squared_pb2=1.0,
        )  # fmt: skip

    choice = NetworkChoice(name="network", inputs=("mass",), hypothesis="mass", rows_per_mass=100)
    signals = {(m,): sample(np.full(500, m)) for m in (1.0, 2.0)}
    widths = RecoilWidths(points=((1.0, 0.1), (2.0, 0.1)))
    background = {"flat": sample(np.linspace(1.0, 2.0, 2000))}
    with absent("sklearn"), pytest.raises(MissingExtraError, match=r"darkstats\[classifier\]"):
        train(choice, signals, background, variable="square", widths=widths)
