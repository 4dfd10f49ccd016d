"""Steps 5 to 9: from the light in front of the sensor to the camera's picture."""
import cv2
import numpy as np

REACH = 2.4  # sigma; the weight there is 3e-4 of the largest. A kernel cut earlier is a box with side lobes.
LATTICES = {5: 2, 10: 3, 13: 5}  # points and a
FULL = 65535
PAD = 2  # pixels around an image that demosaicking reads
# The kernels of Malvar et al., fig. 2, times 8.
GREEN = np.float32([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]])
ALONG = np.float32([[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]])
ACROSS = np.float32([[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]])
BILATERAL_SIGMA = 1.5  # pixels, in a window of 5x5
UNSHARP_SIGMA = 1.0
LEAST = 0.15  # sigma of a Gaussian, below which its neighbours' weights round to nothing


def halo(sigma: float) -> int:
    """Camera pixels around an image that the filter reads."""
    return int(np.ceil(REACH * sigma))


def points(scale: float, sigma: float) -> np.ndarray:
    """Where in a camera pixel the light is sampled: (n, 2), down and right from its centre, in [-0.5, 0.5).

    What the points are too sparse for would come out as a moire that no camera shows. They are a rank-1 lattice,
    (i, i a mod n) / n (Sloan and Joe, "Lattice methods for multiple integration", 1994): 5 are 2.2 times as dense as the sensor
    on each axis, and along the axes, where a screen's harmonics lie, as good as 5 times; they leave a third to a tenth of the
    false moire of 2x2 points. More points where the screen's pixels are finer (`scale` camera pixels each) or the filter is
    narrower: the false moire is below 4 % of the light of flat grey, rms, mostly 1 %.
    """
    count = 5 if scale >= 1.5 and sigma >= 0.7 else 10 if scale >= 0.9 else 13
    steps = np.arange(count)[:, None] * (1, LATTICES[count]) / count
    return (steps + 0.5) % 1 - 0.5


def kernels(sigma: float, places: np.ndarray) -> np.ndarray:
    """float32 (n, m, m), m = 2 halo + 1: the weights of the samples at places[i] in the pixels around.

    `sigma` in camera pixels; all weights together sum to one.
    """
    reach = halo(sigma)
    down, right = (axis[:, None] + np.arange(-reach, reach + 1) for axis in places.T)
    square = down[:, :, None] ** 2 + right[:, None, :] ** 2
    weights = np.exp(-((square / (2 * sigma**2)) ** 2)) * (square <= (REACH * sigma) ** 2)
    return (weights / weights.sum()).astype(np.float32)


def antialias(samples, sigma: float, places: np.ndarray) -> np.ndarray:
    """Step 5: float32 light (height, width, 3) at the sensor's pixels, of `samples`: an iterable with one array for each of
    `places`, float32 (height + 2 halo, width + 2 halo, 3).

    Lens, optical low-pass filter and the area of a photosite together: weights exp(-(r^2 / (2 sigma^2))^2), r from the
    photosite's centre, so flatter at the top and steeper at the sides than a Gaussian.
    """
    reach, light = halo(sigma), None
    for sample, kernel in zip(samples, kernels(sigma, places)):
        filtered = cv2.filter2D(sample, -1, kernel)[reach : sample.shape[0] - reach, reach : sample.shape[1] - reach]
        light = filtered if light is None else np.add(light, filtered, out=light)
    return light


def sites(pattern: str):
    """Yields (row, column, channel) of the four places of a pattern: RGGB, say, is its 2x2 pixels row by row."""
    for place, letter in enumerate(pattern):
        yield place // 2, place % 2, "RGB".index(letter)


def cfa(light: np.ndarray, pattern: str) -> np.ndarray:
    """Step 6: the Bayer colour filter array (US patent 3,971,065), through which each photosite sees one colour.

    (height, width, 3) -> (height, width) of the same dtype: at each pixel the channel that its filter passes.
    """
    raw = np.empty(light.shape[:2], light.dtype)
    for row, column, channel in sites(pattern):
        raw[row::2, column::2] = light[row::2, column::2, channel]
    return raw


def sensor_noise(raw: np.ndarray, shot_variance: float, read_sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Step 7: float32 light, full scale 1, which it clips to before adding noise -> uint16, full scale 65535.

    Poisson-Gaussian in the normal approximation, variance = a * signal + b^2 (Foi et al., "Practical Poissonian-Gaussian noise
    modeling and fitting for single-image raw-data", IEEE TIP 2008): `shot_variance` is a, `read_sigma` is b, both in linear
    light of full scale 1. With a = 0 it is Gaussian.
    """
    raw = np.clip(raw, 0, 1)
    if shot_variance or read_sigma:
        spread = raw * np.float32(shot_variance)
        spread += np.float32(read_sigma**2)
        np.sqrt(spread, out=spread)
        spread *= rng.standard_normal(raw.shape, np.float32)
        raw += spread
    raw *= FULL
    raw += np.float32(0.5)
    return np.clip(raw, 0, FULL, out=raw).astype(np.uint16)


def demosaic(raw: np.ndarray, pattern: str, method: str) -> np.ndarray:
    """Step 8: uint16 (height + 2 PAD, width + 2 PAD), pattern from its top left -> uint16 RGB (height, width, 3).

    By `method` the two missing colours of a pixel are - bilinear: means of the nearest pixels of that colour; malvar: these,
    corrected by the Laplacian of the colour that is there (Malvar, He, Cutler, "High-quality linear interpolation for
    demosaicing of Bayer-patterned color images", ICASSP 2004); edge: green along the weaker gradient, by OpenCV.
    """
    if method == "malvar":
        return malvar(raw, pattern)
    code = getattr(cv2, f"COLOR_Bayer{pattern}2RGB{'_EA' if method == 'edge' else ''}")
    return cv2.demosaicing(raw, code)[PAD:-PAD, PAD:-PAD]


def malvar(raw: np.ndarray, pattern: str) -> np.ndarray:
    light = raw.astype(np.float32)
    inner = slice(PAD, -PAD), slice(PAD, -PAD)
    green, beside, above, across = (cv2.filter2D(light, -1, kernel / 8)[inner] for kernel in (GREEN, ALONG, ALONG.T, ACROSS))
    colours = np.empty((*green.shape, 3), np.float32)
    light = light[inner]
    red_row = pattern.index("R") // 2
    for row, column, there in sites(pattern):
        place = slice(row, None, 2), slice(column, None, 2)
        red = light if there == 0 else across if there == 2 else beside if row == red_row else above
        blue = light if there == 2 else across if there == 0 else above if row == red_row else beside
        for channel, plane in enumerate((red, light if there == 1 else green, blue)):
            colours[(*place, channel)] = plane[place]
    np.clip(colours, 0, 65535, out=colours)
    colours += np.float32(0.5)
    return colours.astype(np.uint16)


def denoise(image: np.ndarray, method: str, gaussian_sigma: float, bilateral_sigma: float) -> np.ndarray:
    """Step 9: uint8 HWC -> the same, by `method`: none, gaussian (sigma in pixels) or bilateral (sigma in levels; Tomasi and
    Manduchi, ICCV 1998)."""
    if method == "gaussian" and gaussian_sigma >= LEAST:
        return cv2.GaussianBlur(image, (0, 0), gaussian_sigma)
    if method == "bilateral" and bilateral_sigma > 0:
        return cv2.bilateralFilter(image, 5, bilateral_sigma, BILATERAL_SIGMA)
    return image


def smooth_colour(image: np.ndarray, sigma: float) -> np.ndarray:
    """uint8 RGB -> the same with a Gaussian of `sigma` pixels over both chroma channels (ITU-R BT.601): telephones take colour
    noise for what it is, and fine coloured moire with it."""
    if sigma < LEAST:
        return image
    luma, red, blue = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb))
    smooth = [cv2.GaussianBlur(plane, (0, 0), sigma) for plane in (red, blue)]
    return cv2.cvtColor(cv2.merge([luma, *smooth]), cv2.COLOR_YCrCb2RGB)


def unsharp_mask(image: np.ndarray, amount: float) -> np.ndarray:
    """uint8 HWC -> image + amount * (image - blurred image), clipped."""
    if amount == 0:
        return image
    return cv2.addWeighted(image, 1 + amount, cv2.GaussianBlur(image, (0, 0), UNSHARP_SIGMA), -amount, 0)
