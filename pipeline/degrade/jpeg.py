"""JPEG compression without a file."""
import cv2
import numpy as np


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """uint8 RGB HWC -> what remains of it after JPEG at `quality` (1..100), chroma at half resolution (4:2:0)."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
