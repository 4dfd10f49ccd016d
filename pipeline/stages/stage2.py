"""Stage 2 and all that starts from a trained network; what is trained is SYSTEM-stage2, SYSTEM-gan, or called as the entry.

    python -m pipeline.stages.stage2 stage2 SYSTEM   the paper's stage 2: captures and their surrogates, eq. 6
    python -m pipeline.stages.stage2 gan SYSTEM      control: the same settings on synthetic pairs
    python -m pipeline.stages.stage2 oracle KEY      reference: supervised on captures and their truth (params oracles)
    python -m pipeline.stages.stage2 finetune KEY    a further round, or a specialised network (params finetunes)
"""
from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.train.methods.by_name import METHODS
from pipeline.train.run import train_on_pairs


def main(kind: str, key: str) -> None:
    p = params.load()
    if kind == "finetune":
        entry = p.entry("finetunes", key)
        name, settings, inputs, targets = key, p.finetune_of(key), entry.inputs, entry.targets
        method, clean = entry.method or entry.settings, entry.clean
        if method not in METHODS:
            raise ValueError(f"finetunes.{key}.method: got {method!r}, there are {', '.join(METHODS)}")
    elif kind == "oracle":
        entry = p.entry("oracles", key)
        name, settings, inputs, targets = key, p.supervised_of(key), f"sets/{entry.captures}", f"sets/{entry.truth}"
        method, clean = "supervised", "none"
    else:
        entry = p.entry("systems", key)
        name, settings, method, clean = params.derived(key)[kind], p.stage2_of(key), "stage2", entry.clean
        inputs, targets = {"stage2": (f"sets/{entry.captures}", f"labels/{key}"),
                           "gan": (f"pairs/{entry.pairs}/inputs", f"pairs/{entry.pairs}/targets")}[kind]
    train_on_pairs(name, METHODS[method], settings, p.seed, p.threads, inputs, targets, clean=clean, start=entry.start)


if __name__ == "__main__":
    run_stage(main)
