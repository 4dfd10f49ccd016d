"""PSNR after tone and colour are aligned to the truth: a diagnostic, as the alignment is read off the truth itself."""
import numpy as np

from pipeline.score.luma import compared

NOTHING = 1e-12  # squared levels: what rounding leaves; one pixel of 100 million that is off by one level makes 3e-9


def aligned_psnr(output: np.ndarray, truth: np.ndarray, border: int = 0) -> float:
    """10 log10(255^2 / mean over channels of min_{a,b} mean (a * output + b - truth)^2) in dB, at least the PSNR.

    One a and b per channel and image, by least squares; what remains of a channel is var(truth) * (1 - correlation^2), or
    var(truth) where the output is constant. Not rounded, not clipped. On photographs of screens most of the squared error is
    tone, which nothing in the capture determines; this tells what is left. No method can be run like this.

    Two uint8 RGB HWC images, `border` pixels are cut from each side. `inf` where nothing is left, for callers to leave out.
    """
    # a row per channel: along rows NumPy takes means three times as fast as along columns
    output, truth = (image.reshape(-1, 3).T.astype(np.float64, order="C")
                     for image in compared(output, truth, border, "rgb", False))
    output, truth = (values - values.mean(axis=1, keepdims=True) for values in (output, truth))
    variance, covariance = (values.mean(axis=1, keepdims=True) for values in (output**2, output * truth))
    slope = np.divide(covariance, variance, out=np.zeros((3, 1)), where=variance > 0)
    error = np.mean((slope * output - truth) ** 2)
    return float(10 * np.log10(255**2 / error)) if error > NOTHING else float("inf")
