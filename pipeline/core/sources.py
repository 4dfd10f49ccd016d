"""Sections of params.yaml that say where images come from: folders, built-in scenes, cameras, synthetic pairs."""
import math
import re
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import core_schema

from pipeline.core.moire import Moire
from pipeline.core.settings import Count, Degradation, Fraction, Name, NonNegative, Positive, Strict, override


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("the first of the two must not be the larger")
    return pair


class Range(tuple):
    """[low, high], both reachable, low <= high, never negative."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        return core_schema.no_info_after_validator_function(_ordered, handler(tuple[NonNegative, NonNegative]))


def _within(section, **bounds):
    for field, (low, high) in bounds.items():
        least, most = getattr(section, field)
        if least < low or most > high:
            raise ValueError(f"{field}: got [{least:g}, {most:g}], wanted both in [{low:g}, {high:g}]")
    return section


class Ingest(Strict):
    max_rejected: Annotated[int, Field(ge=0)]
    """Files that may be refused (damaged, fake, too large) before a set is refused as a whole."""
    max_megapixels: Positive
    """A file whose header claims more is refused before it is decoded."""
    face_margin: NonNegative
    """What the square around a face shows on each side of the detected box, as a share of the box's side."""
    face_neighbours: Count
    """How many overlapping windows of the detector make a face; with more, fewer faces are found, and fewer that are none."""


class Camera(Strict):
    """Ranges of the proxy camera (degrade/camera.py). Lengths in pixels of the scene; shot_variance is variance over signal in
    linear light of full scale 1, read_sigma in 8-bit levels after the sRGB curve."""
    psf_sigma: Range
    psf_ratio: Range
    shot_variance: Range
    read_sigma: Range
    jpeg_quality: Range
    motion_length: Range
    sharpen: Range
    mosaic: bool

    @model_validator(mode="after")
    def _possible(self):
        return _within(self, psf_ratio=(0, 1), jpeg_quality=(1, 100))


class Builtin(Strict):
    """Numbers of rendered scenes; the bundled photographs come on top. Half of the captured scenes are screens."""
    seed: Annotated[int, Field(ge=0)]
    """Of scenes and cameras. Apart from the seed of the trainings, so that these can differ on the same test sets."""
    natural_scenes: Count
    screen_scenes: Count
    capture_scenes: Count
    far_scenes: Count
    size: Annotated[int, Field(ge=64, multiple_of=16)]
    """Side of a scene in pixels, rendered or cut from a photograph."""
    scale: Annotated[int, Field(ge=1, le=4)]
    """The captures have 1/scale of the scene's pixels on each side."""
    shots: Count
    """Captures per scene, each with its own draw of the camera."""
    camera: Camera
    far_camera: Camera
    screen: Moire
    """The screens that show the same scenes for demoireing, and who photographs them."""
    far_screen: dict[str, Any]
    """What differs in `screen` from further away."""

    def from_further_away(self) -> Moire:
        return override(self.screen, self.far_screen, "far_screen")

    @model_validator(mode="after")
    def _far_screen_is_possible(self):
        self.from_further_away()
        return self


class Set(Strict):
    folder: str
    """A folder of images, or data/none: the set does not exist (captures without truth)."""
    video_every: Annotated[int, Field(ge=0)]
    """Every so many frames of a video file one is an image of the set, from the first on; 0 passes over video files. All frames
    of a file are of one scene."""
    faces: Annotated[tuple[Count, ...], Field(max_length=2)]
    """[least, largest] side in pixels: squares around the faces of this size take the place of the images and frames they are
    found in (images/faces.py), as they are. [] keeps images whole."""
    include: str = "**"
    """Which files, as a pattern on the path below `folder` without its ending; what the stars match is the image's name."""
    views: tuple[str, ...] = ()
    """Endings of names: each image is there once for each of them, as the truth of several captures of it. () for once."""
    scene: str = "(.*)"
    """A regular expression on the name whose first group is the scene; views of one scene stay in one split."""
    val: Fraction | str = 0.1
    test: Fraction | str = 0.2
    holdout: Fraction | str = 0.0
    """Each a share of the scenes, or a pattern on the path; the rest is `train`."""
    patches: Annotated[int, Field(ge=0)] = 0
    """0 keeps images whole; otherwise so many random patches are cut from the train and val images."""
    size: Count = 128
    """Side of a patch in pixels."""

    @model_validator(mode="after")
    def _patches_can_be_cut_alike(self):
        if self.patches and self.size % 8:
            raise ValueError(f"size: {self.size} is not a multiple of 8, so truth would not be cut where its captures are")
        return self

    @model_validator(mode="after")
    def _faces_are_a_class(self):
        if len(self.faces) == 1 or list(self.faces) != sorted(self.faces):
            raise ValueError(f"faces: got {list(self.faces)}, wanted [least, largest] side in pixels, or []")
        if self.patches and self.faces:
            raise ValueError(f"patches: got {self.patches}, wanted 0 with faces, whose crops are small images already")
        return self

    @model_validator(mode="after")
    def _scene_has_a_group(self):
        try:
            groups = re.compile(self.scene).groups
        except re.error as error:
            raise ValueError(f"scene: not a regular expression ({error})") from error
        if groups < 1:
            raise ValueError("scene: the expression needs a group, such as (.*)_[0-9]+")
        return self


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
    blur_ratio: Range
    """Short axis over long axis of the Gaussian; 1 is isotropic."""
    resize: Range
    """Factor of a detour resize before the final downscale; 1 is none."""
    noise_sigma: Range
    """White noise in 8-bit levels."""
    jpeg_quality: Range

    @model_validator(mode="after")
    def _possible(self):
        return _within(self, blur_ratio=(0, 1), resize=(0.05, 20), jpeg_quality=(1, 100))


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
    """Of the kernel (degrade/blur.py, `fixed_kernel`)."""
    size: Annotated[int, Field(ge=3)]
    """Side of the kernel in pixels, odd."""
    snr_db: Annotated[float, Field(ge=0, le=120)] | None
    """Blurred signal to noise ratio in dB (degrade/noise.py); null: no noise."""

    @model_validator(mode="after")
    def _odd(self):
        if self.size % 2 == 0:
            raise ValueError(f"size: got {self.size}, wanted an odd number")
        return self


class Unknown(Degradation):
    """A hidden camera: drawn once from these ranges by `seed`, then the same for every image."""
    kind: Literal["unknown"]
    seed: Annotated[int, Field(ge=0)]
    """Of the camera. Apart from the seed of the trainings, so that these can differ on the same test sets."""
    psf_sigma: Range
    """Gaussian sigma along the long axis, in pixels of the clean image."""
    psf_ratio: Range
    """Short axis over long axis."""
    read_sigma: Range
    """White noise in 8-bit levels."""

    @model_validator(mode="after")
    def _possible(self):
        return _within(self, psf_ratio=(0, 1))


Recipe = Annotated[Bicubic | UpDown | Random | Calibrated | Blur | Unknown | Moire, Field(discriminator="kind")]


class Calibration(Strict):
    """Estimate a camera from unpaired captures and clean images of the same domain (degrade/calibrate.py)."""
    captures: Name
    clean: Name
    """The train images of both are used, no others."""
    scale: Annotated[int, Field(ge=1, le=4)]
    """How many times larger a clean image is than a capture of it."""
    block: Annotated[int, Field(ge=16, multiple_of=2)]
    """Side of the blocks of the spectra in pixels of the captures."""
    fit: Range
    """Where the falling transfer function is fitted, as [least, largest] gain; below, the power is not taken for detail."""

    @model_validator(mode="after")
    def _possible(self):
        return _within(self, fit=(0.05, 1))


class Pairs(Strict):
    clean: Name
    recipe: Name
    calibration: Name = "none"
    """The estimated camera of a calibrated recipe; none for the others."""
    scale: Annotated[int, Field(ge=1, le=4)]
    patches: Annotated[int, Field(ge=0)] = 0
    """0 degrades each image whole, once; otherwise so many random crops of the train images are degraded, each anew."""
    size: Annotated[int, Field(ge=8)] = 128
    """Side of such a crop in pixels of the clean image; a multiple of `scale`."""
    multiple: Count = 1
    """Whole images are cropped to a multiple of this too: that of x2 inputs which are the targets of x4 ones is 4."""

    @property
    def step(self) -> int:
        """The sides of whole images become multiples of this."""
        return math.lcm(self.scale, self.multiple)

    @model_validator(mode="after")
    def _size_fits(self):
        if self.size % self.scale:
            raise ValueError(f"size: {self.size} is not a multiple of scale {self.scale}")
        return self
