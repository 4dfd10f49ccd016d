"""Step 9: the camera's own denoising, and its sharpening, on the image coded in 8 bits."""
import cv2
import numpy as np

BILATERAL_SIGMA = 1.5  # pixels, in a window of 5x5
UNSHARP_SIGMA = 1.0


def denoise(image: np.ndarray, method: str, gaussian_sigma: float, bilateral_sigma: float) -> np.ndarray:
    """uint8 HWC -> the same, by `method`: none, gaussian (sigma in pixels) or bilateral (sigma in levels; Tomasi and Manduchi,
    ICCV 1998)."""
    if method == "gaussian" and gaussian_sigma > 0.15:  # below, the neighbours' weights round to nothing
        return cv2.GaussianBlur(image, (0, 0), gaussian_sigma)
    if method == "bilateral" and bilateral_sigma > 0:
        return cv2.bilateralFilter(image, 5, bilateral_sigma, BILATERAL_SIGMA)
    return image


def sharpen(image: np.ndarray, amount: float) -> np.ndarray:
    """uint8 HWC -> image + amount * (image - blurred image), clipped."""
    if amount == 0:
        return image
    return cv2.addWeighted(image, 1 + amount, cv2.GaussianBlur(image, (0, 0), UNSHARP_SIGMA), -amount, 0)
