"""Sections of params.yaml that say where images come from: folders, built-in scenes, cameras, synthetic pairs."""
import math
import re
from typing import Annotated, Any

from pydantic import Field, model_validator

from pipeline.core.model import Count, Fraction, Name, NonNegative, Positive, Range, Strict, WholeNumber, override, span
from pipeline.core.moire import Moire


class Ingest(Strict):
    """How image files are read."""
    max_rejected: WholeNumber = 0
    """How many files of a set may be refused (damaged, no image, too large). With more, the set is refused as a whole."""
    max_megapixels: Positive = 200
    """A file whose header claims more megapixels is refused before it is decoded."""
    face_margin: NonNegative = 0.15
    """How much a face crop shows on each side of the detected box, as a share of the box's side."""
    face_neighbours: Count = 5
    """How many overlapping windows of the detector make a face. With more, fewer faces are found, and fewer false ones."""


class Camera(Strict):
    """Ranges of the proxy camera (pipeline/degrade/camera.py), which photographs the built-in scenes. A value is drawn from
    each range for each photograph."""
    psf_sigma: Range
    """Sigma of the lens's Gaussian blur along its long axis, in pixels of the scene."""
    psf_ratio: span(0, 1)
    """Short axis over long axis of this blur; 1 is round."""
    shot_variance: Range
    """Variance of the photon noise, divided by the signal, in linear light of full scale 1."""
    read_sigma: Range
    """Standard deviation of the noise that is added after the sRGB curve, in 8-bit levels."""
    jpeg_quality: span(1, 100)
    """Quality of the JPEG file, from 1 to 100."""
    motion_length: Range = (0, 0)
    """Length of a straight camera shake in pixels of the scene; 0 is none."""
    sharpen: Range = (0, 0)
    """Amount of the camera's own sharpening, an unsharp mask; 0 is none."""
    sharpen_sigma: Positive = 1
    """Sigma of this unsharp mask, in pixels of the capture."""
    mosaic: bool = False
    """Whether the sensor sees one colour at each pixel (a Bayer filter), so that the two others are interpolated."""


class Builtin(Strict):
    """The built-in data: rendered scenes, and photographs that come with scikit-image. Some scenes are clean images; others
    are captured by a proxy camera and by a camera in front of a screen."""
    seed: WholeNumber
    """Seed of scenes and cameras. It is not the seed of the trainings, so that trainings of other seeds have the same test
    sets."""
    natural_scenes: Count
    """Rendered scenes among the clean images that look like nature."""
    screen_scenes: Count
    """Rendered scenes among the clean images that look like a computer's screen."""
    capture_scenes: Count
    """Rendered scenes that are captured; half of them look like screens."""
    far_scenes: Count
    """Rendered scenes for the second set of captures; half of them look like screens."""
    size: Annotated[int, Field(ge=64, multiple_of=16)]
    """Side of a scene in pixels."""
    scale: Annotated[int, Field(ge=1, le=4)]
    """How many times larger a scene is than a capture of it, on each side."""
    shots: Count
    """Captures of each scene. Each has its own draw of the camera."""
    camera: Camera
    """The camera of `sr-captures`."""
    far_camera: Camera
    """The camera of `sr-far`. It is worse, in ways that no recipe of params.yaml imitates."""
    screen: Moire
    """The screen and camera of `demoire-captures`, with the keys of a recipe of kind moire."""
    far_screen: dict[str, Any]
    """The keys of `screen` that are different for `demoire-far`, which is taken from further away."""

    def from_further_away(self) -> Moire:
        return override(self.screen, self.far_screen, "far_screen")

    @model_validator(mode="after")
    def _far_screen_is_possible(self):
        self.from_further_away()
        return self


TRUTH = "truth"
"""The folder below that of a set of captures where their truth may lie, under the same names."""


class Set(Strict):
    """A set of images: the files of a folder, split into train, val, test and holdout."""
    folder: str
    """A folder of images. data/none says that the set does not exist. A folder `truth` in it holds the truth of its images
    under the same names; the set KEY/truth is made of these and split as the images are."""
    include: str = "**"
    """Which files belong to the set: a pattern on the path below `folder` without its ending. `*` stands for anything within a
    folder, `**` for anything. What the stars match is the image's name."""
    views: tuple[str, ...] = ()
    """Endings that are added to the names of images. Each image is in the set once for each ending, as the truth of several
    captures. With [] each image is there once, without an ending."""
    scene: str = "(.+?)(-view[0-9]+)?"
    """A regular expression on the name. Its first group is the scene, and images of one scene are in one split. By default
    photo-view1.jpg and photo-view2.jpg are one scene, and any other name is a scene of its own."""
    val: Fraction | str = 0.1
    """The scenes that training curves and choices are made on: a share of all scenes, or a pattern on the path."""
    test: Fraction | str = 0.2
    """The scenes that rows are scored on: a share or a pattern."""
    holdout: Fraction | str = 0.0
    """The scenes that are the reference of SWD, the critic and NIQE: a share or a pattern. All scenes that are left train
    (split `train`)."""
    patches: WholeNumber = 0
    """How many random patches are cut from the train images. A val image gives as many as a train image. 0 keeps images
    whole."""
    size: Count = 128
    """Side of a patch in pixels, a multiple of 8."""
    video_every: WholeNumber = 0
    """Distance between the frames that are taken from a video file: 10 takes the frames 0, 10, 20 and so on. 0 leaves video
    files out. All frames of a file are one scene."""
    faces: Annotated[tuple[Count, ...], Field(max_length=2)] = ()
    """[least, largest] side in pixels: square crops around faces of this size take the place of the images. They are not
    resized. [] keeps images whole."""

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
    """An estimate of the camera behind captures, from captures and clean images of the same kind of scenes. They need not
    pair."""
    captures: Name
    """The set of captures, of which the train images are used."""
    clean: Name
    """The set of clean images, of which the train images are used."""
    scale: Annotated[int, Field(ge=1, le=4)]
    """How many times larger a clean image is than a capture of it, on each side."""
    block: Annotated[int, Field(ge=16, multiple_of=2)] = 32
    """Side of the blocks whose spectra are averaged, in pixels of the capture."""
    fit: span(0.05, 1) = (0.5, 0.95)
    """[low, high]: the blur of recipes of kind calibrated is fitted where the measured ratio of captures to clean images falls
    from high to low; at the lowest frequency the ratio is 1. Beyond, power that the fit does not explain counts as noise."""


class Fit(Strict):
    """Ranges of a recipe of kind random that are narrowed until simulated crops look like the captures. No pairs of captures
    and clean images are needed. An entry of `pairs` names the fit by `calibration`."""
    recipe: Name
    """The entry of `recipes` whose ranges are narrowed."""
    captures: Name
    """The set of captures, of which the train images are used."""
    clean: Name
    """The set of clean images, of which the train images are used. They have to be of the captures' kind: softer scenes are
    taken for blur."""
    scale: Annotated[int, Field(ge=1, le=4)]
    """How many times larger a clean image is than a capture of it, on each side."""
    parameters: Annotated[tuple[Name, ...], Field(min_length=1, max_length=5)]
    """The ranges to narrow, at most 5 of the recipe's. The others stay as they are."""
    crops: Annotated[int, Field(ge=200)] = 4000
    """How many crops of clean images are degraded by the recipe, to be compared with the captures."""


class Pairs(Strict):
    """Synthetic pairs: what a recipe makes of the train, val and test images of a set of clean images, and these images."""
    clean: Name
    """The set of clean images."""
    recipe: Name
    """The entry of `recipes`."""
    calibration: Name
    """Recipes of kind calibrated or sharpened, or with `factors: estimated`, need a camera: an entry of `calibrations`. A
    recipe of kind random may name an entry of `fits`, whose ranges are then used. With all
    other recipes, write none."""
    scale: Annotated[int, Field(ge=1, le=4)]
    """How many times larger a target is than its input, on each side."""
    patches: WholeNumber = 0
    """How many random crops of the train images are degraded, each with a draw of its own. 0 degrades each image as a whole,
    once."""
    size: Annotated[int, Field(ge=8)] = 128
    """Side of such a crop in pixels of the clean image; a multiple of `scale`."""
    multiple: Count = 1
    """The sides of whole images are cropped to a multiple of `scale` and of this. Pairs of scale 2 have 4 here if their inputs
    are the targets of pairs of scale 4."""

    @property
    def step(self) -> int:
        """The sides of whole images become multiples of this."""
        return math.lcm(self.scale, self.multiple)

    @model_validator(mode="after")
    def _size_fits(self):
        if self.size % self.scale:
            raise ValueError(f"size: {self.size} is not a multiple of scale {self.scale}")
        return self
