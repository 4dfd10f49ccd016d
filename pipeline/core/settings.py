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
    """What every training shares."""
    steps: Count = 800
    """How many times the weights are updated. The default is short, for the small networks of the demo; networks in papers get
    100,000 and more."""
    batch: Count = 4
    """Patches in one step."""
    patch: Annotated[int, Field(ge=8)] = 24
    """Side of a square patch in pixels of the network's input. The target's patch is as many times larger as the network
    enlarges."""
    lr: Positive = 0.001
    """Learning rate of Adam at the first step."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.99)
    """Adam's two decay rates: of the mean gradient, and of the mean squared gradient."""
    schedule: Literal["constant", "cosine", "halve", "tenth"] = "cosine"
    """How the learning rate falls. constant: not at all. cosine: along half a cosine to zero. halve: by half every
    `halve_every` steps. tenth: to a tenth in the second half of the training."""
    halve_every: Count = 200000
    """Steps between two halvings of the learning rate. It acts under `schedule: halve` alone."""
    clip: NonNegative = 0.5
    """A gradient whose norm is larger is scaled down to this norm. 0 changes no gradient."""
    ema: Fraction = 0.0
    """Decay of the moving average of the weights. The trained network has the averaged weights, or with 0 the last ones."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """The numbers that layers compute with: 32 bits, or 16 bits (bfloat16), which is faster on hardware that has it."""
    channels_last: bool = True
    """Whether an image lies in memory pixel by pixel instead of channel by channel. Most CPUs and GPUs are faster with it."""
    compile: bool = False
    """Whether torch.compile fuses the network's layers. It needs a C++ compiler and a minute before the first step.
    `python -m pipeline speed` measures which of precision, channels_last and compile is fastest."""
    validate_every: Count = 200
    """Steps between two points of the training curve."""


class Stage1Settings(Training):
    """Stage 1: a network is trained on synthetic pairs."""
    loss: Literal["l1", "mse", "charbonnier", "fourier"] = "l1"
    """What training makes small. l1: the mean absolute difference from the target. mse: the mean squared difference.
    charbonnier: an absolute difference that is smooth at 0. fourier: l1, plus the mean modulus of the Fourier transform of the
    differences."""


class SupervisedSettings(Stage1Settings):
    """A network is trained further with pairs: the oracles, and entries of `finetunes` with `settings: supervised`."""
    steps: Count = 250
    """How many times the weights are updated."""
    lr: Positive = 0.0005
    """Learning rate of Adam at the first step. It is half of stage 1's, as the network is trained already."""
    validate_every: Count = 50
    """Steps between two points of the training curve."""
    batch_norm: BatchNorm = "frozen"
    """The statistics of batch norm. frozen: they stay those of the network that training starts from. train: they follow the
    new data. Networks without batch norm ignore it."""


class Stage2Settings(Training):
    """Stage 2: a network is trained further, with captures and their surrogates. The loss is the mean squared difference from
    the surrogate, plus `lambda` times an adversarial term (Liu et al., eq. 6). A second network, the discriminator, learns to
    tell restored patches from unpaired clean ones, and the adversarial term rewards outputs that it takes for clean."""
    steps: Count = 250
    """How many times the weights are updated."""
    lr: Positive = 0.0001
    """Learning rate of Adam at the first step. It is a tenth of stage 1's, as the network is trained already."""
    schedule: Literal["constant", "cosine", "halve", "tenth"] = "constant"
    """How the learning rate falls, as in stage 1."""
    ema: Fraction = 0.98
    """Decay of the moving average of the weights. The trained network has the averaged weights, which evens out the swings of
    adversarial training."""
    validate_every: Count = 50
    """Steps between two points of the training curve."""
    batch_norm: BatchNorm = "frozen"
    """The statistics of batch norm. frozen: they stay those of the network that training starts from. train: they follow the
    new data."""
    lambda_: NonNegative = Field(0.002, alias="lambda")
    """Weight of the adversarial term. 0 trains without a discriminator. More makes outputs look cleaner and stray further from
    the capture."""
    anchor: NonNegative = 20.0
    """Weight of the mean squared difference between 8x8 means of output and surrogate. It keeps colours where they are."""
    grid: NonNegative = 20.0
    """Weight of the mean squared difference between output and surrogate in the means of every fourth pixel in each
    direction. Without it the adversarial term can lay a checkerboard over flat areas."""
    blend: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the change of the weights that is kept. 1 keeps the trained weights. 0.25 keeps the weights that lie a quarter
    of the way from the start to the trained weights."""
    discriminator: Literal["srgan", "highpass"] = "srgan"
    """srgan: that of Ledig et al. 2017, eight convolutions with batch norm and one judgement per patch. highpass: three
    convolutions without batch norm that see the image and its fine detail, and judge each place of the patch."""
    d_features: Count = 8
    """Channels of the discriminator's first layer. Its last layers have eight (srgan) or four (highpass) times as many."""
    d_lr: Positive = 0.0002
    """Learning rate of the discriminator's Adam. It stays constant; in entries of `srgan` it falls as the network's does."""
    d_steps: Count = 1
    """Updates of the discriminator for each update of the network; the paper calls it k."""
    d_warmup: WholeNumber = 0
    """Updates of the discriminator alone before the first update of the network."""
    d_real: Annotated[float, Field(gt=0.5, le=1)] = 0.9
    """The discriminator's target for clean patches (one-sided label smoothing). For restored ones it is 0."""


class Bench(Strict):
    """How outputs are scored. They are rounded to 8 bits first, as a restored file is. The code of EDSR and RCAN does that too.
    Neither paper states a border or a rounding."""
    seed: WholeNumber = 1
    """Seed of what scoring draws: patches and directions of SWD, the critic, the noise of controls. It is not the seed of the
    trainings, so that all trainings are scored alike."""
    border: WholeNumber = 4
    """Pixels that are cut from each side before PSNR and SSIM. 4 is usual for x4 super-resolution."""
    channels: Annotated[tuple[Literal["rgb", "y"], ...], Field(min_length=1)] = ("rgb", "y")
    """What PSNR and SSIM are computed on. rgb: the colours, as psnr and ssim. y: luma alone, as psnr_y and ssim_y."""
    round_luma: bool = False
    """Whether the luma is rounded to whole levels before it is scored, as MATLAB's rgb2ycbcr does. The code of EDSR and RCAN
    does not round it."""
    lpips: tuple[Literal["alex", "vgg", "squeeze"], ...] = ("alex",)
    """The networks that LPIPS compares features of; each needs its file in data/trunks. On a CPU vgg takes 30 times as long as
    alex."""
    swd_projections: Count = 128
    """Random directions that SWD projects patches on. More make it less noisy and slower."""
    swd_patches: Count = 4096
    """Patches of 7x7 pixels that SWD takes from each level of the image pyramid."""
    niqe_patch: Annotated[int, Field(ge=16, multiple_of=2)] = 48
    """Side in pixels of the patches that NIQE is fitted on. NIQE's authors take 96; 48 suits the small images of the demo."""
    sharpen: tuple[NonNegative, ...] = (0.3, 0.7, 1.2)
    """Controls: the output of stage 1, sharpened by each of these amounts (unsharp mask of sigma 2 pixels) and combined with
    each level of `noise`."""
    noise: tuple[NonNegative, ...] = (0, 3)
    """White noise, in 8-bit levels, that is added to each sharpened control."""
    mix_input: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.25, 0.5)
    """Controls: the output of stage 1, mixed with these shares of its input. The input is enlarged by bicubic where it is
    smaller."""
    critic_steps: Count = 30
    """Training steps of the critic, a classifier that learns to tell outputs from clean images. With many more steps it tells
    all rows apart, and their scores come near 1."""
    critic_batch: Count = 16
    """Patches of each side in a batch of the critic."""
    critic_patch: Annotated[int, Field(ge=16)] = 32
    """Side of a patch of the critic in pixels."""
    critic_features: Count = 8
    """Channels of the critic's first layer."""


class Select(Strict):
    """How a network is chosen for each system without truth. All scores are of `captures-val`."""
    metric: str = "niqe"
    """The network with the lowest value of this metric is chosen. It must need no truth: niqe, swd or critic_auc."""
    max_drift: NonNegative = 0.5
    """A network is refused when its colour drift exceeds stage 1's by more than this, in 8-bit levels. Drift is the rms
    difference between output and input of the means of 32x32 blocks. On the built-in captures stage 2 adds at most 0.03.
    Without `anchor` it added 0.2, and 0.9 at ten times `lambda`."""
    max_residual: NonNegative = 1.0
    """A network is refused when its residual exceeds stage 1's by more than this, in 8-bit levels. The residual is the rms
    difference between the input and the output reduced to the input's size, both smoothed. It is large if a network
    invents detail."""
    blurrier: Fraction = 0.05
    """A further round gets a remark if its metric is better, but its sharpness falls by more than this share."""
