"""Step 9: the camera's own denoising, and its sharpening, on the image coded in 8 bits."""
import cv2
import numpy as np

BILATERAL_SIGMA = 1.5  # pixels, in a window of 5x5
UNSHARP_SIGMA = 1.0
LEAST = 0.15  # sigma of a Gaussian, below which its neighbours' weights round to nothing


def denoise(image: np.ndarray, method: str, gaussian_sigma: float, bilateral_sigma: float) -> np.ndarray:
    """uint8 HWC -> the same, by `method`: none, gaussian (sigma in pixels) or bilateral (sigma in levels; Tomasi and Manduchi,
    ICCV 1998)."""
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
