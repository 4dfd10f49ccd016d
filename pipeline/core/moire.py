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
    """Whether its ranges were fitted with the truth of captures of this project: what is trained on its pairs saw it then."""

    @property
    def calibrated(self) -> bool:
        """Whether an entry of pairs has to name a camera by `calibration`."""
        return False


class Downsample(Strict):
    """What becomes of the camera's file before it is a capture of the set: aligned with the picture, reduced, saved again."""
    reduce: span(1, 16)
    """Camera pixels per pixel of the capture; the geometric mean of both axes."""
    squeeze: Annotated[float, Field(ge=0.25, le=4)]
    """How many times more the capture is reduced across than down; 1 keeps shapes."""
    align: bool = True
    """Whether the capture is warped back onto the picture, so that its target is the clean image upright and undistorted."""
    shift_sd: NonNegative
    """Standard deviation of the misregistration along each axis, in pixels of the capture."""
    filters: choice("bicubic", "bilinear")
    """bicubic: antialiased. bilinear: between the four nearest pixels alone, however much it is reduced, so that the screen's
    grid in the photograph comes out as moire of its own."""
    blur: span(0, 5)
    """Sigma of a Gaussian blur in pixels of the capture."""
    contrast: span(0.1, 4)
    """Slope at middle grey of the tone curve, S-shaped above 1: x^c / (x^c + (1 - x)^c) of the coded values in [0, 1]."""
    brightness: span(-0.5, 0.5)
    """Added to the coded values, full scale 1."""
    jpeg_quality: span(1, 100)


class Moire(Degradation):
    """Ten steps from a screen to a file: Liu, Shu, Wu, "Demoireing of Camera-Captured Screen Images Using Deep CNN", arXiv
    1804.03809. The paper's ranges are not known; presets give ours. Camera pixels are those of the sensor."""
    kind: Literal["moire"]
    layouts: choice("stripe", "bgr", "krgb", "turned", "pentile")
    """Sub-pixels: stripes of red, green, blue; blue, green, red; below a dark row; on their side; PenTile diamonds."""
    zoom: span(0.25, 16) | None = (1, 1)
    """Screen pixels per pixel of the clean image; null: as many as make a pixel of the target show one of the clean image."""
    scale: span(0.3, 8)
    """Camera pixels per screen pixel, at the middle of the photograph."""
    resonances: tuple[Scale, ...] = ()
    resonant: Annotated[float, Field(ge=0, le=1)] = 0
    """The share of pairs whose scale is one of `resonances` instead, where moire is strongest ..."""
    resonance_sd: Annotated[float, Field(ge=0, le=0.5)] = 0
    """... times exp(N(0, this^2))."""
    rotation_sd: NonNegative
    """Standard deviation of the camera's turn about its axis in degrees."""
    tilt: span(0, 30)
    """Angle between the camera's axis and the normal of the screen in degrees, towards any side."""
    focal: span(0.7, 10) = (0.8, 1.5)
    """Focal length in sides of the photograph."""
    frame: Annotated[int, Field(ge=16)]
    """Side of the photograph in camera pixels; a pair shows a random part of it."""
    distortion: span(-0.15, 0.15) = (-0.05, 0.05)
    """k1 of the lens, on radii in half sides of the photograph; positive is a barrel."""
    antialias: span(0.2, 4)
    """Sigma of the flat-top optical filter in camera pixels."""
    exposure: span(-4, 4)
    """In stops; at 0 the screen's white fills the sensor's range."""
    headroom: span(0, 4) = (0, 0)
    """Stops by which the sensor is exposed less; development takes them back along a curve that bends at white instead of
    clipping; [0, 0] draws nothing."""
    metering: Annotated[float, Field(ge=0, le=1)] = 0
    """Share of an image's distance from the middle in stops that automatic exposure takes back, besides; 0: none."""
    balance_sd: Annotated[float, Field(ge=0, le=1)]
    """Standard deviation of the white balance's error in red and in blue, in stops."""
    crosstalk: span(0, 0.5)
    """Share of the two other primaries in a colour filter's light; the camera's colour matrix takes it out again."""
    glare: span(0, 1) = (0, 0)
    """Peak of a smooth spot of light that the screen reflects, linear light of full scale 1; [0, 0] draws nothing."""
    vignetting: span(0, 0.9) = (0, 0)
    """Share of the light that is lost towards the corners of the photograph; [0, 0] draws nothing."""
    patterns: choice("RGGB", "BGGR", "GRBG", "GBRG") = ("RGGB", "BGGR", "GRBG", "GBRG")
    """Of the Bayer filter, from the sensor's top left."""
    shot_variance: span(0, 1)
    """Variance of the photon noise over the signal, linear light of full scale 1; 0 leaves Gaussian noise alone."""
    read_sigma: span(0, 1)
    """Standard deviation of the Gaussian noise, linear light of full scale 1."""
    demosaics: choice("bilinear", "malvar", "edge")
    denoisers: choice("none", "gaussian", "bilateral")
    gaussian_sigma: span(0, 5) = (0.3, 0.7)
    """In camera pixels."""
    bilateral_sigma: span(0, 255) = (4, 16)
    """Of the differences, in 8-bit levels."""
    colour_sigma: span(0, 20) = (0, 0)
    """Of the camera's smoothing of chroma, in camera pixels."""
    unsharp: span(0, 5) = (0, 0)
    """Amount of the camera's own sharpening, an unsharp mask of sigma 1 camera pixel."""
    jpeg_quality: span(1, 100)
    downsample: Downsample | None = None
    """null: the camera's file is the capture."""
    target_tone: Literal["clean", "photo"] = "clean"
    """clean: the network learns to bring back the tone of the clean image. photo: the target has the photograph's tone, as
    its exposure, balance, reflection, loss of light, development and contrast make it; moire alone is to be taken away."""
    whole: Annotated[int, Field(ge=16)]
    """Largest side of a validation or test pair in pixels."""

    @model_validator(mode="after")
    def _resonances_to_draw(self):
        if self.resonant and not self.resonances:
            raise ValueError(f"resonances: got none, wanted at least one as resonant is {self.resonant:g}")
        return self
