"""A history of made images for a discriminator, so that it does not forget what the generator no longer makes (Shrivastava et
al., Learning from Simulated and Unsupervised Images through Adversarial Training, 2017, arXiv 1612.07828, section 2.3)."""
import torch

from pipeline.core.seeds import rng


class Pool:
    """Up to `size` images. What it draws is a function of (seed, purpose, step), what it holds is part of a checkpoint.
    Several processes hold the same images, as each gives it the whole batch."""

    def __init__(self, size: int, seed: int, purpose: str):
        self.size, self.seed, self.purpose, self.images = size, seed, purpose, []

    def exchange(self, step: int, images: torch.Tensor) -> torch.Tensor:
        """A batch to show instead of `images` (NCHW): while the pool has room, each is kept and shown; from then on, each is
        shown itself or, as often, takes the place of one in the pool, which is shown. A pool of size 0 shows what it is given.
        """
        shown = []
        for sample, image in enumerate(images.detach()):
            if len(self.images) < self.size:
                self.images.append(image.clone())
            elif self.size:
                draw = rng(self.seed, self.purpose, step * len(images) + sample)
                if draw.random() < 0.5:
                    place = int(draw.integers(self.size))
                    image, self.images[place] = self.images[place], image.clone()
            shown.append(image)
        return torch.stack(shown)
