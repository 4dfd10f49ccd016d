"""Scores of an image against its truth, pixel by pixel: PSNR, PSNR after a fit of the tone, SSIM; on RGB or on luma."""
import cv2
import numpy as np
from skimage.metrics import structural_similarity

BT601 = np.array([65481.0, 128553.0, 24966.0])  # over 255,000: whole numbers, so that sums are exact and ties are ties
WINDOW = 11  # pixels of SSIM's Gaussian
NOTHING = 1e-12  # squared levels: what rounding leaves; one pixel of 100 million that is off by one level makes 3e-9


def luma(image: np.ndarray) -> np.ndarray:
    """uint8 RGB HWC -> float64 (height, width) in [16, 235]: ITU-R BT.601's Y as MATLAB's rgb2ycbcr, not rounded."""
    return image @ BT601 / 255_000 + 16


def rounded_luma(image: np.ndarray) -> np.ndarray:
    """`luma` in whole levels, halves rounded up: what MATLAB's rgb2ycbcr makes of 8-bit images."""
    return np.floor(luma(image) + 0.5)


def compared(a: np.ndarray, b: np.ndarray, border: int, channel: str = "rgb",
             round_luma: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Both uint8 HWC images without `border` pixels on each side: as they are for channel `rgb`, their luma for `y`.

    `round_luma` rounds luma to whole levels, as evaluations in MATLAB do; the code of EDSR and RCAN, and most since, does not.
    """
    if a.shape != b.shape or a.dtype != np.uint8 or b.dtype != np.uint8:
        raise ValueError(f"the images are {a.dtype} {a.shape} and {b.dtype} {b.shape}, wanted uint8 and one shape")
    height, width = a.shape[:2]
    if min(height, width) <= 2 * border:
        raise ValueError(f"nothing is left of {width}x{height} pixels without a border of {border}")
    inner = (slice(border, height - border), slice(border, width - border))
    if channel == "rgb":
        return a[inner], b[inner]
    convert = rounded_luma if round_luma else luma
    return convert(a[inner]), convert(b[inner])


def psnr(a: np.ndarray, b: np.ndarray, border: int = 0, channel: str = "rgb", round_luma: bool = False) -> float:
    """10 log10(255^2 / mean squared difference) in dB, over all pixels and channels of two uint8 RGB HWC images.

    Higher is better; 20 to 40 dB is usual. Identical images have no finite ratio: the value is `inf`, which callers leave out
    of means and files. The other arguments are those of `compared`; the peak of luma is 255 all the same.
    """
    a, b = compared(a, b, border, channel, round_luma)
    return float("inf") if np.array_equal(a, b) else cv2.PSNR(a, b, 255.0)


def aligned_psnr(output: np.ndarray, truth: np.ndarray, border: int = 0) -> float:
    """10 log10(255^2 / mean over channels of min_{a,b} mean (a * output + b - truth)^2) in dB, at least the PSNR.

    A diagnostic, as the alignment is read off the truth itself: one a and b per channel and image, by least squares. What
    remains of a channel is var(truth) * (1 - correlation^2), or var(truth) where the output is constant. Not rounded, not
    clipped. On photographs of screens most of the squared error is tone, which nothing in the capture determines; this tells
    what is left. Two uint8 RGB HWC images, `border` pixels are cut from each side. `inf` where nothing is left.
    """
    # a row per channel: along rows NumPy takes means three times as fast as along columns
    output, truth = (image.reshape(-1, 3).T.astype(np.float64, order="C") for image in compared(output, truth, border))
    output, truth = (values - values.mean(axis=1, keepdims=True) for values in (output, truth))
    variance, covariance = (values.mean(axis=1, keepdims=True) for values in (output**2, output * truth))
    slope = np.divide(covariance, variance, out=np.zeros((3, 1)), where=variance > 0)
    error = np.mean((slope * output - truth) ** 2)
    return float(10 * np.log10(255**2 / error)) if error > NOTHING else float("inf")


def ssim(a: np.ndarray, b: np.ndarray, border: int = 0, channel: str = "rgb", round_luma: bool = False) -> float:
    """Mean over pixels and channels of luminance x contrast x structure similarity of two uint8 RGB HWC images.

    In [-1, 1], 1 for identical images. As published (Wang et al., "Image quality assessment: from error visibility to
    structural similarity", IEEE TIP 2004): 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, L = 255, biased moments,
    windows wholly inside the image only. The other arguments are those of `compared`.
    """
    a, b = compared(a, b, border, channel, round_luma)
    if min(a.shape[:2]) < WINDOW:
        raise ValueError(f"SSIM needs {WINDOW}x{WINDOW} pixels, {a.shape[1]}x{a.shape[0]} are left")
    return float(structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                                       data_range=255, channel_axis=2 if channel == "rgb" else None))
