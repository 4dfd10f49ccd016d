"""Entries of params.yaml for reference methods of other papers, each trained in its own way: CycleGAN, RBSR, SRGAN, ZSSR."""
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pipeline.core.model import Count, Fraction, Name, NonNegative, Positive, Strict, WholeNumber
from pipeline.core.settings import Stage2Settings, TestSet


class CycleGanTraining(Strict):
    """How CycleGAN trains (Zhu et al. 2017, pipeline/train/methods/cyclegan.py). A step updates both generators, then both
    discriminators."""
    steps: Count
    """How many times the weights are updated."""
    decay: WholeNumber
    """How many steps at the end have a learning rate that falls linearly to zero."""
    batch: Count
    """Patches of each side in one step. The paper has 1."""
    patch: Count
    """Side of a patch in pixels, at least 3 * 2^d_layers."""
    lr: Positive
    """Learning rate of Adam, of generators and discriminators."""
    betas: tuple[Fraction, Fraction]
    """Adam's two decay rates. The paper has 0.5 and 0.999."""
    cycle: NonNegative
    """Weight of the cycle terms, for images in [-1, 1]. The adversarial terms have weight 1; the paper has 10 here."""
    identity: NonNegative
    """Weight of the identity terms, as a multiple of `cycle`. The authors' release has 0.5."""
    pool: WholeNumber
    """How many generated images each discriminator's history holds. 0 is none; the paper has 50."""
    d_layers: Count
    """Convolutions with stride in each discriminator. With 3 it judges patches of 70x70 pixels. One more
    about doubles their side."""
    d_features: Count
    """Channels of the discriminators' first layer."""
    validate_every: Count
    """Steps between two points of the training curve."""

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
    """A network that CycleGAN trains to turn captures into clean images, without any pairs."""
    arch: Name
    """Architecture of both generators: a file of pipeline/nets without its ending."""
    options: dict[str, Any]
    """Arguments of the function `build` in that file."""
    captures: Name
    """The set of captures."""
    clean: Name
    """The set of clean images."""
    settings: CycleGanTraining
    """How it is trained."""


class RbsrTraining(Strict):
    """How RBSR's mapping trains: our reading of Rad et al. 2021 (pipeline/train/methods/rbsr.py), who do not tell these
    values."""
    steps: Count
    """How many times the weights are updated."""
    batch: Annotated[int, Field(ge=2)]
    """Patches in one step; half of them are real inputs, half synthetic ones."""
    patch: Annotated[int, Field(ge=16)]
    """Side of a patch in pixels."""
    lr: Positive
    """Learning rate of the mapping's Adam."""
    betas: tuple[Fraction, Fraction]
    """Adam's two decay rates, of the mapping and the discriminator."""
    schedule: Literal["constant", "cosine", "halve"]
    """How `lr` falls. constant: not at all. cosine: along half a cosine to zero. halve: by half every `halve_every` steps."""
    halve_every: Count
    """Steps between two halvings of `lr` under `schedule: halve`."""
    clip: NonNegative
    """A gradient whose norm is larger is scaled down to this norm. 0 changes no gradient."""
    channels_last: bool
    """Whether an image lies in memory pixel by pixel instead of channel by channel."""
    features: NonNegative
    """Weight of the relative distance between the encoder's features of output and target. The L1 difference has weight 1."""
    adversarial: NonNegative
    """Weight of the adversarial term."""
    discriminator: Literal["srgan", "highpass"]
    """The discriminator, as in the section `stage2`."""
    d_features: Count
    """Channels of the discriminator's first layer."""
    d_lr: Positive
    """Learning rate of the discriminator's Adam."""
    d_steps: Count
    """Updates of the discriminator for each update of the mapping."""
    d_real: Annotated[float, Field(gt=0.5, le=1)]
    """The discriminator's target for real bicubic images; for outputs it is 0."""
    validate_every: Count
    """Steps between two points of the training curve."""


class RbsrEntry(Strict):
    """A mapping from `inputs` to `targets` of the same size, trained as a GAN (RBSR)."""
    arch: Name
    """The architecture: a file of pipeline/nets without its ending."""
    options: dict[str, Any]
    """Arguments of the function `build` in that file."""
    inputs: str
    """Inputs of the unknown degradation: images below data/."""
    synthetic: str
    """Other inputs that belong to the same targets."""
    targets: str
    """The bicubic images that inputs are mapped to."""
    encoder: Name
    """A network trained on bicubic inputs, whose features of output and target are compared."""
    settings: RbsrTraining
    """How it is trained."""


class SrganEntry(Strict):
    """SRGAN (Ledig et al. 2017): a network trained further with pairs. It is stage 2 with a difference of VGG's features in
    place of the difference from the surrogate."""
    start: Name
    """The network that training starts from."""
    inputs: str
    """What the network is given: images below data/, such as pairs/sr/inputs."""
    targets: str
    """What it is to make of them."""
    clean: Name
    """The set of unpaired clean images that the discriminator compares outputs with."""
    backbone: Literal["vgg16", "vgg19"]
    """The network whose features are compared. Its weights lie in data/trunks, in BACKBONE_features.pth or another file
    BACKBONE_*.pth that reaches the layer."""
    layer: Annotated[str, Field(pattern=r"^(conv|relu)[1-5]_[1-4]$")]
    """The layer whose output is compared. relu2_2 is the second convolution of the second block, after its rectification."""
    content: Positive
    """Weight of the mean squared difference of the features."""
    settings: Stage2Settings
    """How it is trained, with the keys of the section `stage2`."""


class ZssrEntry(Strict):
    """ZSSR (Shocher, Cohen, Irani, 2018): a small network learnt from each image alone, which then enlarges it. It learns to
    enlarge smaller copies of the image, and has no network on disk."""
    tests: Name
    """The entry of `tests` whose images are enlarged."""
    test_sets: Annotated[tuple[TestSet, ...], Field(min_length=1)]
    """The test sets that are enlarged. The row has no scores on the others."""
    scale: Annotated[int, Field(ge=2)]
    """How many times larger the result is, on each side."""
    gradual: Count
    """In how many enlargements the result is reached, each by the same factor. Later ones also learn from the results of
    earlier ones."""
    layers: Annotated[int, Field(ge=2)]
    """Layers of the network. The paper has 8."""
    features: Count
    """Channels of the network. The paper has 64."""
    crop: Annotated[int, Field(ge=8)]
    """Side in pixels of what one training step sees, at most the image's."""
    lr: Positive
    """Learning rate of Adam at the first step."""
    lr_min: Positive
    """Training for a factor ends when its learning rate falls below this."""
    max_steps: Count
    """Training for a factor ends after this many steps at the latest."""
    min_steps: Count
    """Steps that a learning rate is kept at least."""
    check_every: Count
    """Steps between two decisions on the learning rate."""
    test_every: Count
    """Steps between two measurements of the error on the image itself."""
    fit_steps: Count
    """How many of the latest steps are looked at to see whether the errors still fall: a line is fitted to them."""
    fit_ratio: Positive
    """When the errors no longer fall, the learning rate is divided by ten. They count as falling if the line falls, and the
    standard error of its slope is less than this many times the slope's size. More keeps a learning rate longer."""
    as_is: Annotated[float, Field(ge=0, le=1)]
    """Share of steps that see an unchanged crop of the image."""
    turned: Annotated[float, Field(ge=0, le=1)]
    """Share of steps that see a crop flipped and turned by quarters. All other steps see it scaled, rotated and sheared."""
    min_scale: Annotated[float, Field(gt=0, le=1)]
    """The least size of a changed copy, as a share of the image's."""
    stretch_sd: NonNegative
    """Standard deviation of the difference between the scales of the two axes."""
    shear_sd: NonNegative
    """Standard deviation of the shear along each axis; 1 shears by 45 degrees."""
    turns: bool
    """Whether copies are flipped and rotated."""
    noise: NonNegative
    """White noise on the smaller copies that training enlarges, in 8-bit levels."""
    ensemble: bool
    """Whether the result is the median over the eight flips and quarter turns of the image."""
    back_projections: WholeNumber
    """How often the result is corrected. It is reduced, and what it then lacks to be the image is enlarged and added to it
    (back-projection)."""

    @model_validator(mode="after")
    def _possible(self):
        if self.as_is + self.turned > 1:
            raise ValueError(f"as_is and turned are {self.as_is} + {self.turned}, wanted at most 1 together")
        if self.fit_steps < 3 * self.test_every:
            raise ValueError(f"fit_steps: {self.fit_steps} holds fewer than three errors, one every {self.test_every} steps")
        return self
