"""The entries of `recipes` in params.yaml: what becomes of a clean image. The ranges of kind moire are in core/moire.py."""
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.core.model import NonNegative, Range, WholeNumber, span
from pipeline.core.moire import Degradation, Moire

Light = Literal["coded", "linear"]


class Bicubic(Degradation):
    """MATLAB's antialiased bicubic reduction."""
    kind: Literal["bicubic"]
    """The kind of this recipe."""
    light: Light = "coded"
    """What is reduced: the values of the file (coded), or the light that they stand for (linear), as a sensor does."""


class UpDown(Degradation):
    """An antialiased bicubic reduction by a factor drawn from `factors`, then bicubic enlargement to the old size. It imitates
    soft optics."""
    kind: Literal["updown"]
    """The kind of this recipe."""
    factors: Literal["estimated"] | tuple[Annotated[float, Field(gt=1)], ...]
    """Factors to draw from, such as [2, 2.5, 3]. estimated: 0.62, 0.77 and 0.93 times the softness of the camera that the
    entry of `pairs` names by `calibration`."""

    @property
    def calibrated(self) -> bool:
        return self.factors == "estimated"


class Sharpened(Degradation):
    """A reduction and enlargement by the factors of `estimated` in kind updown, and then sharpening as the estimated camera
    sharpens. A network learns to take both back. Colours are blurred as in kind calibrated."""
    kind: Literal["sharpened"]
    """The kind of this recipe."""
    sharpening: Range = (0.75, 1.25)
    """Exponent of the camera's sharpening: 1 is as estimated, 0 is none."""
    colour_sd: NonNegative = 0.12
    """Spread of the exponent of the chroma's blur: a normal draw about 1 with this standard deviation."""
    noise: Range = (0.5, 1.5)
    """Factor of the estimated coloured noise of the chroma. Luma gets none."""

    @property
    def calibrated(self) -> bool:
        return True


class Random(Degradation):
    """Blur, resize, noise and JPEG with values drawn for each image."""
    kind: Literal["random"]
    """The kind of this recipe."""
    light: Light = "coded"
    """What is blurred and reduced: the values of the file (coded), or the light that they stand for (linear), as a sensor
    does. Noise and JPEG come after the sRGB curve in either case."""
    blur_sigma: Range
    """Sigma of a Gaussian blur along its long axis, in pixels of the clean image."""
    blur_ratio: span(0, 1)
    """Short axis over long axis of the blur; 1 is round."""
    resize: span(0.05, 20)
    """Factor of a resize before the reduction to the input's size; 1 is none."""
    sharpen: Range = (0, 0)
    """Amount of sharpening after the reduction, an unsharp mask as in cameras; 0 is none."""
    sharpen_sigma: span(0.3, 10) = (1, 1)
    """Sigma of this unsharp mask, in pixels of the reduced image."""
    noise_sigma: Range
    """Standard deviation of white noise, in 8-bit levels."""
    jpeg_quality: span(1, 100)
    """Quality of the JPEG file, from 1 to 100."""

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The ranges in which there is something to draw, by name."""
        return {name: value for name, value in self if isinstance(value, tuple) and value[0] < value[1]}


class Calibrated(Degradation):
    """What an estimated camera does (see `calibrations`), varied anew for each image."""
    kind: Literal["calibrated"]
    """The kind of this recipe."""
    light: Light = "coded"
    """What is reduced where `scale` is above 1: the values of the file (coded), or the light that they stand for (linear)."""
    bump: Range
    """Exponent of the camera's sharpening: 1 is as estimated, 0 is none."""
    tail_sd: NonNegative
    """Spread of the exponent of the loss of high frequencies: a normal draw about 1 with this standard deviation."""
    stretch_sd: NonNegative
    """Spread of the width of the blur along each axis: the standard deviation of the logarithm of a factor."""
    noise: Range
    """Factor of the estimated coloured noise."""
    white: Range
    """Standard deviation of white noise on top of the captures' own, in 8-bit levels."""

    @property
    def calibrated(self) -> bool:
        return True


class Blur(Degradation):
    """One fixed blur and white noise, at the same size."""
    kind: Literal["blur"]
    """The kind of this recipe."""
    light: Light = "coded"
    """What is blurred: the values of the file (coded), or the light that they stand for (linear), as a sensor does. Noise
    comes after the sRGB curve in either case."""
    shape: Literal["gaussian", "box", "disk"]
    """Shape of the blur. The sigma of a gaussian follows from `size`: 0.3 ((size - 1) / 2 - 1) + 0.8 pixels."""
    size: Annotated[int, Field(ge=3)]
    """Side of the blur's kernel in pixels, odd. It is the diameter of a disk."""
    snr_db: Annotated[float, Field(ge=0, le=120)] | None
    """Signal to noise ratio of the blurred image in dB. null: no noise."""

    @model_validator(mode="after")
    def _odd(self):
        if self.size % 2 == 0:
            raise ValueError(f"size: got {self.size}, wanted an odd number")
        return self


class Unknown(Degradation):
    """A hidden camera: one set of values is drawn from the ranges and is the same for every image."""
    kind: Literal["unknown"]
    """The kind of this recipe."""
    seed: WholeNumber
    """Seed of the draw. It is not the seed of the trainings, so that trainings of other seeds have the same test sets."""
    psf_sigma: Range
    """Sigma of the lens's Gaussian blur along its long axis, in pixels of the clean image."""
    psf_ratio: span(0, 1)
    """Short axis over long axis of this blur; 1 is round."""
    read_sigma: Range
    """Standard deviation of white noise, in 8-bit levels."""


Recipe = Annotated[Bicubic | UpDown | Sharpened | Random | Calibrated | Blur | Unknown | Moire, Field(discriminator="kind")]
