import numpy as np

from pipeline.core.seeds import derive, rng


def test_streams_are_independent_of_order_and_differ_in_every_argument():
    first = rng(1, "crops", 7).integers(0, 2**32, 4)
    rng(1, "other").random(100)
    assert (rng(1, "crops", 7).integers(0, 2**32, 4) == first).all()
    others = [rng(2, "crops", 7), rng(1, "crop", 7), rng(1, "crops", 8)]
    assert all((other.integers(0, 2**32, 4) != first).any() for other in others)


def test_no_two_of_many_indices_collide():
    assert len({derive(0, "pairs", i) for i in range(5000)}) == 5000


def test_neighbouring_streams_are_uncorrelated():
    draws = np.array([rng(0, "x", i).standard_normal(200) for i in range(50)])
    correlation = np.corrcoef(draws) - np.eye(50)
    assert np.abs(correlation).max() < 0.35  # 5 sigma of 1/sqrt(200)
