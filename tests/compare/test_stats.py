import numpy as np
import pytest
from scipy import optimize, stats

from pipeline.compare.stats import RESAMPLES, Interval, interval, matched, means, weights


def of(scores: np.ndarray) -> Interval:
    """The interval of the mean of scores (seeds, scenes), an image per scene."""
    return interval(means(scores, np.ones(scores.shape)), *scores.shape)


def test_resamples_are_drawn_with_replacement_and_always_the_same():
    assert (weights(5, "scenes").sum(axis=1) == 5).all() and weights(5, "scenes").shape == (RESAMPLES, 5)
    assert (weights(5, "scenes") != weights(5, "seeds")).any()
    first = weights(5, "scenes").copy()
    weights.cache_clear()
    assert (weights(5, "scenes") == first).all()


def test_a_resample_is_the_mean_over_the_images_of_the_scenes_drawn():
    rng = np.random.default_rng(0)
    images = {0: rng.normal(size=(2, 3)), 1: rng.normal(size=(2, 1)), 2: rng.normal(size=(2, 4))}  # by scene: (seeds, images)
    totals = np.stack([images[scene].sum(axis=1) for scene in images], axis=1)
    counts = np.array([[3, 1, 4], [3, 1, 4]])
    found = means(totals, counts)
    assert found[0] == pytest.approx(np.concatenate(list(images.values()), axis=1).mean())
    for k in (0, 1, 2, 77):
        drawn = np.repeat([0, 1, 2], weights(3, "scenes")[k].astype(int))
        assert found[1 + k] == pytest.approx(np.concatenate([images[scene] for scene in drawn], axis=1).mean())
        seeds = np.repeat([0, 1], weights(2, "seeds")[k].astype(int))
        assert found[1 + RESAMPLES + k] == pytest.approx(np.concatenate(list(images.values()), axis=1)[seeds].mean())


def test_one_seed_is_students_t_over_scenes_and_scipys_standard_error():
    scores = np.random.default_rng(1).exponential(size=(1, 12))
    found = of(scores)
    assert found.value == pytest.approx(scores.mean())
    low, high = stats.t.interval(0.95, 11, scores.mean(), stats.sem(scores[0]))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.03 * (high - low))
    theirs = stats.bootstrap((scores[0],), np.mean, n_resamples=RESAMPLES, random_state=np.random.default_rng(2))
    drawn = means(scores, np.ones((1, 12)))[1 : 1 + RESAMPLES]
    assert drawn.std() == pytest.approx(theirs.standard_error, rel=0.04)


def test_seeds_and_scenes_add_up():
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 1, (4, 1)) + rng.normal(0, 1, 9) + rng.normal(0, 0.3, (4, 9))
    parts = np.array([scores.mean(axis=0).var(ddof=1) / 9, scores.mean(axis=1).var(ddof=1) / 4])
    freedom = parts.sum() ** 2 / (parts**2 / [8, 3]).sum()
    half = stats.t.ppf(0.975, freedom) * np.sqrt(parts.sum())
    found = of(scores)
    assert (found.high - found.value, found.value - found.low) == pytest.approx((half, half), rel=0.05)
    assert half > 1.2 * stats.t.ppf(0.975, 8) * np.sqrt(parts[0])  # the seeds do widen it


@pytest.mark.parametrize("seeds, scenes, by_seed, by_scene, noise", [
    (1, 4, 0, 1, 0.3), (1, 18, 0, 1, 0.3), (3, 4, 0.3, 1, 0.5), (3, 18, 0.3, 1, 0.5), (3, 18, 1, 0.5, 0.5), (5, 10, 0, 0, 1)])
def test_coverage(seeds, scenes, by_seed, by_scene, noise):
    """Simulated tables of which the mean is known: nominally 95 % of the intervals hold it."""
    rng, hits = np.random.default_rng(4), 0
    for _ in range(400):
        scores = rng.normal(0, by_seed, (seeds, 1)) + rng.normal(0, by_scene, scenes) + rng.normal(0, noise, (seeds, scenes))
        hits += of(scores).tie
    assert 0.91 <= hits / 400 <= (0.98 if by_scene else 1)


def test_coverage_of_crossed_percentiles_is_worse():
    """Why it is not the pigeonhole bootstrap with percentiles: three seeds that make most of the spread."""
    rng, hits = np.random.default_rng(5), 0
    for _ in range(400):
        scores = rng.normal(0, 1, (3, 1)) + rng.normal(0, 0.5, 18) + rng.normal(0, 0.5, (3, 18))
        crossed = ((weights(3, "seeds") / 3 @ scores) * weights(18, "scenes") / 18).sum(axis=1)
        low, high = np.quantile(crossed, [0.025, 0.975])
        hits += low <= 0 <= high
    assert hits / 400 < 0.85


def test_no_difference_at_all_is_a_tie_and_one_scene_has_no_interval():
    assert of(np.zeros((3, 5))) == Interval(0, 0, 0) and of(np.zeros((3, 5))).tie
    assert of(np.array([[0.0], [1.0]])) == Interval(0.5, None, None) and not of(np.array([[0.0]])).tie


def test_mixtures_of_two_controls_are_reached():
    psnr, score = np.array([[20.0], [19.0], [18.0]]), np.array([[7.0], [5.0], [4.5]])
    for wanted, reached in ((19.5, 6.0), (19.0, 5.0), (18.5, 4.75), (18.0, 4.5), (17.0, 4.5), (20.0, 7.0), (21.0, 7.0)):
        assert matched(np.array([wanted]), psnr, score, "down") == pytest.approx(reached)
    assert matched(np.array([19.5]), psnr, score, "up") == 7  # a better one at a higher PSNR counts
    assert matched(np.array([21.0, 19.5]), np.repeat(psnr, 2, 1), np.repeat(score, 2, 1), "down") == pytest.approx([7, 6])


@pytest.mark.parametrize("direction", ["up", "down"])
def test_no_mixture_does_better(direction):
    rng = np.random.default_rng(6)
    psnr, score = rng.uniform(18, 22, (7, 20)), rng.normal(size=(7, 20))
    wanted = rng.uniform(17, psnr.max(axis=0))
    found = matched(wanted, psnr, score, direction)
    sign = 1 if direction == "up" else -1
    for k in range(20):
        best = optimize.linprog(-sign * score[:, k], A_ub=[-psnr[:, k]], b_ub=[-wanted[k]], A_eq=[np.ones(7)], b_eq=[1])
        assert found[k] == pytest.approx(-sign * best.fun)
