"""Trainings of other projects, started as their users start them, for bench/train.py to compare with."""
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import torch
import yaml

ROOT = Path(__file__).parent.parent


def basicsr(folder: Path, scale: int, patch: int, batch: int, iterations: int) -> float | None:
    """ms of an iteration of BasicSR's own training of EDSR (16 blocks of 64) on the pairs in `folder`/png; None, and why,
    where it cannot be had."""
    if find_spec("basicsr") is None:
        print("basicsr   is not installed: there is no peer to measure")
        return None
    options = {
        "name": "peer", "model_type": "SRModel", "scale": scale, "num_gpu": torch.cuda.device_count(), "manual_seed": 1,
        "datasets": {"train": {
            "name": "peer", "type": "PairedImageDataset", "dataroot_gt": str(folder / "png/targets"),
            "dataroot_lq": str(folder / "png/inputs"), "filename_tmpl": "{}", "io_backend": {"type": "disk"},
            "gt_size": patch * scale, "use_hflip": True, "use_rot": True, "use_shuffle": True,
            "num_worker_per_gpu": 0, "batch_size_per_gpu": batch, "dataset_enlarge_ratio": 100, "prefetch_mode": None}},
        "network_g": {"type": "EDSR", "num_in_ch": 3, "num_out_ch": 3, "num_feat": 64, "num_block": 16, "upscale": scale,
                      "res_scale": 1, "img_range": 255.0, "rgb_mean": [0.4488, 0.4371, 0.4040]},
        "path": {"pretrain_network_g": None, "strict_load_g": True, "resume_state": None},
        "train": {"ema_decay": 0.999, "optim_g": {"type": "Adam", "lr": 1e-4, "weight_decay": 0, "betas": [0.9, 0.99]},
                  "scheduler": {"type": "MultiStepLR", "milestones": [10**6], "gamma": 0.5}, "total_iter": iterations + 5,
                  "warmup_iter": -1, "pixel_opt": {"type": "L1Loss", "loss_weight": 1.0, "reduction": "mean"}},
        "logger": {"print_freq": 1, "save_checkpoint_freq": 10**6, "use_tb_logger": False,
                   "wandb": {"project": None, "resume_id": None}}}
    (folder / "peer.yml").write_text(yaml.safe_dump(options))
    # it needs torchvision as lpips does
    code = ("from pipeline.score.lpips import import_lpips; import_lpips(); "
            f"from basicsr.train import train_pipeline; train_pipeline({str(folder)!r})")
    done = subprocess.run([sys.executable, "-c", code, "-opt", str(folder / "peer.yml")], cwd=folder, capture_output=True,
                          text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    means = [1000 * float(seconds) for seconds in re.findall(r"time \(data\): ([\d.]+)", done.stdout + done.stderr)]
    if done.returncode or not means:
        print(f"basicsr   could not be measured: {(done.stderr.strip().splitlines() or ['it printed no times'])[-1]}")
        return None
    print(f"basicsr   {means[-1]:8.1f} ms, the mean of {iterations + 4} iterations")
    return means[-1]
