"""Writing images: PNG, whole or absent, the same bytes for the same pixels."""
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.core.files import replacing


def write_png(path: Path | str, image: np.ndarray) -> None:
    """Write a uint8 (height, width, 3) sRGB image as PNG, without metadata; an existing file is replaced."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"{path}: image is {image.dtype} {image.shape}, wanted uint8 (height, width, 3)")
    with replacing(path) as handle:
        Image.fromarray(image).save(handle, "PNG")
