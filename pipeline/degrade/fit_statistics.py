"""Numbers that tell how an image was degraded and little of what it shows.

Powers of luma and chroma by frequency, over the whole crop, in its flattest and in its busiest places; their direction; noise
by channel and brightness; differences between pixels; how well the luma's DCT keeps to JPEG's tables.
"""
import cv2
import numpy as np
from scipy.fft import dctn, rfft2

from pipeline.degrade.quality import COEFFICIENTS, luma_table
from pipeline.degrade.spectra import radius, to_ycc

BLOCK = 16  # pixels, side of the blocks of the spectra
QUALITIES = range(56, 99, 2)
LAGS = (1, 2, 3, 5)
FLOOR = 0.02  # levels or squared levels; what is below counts as that much
NOISE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6  # Immerkaer, "Fast noise variance estimation", CVIU 1996
TABLES = np.array([[luma_table(quality)[place] for place in COEFFICIENTS] for quality in QUALITIES], float)


def statistics(image: np.ndarray) -> np.ndarray:
    """uint8 RGB HWC, sides of at least 32 pixels, cut along the 8x8 grid of its JPEG -> 136 float64 numbers, all finite."""
    planes = to_ycc(image.astype(np.float64))
    return np.concatenate([*_powers(planes), *_noise(image.astype(np.float64), planes[..., 0]), *_differences(planes[..., 0]),
                           *_compression(planes[..., 0])])


def _log(values) -> np.ndarray:
    return np.log(np.atleast_1d(values) + FLOOR).ravel()


def _rings() -> tuple[np.ndarray, np.ndarray]:
    """Weights of the entries of an rfft2 of a block: (9 rings, entries), and (6 wedges, entries): along x, along y and
    diagonal, of middle and of high frequencies."""
    frequency = radius(BLOCK, BLOCK)
    across = np.abs(np.fft.fftfreq(BLOCK))[:, None]
    angle = np.arctan2(across, np.fft.rfftfreq(BLOCK)[None] + 1e-9)
    twice = np.full(frequency.shape, 2.0)  # rfft2 leaves out the mirror image of all columns but the first and the last
    twice[:, [0, -1]] = 1
    ring = np.minimum((frequency * BLOCK).astype(int), 9)
    rings = [ring == k for k in range(1, 10)]
    wedges = [part & (frequency >= low) & (frequency < high) for low, high in ((0.1, 0.25), (0.25, 0.5))
              for part in (angle < np.pi / 8, angle > 3 * np.pi / 8, abs(angle - np.pi / 4) <= np.pi / 8)]
    return tuple(np.array([(one * twice / (one * twice).sum()).ravel() for one in group]) for group in (rings, wedges))


RINGS, WEDGES = _rings()


def _powers(planes: np.ndarray):
    window = np.outer(np.hanning(BLOCK + 1)[:-1], np.hanning(BLOCK + 1)[:-1])
    blocks = np.lib.stride_tricks.sliding_window_view(planes, (BLOCK, BLOCK), axis=(0, 1))[:: BLOCK // 2, :: BLOCK // 2]
    blocks = blocks.swapaxes(0, 2).reshape(3, -1, BLOCK, BLOCK)
    spectra = np.abs(rfft2((blocks - blocks.mean((2, 3), keepdims=True)) * window)) ** 2 / (window**2).sum()
    spectra = spectra.reshape(*blocks.shape[:2], -1)
    power = spectra @ RINGS.T  # (channels, blocks, rings)
    order = np.argsort(power[0, :, :2].sum(axis=1), kind="stable")
    quarter = max(1, len(order) // 4)
    yield _log(power.mean(axis=1))
    yield _log(power[:2, order[:quarter]].mean(axis=1))
    yield _log(power[0, order[-quarter:]].mean(axis=0))
    yield _log(np.median(power[0], axis=0))
    along, across, diagonal, *high = _log((spectra[0] @ WEDGES.T).mean(axis=0))
    yield [along - across, along - diagonal, high[0] - high[1], high[0] - high[2]]


def _noise(image: np.ndarray, luma: np.ndarray):
    """In the flattest fifth of the blocks of 4x4 pixels, nearly saturated ones left out, and the median over all."""
    smooth = cv2.GaussianBlur(luma, (0, 0), 1.5)
    slope = _means(cv2.Sobel(smooth, -1, 1, 0) ** 2 + cv2.Sobel(smooth, -1, 0, 1) ** 2)
    mean = _means(luma)
    inside = (mean > 8) & (mean < 247)
    if inside.sum() < 8:
        inside[:] = True
    flat = np.argsort(np.where(inside, slope, np.inf), kind="stable")[: max(8, inside.sum() // 5)]
    passed = [cv2.filter2D(plane, -1, NOISE) for plane in (*np.moveaxis(image, -1, 0), luma)]
    power = np.array([_means(plane**2) for plane in passed])
    middle = np.median(mean[flat])
    dark, bright = flat[mean[flat] <= middle], flat[mean[flat] >= middle]
    yield _log(power[:, flat].mean(axis=1))
    yield _log(np.median(power, axis=1))
    yield _log([power[3, dark].mean(), power[3, bright].mean(), slope[flat].mean()])
    yield [mean[flat].mean() / 255]
    moments = np.cov(np.reshape(passed[:3], (3, -1))) + FLOOR * np.eye(3)
    yield [moments[a, b] / np.sqrt(moments[a, a] * moments[b, b]) for a, b in ((0, 1), (0, 2), (1, 2))]


def _means(plane: np.ndarray) -> np.ndarray:
    rows, columns = plane.shape[0] // 4, plane.shape[1] // 4
    return plane[: rows * 4, : columns * 4].reshape(rows, 4, columns, 4).mean((1, 3)).ravel()


def _differences(luma: np.ndarray):
    """Of pixels some way apart, along both axes: what edges leave of their sharpness."""
    for plane in (luma, luma.T):
        for lag in LAGS:
            difference = np.abs(plane[lag:] - plane[:-lag])
            yield _log([difference.mean(), *np.quantile(difference, (0.5, 0.98))])


def _compression(luma: np.ndarray):
    """As degrade/quality.py, one value per quality; small coefficients; steps at the borders of 8x8 blocks."""
    rows, columns = luma.shape[0] // 8, luma.shape[1] // 8
    blocks = (luma[: rows * 8, : columns * 8] - 128).reshape(rows, 8, columns, 8).swapaxes(1, 2)
    coefficients = dctn(blocks.reshape(-1, 8, 8), axes=(1, 2), norm="ortho")
    some = np.stack([coefficients[:, i, j] for i, j in COEFFICIENTS], axis=1)
    cosine, live = np.cos(2 * np.pi * some / TABLES[:, None]), np.abs(some) > TABLES[:, None] / 2
    yield (cosine * live).sum((1, 2)) / (live.sum((1, 2)) + 5)
    yield [(np.abs(coefficients[:, i:j]) < least).mean() for i, j in ((1, 4), (4, 8)) for least in (0.7, 2, 5)]
    for plane in (luma, luma.T):
        step = np.abs(np.diff(plane, axis=0))
        yield _log(step[7::8].mean()) - _log(step[3::8].mean())
