"""Structural similarity (Wang et al., "Image quality assessment: from error visibility to structural similarity",
IEEE TIP 2004)."""
import numpy as np
from skimage.metrics import structural_similarity

from pipeline.score.luma import compared

WINDOW = 11


def ssim(a: np.ndarray, b: np.ndarray, border: int = 0, channel: str = "rgb", round_luma: bool = False) -> float:
    """Mean over pixels and channels of luminance x contrast x structure similarity of two uint8 RGB HWC images.

    In [-1, 1], 1 for identical images. As published: 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, L = 255,
    biased moments, windows wholly inside the image only. `border`, `channel` and `round_luma` as in `psnr`.
    """
    a, b = compared(a, b, border, channel, round_luma)
    if min(a.shape[:2]) < WINDOW:
        raise ValueError(f"SSIM needs {WINDOW}x{WINDOW} pixels, {a.shape[1]}x{a.shape[0]} are left")
    return float(structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                                       data_range=255, channel_axis=2 if channel == "rgb" else None))
