"""Entries of params.yaml that are networks, and what they are scored on. The key of an entry is its name.

The fields that dvc.yaml names (`${item.start}`) stand in every entry, as DVC's templates know no defaults. All others have one.
"""
from typing import Any, Literal

from pipeline.core.model import Name, NonNegative, Positive, Strict


class Network(Strict):
    arch: Name
    """A file of pipeline/nets."""
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
    """Arguments of the network's class."""
    saw_truth: bool = False
    """Whether it was trained with the truth of captures of this project. The file of an exported row says so itself."""


class System(Strict):
    """A two-stage system KEY: surrogates by `teacher`, stage 2 (the network KEY-stage2), and its control KEY-gan, the same GAN
    on synthetic pairs."""
    task: Name
    start: Name
    """The network of stage 1 that stage 2 starts from."""
    teacher: Name
    """The network that labels the captures: `start` in the paper, or a better one, such as an entry of ensembles."""
    pairs: Name
    captures: Name
    clean: Name
    """The set of unpaired clean images that the adversary sees."""
    self_ensemble: bool = False
    """The teacher's output is its mean over the eight flips and quarter turns of a capture."""
    lambda_scale: NonNegative = 1.0
    """Multiplies stage2.lambda for this entry."""
    stage2: dict[str, Any] = {}
    """Overrides of the section stage2."""


class Oracle(Strict):
    """What the truth would be worth: the network `start` trained on with captures and their truth. It is a bound, no method."""
    start: Name
    captures: Name
    truth: str
    """A set, or CAPTURES/truth for the folder `truth` below that of the set CAPTURES."""
    supervised: dict[str, Any] = {}
    """Overrides of the section supervised."""


class Adabn(Strict):
    """A control of stage 2 that trains nothing: the network `start` with its statistics of batch norm measured on captures."""
    start: Name
    captures: Name


class Unsharpen(Strict):
    """A network that takes back the sharpening of an estimated camera: a fixed filter (nets/unsharpen.py), the first link of a
    chain. Nothing is trained."""
    calibration: Name


class Labels(Strict):
    """A network's outputs on a set."""
    network: Name
    inputs: str
    self_ensemble: bool = False
    """The mean over the eight flips and quarter turns of an input."""


class Finetune(Strict):
    """A network that goes on from another: a further round of stage 2, or a specialised network."""
    start: Name
    inputs: str
    targets: str
    """Sets below data/, such as labels/NAME."""
    clean: Name
    """As in System; none where the settings have no adversary."""
    settings: Literal["stage2", "supervised"]
    """The section of params.yaml that the training goes by."""
    method: str = ""
    """A name in train/methods/by_name.py; by default that of `settings`."""
    lambda_scale: NonNegative = 1.0
    """Multiplies stage2.lambda for this entry."""
    overrides: dict[str, Any] = {}
    """Of the section that `settings` names."""


class Chain(Strict):
    """Two networks one behind the other, as one network. Either may be a chain or an ensemble."""
    first: Name
    then: Name
    """What takes the output of `first`."""


class Ensemble(Strict):
    """The mean of the outputs of networks of one scale, as one network. An ensemble in an ensemble counts with all its
    networks: the mean is over single networks and chains, each with the same weight."""
    first: Name
    second: Name


class Task(Strict):
    title: str
    published: str = ""
    """Whose figures those of its rows' `published` are, and on which data; it is printed with them."""


class Tests(Strict):
    """The test sets of a task. Sets that do not exist are named none."""
    synthetic: Name
    """An entry of pairs."""
    captures: Name
    truth: str
    """A set, or CAPTURES/truth for the folder `truth` below that of the set CAPTURES."""
    reference: Name
    """The set whose holdout split is the reference of SWD and of the fitted NIQE."""
    metrics: tuple[str, ...] = ()
    """Metrics that are computed only for tests that ask for them, such as psnr_aligned, psnr_registered, moire_energy and
    flat_noise, which need truth. All metrics are in score/registry.py."""
    blur: tuple[Positive, ...] = ()
    """Controls: sigmas in pixels of a Gaussian blur of the stage-1 output, and of the input, enlarged by bicubic."""
    match_tone: bool = False
    """Control: the stage-1 outputs of a test set, and its inputs, each with the tone of the clean reference."""


class Far(Strict):
    """A second test set of captures for the entry of tests of the same name: another camera, or from further away."""
    captures: Name
    truth: str
    """A set, CAPTURES/truth for the folder `truth` below that of the set CAPTURES, or none."""


class Row(Strict):
    """A line of the benchmark."""
    task: Name
    tests: Name
    network: Name
    """A network, a chain, an ensemble or an entry of zssr; none is the degraded input itself, enlarged by bicubic."""
    published: dict[str, float] = {}
    """Metric -> a paper's own figure for this row, shown beside ours."""
