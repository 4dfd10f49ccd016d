"""Sections of params.yaml that all entries share: how networks are trained, how outputs are scored, how one is chosen.

A key that params.yaml leaves out has its default from here. The stage `settings` writes the resolved values to data/settings,
and each stage depends on its own file there, so a changed default re-runs what it touches.
"""
from typing import Annotated, Literal

from pydantic import Field

from pipeline.core.model import Count, Fraction, NonNegative, Positive, Strict, WholeNumber

BatchNorm = Literal["frozen", "train"]
TestSet = Literal["captures", "captures-far", "synthetic", "captures-val", "synthetic-val"]


class Training(Strict):
    """What every training shares. Patches are counted in pixels of the network's input."""
    steps: Count = 800
    batch: Count = 4
    patch: Annotated[int, Field(ge=8)] = 24
    lr: Positive = 0.001
    """Learning rate of Adam."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.99)
    """Of Adam."""
    schedule: Literal["constant", "cosine", "halve", "tenth"] = "cosine"
    """How the learning rate falls: not at all, along a cosine to zero, by half every `halve_every` steps, or to a tenth in the
    second half of the run."""
    halve_every: Count = 200000
    """Steps between halvings of the learning rate under schedule `halve`."""
    clip: NonNegative = 0.5
    """Largest norm of the gradient; 0 leaves it alone."""
    ema: Fraction = 0.0
    """Decay of the moving average of the weights; with 0 the last weights are kept."""
    precision: Literal["fp32", "bf16"] = "fp32"
    channels_last: bool = True
    """Whether images lie in memory pixel by pixel, which most CPUs and GPUs are faster with."""
    compile: bool = False
    """Whether torch.compile fuses the network's layers, which takes a C++ compiler, and a minute before the first step. What of
    these three is fastest, `python -m pipeline speed` measures."""
    validate_every: Count = 200
    """Steps between two points of the training curve."""


class Stage1Settings(Training):
    loss: Literal["l1", "mse"] = "l1"


class SupervisedSettings(Stage1Settings):
    steps: Count = 250
    lr: Positive = 0.0005
    validate_every: Count = 50
    batch_norm: BatchNorm = "frozen"
    """Whether statistics of batch norm stay those of the network it starts from (frozen) or go on with the data (train)."""


class Stage2Settings(Training):
    """Liu et al., eq. 6: MSE to the surrogate + lambda * adversarial term against unpaired clean images."""
    steps: Count = 250
    lr: Positive = 0.0001
    schedule: Literal["constant", "cosine", "halve", "tenth"] = "constant"
    ema: Fraction = 0.98
    validate_every: Count = 50
    batch_norm: BatchNorm = "frozen"
    """As in Supervised."""
    lambda_: NonNegative = Field(0.002, alias="lambda")
    """Weight of the adversarial term."""
    anchor: NonNegative = 20.0
    """Weight of the MSE between 8x8 means of output and surrogate, which keeps colours where they are."""
    grid: NonNegative = 20.0
    """Weight of the MSE between means of output and surrogate in each phase of a 4x4 grid, which keeps the adversarial term
    from laying a checkerboard over flat areas."""
    blend: Annotated[float, Field(gt=0, le=1)] = 1.0
    """How far from the start's weights to the trained ones the kept network lies: 1 is all the way."""
    discriminator: Literal["srgan", "highpass"] = "srgan"
    d_features: Count = 8
    d_lr: Positive = 0.0002
    d_steps: Count = 1
    """the paper's k: updates of the discriminator for each update of the network."""
    d_warmup: WholeNumber = 0
    """Updates of the discriminator alone before the first update of the network."""
    d_real: Annotated[float, Field(gt=0.5, le=1)] = 0.9
    """The discriminator's target for clean images (one-sided label smoothing)."""


class Bench(Strict):
    """How outputs are scored, after they are rounded to 8 bits: what a restored file holds, and what the code of the
    papers' networks (EDSR, RCAN) does before it scores. Neither paper states a border or a rounding."""
    seed: WholeNumber = 1
    """Of the patches and directions of SWD, the critic and the control's noise: the same for trainings of all seeds."""
    border: WholeNumber = 4
    """Pixels cut from each side before PSNR and SSIM."""
    channels: Annotated[tuple[Literal["rgb", "y"], ...], Field(min_length=1)] = ("rgb", "y")
    """What PSNR and SSIM are computed on: metrics psnr, ssim for rgb; psnr_y, ssim_y for y."""
    round_luma: bool = False
    """Whether the luma of y is rounded to whole levels too, as MATLAB's rgb2ycbcr of 8-bit images does; the code of EDSR and
    RCAN leaves it as it is."""
    lpips: tuple[Literal["alex", "vgg", "squeeze"], ...] = ("alex",)
    """The backbones that LPIPS is computed with; each needs its trunk in data/trunks. On a CPU vgg takes 30 times as long."""
    swd_projections: Count = 128
    """Random directions that patches are projected on."""
    swd_patches: Count = 4096
    """Patches of 7x7 pixels per level of the pyramid."""
    niqe_patch: Annotated[int, Field(ge=16, multiple_of=2)] = 48
    """Side in pixels of the patches that NIQE is fitted on."""
    sharpen: tuple[NonNegative, ...] = (0.3, 0.7, 1.2)
    noise: tuple[NonNegative, ...] = (0, 3)
    """Controls: unsharp amounts times noise in 8-bit levels, applied to the stage-1 output."""
    mix_input: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.25, 0.5)
    """Controls: shares of the input, enlarged by bicubic, mixed into the stage-1 output."""
    critic_steps: Count = 30
    """Batches that the classifier which tells outputs from clean images is trained on. With many more, all rows come near 1."""
    critic_batch: Count = 16
    """Patches of each side in a batch."""
    critic_patch: Annotated[int, Field(ge=16)] = 32
    """Side of a patch in pixels."""
    critic_features: Count = 8
    """Width of its first layer."""


class Select(Strict):
    """The choice of a network without truth; the bounds are increases over stage 1 in 8-bit levels."""
    metric: str = "niqe"
    """One that needs no truth and of which less is better, such as niqe, swd or critic_auc. The lowest is chosen."""
    max_drift: NonNegative = 0.5
    """Colour drift: rms difference of the means of blocks of 32 pixels from the input's."""
    max_residual: NonNegative = 1.0
    """Rms difference from the input of the output reduced to its size, both low-passed."""
    blurrier: Fraction = 0.05
    """A further network whose metric falls, and whose sharpness falls by more than this share, is remarked on."""
