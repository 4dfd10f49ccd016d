"""The entries of `recipes` in params.yaml: what becomes of a clean image. The ranges of kind moire are in core/moire.py."""
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.core.model import NonNegative, Range, WholeNumber, span
from pipeline.core.moire import Degradation, Moire

Light = Literal["coded", "linear"]


class Bicubic(Degradation):
    """MATLAB's antialiased bicubic downscale."""
    kind: Literal["bicubic"]
    light: Light = "coded"
    """What is summed up: the values of the file, or the light that they stand for (sRGB's curve taken back), as a sensor does.
    Noise and JPEG come after the curve."""


class UpDown(Degradation):
    """Antialiased bicubic downscale by a factor drawn from `factors`, then bicubic back: the x1 stand-in for weak optics."""
    kind: Literal["updown"]
    factors: Literal["estimated"] | tuple[Annotated[float, Field(gt=1)], ...]
    """estimated: 0.62, 0.77 and 0.93 times the softness of the camera that the entry of pairs names by `calibration`."""

    @property
    def calibrated(self) -> bool:
        return self.factors == "estimated"


class Sharpened(Degradation):
    """As soft as the estimated camera, by the factors of updown's `estimated`, and with its own sharpening, so that a network
    learns to take that back too. Colours as in kind calibrated."""
    kind: Literal["sharpened"]
    sharpening: Range = (0.75, 1.25)
    """Exponent of the camera's sharpening; 1 as estimated, 0 none."""
    colour_sd: NonNegative = 0.12
    """Standard deviation about 1 of the exponent of the transfer function of both chroma channels."""
    noise: Range = (0.5, 1.5)
    """Factor of the coloured noise of both chroma channels; luma has none."""

    @property
    def calibrated(self) -> bool:
        return True


class Random(Degradation):
    """Randomised degradation: blur, resize, noise, JPEG, each drawn per image."""
    kind: Literal["random"]
    light: Light = "coded"
    """As in kind bicubic."""
    blur_sigma: Range
    """Gaussian sigma in pixels of the clean image."""
    blur_ratio: span(0, 1)
    """Short axis over long axis of the Gaussian; 1 is isotropic."""
    resize: span(0.05, 20)
    """Factor of a detour resize before the final downscale; 1 is none."""
    sharpen: Range = (0, 0)
    """Amount of an unsharp mask on the reduced image, as cameras sharpen; 0 is none."""
    sharpen_sigma: span(0.3, 10) = (1, 1)
    """Sigma of its Gaussian in pixels of the reduced image."""
    noise_sigma: Range
    """White noise in 8-bit levels."""
    jpeg_quality: span(1, 100)


class Calibrated(Degradation):
    """Around a camera estimated from captures (params calibrations), drawn anew for each image."""
    kind: Literal["calibrated"]
    light: Light = "coded"
    """As in kind bicubic; of the reduction alone."""
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

    @property
    def calibrated(self) -> bool:
        return True


class Blur(Degradation):
    """One fixed blur and white noise, at the same size."""
    kind: Literal["blur"]
    light: Light = "coded"
    """As in kind bicubic."""
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


Recipe = Annotated[Bicubic | UpDown | Sharpened | Random | Calibrated | Blur | Unknown | Moire, Field(discriminator="kind")]
