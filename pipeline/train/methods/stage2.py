"""Stage 2 and further rounds: supervised by surrogates, and by an adversary that knows unpaired clean images."""
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.core.settings import Stage2Settings as Settings
from pipeline.train.adversary import Adversary
from pipeline.train.crops import Crops
from pipeline.train.method import d_auc, restored
from pipeline.train.methods.supervised import Supervised


class Stage2(Supervised):
    """MSE + anchor * MSE of 8x8 means + grid * MSE of phase means + lambda * adversarial term (Liu et al., eq. 6). `clean`
    gives batches of unpaired clean images, of the size of the targets. Without it there is no adversarial term."""

    def __init__(self, settings: Settings, network: nn.Module, crops: Crops, val: Crops | None, device: torch.device,
                 clean: Crops | None = None):
        self.begun = {name: value.clone() for name, value in network.state_dict().items()} if settings.blend < 1 else {}
        super().__init__(settings, network, crops, val, device)
        self.adversary = Adversary(settings, clean, device) if clean else None
        if clean:
            self.parts |= self.adversary.parts
            self.warmup = settings.d_warmup  # these steps train the discriminator alone

    def step(self, step: int) -> dict:
        inputs, targets = self.batch(step)
        warming = step < self.warmup
        with torch.set_grad_enabled(not warming):
            outputs = self.outputs(inputs)
        record = self.adversary.update(step, restored(outputs)) if self.adversary else {}
        return record if warming else record | self.improve(step - self.warmup, *self.loss(outputs, targets))

    def loss(self, outputs, targets: torch.Tensor) -> tuple[dict, torch.Tensor]:
        terms, loss = super().loss(outputs, targets)
        outputs = restored(outputs)
        terms["anchor"] = F.mse_loss(F.avg_pool2d(outputs, 8), F.avg_pool2d(targets, 8))
        terms["grid"] = F.mse_loss(phase_means(outputs), phase_means(targets))
        loss = loss + self.settings.anchor * terms["anchor"] + self.settings.grid * terms["grid"]
        if self.adversary:
            terms["adversarial"] = self.adversary.loss(outputs)
            loss = loss + self.settings.lambda_ * terms["adversarial"]
        return terms, loss

    def summary(self, records: list[dict]) -> dict:
        return (d_auc(records) if self.adversary else {}) | super().summary(records)

    @torch.no_grad()
    def finish(self) -> nn.Module:
        """With a `blend` below 1 the weights lie between the start's and the trained ones: network interpolation (Wang et al.,
        "ESRGAN", 2018, eq. 4). It trades stage 2's perception for stage 1's fidelity."""
        network = super().finish()
        for name, value in network.state_dict().items():
            if name in self.begun and value.is_floating_point():
                value.copy_(torch.lerp(self.begun[name].to(value.device), value, self.settings.blend))
        return network


def phase_means(images: torch.Tensor) -> torch.Tensor:
    """NCHW -> means over about 16x16 pixels of every fourth pixel in each direction, for each of the 16 phases: the grid that a
    sub-pixel convolution of factor 2 or 4 can lay over its output, apart from what the image shows."""
    height, width = (side // 4 for side in images.shape[2:])
    phases = F.pixel_unshuffle(images[:, :, : 4 * height, : 4 * width], 4)
    return F.avg_pool2d(phases, (min(height, 4), min(width, 4)))
