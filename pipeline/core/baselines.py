"""Entries of params.yaml for reference methods of other papers, each trained in its own way: CycleGAN, RBSR, SRGAN, ZSSR."""
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pipeline.core.model import Count, Fraction, Name, NonNegative, Positive, Strict, WholeNumber
from pipeline.core.settings import Stage2Settings, TestSet


class CycleGanTraining(Strict):
    """Zhu et al. 2017 (methods/cyclegan.py). A step updates both generators, then both discriminators."""
    steps: Count
    decay: WholeNumber
    """Of these, the last ones, over which the learning rate falls linearly to zero."""
    batch: Count
    patch: Count
    lr: Positive
    betas: tuple[Fraction, Fraction]
    cycle: NonNegative
    """Weight of the cycle terms, of images in [-1, 1]; those of the adversarial terms is 1."""
    identity: NonNegative
    """Weight of the identity terms, as a multiple of `cycle`."""
    pool: WholeNumber
    """How many made images each discriminator's history holds; 0 for none."""
    d_layers: Count
    """3 for patches of 70x70 pixels, each less or more about halves or doubles them."""
    d_features: Count
    validate_every: Count

    @property
    def passes(self) -> int:
        """How often a batch goes through a generator in a step."""
        return 6 if self.identity else 4

    @model_validator(mode="after")
    def _possible(self):
        if self.decay > self.steps:
            raise ValueError(f"decay: got {self.decay}, wanted at most the {self.steps} steps")
        if self.patch < (least := 3 * 2**self.d_layers):
            raise ValueError(f"patch: got {self.patch}, wanted at least {least} for d_layers {self.d_layers}")
        return self


class CycleGanEntry(Strict):
    """The kept network restores `captures`; nothing is paired."""
    arch: Name
    """Of both generators."""
    options: dict[str, Any]
    captures: Name
    clean: Name
    settings: CycleGanTraining


class RbsrTraining(Strict):
    """Our reading of Rad et al. 2021 (methods/rbsr.py). What stage 2 has too is as there; `schedule` is that of `lr` alone."""
    steps: Count
    batch: Annotated[int, Field(ge=2)]
    patch: Annotated[int, Field(ge=16)]
    lr: Positive
    betas: tuple[Fraction, Fraction]
    schedule: Literal["constant", "cosine", "halve"]
    halve_every: Count
    clip: NonNegative
    channels_last: bool
    features: NonNegative
    """Weight of the relative distance between deep features; that of L1 is 1."""
    adversarial: NonNegative
    discriminator: Literal["srgan", "highpass"]
    d_features: Count
    d_lr: Positive
    d_steps: Count
    d_real: Annotated[float, Field(gt=0.5, le=1)]
    validate_every: Count


class RbsrEntry(Strict):
    """A mapping from `inputs` to `targets` of the same size; `synthetic` are other inputs that belong to the same targets."""
    arch: Name
    options: dict[str, Any]
    inputs: str
    synthetic: str
    targets: str
    encoder: Name
    """A network trained on inputs that are like the targets; its deep features are compared."""
    settings: RbsrTraining


class SrganEntry(Strict):
    """SRGAN (Ledig et al. 2017): the network `start` trained on pairs with a content loss on the features of VGG, in place of
    stage 2's MSE, and an adversary that sees unpaired clean images."""
    start: Name
    inputs: str
    targets: str
    clean: Name
    backbone: Literal["vgg16", "vgg19"]
    """Its weights lie in data/trunks: BACKBONE_features.pth, or the first layers of it."""
    layer: Annotated[str, Field(pattern=r"^(conv|relu)[1-5]_[1-4]$")]
    """Of its layers, the one whose output is compared; relu2_2 is the second convolution of the second block, rectified."""
    content: Positive
    """Weight of the mean squared difference there, for images in [0, 1] normalised as torchvision does."""
    settings: Stage2Settings


class ZssrEntry(Strict):
    """ZSSR (Shocher, Cohen, Irani, 2018): a small network learnt from each test image alone."""
    tests: Name
    test_sets: Annotated[tuple[TestSet, ...], Field(min_length=1)]
    """Those of its test sets that are restored; the others are absent from its row."""
    scale: Annotated[int, Field(ge=2)]
    gradual: Count
    """Steps from the image to `scale` times its size, each by the same factor; the results of all are learnt from later on."""
    layers: Annotated[int, Field(ge=2)]
    features: Count
    crop: Annotated[int, Field(ge=8)]
    """Side in pixels of what one training step sees, at most the image's."""
    lr: Positive
    lr_min: Positive
    """Training for a factor ends when its learning rate falls below this."""
    max_steps: Count
    min_steps: Count
    """Steps that a learning rate is kept at least."""
    check_every: Count
    """Steps between looks at the error's course."""
    test_every: Count
    """Steps between measurements of the error."""
    fit_steps: Count
    """Steps whose errors a line is fitted to."""
    fit_ratio: Positive
    """The learning rate is divided by ten when the slope's standard error is at least so many times its fall."""
    as_is: Annotated[float, Field(ge=0, le=1)]
    """Share of steps that see the image as it is, but for the crop."""
    turned: Annotated[float, Field(ge=0, le=1)]
    """Share of steps that see it flipped and turned by quarters; the rest sees it scaled, rotated and sheared."""
    min_scale: Annotated[float, Field(gt=0, le=1)]
    stretch_sd: NonNegative
    """Standard deviation of the difference between the scales of the two axes."""
    shear_sd: NonNegative
    turns: bool
    """Whether training images are flipped and rotated."""
    noise: NonNegative
    """White noise in 8-bit levels on the shrunk images that training enlarges."""
    ensemble: bool
    """The median over the eight flips and quarter turns of the image."""
    back_projections: WholeNumber

    @model_validator(mode="after")
    def _possible(self):
        if self.as_is + self.turned > 1:
            raise ValueError(f"as_is and turned are {self.as_is} + {self.turned}, wanted at most 1 together")
        if self.fit_steps < 3 * self.test_every:
            raise ValueError(f"fit_steps: {self.fit_steps} holds fewer than three errors, one every {self.test_every} steps")
        return self
