"""The recipe of kind moire: ranges of a screen and of the camera that photographs it (degrade/moire)."""
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.core.model import NonNegative, Strict, span


def choice(*names: str):
    """One of these is drawn, each with the same chance; a name given twice has twice the chance."""
    return Annotated[tuple[Literal[names], ...], Field(min_length=1)]


Scale = Annotated[float, Field(ge=0.3, le=8)]


class Degradation(Strict):
    """What every recipe has."""
    fitted_with_truth: bool = False
    """Whether the recipe's ranges were fitted with the truth of captures of this project. Networks trained on its pairs then
    count as oracles."""

    @property
    def calibrated(self) -> bool:
        """Whether an entry of pairs has to name a camera by `calibration`."""
        return False


class Downsample(Strict):
    """What becomes of the camera's file before it is a capture: it is aligned with the picture on the screen, reduced and
    saved again."""
    reduce: span(1, 16)
    """Camera pixels per pixel of the capture, as the geometric mean of both axes."""
    squeeze: Annotated[float, Field(ge=0.25, le=4)]
    """Reduction of the width, divided by the reduction of the height; 1 keeps shapes."""
    align: bool = True
    """Whether the capture is warped back onto the picture, so that the target is upright and undistorted."""
    shift_sd: NonNegative
    """Standard deviation of the alignment's error along each axis, in pixels of the capture."""
    filters: choice("bicubic", "bilinear")
    """How the capture is reduced, one drawn for each pair. bicubic averages over all pixels (antialiased). bilinear reads the
    four nearest pixels alone, so the screen's grid turns into moire."""
    blur: span(0, 5)
    """Sigma of a Gaussian blur after the reduction, in pixels of the capture."""
    contrast: span(0.1, 4)
    """Contrast c of the tone curve x^c / (x^c + (1 - x)^c) of coded values in [0, 1]; 1 changes nothing."""
    brightness: span(-0.5, 0.5)
    """Added to the coded values, full scale 1."""
    jpeg_quality: span(1, 100)
    """Quality of the second JPEG file, from 1 to 100."""


class Moire(Degradation):
    """A photograph of a screen in ten steps, after Liu, Shu, Wu, "Demoireing of Camera-Captured Screen Images Using Deep CNN",
    arXiv 1804.03809. The paper does not tell its ranges; those of params.yaml and the presets are ours. Camera pixels are
    those of the sensor. If headroom, glare, vignetting, colour_sigma or unsharp is [0, 0], this effect is left out."""
    kind: Literal["moire"]
    """The kind of this recipe."""
    layouts: choice("stripe", "bgr", "krgb", "turned", "pentile")
    """Arrangements of the screen's sub-pixels, one drawn for each pair. stripe: red, green, blue stripes. bgr: blue first.
    krgb: stripes below a dark row. turned: stripes on their side. pentile: diamonds."""
    zoom: span(0.25, 16) | None = (1, 1)
    """How many screen pixels show one pixel of the clean image. null: as many as one pixel of the target shows, so the target
    shows the clean image pixel by pixel."""
    scale: span(0.3, 8)
    """Camera pixels per screen pixel, at the middle of the photograph."""
    resonances: tuple[Scale, ...] = ()
    """Scales at which moire is strongest, simple ratios such as 1 and 1.5."""
    resonant: Annotated[float, Field(ge=0, le=1)] = 0
    """Share of pairs whose scale is one of `resonances` instead of a draw from `scale`."""
    resonance_sd: Annotated[float, Field(ge=0, le=0.5)] = 0
    """Spread of such a scale about its resonance: it is multiplied by exp(N(0, this^2))."""
    rotation_sd: NonNegative
    """Standard deviation of the camera's turn about its axis, in degrees."""
    tilt: span(0, 30)
    """Angle between the camera's axis and the screen's normal in degrees, towards any side."""
    focal: span(0.7, 10) = (0.8, 1.5)
    """Focal length in sides of the photograph."""
    frame: Annotated[int, Field(ge=16)]
    """Side of the photograph in camera pixels. A pair shows a random part of it."""
    distortion: span(-0.15, 0.15) = (-0.05, 0.05)
    """Coefficient k1 of the lens, with radii in units of half a side of the photograph. Positive is a barrel."""
    antialias: span(0.2, 4)
    """Sigma of the optical filter in front of the sensor, in camera pixels. Less lets more moire through."""
    exposure: span(-4, 4)
    """Exposure in stops. At 0 the screen's white fills the sensor's range."""
    headroom: span(0, 4) = (0, 0)
    """Stops by which the sensor is exposed less. Development takes them back along a curve that bends towards white instead of
    clipping."""
    metering: Annotated[float, Field(ge=0, le=1)] = 0
    """How much automatic exposure evens out bright and dark pictures: the share of their distance from middle grey, in stops,
    that it takes back. 0 is none."""
    balance_sd: Annotated[float, Field(ge=0, le=1)]
    """Standard deviation of the white balance's error in red and in blue, in stops."""
    crosstalk: span(0, 0.5)
    """Share of the two other primaries' light in each colour filter. The camera's colour matrix takes it out again and
    amplifies noise."""
    glare: span(0, 1) = (0, 0)
    """Peak of a smooth spot of light that the screen reflects, in linear light of full scale 1."""
    vignetting: span(0, 0.9) = (0, 0)
    """Share of the light that is lost towards the corners of the photograph."""
    patterns: choice("RGGB", "BGGR", "GRBG", "GBRG") = ("RGGB", "BGGR", "GRBG", "GBRG")
    """Arrangements of the sensor's colour filters from its top left, one drawn for each pair."""
    shot_variance: span(0, 1)
    """Variance of the photon noise, divided by the signal, in linear light of full scale 1."""
    read_sigma: span(0, 1)
    """Standard deviation of the sensor's own noise, in linear light of full scale 1."""
    demosaics: choice("bilinear", "malvar", "edge")
    """How the two missing colours of each pixel are interpolated, one drawn for each pair. bilinear: from the nearest pixels.
    malvar: corrected by the colour that is there (Malvar et al. 2004). edge: along edges."""
    denoisers: choice("none", "gaussian", "bilateral")
    """The camera's denoiser, one drawn for each pair."""
    gaussian_sigma: span(0, 5) = (0.3, 0.7)
    """Sigma of the denoiser gaussian, in camera pixels."""
    bilateral_sigma: span(0, 255) = (4, 16)
    """Sigma of the denoiser bilateral between values, in 8-bit levels."""
    colour_sigma: span(0, 20) = (0, 0)
    """Sigma of the camera's smoothing of chroma, in camera pixels."""
    unsharp: span(0, 5) = (0, 0)
    """Amount of the camera's own sharpening, an unsharp mask of sigma 1 camera pixel."""
    jpeg_quality: span(1, 100)
    """Quality of the camera's JPEG file, from 1 to 100."""
    downsample: Downsample | None = None
    """What becomes of the camera's file before it is a capture. null: the file is the capture."""
    target_tone: Literal["clean", "photo"] = "clean"
    """Which brightness and colours the target has. clean: those of the clean image, so the network also learns to change
    brightness. photo: those of the photograph, so the network removes nothing but moire."""
    whole: Annotated[int, Field(ge=16)]
    """Largest side of a validation or test pair, in pixels."""

    @model_validator(mode="after")
    def _resonances_to_draw(self):
        if self.resonant and not self.resonances:
            raise ValueError(f"resonances: got none, wanted at least one as resonant is {self.resonant:g}")
        return self
