"""Stage 2 and all that starts from a trained network.

    python -m pipeline.stages.stage2 stage2 sr-edsr     the paper's stage 2: captures and their surrogates, eq. 6
    python -m pipeline.stages.stage2 gan sr-edsr        control: the same settings on synthetic pairs
    python -m pipeline.stages.stage2 oracle NAME        reference: supervised on captures and their truth (params oracles)
    python -m pipeline.stages.stage2 finetune NAME      a further round, or a specialised network (params finetunes)

Writes models/<name> and metrics/curves/<name>.csv; <name> is SYSTEM-stage2, SYSTEM-gan, or that of the entry.
"""

from pipeline.core import params
from pipeline.core.edge import run as run_stage
from pipeline.train.adversary import Adversary
from pipeline.train.run import run


def main(kind: str, key: str) -> None:
    p = params.load()
    if kind == "finetune":
        entry = p.finetunes[key]
        run(key, p.finetune_of(key), p.seed, p.threads, entry.inputs, entry.targets, adversary=Adversary,
            clean=entry.clean, start=entry.start)
        return
    if kind == "oracle":
        entry = p.oracles[key]
        run(key, p.supervised_of(key), p.seed, p.threads, f"sets/{entry.captures}", f"sets/{entry.truth}", start=entry.start)
        return
    entry = p.systems[key]
    inputs, targets = {"stage2": (f"sets/{entry.captures}", f"labels/{key}"),
                       "gan": (f"pairs/{entry.pairs}/inputs", f"pairs/{entry.pairs}/targets")}[kind]
    run(params.derived(key)[kind], p.stage2_of(key), p.seed, p.threads, inputs, targets, adversary=Adversary, clean=entry.clean,
        start=entry.start)


if __name__ == "__main__":
    run_stage(main)
