"""The folder of a job: whole blocks, resumption, merging."""

import json
import os

import pytest

from darkstats.errors import OptionError, OutputError, ShardError
from darkstats.execution.jobs import Job, block_text, inputs_bytes, read_inputs
from darkstats.execution.packing import pack_arrays, unpack_arrays
from darkstats.execution.store import BlockState, BlockStore

INPUTS = {"numbers": [1.5, 2.5], "name": "µ"}


def job(n_blocks=4, **settings):
    data, digest = inputs_bytes(INPUTS)
    return Job(
        kind="limits",
        settings={"seed": 1} | settings,
        n_blocks=n_blocks,
        inputs_digest=digest,
        inputs=data,
    )


def text(block):
    return block_text({"block": block, "value": 0.1 * block})


@pytest.fixture
def store(tmp_path):
    return BlockStore.create(tmp_path / "job", job())


def test_inputs_come_back_and_have_the_same_bytes():
    data, digest = inputs_bytes(INPUTS)
    again, same = inputs_bytes(dict(reversed(INPUTS.items())))
    assert data == again
    assert digest == same
    assert read_inputs(data) == INPUTS


def test_blocks_come_back(store):
    store.write(2, text(2))
    assert store.read(2) == {"block": 2, "value": 0.2}
    assert store.unfinished() == [0, 1, 3]
    assert BlockStore.open(store.folder).unfinished() == [0, 1, 3]


def test_a_folder_is_taken_up_for_the_same_job_only(store):
    store.write(0, text(0))
    again = BlockStore.create(store.folder, job())
    assert again.unfinished() == [1, 2, 3]
    with pytest.raises(OptionError, match="another job"):
        BlockStore.create(store.folder, job(seed=2))


def test_more_blocks_belong_to_the_same_job(store):
    store.write(3, text(3))
    more = BlockStore.create(store.folder, job(n_blocks=6))
    assert more.unfinished() == [0, 1, 2, 4, 5]
    assert BlockStore.open(store.folder).job.n_blocks == 6
    fewer = BlockStore.create(store.folder, job(n_blocks=2))
    assert fewer.unfinished() == [0, 1]
    assert BlockStore.open(store.folder).job.n_blocks == 6


def test_other_folders_are_left_alone(tmp_path):
    (tmp_path / "note.txt").write_text("mine", "utf-8")
    with pytest.raises(OptionError, match="holds no job"):
        BlockStore.create(tmp_path, job())
    with pytest.raises(ShardError, match="holds no job"):
        BlockStore.open(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "binary"])
def test_damaged_blocks_are_seen_and_run_again(store, damage):
    store.write(1, text(1))
    path = store.folder / "blocks" / "000001.json"
    data = path.read_bytes()
    path.write_bytes(
        {
            "cut": data[: len(data) // 2],
            "changed": data.replace(b"0.1", b"0.2"),
            "empty": b"",
            "binary": b"\xff\xfe",
        }[damage]
    )
    assert store.look(1) == (BlockState.CORRUPT, "")
    assert 1 in store.unfinished()
    with pytest.raises(ShardError, match=r"000001\.json: damaged"):
        store.read(1)


def test_blocks_of_another_job_are_seen(store, tmp_path):
    other = BlockStore.create(tmp_path / "other", job(seed=9))
    other.write(1, text(1))
    (store.folder / "blocks" / "000001.json").write_bytes(
        (other.folder / "blocks" / "000001.json").read_bytes()
    )
    with pytest.raises(ShardError, match="another job"):
        store.unfinished()
    with pytest.raises(ShardError, match="another job"):
        store.merge([other.folder])


def test_a_block_in_the_place_of_another_is_seen(store):
    store.write(1, text(1))
    blocks = store.folder / "blocks"
    (blocks / "000002.json").write_bytes((blocks / "000001.json").read_bytes())
    assert store.look(2)[0] is BlockState.FOREIGN


def test_merging_is_idempotent_and_complete(store, tmp_path):
    shards = []
    for k in range(2):
        shard = BlockStore.create(tmp_path / f"shard_{k}", job())
        for block in range(k, 4, 2):
            shard.write(block, text(block))
        shards.append(shard.folder)
    with pytest.raises(ShardError, match=r"2 of 4 blocks are missing: 1, 3"):
        store.merge(shards[:1])
    first = store.merge(shards)
    assert (first.taken, first.known) == (2, 2)
    again = store.merge(shards)
    assert (again.taken, again.known) == (0, 4)
    assert [store.read(b)["block"] for b in range(4)] == [0, 1, 2, 3]


def test_shards_that_differ_are_not_merged(store, tmp_path):
    store.write(0, text(0))
    other = BlockStore.create(tmp_path / "other", job())
    other.write(0, text(7))
    with pytest.raises(ShardError, match="block 0 differs"):
        store.merge([other.folder])


def test_a_damaged_shard_is_named(store, tmp_path):
    other = BlockStore.create(tmp_path / "other", job())
    other.write(0, text(0))
    (other.folder / "blocks" / "000000.json").write_bytes(b"{}")
    with pytest.raises(ShardError, match=r"other/blocks/000000\.json: damaged"):
        store.merge([other.folder])


def test_a_changed_job_is_refused(store):
    path = store.folder / "job.json"
    head = json.loads(path.read_text("utf-8"))
    head["settings"]["seed"] = 2
    path.write_text(json.dumps(head), "utf-8")
    with pytest.raises(ShardError, match="changed since it was written"):
        BlockStore.open(store.folder)


def test_a_full_disk_keeps_what_was_finished(store, monkeypatch):
    store.write(0, text(0))
    before = (store.folder / "blocks" / "000000.json").read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"No space left on device; finished blocks are kept"):
        store.write(1, text(1))
    with pytest.raises(OutputError, match="No space left"):
        store.write(0, text(5))
    monkeypatch.undo()
    assert (store.folder / "blocks" / "000000.json").read_bytes() == before
    assert store.unfinished() == [1, 2, 3]
    assert sorted(p.name for p in (store.folder / "blocks").iterdir()) == ["000000.json"]


def test_arrays_come_back_with_their_shapes():
    import numpy as np

    arrays = {"scalar": np.array("line"), "empty": np.zeros((0, 3)), "some": np.arange(6.0)}
    packed = pack_arrays(arrays)
    assert packed == pack_arrays(arrays)
    found = unpack_arrays(json.loads(json.dumps(packed)))
    for name, array in arrays.items():
        assert found[name].shape == array.shape
        assert np.array_equal(found[name], array)
    assert str(found["scalar"]) == "line"
    with pytest.raises(ShardError, match="holds no arrays"):
        unpack_arrays({"bad": "AAAA"})


def test_a_changed_number_of_blocks_is_refused(store):
    """It is no part of the digest, because it may grow; a million empty ones took for ever."""
    path = store.folder / "job.json"
    head = json.loads(path.read_text("utf-8"))
    for n in (10**6, 0, -1):
        path.write_text(json.dumps({**head, "n_blocks": n}), "utf-8")
        with pytest.raises(ShardError, match="changed since it was written"):
            BlockStore.open(store.folder)
