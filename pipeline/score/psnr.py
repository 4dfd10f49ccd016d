"""Peak signal-to-noise ratio."""
import cv2
import numpy as np

from pipeline.score.luma import compared


def psnr(a: np.ndarray, b: np.ndarray, border: int = 0, channel: str = "rgb", round_luma: bool = False) -> float:
    """10 log10(255^2 / mean squared difference) in dB, over all pixels and channels of two uint8 RGB HWC images.

    Higher is better; 20 to 40 dB is usual. Identical images have no finite ratio: the value is `inf`, which callers
    leave out of means and files. `border` pixels are cut from each side; `channel` is `rgb` or `y` (luma, peak 255 all
    the same), and `round_luma` says whether luma is rounded to whole levels.
    """
    a, b = compared(a, b, border, channel, round_luma)
    return float("inf") if np.array_equal(a, b) else cv2.PSNR(a, b, 255.0)
