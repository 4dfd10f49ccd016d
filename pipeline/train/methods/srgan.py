"""SRGAN: stage 2 with a content loss in place of the distance to the targets, and a discriminator that slows down with the
network (Ledig et al., CVPR 2017, arXiv 1609.04802)."""
from pipeline.train.content import Content
from pipeline.train.methods.stage2 import Stage2
from pipeline.train.schedule import learning_rate


class Srgan(Stage2):
    def __init__(self, *arguments, content: Content, **more):
        super().__init__(*arguments, **more)
        content.to(self.device)
        self.fidelity = content

    def step(self, step: int) -> dict:
        """As in stage 2, the discriminator's learning rate being the same multiple of the network's throughout."""
        if self.adversary:
            rate = learning_rate(self.settings, max(0, step - self.warmup)) / self.settings.lr
            for group in self.adversary.optimizer.param_groups:
                group["lr"] = rate * self.settings.d_lr
        return super().step(step)
