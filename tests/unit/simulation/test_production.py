"""Blocks: the same for any number of workers, resumed after an interruption, never damaged."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.simulation.axion_strahlung import AxionStrahlung
from darkstats.simulation.detector import Detector
from darkstats.simulation.production import ProductionError, SampleRequest, make_block, produce
from darkstats.simulation.selection import ThreePhotonSelection


def request_of(name="signal", seed=1, n_events=900):
    return SampleRequest(
        name=name,
        process=AxionStrahlung(mass_gev=1.0),
        detector=Detector(),
        selection=ThreePhotonSelection(),
        n_events=n_events,
        events_per_block=300,
        seed=seed,
    )


def assert_equal(one, two):
    assert one.n_generated == two.n_generated
    assert one.sum_weight_pb == two.sum_weight_pb
    np.testing.assert_array_equal(one.weight_pb, two.weight_pb)
    for name in one.columns:
        np.testing.assert_array_equal(one[name], two[name])


def test_workers_do_not_change_events(tmp_path):
    requests = [request_of(), request_of("other", seed=2, n_events=2100)]
    alone = produce(requests, cache=tmp_path / "one", workers=1)
    many = produce(requests, cache=tmp_path / "two", workers=3)
    for name in alone:
        assert_equal(alone[name], many[name])


def test_an_interrupted_production_goes_on_and_gives_the_same(tmp_path):
    whole = produce([request_of()], cache=tmp_path / "whole")

    class StopError(Exception):
        """What a user's Ctrl-C would be."""

    def interrupt(count):
        raise StopError

    with pytest.raises(StopError):
        produce([request_of()], cache=tmp_path / "cut", progress=interrupt)
    assert len(list((tmp_path / "cut").rglob("*.block"))) == 1
    made = []
    resumed = produce([request_of()], cache=tmp_path / "cut", progress=made.append)
    assert_equal(whole["signal"], resumed["signal"])
    assert sum(made) == 900


def test_a_damaged_block_is_made_again(tmp_path):
    before = produce([request_of()], cache=tmp_path)
    block = sorted(tmp_path.rglob("*.block"))[1]
    data = bytearray(block.read_bytes())
    data[-3] ^= 0xFF
    block.write_bytes(bytes(data))
    assert_equal(before["signal"], produce([request_of()], cache=tmp_path)["signal"])
    block.write_bytes(b"")
    assert_equal(before["signal"], produce([request_of()], cache=tmp_path)["signal"])


def test_every_choice_is_part_of_the_key():
    base = request_of()
    others = [
        replace(base, seed=2),
        replace(base, process=AxionStrahlung(mass_gev=1.1)),
        replace(base, detector=Detector(photon_efficiency=0.9)),
        replace(base, selection=ThreePhotonSelection(min_energy_gev=1.0)),
        replace(base, events_per_block=301),
    ]
    assert len({base.digest(), *(other.digest() for other in others)}) == 6
    assert replace(base, n_events=5000).digest() == base.digest()  # more events: more blocks


def test_blocks_differ():
    one, two = make_block(request_of(), 0), make_block(request_of(), 1)
    assert one.weight_pb.sum() != two.weight_pb.sum()


@dataclass(frozen=True)
class Broken:
    name: str = "broken"

    def settings(self):
        return {"version": 1}

    def generate(self, n_events, rng):
        raise ZeroDivisionError("no phase space")


def test_a_failing_generator_names_sample_and_block(tmp_path):
    request = replace(request_of("doomed"), process=Broken())
    with pytest.raises(ProductionError, match=r"sample doomed, block 0: .*no phase space"):
        produce([request], cache=tmp_path)


def test_names_must_differ_and_somebody_must_work(tmp_path):
    with pytest.raises(OptionError, match="same name"):
        produce([request_of(), request_of()], cache=tmp_path)
    with pytest.raises(OptionError, match="workers"):
        produce([request_of()], cache=tmp_path, workers=0)
