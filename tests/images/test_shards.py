import numpy as np
import pytest
from conftest import smooth_image, write_shard

from pipeline.images.shards import Shard, ShardWriter, check_pairing, write_absent


def images(rng, dtype=np.uint8):
    return {f"a/{i}": (smooth_image(rng, 7 + i, 13).astype(dtype) * (257 if dtype == np.uint16 else 1)).astype(dtype)
            for i in range(4)}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_round_trip_and_same_bytes(tmp_path, dtype):
    wanted = images(np.random.default_rng(0), dtype)
    for name in ("one", "two"):
        write_shard(tmp_path / name, wanted)
    shard = Shard(tmp_path / "one")
    assert shard.names == list(wanted) and len(shard) == 4
    for got, image in zip(shard, wanted.values()):
        np.testing.assert_array_equal(got, image)
    for file in ("images.npy", "index.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_shard_whose_making_failed_is_not_a_shard(tmp_path):
    with pytest.raises(RuntimeError), ShardWriter(tmp_path / "s") as writer:
        writer.add("a", "a", np.zeros((5, 5, 3), np.uint8))
        raise RuntimeError
    with pytest.raises(FileNotFoundError, match="no index.json"):
        Shard(tmp_path / "s")


def test_wrong_image_is_refused_by_name(tmp_path):
    with ShardWriter(tmp_path) as writer, pytest.raises(ValueError, match="image grey is uint8 .5, 5."):
        writer.add("grey", "grey", np.zeros((5, 5), np.uint8))


def test_truncated_data_is_noticed(tmp_path):
    write_shard(tmp_path / "s", images(np.random.default_rng(0)))
    np.save(tmp_path / "s" / "images.npy", np.zeros(17, np.uint8))
    with pytest.raises(ValueError, match="17 values"):
        Shard(tmp_path / "s")


def test_empty_and_absent(tmp_path):
    with ShardWriter(tmp_path / "empty"):
        pass
    write_absent(tmp_path / "absent", "sets.truth.folder is data/none")
    assert len(Shard(tmp_path / "empty")) == 0 and Shard(tmp_path / "empty").absent is None
    assert Shard(tmp_path / "absent").absent == "sets.truth.folder is data/none"


def test_pairing_errors_name_both_sides(tmp_path):
    small = {"x": np.zeros((5, 7, 3), np.uint8)}
    write_shard(tmp_path / "in", small)
    write_shard(tmp_path / "double", {"x": np.zeros((10, 14, 3), np.uint8)})
    write_shard(tmp_path / "odd", {"x": np.zeros((10, 15, 3), np.uint8)})
    write_shard(tmp_path / "other", {"y": np.zeros((10, 14, 3), np.uint8)})
    shards = {name: Shard(tmp_path / name) for name in ("in", "double", "odd", "other")}
    assert check_pairing(shards["in"], shards["double"], None, "A", "B") == 2
    with pytest.raises(ValueError, match="'x': A is 7x5, B is 15x10, wanted 2 times"):
        check_pairing(shards["in"], shards["odd"], None, "A", "B")
    with pytest.raises(ValueError, match="A has 1 image.* without a partner in B, the first is 'x'"):
        check_pairing(shards["in"], shards["other"], 2, "A", "B")


def test_a_split_that_one_side_does_not_have_is_no_partner_missing(tmp_path):
    """Labels have no test images."""
    image = np.zeros((5, 7, 3), np.uint8)
    write_shard(tmp_path / "set/train", {"x": image, "y": image})
    write_shard(tmp_path / "set/test", {"a": image})
    write_shard(tmp_path / "labels/train", {"x": image})
    with pytest.raises(ValueError, match="A has 1 image.s. without a partner in B, the first is 'y'$"):
        check_pairing(Shard(tmp_path / "set/train"), Shard(tmp_path / "labels/train"), 1, "A", "B")


@pytest.mark.parametrize("ours, theirs", [("e\u0301te", "\xe9te"), ("IMG_1", "img_1")])
def test_a_partner_whose_name_only_looks_alike_is_named(tmp_path, ours, theirs):
    """macOS stores an accent as a character of its own."""
    write_shard(tmp_path / "a", {ours: np.zeros((2, 2, 3), np.uint8)})
    write_shard(tmp_path / "b", {theirs: np.zeros((2, 2, 3), np.uint8)})
    with pytest.raises(ValueError) as error:
        check_pairing(Shard(tmp_path / "a"), Shard(tmp_path / "b"), 1, "ours", "theirs")
    assert "without a partner" in str(error.value) and ascii(theirs) in str(error.value) and ascii(ours) in str(error.value)
