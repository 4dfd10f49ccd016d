from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu
from skimage import data

from pipeline.score.auc import auc
from pipeline.score.critic import PATCHES, critic_auc, sample_patches

SETTINGS = SimpleNamespace(critic_steps=60, critic_batch=16, critic_patch=24, critic_features=8)
PHOTOGRAPHS = (data.astronaut(), data.coffee(), data.chelsea(), data.rocket())


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # on tensors of this size more of them mostly wait
    yield
    torch.set_num_threads(before)


class Images(list):
    """Images with the scene of each, as a shard has them."""

    def __init__(self, images, scenes=None):
        super().__init__(images)
        self.scenes = scenes or [f"scene{i}" for i in range(len(self))]


def pieces(offset: int) -> Images:
    """Twelve pieces of four photographs, none of two offsets the same."""
    return Images(np.ascontiguousarray(image[top : top + 61, offset : offset + 57])
                  for image in PHOTOGRAPHS for top in (20, 100, 180))


def blurred(images: Images, sigma: float) -> Images:
    return Images((cv2.GaussianBlur(image, (0, 0), sigma) for image in images), images.scenes)


def told(outputs: Images, clean: Images, seed: int = 1, **changes) -> float:
    settings = SimpleNamespace(**vars(SETTINGS) | changes)
    return critic_auc(*(sample_patches(images, settings.critic_patch, seed) for images in (outputs, clean)), settings, seed)


@pytest.fixture(scope="module")
def slight():
    """How well slightly blurred pieces are told from others."""
    return told(blurred(pieces(140), 1), pieces(40))


def test_auc_equals_the_rank_statistic():
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 9, 40), rng.integers(0, 7, 33)
    assert auc(torch.tensor(real), torch.tensor(fake)) == pytest.approx(mannwhitneyu(real, fake).statistic / (40 * 33))
    assert auc(torch.tensor([2.0, 3.0]), torch.tensor([0.0, 1.0])) == 1
    assert auc(torch.zeros(5), torch.zeros(3)) == 0.5


def test_a_set_and_itself_cannot_be_told_apart():
    assert told(pieces(40), pieces(40), critic_steps=5) == 0.5


def test_two_draws_of_one_distribution_are_near_chance_and_blurred_ones_are_told(slight):
    clean = pieces(40)
    assert told(pieces(140), clean) == pytest.approx(0.5, abs=0.12)
    assert 0.7 < slight < (strong := told(blurred(pieces(140), 2), clean)) and strong > 0.88


def test_the_sides_can_be_exchanged(slight):
    assert told(pieces(40), blurred(pieces(140), 1)) == pytest.approx(slight, abs=0.01)


def test_a_seed_gives_one_value(slight):
    clean, outputs = pieces(40), blurred(pieces(140), 1)
    state = torch.get_rng_state()
    assert told(outputs, clean) == slight and told(outputs, clean, seed=2) != slight
    assert torch.equal(torch.get_rng_state(), state)


def test_what_is_learnt_by_heart_does_not_help():
    """Every scene is another colour, on both sides drawn alike: on scenes it has seen a critic would always be right."""
    colours = np.random.default_rng(0).integers(0, 256, (2, 12, 3))
    outputs, clean = (Images(np.full((16, 16, 3), colour, np.uint8) for colour in side) for side in colours)
    budget = {"critic_steps": 150, "critic_batch": 8, "critic_patch": 16, "critic_features": 16}
    assert told(outputs, clean, **budget) < 0.7
    seen = [f"{i:02d}{half}" for half in "ab" for i in range(12)]  # each colour in a scene of either half
    assert told(*(Images([*side, *side], seen) for side in (outputs, clean)), **budget) > 0.95


def test_patches_are_shared_out_and_scenes_stay_in_one_half():
    images = pieces(40)
    images.scenes = [f"scene{i // 3}" for i in range(len(images))]
    sample = sample_patches(images, 24, 1)
    patches, half = sample.patches, sample.half
    assert patches.shape == (PATCHES, 3, 24, 24) and patches.dtype == torch.uint8
    ends = np.cumsum([3 * 43, 3 * 43, 2 * 43 + 42])  # four scenes of three images; 512 patches of twelve images
    assert [set(group) for group in np.split(half, ends)] == [{0}, {1}, {0}, {1}]
    windows = np.lib.stride_tricks.sliding_window_view(images[0], (24, 24, 3)).reshape(-1, 24, 24, 3)
    assert (windows == patches[0].permute(1, 2, 0).numpy()).all(axis=(1, 2, 3)).any()
    many = Images(np.zeros((16, 16, 3), np.uint8) for _ in range(PATCHES + 3))
    assert len(sample_patches(many, 16, 1).patches) == PATCHES + 3


def test_what_it_cannot_do_it_says():
    one = Images(pieces(40), ["a"] * 12)
    with pytest.raises(ValueError, match="2 scenes on each side; one has 1"):
        sample_patches(one, 24, 1)
    with pytest.raises(ValueError, match="bench.critic_patch is 64 pixels, an image is 57x61"):
        sample_patches(pieces(40), 64, 1)
