"""`params.yaml` as typed, frozen objects: read once by each stage, checked as a whole.

An unknown key or an impossible value is a `ParamsError` that names the key, the value and what is allowed. Names that
point at other entries (a system's set of captures, say) are checked too, so a typo fails in a second and not in an hour.

Sections that shape a training or a score have no defaults here: every value stands in params.yaml, where DVC tracks it.
"""
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

PARAMS_FILE = Path("params.yaml")
NAME = r"^[A-Za-z0-9][A-Za-z0-9_+.-]*$"  # DVC addresses stages as group@name, so no slash and no @

Name = Annotated[str, Field(pattern=NAME)]
Count = Annotated[int, Field(ge=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class ParamsError(ValueError):
    """params.yaml holds something that cannot be meant."""


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("the first of the two must not be the larger")
    return pair


class Range(tuple):
    """[low, high], both reachable, low <= high, never negative."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        from pydantic_core import core_schema
        return core_schema.no_info_after_validator_function(_ordered, handler(tuple[NonNegative, NonNegative]))


class Ingest(Strict):
    max_rejected: Annotated[int, Field(ge=0)]
    """Files that may be refused (damaged, fake, too large) before a set is refused as a whole."""
    max_megapixels: Positive
    """A file whose header claims more is refused before it is decoded."""


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


class Builtin(Strict):
    """Numbers of rendered scenes; the bundled photographs come on top. Half of the captured scenes are screens."""
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


class Set(Strict):
    folder: str
    """A folder of images, or data/none: the set does not exist (captures without truth)."""
    include: str = "**"
    """Which files, as a pattern on the path below `folder` without its ending; what the stars match is the image's name."""
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
    def _scene_has_a_group(self):
        try:
            groups = re.compile(self.scene).groups
        except re.error as error:
            raise ValueError(f"scene: not a regular expression ({error})") from error
        if groups < 1:
            raise ValueError("scene: the expression needs a group, such as (.*)_[0-9]+")
        return self


class Bicubic(Strict):
    """MATLAB's antialiased bicubic downscale."""
    kind: Literal["bicubic"]


class UpDown(Strict):
    """Antialiased bicubic downscale by a factor drawn from `factors`, then bicubic back: the x1 stand-in for weak optics."""
    kind: Literal["updown"]
    factors: tuple[Annotated[float, Field(gt=1)], ...]


class Random(Strict):
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
        for field, low, high in (("blur_ratio", 0, 1), ("resize", 0.05, 20), ("jpeg_quality", 1, 100)):
            least, most = getattr(self, field)
            if least < low or most > high:
                raise ValueError(f"{field}: got [{least:g}, {most:g}], wanted both in [{low:g}, {high:g}]")
        return self


Recipe = Annotated[Bicubic | UpDown | Random, Field(discriminator="kind")]


class Pairs(Strict):
    clean: Name
    recipe: Name
    scale: Annotated[int, Field(ge=1, le=4)]
    patches: Annotated[int, Field(ge=0)] = 0
    """0 degrades each image whole, once; otherwise so many random crops of the train images are degraded, each anew."""
    size: Annotated[int, Field(ge=8)] = 128
    """Side of such a crop in pixels of the clean image; a multiple of `scale`."""

    @model_validator(mode="after")
    def _size_fits(self):
        if self.size % self.scale:
            raise ValueError(f"size: {self.size} is not a multiple of scale {self.scale}")
        return self


class Training(Strict):
    """What every training shares. Patches are counted in pixels of the network's input."""
    steps: Count
    batch: Count
    patch: Annotated[int, Field(ge=8)]
    lr: Positive
    betas: tuple[Fraction, Fraction]
    schedule: Literal["constant", "cosine", "halve"]
    halve_every: Count
    """Steps between halvings of the learning rate under schedule `halve`."""
    clip: NonNegative
    """Largest norm of the gradient; 0 leaves it alone."""
    ema: Fraction
    """Decay of the moving average of the weights; with 0 the last weights are kept."""
    precision: Literal["fp32", "bf16"]
    channels_last: bool
    validate_every: Count


class Supervised(Training):
    loss: Literal["l1", "mse"]


class Stage2(Training):
    """P1 eq. 6: MSE to the surrogate + lambda * adversarial term against unpaired clean images."""
    lambda_: NonNegative = Field(alias="lambda")
    anchor: NonNegative
    """Weight of the MSE between 8x8 means of output and surrogate, which keeps colours where they are."""
    discriminator: Literal["srgan", "highpass"]
    d_features: Count
    d_lr: Positive
    d_steps: Count
    """P1's k: updates of the discriminator for each update of the network."""
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


class System(Strict):
    """A P1 system: from the stage-1 network `start` to surrogates, stage 2, the GAN-on-synthetic control and the oracle."""
    task: Name
    start: Name
    pairs: Name
    captures: Name
    truth: Name
    clean: Name
    lambda_scale: NonNegative
    """Multiplies stage2.lambda for this entry."""
    stage2: dict[str, Any]
    supervised: dict[str, Any]
    """Overrides of the sections of these names; {} for none. DVC wants to find the keys it tracks."""


class Labels(Strict):
    network: Name
    inputs: str


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


class Tests(Strict):
    """The test sets of a task. Sets that do not exist are named none."""
    synthetic: Name
    captures: Name
    truth: Name
    far: Name
    far_truth: Name
    reference: Name
    """The set whose holdout split is the reference of SWD and of the fitted NIQE."""


class Row(Strict):
    """A line of the benchmark: up to three networks in a chain; first: none is the degraded input itself."""
    task: Name
    tests: Name
    first: Name
    second: Name = "none"
    third: Name = "none"


class Bench(Strict):
    border: Annotated[int, Field(ge=0)]
    """Pixels cut from each side before scoring."""
    channel: Literal["rgb", "y"]
    swd_projections: Count
    swd_patches: Count
    niqe_patch: Annotated[int, Field(ge=16, multiple_of=2)]
    sharpen: tuple[NonNegative, ...]
    noise: tuple[NonNegative, ...]
    """The control curve: unsharp amounts times noise in 8-bit levels, applied to the stage-1 output."""


class Params(Strict):
    seed: Annotated[int, Field(ge=0)]
    threads: Count
    """CPU threads of a training; part of the result, as sums in another order round differently."""
    ingest: Ingest
    builtin: Builtin
    stage1: Supervised
    stage2: Stage2
    supervised: Supervised
    bench: Bench
    recipes: dict[Name, Recipe]
    sets: dict[Name, Set]
    pairs: dict[Name, Pairs]
    networks: dict[Name, Network]
    systems: dict[Name, System]
    labels: dict[Name, Labels] = {}
    finetunes: dict[Name, Finetune] = {}
    tasks: dict[Name, Task]
    tests: dict[Name, Tests]
    rows: dict[Name, Row]

    def stage1_of(self, network: str) -> Supervised:
        return _override(self.stage1, self.networks[network].stage1, f"networks.{network}.stage1")

    def stage2_of(self, system: str) -> Stage2:
        entry = self.systems[system]
        settings = _override(self.stage2, entry.stage2, f"systems.{system}.stage2")
        return _scale_lambda(settings, entry.lambda_scale)

    def supervised_of(self, system: str) -> Supervised:
        return _override(self.supervised, self.systems[system].supervised, f"systems.{system}.supervised")

    def finetune_of(self, name: str) -> Stage2 | Supervised:
        entry = self.finetunes[name]
        settings = _override(getattr(self, entry.settings), entry.overrides, f"finetunes.{name}.overrides")
        return _scale_lambda(settings, entry.lambda_scale) if entry.settings == "stage2" else settings

    @model_validator(mode="after")
    def _names_exist(self):
        self._check_references()
        for name in self.networks:
            self.stage1_of(name)
        for name in self.systems:
            self.stage2_of(name), self.supervised_of(name)
        for name in self.finetunes:
            self.finetune_of(name)
        return self

    def _check_references(self):
        sets, trained = set(self.sets) | {"none"}, self.network_names() | {"none"}
        inputs = {f"sets/{s}" for s in self.sets} | {f"labels/{s}" for s in [*self.labels, *self.systems]}
        inputs |= {f"pairs/{p}/{side}" for p in self.pairs for side in ("inputs", "targets")}
        wanted = {  # section -> field -> where the name must be
            "pairs": {"clean": set(self.sets), "recipe": set(self.recipes)},
            "networks": {"inputs": inputs, "targets": inputs},
            "systems": {"task": set(self.tasks), "start": set(self.networks), "pairs": set(self.pairs),
                        "captures": set(self.sets), "truth": sets, "clean": set(self.sets)},
            "labels": {"network": trained - {"none"}, "inputs": inputs},
            "finetunes": {"start": trained - {"none"}, "inputs": inputs, "targets": inputs, "clean": sets},
            "tests": {"synthetic": set(self.pairs) | {"none"}, "captures": sets, "truth": sets, "far": sets,
                      "far_truth": sets, "reference": sets},
            "rows": {"task": set(self.tasks), "tests": set(self.tests), "first": trained, "second": trained, "third": trained},
        }
        for section, fields in wanted.items():
            for key, entry in getattr(self, section).items():
                for field, names in fields.items():
                    if (value := getattr(entry, field)) not in names:
                        raise ValueError(f"{section}.{key}.{field}: {value!r} names nothing; there are {', '.join(sorted(names))}")
        for key in self.systems:
            if self.systems[key].task not in self.tests:
                raise ValueError(f"systems.{key}.task: {self.systems[key].task!r} has no entry in tests")

    def network_names(self) -> set[str]:
        """Every network the pipeline makes."""
        derived = {f"{system}-{kind}" for system in self.systems for kind in ("stage2", "gan", "oracle")}
        return set(self.networks) | derived | set(self.finetunes)


def _override(settings: Strict, changes: dict, where: str):
    """`settings` with `changes` on top, checked again; errors speak of `where`."""
    unknown = sorted(set(changes) - set(settings.model_dump(by_alias=True)))
    if unknown:
        raise ValueError(f"{where}.{unknown[0]}: no such key; allowed are {', '.join(settings.model_dump(by_alias=True))}")
    if "lambda" in changes:
        raise ValueError(f"{where}.lambda: stage2.lambda always acts; set lambda_scale to weigh this entry differently")
    try:
        return type(settings).model_validate(settings.model_dump(by_alias=True) | changes)
    except ValidationError as error:
        raise ValueError(_explain(error, where)) from error


def _scale_lambda(settings: Stage2, factor: float) -> Stage2:
    return settings.model_copy(update={"lambda_": settings.lambda_ * factor})


def _explain(error: ValidationError, where: str = "") -> str:
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


def parse(values: dict, source: str = "params") -> Params:
    """Check a plain dict and return it as Params."""
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise ParamsError(f"{source}: {_explain(error)}") from None


def load(path: Path | str = PARAMS_FILE) -> Params:
    """Read and check a params file."""
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise ParamsError(f"{path}: wanted a mapping of sections, got {type(values).__name__}")
    return parse(values, str(path))
