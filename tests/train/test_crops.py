import numpy as np
import pytest
from conftest import smooth_image, write_shard

from pipeline.images.shards import Shard
from pipeline.train.crops import Ahead, Crops, turn


@pytest.fixture
def shards(tmp_path):
    rng = np.random.default_rng(0)
    small = {"a": smooth_image(rng, 11, 9), "b": smooth_image(rng, 8, 23)}
    write_shard(tmp_path / "small", small)
    large = {name: np.kron(image, np.ones((3, 3, 1), np.uint8)) for name, image in small.items()}
    write_shard(tmp_path / "large", {name: image.astype(np.uint16) * 257 for name, image in large.items()})
    return Shard(tmp_path / "small"), Shard(tmp_path / "large")


def test_inputs_and_targets_show_the_same_place(shards):
    inputs, targets = Crops([(shards[0], 1), (shards[1], 3)], 7, 5, seed=1, purpose="t")(4)
    assert inputs.shape == (5, 3, 7, 7) and targets.shape == (5, 3, 21, 21) and targets.max() <= 1
    np.testing.assert_allclose(targets[:, :, ::3, ::3], inputs, atol=1e-6)


def test_a_step_is_a_function_of_seed_purpose_and_step(shards):
    crops = Crops([(shards[0], 1)], 7, 4, seed=1, purpose="t")
    (first,) = crops(9)
    crops(3)
    np.testing.assert_array_equal(crops(9)[0], first)
    assert not np.array_equal(crops(10)[0], first)
    assert not np.array_equal(Crops([(shards[0], 1)], 7, 4, seed=2, purpose="t")(9)[0], first)


def test_every_position_and_orientation_is_equally_likely(shards):
    crops = Crops([(shards[0], 1)], 8, 1, seed=0, purpose="t")
    places = [crops.place(step, 0) for step in range(8000)]
    positions = (11 - 7) * (9 - 7) + 1 * (23 - 7)
    _, counts = np.unique([place[:3] for place in places], axis=0, return_counts=True)
    assert len(counts) == positions
    assert ((counts - 8000 / positions) ** 2 / (8000 / positions)).sum() < 60  # chi-square, 23 degrees: p < 1e-4
    _, counts = np.unique([place[3] for place in places], return_counts=True)
    assert len(counts) == 8 and counts.min() > 880


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_eight_turns_are_those_of_numpy_and_all_different(dtype):
    crop = np.random.default_rng(0).integers(0, 256, (9, 12, 3)).astype(dtype)[1:8, 3:10]  # of rows that are not in one piece
    crop.flags.writeable = False  # as those of a shard
    turned = [turn(crop, i) for i in range(8)]
    assert len({np.ascontiguousarray(t).tobytes() for t in turned}) == 8
    for i, found in enumerate(turned):
        wanted = np.rot90(crop, i % 4)
        np.testing.assert_array_equal(found, wanted[:, ::-1] if i >= 4 else wanted)


def test_parts_of_a_batch_are_the_batch(shards):
    arguments = [(shards[0], 1), (shards[1], 3)], 7, 6, 1, "t"
    parts = [Crops(*arguments, part=(i, 3))(4) for i in range(3)]
    for whole, pieces in zip(Crops(*arguments)(4), zip(*parts)):
        np.testing.assert_array_equal(whole, np.concatenate(pieces))


def test_reading_ahead_gives_each_step_its_batch_in_any_order(shards):
    crops = Crops([(shards[0], 1)], 7, 5, seed=1, purpose="t")
    ahead = Ahead(crops)
    for step in (0, 1, 2, 7, 8, 3):
        np.testing.assert_array_equal(ahead(step)[0], crops(step)[0])


def test_images_smaller_than_a_patch_are_left_out_and_named(shards, capsys):
    crops = Crops([(shards[0], 1)], 9, 50, seed=0, purpose="t")
    said = capsys.readouterr().out
    assert "1 of 2 images are smaller than a patch of 9 pixels, the first is 'b' with 23x8; they are left out" in said
    assert set(crops.names(0)) == {"a"} and crops(0)[0].shape == (50, 3, 9, 9)
    with pytest.raises(ValueError, match="2 of 2 images are smaller than a patch of 12"):
        Crops([(shards[0], 1)], 12, 1, seed=0, purpose="t")


def test_names_are_those_of_the_batch(shards):
    crops = Crops([(shards[0], 1)], 7, 6, seed=0, purpose="t")
    assert crops.names(2) == ["ab"[crops.place(2, i)[0]] for i in range(6)]
