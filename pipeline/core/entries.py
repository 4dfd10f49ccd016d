"""Entries of params.yaml that are networks, and what they are scored on. The key of an entry is its name.

The fields that dvc.yaml names (`${item.start}`) stand in every entry, as DVC's templates know no defaults. All others have one.
"""
from typing import Any, Literal

from pipeline.core.model import Name, NonNegative, Positive, Strict


class Network(Strict):
    """A network that is trained from scratch on pairs: stage 1."""
    arch: Name
    """The architecture: a file of pipeline/nets without its ending, such as edsr."""
    inputs: str
    """What the network is given: images below data/, such as pairs/sr/inputs."""
    targets: str
    """What it is to make of them: images below data/ with the same names, such as pairs/sr/targets."""
    options: dict[str, Any] = {}
    """Arguments of the function `build` in the architecture's file, such as {scale: 4, blocks: 6}."""
    stage1: dict[str, Any] = {}
    """Keys of the section `stage1` that are different for this network."""


class Import(Strict):
    """A network that somebody else has trained, in place of one of stage 1. `python -m pipeline import` writes the entry."""
    file: str
    """The file of weights."""
    layout: Literal["edsr-pytorch", "rcan", "basicsr", "kair", "realesrgan", "nafnet", "uhdm", "spandrel", "restage"]
    """The project whose names the weights in the file have. spandrel: any that the package spandrel reads. restage: a file of
    `export --to safetensors`, such as those in starters/."""
    arch: Name
    """The architecture: a file of pipeline/nets without its ending."""
    options: dict[str, Any]
    """Arguments of the function `build` in the architecture's file."""
    saw_truth: bool = False
    """Whether it was trained with the truth of captures of this project. Then it counts as an oracle."""


class System(Strict):
    """A two-stage system. The teacher labels the captures, and stage 2 trains the start on these labels to the network
    KEY-stage2. Its control KEY-gan is the same training on synthetic pairs instead of captures."""
    task: Name
    """The entry of `tasks` in whose table the system stands. The entry of `tests` of the same name scores it."""
    start: Name
    """The network that stage 2 starts from: an entry of `networks` or `imports`."""
    teacher: Name
    """The network that labels the captures: `start` in the paper, or a better one, such as an entry of `ensembles`."""
    pairs: Name
    """The entry of `pairs` that the control KEY-gan is trained on."""
    captures: Name
    """The set of captures that stage 2 trains on."""
    clean: Name
    """The set of unpaired clean images that the discriminator compares outputs with."""
    self_ensemble: bool = False
    """Whether the teacher's label is its mean over the eight flips and quarter turns of a capture."""
    lambda_scale: NonNegative = 1.0
    """`stage2.lambda` is multiplied by this for the system."""
    stage2: dict[str, Any] = {}
    """Keys of the section `stage2` that are different for this system."""


class Oracle(Strict):
    """A network that is trained further with captures and their truth. It shows what truth would be worth. It is not for use,
    because real captures have no truth."""
    start: Name
    """The network that training starts from: an entry of `networks` or `imports`."""
    captures: Name
    """The set of captures."""
    truth: str
    """Their truth: a set, or CAPTURES/truth for the folder `truth` below that of the set CAPTURES."""
    supervised: dict[str, Any] = {}
    """Keys of the section `supervised` that are different for this oracle."""


class Adabn(Strict):
    """AdaBN: a network whose batch norm takes its statistics from captures. Nothing is trained. It is a control of stage 2."""
    start: Name
    """The network, which must have batch norm."""
    captures: Name
    """The set whose train images the statistics are measured on."""


class Unsharpen(Strict):
    """A network that takes back the sharpening of an estimated camera. It is a fixed filter and the first link of a chain.
    Nothing is trained."""
    calibration: Name
    """The entry of `calibrations` that estimates the camera."""


class Labels(Strict):
    """What a network makes of a set, to train another network on."""
    network: Name
    """The network that labels."""
    inputs: str
    """What it labels: images below data/, such as sets/sr-captures."""
    self_ensemble: bool = False
    """Whether a label is the mean over the eight flips and quarter turns of an input."""


class Finetune(Strict):
    """A network that is trained further from another one: in a further round of stage 2, or specialised on what a network
    before it makes."""
    start: Name
    """The network that training starts from."""
    inputs: str
    """What the network is given: images below data/, such as sets/sr-captures."""
    targets: str
    """What it is to make of them, such as labels/NAME."""
    clean: Name
    """The set of unpaired clean images that the discriminator compares outputs with. Write none
    if there is no discriminator."""
    settings: Literal["stage2", "supervised"]
    """The section of params.yaml that the training goes by."""
    method: str = ""
    """The training method, a name in pipeline/train/methods/by_name.py. By default it is that of `settings`."""
    lambda_scale: NonNegative = 1.0
    """`stage2.lambda` is multiplied by this for the entry."""
    overrides: dict[str, Any] = {}
    """Keys of the section in `settings` that are different for this entry."""


class Chain(Strict):
    """Two networks one after the other, as one network. Either may be a chain or an ensemble itself."""
    first: Name
    """The network that is given the image."""
    then: Name
    """The network that is given the output of `first`."""


class Ensemble(Strict):
    """The mean of the outputs of two networks of the same scale, as one network. Either may be a chain or an ensemble itself;
    each network of an inner mean counts as much as the others. With `below`, coarse detail of one
    output is joined with fine detail of the other instead."""
    first: Name
    """One network."""
    second: Name
    """The other network."""
    below: NonNegative = 0
    """Sigma of a Gaussian in output pixels. What it keeps of an image comes from `first`, and the rest, which is finer, from
    `second`. 0 is the mean of both."""


class Task(Strict):
    """A table of results: rows that are scored together."""
    title: str
    """The heading of the table."""
    published: str = ""
    """Whose figures the rows' `published` are, and on which data. It is printed with them."""


class Tests(Strict):
    """What rows are scored on. A set that does not exist is called none."""
    synthetic: Name
    """An entry of `pairs`, whose test images are the test set `synthetic`; or none."""
    captures: Name
    """A set of captures, whose test images are the test set `captures`; or none."""
    truth: str
    """The truth of the captures: a set, CAPTURES/truth for the folder `truth` below that of the set CAPTURES, or none."""
    reference: Name
    """The set whose holdout images SWD, the critic and NIQE compare outputs with. No training sees them."""
    metrics: tuple[str, ...] = ()
    """Further metrics, which are computed only where they are named here: psnr_aligned, psnr_registered, swd_truth,
    moire_energy, flat_noise. All of them need truth."""
    blur: tuple[Positive, ...] = ()
    """Controls: the output of stage 1 and the input, each blurred by a Gaussian of these sigmas in pixels. The input is
    enlarged by bicubic first where it is smaller."""
    match_tone: bool = False
    """Controls: the output of stage 1 and the input, each with the mean and the deviation of its colours set to those of the
    reference."""


class Far(Strict):
    """A second set of captures for the entry of `tests` with the same name: another camera, or from further away. It is the
    test set `captures-far`."""
    captures: Name
    """A set of captures, of which the test images are used."""
    truth: str
    """Their truth: a set, CAPTURES/truth for the folder `truth` below that of the set CAPTURES, or none."""


class Row(Strict):
    """A row of a table."""
    task: Name
    """The entry of `tasks` in whose table the row stands."""
    tests: Name
    """The entry of `tests` that the network is scored on."""
    network: Name
    """A network, a chain, an ensemble or an entry of `zssr`. none: the input itself, enlarged by bicubic."""
    published: dict[str, float] = {}
    """A paper's own figures for this row, by metric. They are shown beside ours."""
