"""The entries of `recipes` in params.yaml: what becomes of a clean image. The ranges of kind moire are in core/moire.py."""
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.core.model import NonNegative, Range, WholeNumber, span
from pipeline.core.moire import Degradation, Moire


class Bicubic(Degradation):
    """MATLAB's antialiased bicubic downscale."""
    kind: Literal["bicubic"]


class UpDown(Degradation):
    """Antialiased bicubic downscale by a factor drawn from `factors`, then bicubic back: the x1 stand-in for weak optics."""
    kind: Literal["updown"]
    factors: tuple[Annotated[float, Field(gt=1)], ...]


class Random(Degradation):
    """Randomised degradation: blur, resize, noise, JPEG, each drawn per image."""
    kind: Literal["random"]
    blur_sigma: Range
    """Gaussian sigma in pixels of the clean image."""
    blur_ratio: span(0, 1)
    """Short axis over long axis of the Gaussian; 1 is isotropic."""
    resize: span(0.05, 20)
    """Factor of a detour resize before the final downscale; 1 is none."""
    noise_sigma: Range
    """White noise in 8-bit levels."""
    jpeg_quality: span(1, 100)


class Calibrated(Degradation):
    """Around a camera estimated from captures (params calibrations), drawn anew for each image."""
    kind: Literal["calibrated"]
    bump: Range
    """Exponent of the camera's own sharpening; 1 as estimated, 0 none."""
    tail_sd: NonNegative
    """Standard deviation about 1 of the exponent of the loss of high frequencies."""
    stretch_sd: NonNegative
    """Standard deviation of the logarithm by which each axis of the transfer function is stretched."""
    noise: Range
    """Factor of the coloured noise."""
    white: Range
    """Standard deviation of white noise added to the captures' own, in 8-bit levels."""


class Blur(Degradation):
    """One fixed blur and white noise, at the same size."""
    kind: Literal["blur"]
    shape: Literal["gaussian", "box", "disk"]
    """Of the kernel (degrade/basics.py, `fixed_kernel`)."""
    size: Annotated[int, Field(ge=3)]
    """Side of the kernel in pixels, odd."""
    snr_db: Annotated[float, Field(ge=0, le=120)] | None
    """Blurred signal to noise ratio in dB (degrade/basics.py); null: no noise."""

    @model_validator(mode="after")
    def _odd(self):
        if self.size % 2 == 0:
            raise ValueError(f"size: got {self.size}, wanted an odd number")
        return self


class Unknown(Degradation):
    """A hidden camera: drawn once from these ranges by `seed`, then the same for every image."""
    kind: Literal["unknown"]
    seed: WholeNumber
    """Of the camera. Apart from the seed of the trainings, so that these can differ on the same test sets."""
    psf_sigma: Range
    """Gaussian sigma along the long axis, in pixels of the clean image."""
    psf_ratio: span(0, 1)
    """Short axis over long axis."""
    read_sigma: Range
    """White noise in 8-bit levels."""


Recipe = Annotated[Bicubic | UpDown | Random | Calibrated | Blur | Unknown | Moire, Field(discriminator="kind")]
