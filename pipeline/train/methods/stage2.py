"""Stage 2 and further rounds: supervised by surrogates, and by an adversary that knows unpaired clean images."""
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.core.settings import Stage2 as Settings
from pipeline.train.adversary import Adversary
from pipeline.train.crops import Crops
from pipeline.train.forward import restored
from pipeline.train.methods.supervised import Supervised
from pipeline.train.scores import d_auc


class Stage2(Supervised):
    """MSE + anchor * MSE of 8x8 means + grid * MSE of phase means + lambda * adversarial term (Liu et al., eq. 6).

    `clean` gives batches of unpaired clean images, of the size of the targets. Without it there is no adversarial term.
    """

    def __init__(self, settings: Settings, network: nn.Module, crops: Crops, val: Crops | None, device: torch.device,
                 clean: Crops | None = None):
        self.begun = {name: value.clone() for name, value in network.state_dict().items()} if settings.blend < 1 else {}
        super().__init__(settings, network, crops, val, device)
        self.adversary = Adversary(settings, clean, device) if clean else None
        self.warmup = settings.d_warmup if clean else 0  # these steps train the discriminator alone

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

    def state_dict(self) -> dict:
        return super().state_dict() | {"adversary": self.adversary.state_dict() if self.adversary else {}}

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        if self.adversary:
            self.adversary.load_state_dict(state["adversary"])

    def finish(self) -> nn.Module:
        network = super().finish()
        blend(network, self.begun, self.settings.blend)
        return network


def phase_means(images: torch.Tensor) -> torch.Tensor:
    """NCHW -> means over about 16x16 pixels of every fourth pixel in each direction, for each of the 16 phases: the grid that a
    sub-pixel convolution of factor 2 or 4 can lay over its output, apart from what the image shows."""
    height, width = (side // 4 for side in images.shape[2:])
    phases = F.pixel_unshuffle(images[:, :, : 4 * height, : 4 * width], 4)
    return F.avg_pool2d(phases, (min(height, 4), min(width, 4)))


@torch.no_grad()
def blend(network: nn.Module, begun: dict, share: float) -> None:
    """Move the weights to begun + share * (trained - begun): network interpolation (Wang et al., "ESRGAN", 2018, eq. 4).

    Less of what training changed, for the cost of nothing: stage 2's perception against stage 1's fidelity.
    """
    for key, value in network.state_dict().items():
        if share < 1 and value.is_floating_point():
            value.copy_(torch.lerp(begun[key].to(value.device), value, share))
