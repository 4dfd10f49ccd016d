"""`params.yaml` as typed, frozen objects: read once by each stage, checked as a whole.

An unknown key or an impossible value is a `ParamsError` that names the key, the value and what is allowed. Names that
point at other entries (a system's set of captures, say) are checked too, so a typo fails in a second and not in an hour.
"""
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from pipeline.core import entries
from pipeline.core.baselines import CycleGanEntry, RbsrEntry, SrganEntry, ZssrEntry
from pipeline.core.model import Count, Name, Strict, WholeNumber, explain, override
from pipeline.core.moved import moved
from pipeline.core.reading import ParamsError, read_yaml
from pipeline.core.recipes import Recipe
from pipeline.core.references import check_references
from pipeline.core.settings import Bench, Select, Stage1Settings, Stage2Settings, SupervisedSettings
from pipeline.core.sources import Builtin, Calibration, Fit, Ingest, Pairs, Set

PARAMS_FILE = Path("params.yaml")
DERIVED = ("gan", "stage2")
"""What is trained from the start of each entry of `systems`, by the groups of dvc.yaml."""


def derived(system: str) -> dict[str, str]:
    """Kind -> the network of that kind that a system has."""
    return {kind: f"{system}-{kind}" for kind in DERIVED}


class Params(Strict):
    seed: WholeNumber = 1
    """Seed of everything that is drawn at random, except the built-in data and scoring, which have seeds of their own."""
    threads: Count = 1
    """CPU threads of a stage. With another number, sums are added up in another order and rounded differently, so results
    differ slightly."""
    ingest: Ingest = Ingest()
    stage1: Stage1Settings = Stage1Settings()
    stage2: Stage2Settings = Stage2Settings()
    supervised: SupervisedSettings = SupervisedSettings()
    bench: Bench = Bench()
    select: Select = Select()
    builtin: Annotated[dict[Name, Builtin], Field(max_length=1)]
    recipes: dict[Name, Recipe]
    """What becomes of a clean image, so that it looks like a capture. From a range [low, high] a value is drawn uniformly for
    each image. From a list of names one is drawn, each with the same chance."""
    sets: dict[Name, Set]
    calibrations: dict[Name, Calibration]
    fits: dict[Name, Fit]
    pairs: dict[Name, Pairs]
    networks: dict[Name, entries.Network]
    imports: dict[Name, entries.Import]
    systems: dict[Name, entries.System]
    oracles: dict[Name, entries.Oracle]
    adabn: dict[Name, entries.Adabn]
    unsharpens: dict[Name, entries.Unsharpen]
    labels: dict[Name, entries.Labels]
    finetunes: dict[Name, entries.Finetune]
    cyclegans: dict[Name, CycleGanEntry]
    rbsr: dict[Name, RbsrEntry]
    srgan: dict[Name, SrganEntry]
    zssr: dict[Name, ZssrEntry]
    chains: dict[Name, entries.Chain]
    ensembles: dict[Name, entries.Ensemble]
    tasks: dict[Name, entries.Task]
    tests: dict[Name, entries.Tests]
    far: dict[Name, entries.Far]
    rows: dict[Name, entries.Row]

    def entry(self, section: str, key: str):
        """An entry of a section. Raises ParamsError, which names those that there are, for any other key."""
        if key not in (there := getattr(self, section)):
            raise ParamsError(f"{section}.{key}: no such entry, there are {', '.join(there)}")
        return there[key]

    def stage1_of(self, network: str) -> Stage1Settings:
        return override(self.stage1, self.networks[network].stage1, f"networks.{network}.stage1")

    def stage2_of(self, system: str) -> Stage2Settings:
        entry = self.systems[system]
        settings = override(self.stage2, entry.stage2, f"systems.{system}.stage2")
        return _scale_lambda(settings, entry.lambda_scale)

    def supervised_of(self, oracle: str) -> SupervisedSettings:
        return override(self.supervised, self.oracles[oracle].supervised, f"oracles.{oracle}.supervised")

    def finetune_of(self, name: str) -> Stage2Settings | SupervisedSettings:
        entry = self.finetunes[name]
        settings = override(getattr(self, entry.settings), entry.overrides, f"finetunes.{name}.overrides")
        return _scale_lambda(settings, entry.lambda_scale) if entry.settings == "stage2" else settings

    @model_validator(mode="after")
    def _names_exist(self):
        check_references(self)
        for section, resolve in ((self.networks, self.stage1_of), (self.systems, self.stage2_of),
                                 (self.oracles, self.supervised_of), (self.finetunes, self.finetune_of)):
            for name in section:
                resolve(name)
        return self

    def network_names(self) -> set[str]:
        """Every network that has a folder below models/, but for those of zssr, which are learnt from a photo anew."""
        return self.trained() | {*self.imports, *self.unsharpens, *self.chains, *self.ensembles}

    def trained(self) -> set[str]:
        """The networks that are trained here, or measured anew from one that is."""
        ours = {name for system in self.systems for name in derived(system).values()}
        trained = set(self.networks) | ours | set(self.oracles) | set(self.adabn) | set(self.finetunes)
        return trained | set(self.cyclegans) | set(self.rbsr) | set(self.srgan)


def _scale_lambda(settings: Stage2Settings, factor: float) -> Stage2Settings:
    return settings.model_copy(update={"lambda_": settings.lambda_ * factor})


def parse(values: dict, source: str = "params") -> Params:
    """Check a plain dict and return it as Params."""
    if old := moved(values):
        raise ParamsError(f"{source} is of an earlier edition of Restage: {'; '.join(old)}")
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise ParamsError(f"{source}: {explain(error)}") from None


def load(path: Path | str = PARAMS_FILE) -> Params:
    """Read and check a params file."""
    return parse(read_yaml(path), str(path))
