"""Sections of params.yaml that say where images come from: folders, built-in scenes, cameras, synthetic pairs."""
import math
import re
from typing import Annotated, Any

from pydantic import Field, model_validator

from pipeline.core.model import Count, Fraction, Name, NonNegative, Positive, Range, Strict, WholeNumber, override, span
from pipeline.core.moire import Moire


class Ingest(Strict):
    max_rejected: WholeNumber = 0
    """Files that may be refused (damaged, fake, too large) before a set is refused as a whole."""
    max_megapixels: Positive = 200
    """A file whose header claims more is refused before it is decoded."""
    face_margin: NonNegative = 0.15
    """What the square around a face shows on each side of the detected box, as a share of the box's side."""
    face_neighbours: Count = 5
    """How many overlapping windows of the detector make a face; with more, fewer faces are found, and fewer that are none."""


class Camera(Strict):
    """Ranges of the proxy camera (degrade/camera.py). Lengths in pixels of the scene; shot_variance is variance over signal in
    linear light of full scale 1, read_sigma in 8-bit levels after the sRGB curve."""
    psf_sigma: Range
    psf_ratio: span(0, 1)
    shot_variance: Range
    read_sigma: Range
    jpeg_quality: span(1, 100)
    motion_length: Range = (0, 0)
    sharpen: Range = (0, 0)
    """Amount of the unsharp mask after demosaicking."""
    sharpen_sigma: Positive = 1
    """Its Gaussian's sigma in pixels of the capture."""
    mosaic: bool = False


class Builtin(Strict):
    """Numbers of rendered scenes; the bundled photographs come on top. Half of the captured scenes are screens."""
    seed: WholeNumber
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


TRUTH = "truth"
"""The folder below that of a set of captures where their truth may lie, under the same names."""


class Set(Strict):
    folder: str
    """A folder of images, or data/none: the set does not exist. A folder `truth` in it holds the truth of its images, under
    their names; the set KEY/truth are these, split and cut as the images are."""
    include: str = "**"
    """Which files, as a pattern on the path below `folder` without its ending; what the stars match is the image's name."""
    views: tuple[str, ...] = ()
    """Endings of names: each image is there once for each of them, as the truth of several captures of it. () for once."""
    scene: str = "(.+?)(-view[0-9]+)?"
    """A regular expression on the name whose first group is the scene; views of one scene stay in one split. By default
    photo-view1.jpg and photo-view2.jpg are one scene, and any other name is a scene of its own."""
    val: Fraction | str = 0.1
    test: Fraction | str = 0.2
    holdout: Fraction | str = 0.0
    """Each a share of the scenes, or a pattern on the path; the rest is `train`."""
    patches: WholeNumber = 0
    """0 keeps images whole; otherwise so many random patches are cut from the train and val images."""
    size: Count = 128
    """Side of a patch in pixels."""
    video_every: WholeNumber = 0
    """Every so many frames of a video file one is an image of the set, from the first on; 0 passes over video files. All frames
    of a file are of one scene."""
    faces: Annotated[tuple[Count, ...], Field(max_length=2)] = ()
    """[least, largest] side in pixels: squares around the faces of this size take the place of the images and frames they are
    found in (images/faces.py), as they are. [] keeps images whole."""

    @property
    def takes_truth(self) -> bool:
        """Whether the folder `truth` right below its own holds images of the set itself, as `include` asks for them."""
        return self.include.startswith(f"{TRUTH}/")

    @model_validator(mode="after")
    def _possible(self):
        if self.patches and self.size % 8:
            raise ValueError(f"size: {self.size} is not a multiple of 8, so truth would not be cut where its captures are")
        if len(self.faces) == 1 or list(self.faces) != sorted(self.faces):
            raise ValueError(f"faces: got {list(self.faces)}, wanted [least, largest] side in pixels, or []")
        if self.patches and self.faces:
            raise ValueError(f"patches: got {self.patches}, wanted 0 with faces, whose crops are small images already")
        try:
            groups = re.compile(self.scene).groups
        except re.error as error:
            raise ValueError(f"scene: not a regular expression ({error})") from error
        if groups < 1:
            raise ValueError("scene: the expression needs a group, such as (.*)_[0-9]+")
        return self


class Calibration(Strict):
    """Estimate a camera from unpaired captures and clean images of the same domain (degrade/calibrate.py)."""
    captures: Name
    clean: Name
    """The train images of both are used, no others."""
    scale: Annotated[int, Field(ge=1, le=4)]
    """How many times larger a clean image is than a capture of it."""
    block: Annotated[int, Field(ge=16, multiple_of=2)] = 32
    """Side of the blocks of the spectra in pixels of the captures."""
    fit: span(0.05, 1) = (0.5, 0.95)
    """Where the falling transfer function is fitted, as [least, largest] gain; below, the power is not taken for detail."""


class Pairs(Strict):
    clean: Name
    recipe: Name
    calibration: Name
    """The estimated camera of a calibrated recipe; none for the others."""
    scale: Annotated[int, Field(ge=1, le=4)]
    patches: WholeNumber = 0
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
