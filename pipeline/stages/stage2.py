"""Stage 2 and all that starts from a trained network.

    python -m pipeline.stages.stage2 stage2 sr-edsr     the paper's stage 2: captures and their surrogates, eq. 6
    python -m pipeline.stages.stage2 gan sr-edsr        control: the same settings on synthetic pairs
    python -m pipeline.stages.stage2 oracle sr-edsr     reference: supervised on captures and their truth
    python -m pipeline.stages.stage2 finetune NAME      a further round, or a specialised network (params finetunes)

Writes models/<name> and metrics/curves/<name>.csv; <name> is the system's with the kind behind it.
"""

from pipeline.core import params
from pipeline.core.edge import run as run_stage
from pipeline.train.methods.stage2 import Stage2
from pipeline.train.methods.supervised import Supervised
from pipeline.train.pairs import train_on_pairs


def main(kind: str, key: str) -> None:
    p = params.load()
    if kind == "finetune":
        entry = p.finetunes[key]
        name, settings, inputs, targets = key, p.finetune_of(key), entry.inputs, entry.targets
        method = {"stage2": Stage2, "supervised": Supervised}[entry.settings]
    else:
        entry, name = p.systems[key], f"{key}-{kind}"
        method, settings, inputs, targets = {
            "stage2": (Stage2, p.stage2_of(key), f"sets/{entry.captures}", f"labels/{key}"),
            "gan": (Stage2, p.stage2_of(key), f"pairs/{entry.pairs}/inputs", f"pairs/{entry.pairs}/targets"),
            "oracle": (Supervised, p.supervised_of(key), f"sets/{entry.captures}", f"sets/{entry.truth}"),
        }[kind]
    train_on_pairs(name, method, settings, p.seed, p.threads, inputs, targets, clean=entry.clean, start=entry.start)


if __name__ == "__main__":
    run_stage(main)
