"""Sections of params.yaml that shape trainings and scores, and the entries of its flat dicts; and what all sections share.

Sections that shape a training or a score have no defaults here: every value stands in params.yaml, where DVC tracks it.
"""
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

NAME = r"^[A-Za-z0-9][A-Za-z0-9_+.-]*$"  # DVC addresses stages as group@name, so no slash and no @

Name = Annotated[str, Field(pattern=NAME)]
Count = Annotated[int, Field(ge=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
BatchNorm = Literal["frozen", "train"]
TestSet = Literal["captures", "captures-far", "synthetic", "captures-val", "synthetic-val"]


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True,
                              use_attribute_docstrings=True)  # they are what docs/params.md says of a key


def override(settings: Strict, changes: dict, where: str):
    """`settings` with `changes` on top, checked again; errors (ValueError) speak of `where`."""
    unknown = sorted(set(changes) - set(settings.model_dump(by_alias=True)))
    if unknown:
        raise ValueError(f"{where}.{unknown[0]}: no such key; allowed are {', '.join(settings.model_dump(by_alias=True))}")
    if "lambda" in changes:
        raise ValueError(f"{where}.lambda: stage2.lambda always acts; set lambda_scale to weigh this entry differently")
    try:
        return type(settings).model_validate(settings.model_dump(by_alias=True) | changes)
    except ValidationError as error:
        raise ValueError(explain(error, where)) from error


def explain(error: ValidationError, where: str = "") -> str:
    """What is wrong, in one line: the key, what was got, what is allowed."""
    lines = []
    for item in error.errors():
        key = ".".join([*([where] if where else []), *(str(part) for part in item["loc"])])
        if item["type"] == "value_error":
            lines.append(f"{key}: {item['ctx']['error']}" if key else str(item["ctx"]["error"]))
        elif item["type"] == "missing":
            lines.append(f"{key}: is missing")
        elif item["type"] == "extra_forbidden":
            lines.append(f"{key}: no such key (its value is {item['input']!r})")
        else:
            lines.append(f"{key}: got {item['input']!r}; {item['msg']}")
    return "; ".join(lines)


class Training(Strict):
    """What every training shares. Patches are counted in pixels of the network's input."""
    steps: Count
    batch: Count
    patch: Annotated[int, Field(ge=8)]
    lr: Positive
    betas: tuple[Fraction, Fraction]
    schedule: Literal["constant", "cosine", "halve", "tenth"]
    halve_every: Count
    """Steps between halvings of the learning rate under schedule `halve`."""
    clip: NonNegative
    """Largest norm of the gradient; 0 leaves it alone."""
    ema: Fraction
    """Decay of the moving average of the weights; with 0 the last weights are kept."""
    precision: Literal["fp32", "bf16"]
    channels_last: bool
    compile: bool
    """Whether torch.compile fuses the network's layers, which takes a C++ compiler, and a minute before the first step. What of
    these three is fastest, `python -m pipeline speed` measures."""
    validate_every: Count


class Stage1(Training):
    loss: Literal["l1", "mse"]


class Supervised(Stage1):
    batch_norm: BatchNorm
    """Whether statistics of batch norm stay those of the network it starts from (frozen) or go on with the data (train)."""


class Stage2(Training):
    """Liu et al., eq. 6: MSE to the surrogate + lambda * adversarial term against unpaired clean images."""
    batch_norm: BatchNorm
    """As in Supervised."""
    lambda_: NonNegative = Field(alias="lambda")
    anchor: NonNegative
    """Weight of the MSE between 8x8 means of output and surrogate, which keeps colours where they are."""
    grid: NonNegative
    """Weight of the MSE between means of output and surrogate in each phase of a 4x4 grid, which keeps the adversarial term
    from laying a checkerboard over flat areas."""
    blend: Annotated[float, Field(gt=0, le=1)]
    """How far from the start's weights to the trained ones the kept network lies: 1 is all the way."""
    discriminator: Literal["srgan", "highpass"]
    d_features: Count
    d_lr: Positive
    d_steps: Count
    """the paper's k: updates of the discriminator for each update of the network."""
    d_warmup: Annotated[int, Field(ge=0)]
    """Updates of the discriminator alone before the first update of the network."""
    d_real: Annotated[float, Field(gt=0.5, le=1)]
    """The discriminator's target for clean images (one-sided label smoothing)."""


class Network(Strict):
    arch: Name
    inputs: str
    targets: str
    """Sets below data/, such as pairs/sr/inputs."""
    options: dict[str, Any] = {}
    """Arguments of the network's class."""
    stage1: dict[str, Any] = {}
    """Overrides of the section stage1 for this network."""


class Import(Strict):
    """Somebody else's trained network, in place of one of stage 1. `python -m pipeline import` writes such an entry."""
    file: str
    layout: Literal["edsr-pytorch", "rcan", "basicsr", "kair", "spandrel"]
    """The project whose names the weights in the file have."""
    arch: Name
    options: dict[str, Any]


class System(Strict):
    """A two-stage system: surrogates of the stage-1 network `start`, stage 2, the GAN-on-synthetic control, the oracle."""
    task: Name
    start: Name
    second_teacher: Name
    third_teacher: Name
    """Networks, or none, whose outputs are averaged with those of `start` to make the surrogates: of stage 1, or the GAN on
    synthetic pairs of a system (KEY-gan)."""
    pairs: Name
    captures: Name
    truth: Name
    clean: Name
    ensemble: bool
    """Each teacher's output is its mean over the eight flips and quarter turns of a capture."""
    lambda_scale: NonNegative
    """Multiplies stage2.lambda for this entry."""
    stage2: dict[str, Any]
    supervised: dict[str, Any]
    """Overrides of the sections of these names; {} for none. DVC wants to find the keys it tracks."""


class Adabn(Strict):
    """A control of stage 2 that trains nothing: the network `start` with its statistics of batch norm measured on captures."""
    start: Name
    captures: Name


class Labels(Strict):
    network: Name
    inputs: str
    ensemble: bool
    """The mean over the eight flips and quarter turns of an input."""


class Finetune(Strict):
    start: Name
    inputs: str
    targets: str
    clean: Name
    settings: Literal["stage2", "supervised"]
    lambda_scale: NonNegative = 1.0
    overrides: dict[str, Any] = {}


class Task(Strict):
    title: str
    published: str = ""
    """Whose figures those of its rows' `published` are, and on which data; it is printed with them."""


class Tests(Strict):
    """The test sets of a task. Sets that do not exist are named none."""
    synthetic: Name
    captures: Name
    truth: Name
    far: Name
    far_truth: Name
    reference: Name
    """The set whose holdout split is the reference of SWD and of the fitted NIQE."""
    metrics: tuple[str, ...]
    """Metrics that are computed only for tests that ask for them, such as psnr_aligned, moire_energy and flat_noise; [] for
    none. All metrics are in measure/registry.py."""
    blur: tuple[Positive, ...]
    """Controls: sigmas in pixels of a Gaussian blur of the stage-1 output, and of the input, enlarged by bicubic."""
    match_tone: bool
    """Control: the stage-1 outputs of a test set, and its inputs, each with the tone of the clean reference."""


class Row(Strict):
    """A line of the benchmark: up to three networks in a chain; first: none is the degraded input itself, and an entry of zssr
    stands alone."""
    task: Name
    tests: Name
    first: Name
    second: Name = "none"
    third: Name = "none"
    published: dict[str, float] = {}
    """Metric -> a paper's own figure for this row, shown beside ours."""


class Bench(Strict):
    """How outputs are scored, after they are rounded to 8 bits: what a restored file holds, and what the code of the
    papers' networks (EDSR, RCAN) does before it scores. Neither paper states a border or a rounding."""
    seed: Annotated[int, Field(ge=0)]
    """Of the patches and directions of SWD, the critic and the control's noise: the same for trainings of all seeds."""
    border: Annotated[int, Field(ge=0)]
    """Pixels cut from each side before PSNR and SSIM."""
    channels: Annotated[tuple[Literal["rgb", "y"], ...], Field(min_length=1)]
    """What PSNR and SSIM are computed on: metrics psnr, ssim for rgb; psnr_y, ssim_y for y."""
    round_luma: bool
    """Whether the luma of y is rounded to whole levels too."""
    lpips: tuple[Literal["alex", "vgg", "squeeze"], ...]
    """The backbones that LPIPS is computed with; each needs its trunk in data/trunks."""
    swd_projections: Count
    swd_patches: Count
    niqe_patch: Annotated[int, Field(ge=16, multiple_of=2)]
    sharpen: tuple[NonNegative, ...]
    noise: tuple[NonNegative, ...]
    """Controls: unsharp amounts times noise in 8-bit levels, applied to the stage-1 output."""
    mix_input: tuple[Annotated[float, Field(gt=0, lt=1)], ...]
    """Controls: shares of the input, enlarged by bicubic, mixed into the stage-1 output."""
    critic_steps: Count
    critic_batch: Count
    """Patches of each side in a batch."""
    critic_patch: Annotated[int, Field(ge=16)]
    critic_features: Count


class Select(Strict):
    """The choice of a network without truth; the bounds are increases over stage 1 in 8-bit levels."""
    metric: str
    """One that needs no truth and of which less is better, such as niqe, swd or critic_auc."""
    max_drift: NonNegative
    max_residual: NonNegative
    blurrier: Fraction
    """A further network whose metric falls, and whose sharpness falls by more than this share, is remarked on."""
