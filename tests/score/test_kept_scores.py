import numpy as np

from pipeline.score.kept import Kept


def test_it_makes_once_and_lets_the_oldest_go():
    calls = []

    def make(*images):
        calls.append(images)
        return [np.zeros(100, np.uint8)]

    kept = Kept(make, limit=250)  # two of them
    a, b, c = (np.full((2, 6), value, np.uint8) for value in (1, 2, 3))
    first = kept(a)
    assert kept(a.copy()) is first and len(calls) == 1
    kept(a.reshape(3, 4)), kept(a, b)
    assert len(calls) == 3  # another shape, another image beside it
    assert kept(a) is not first and len(calls) == 4
    kept(c), kept(a)
    assert len(calls) == 5


def test_what_is_larger_than_all_it_may_keep_is_kept_alone():
    kept = Kept(lambda image: [np.zeros(100, np.uint8)], limit=50)
    a, b = np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8)
    first, second = kept(a), kept(b)
    assert kept(b) is second and kept(a) is not first
