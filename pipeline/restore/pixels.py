"""Pixels of integers, as files and shards have them, to tensors and back."""
import numpy as np
import torch


def to_tensor(image: np.ndarray) -> torch.Tensor:
    """uint8 or uint16 HWC to float32 1CHW in [0, 1]; float32 passes unscaled."""
    full_scale = 1 if image.dtype == np.float32 else np.iinfo(image.dtype).max
    return torch.from_numpy(image.astype(np.float32) / np.float32(full_scale)).permute(2, 0, 1)[None]


def quantise(image: np.ndarray, dtype: str = "uint8") -> np.ndarray:
    """Float in [0, 1] to integers over the dtype's whole range: clipped, then rounded half up."""
    full_scale = np.iinfo(dtype).max
    return np.floor(np.clip(image, 0, 1) * full_scale + 0.5).astype(dtype)
