"""Answers of a model that are kept, so that the same photo at another strength does not run the networks again."""
from hashlib import sha256

import torch

from pipeline.restore.model import Model
from pipeline.restore.trimmed import Region, all_of


class Kept(Model):
    """Another model. What it last answered is kept in memory, up to `most` bytes, by the window that it was given: a window
    with the same pixels gets the same float32 values again, so nothing that is made of them changes by a bit."""

    def __init__(self, model: Model, most: int):
        super().__init__([model], model.scale, model.multiple, model.radius, model.networks)
        self.most, self.size, self.answers = most, 0, {}

    def forward(self, x: torch.Tensor, keep: Region | None = None) -> torch.Tensor:
        keep = keep or all_of(x)
        window = sha256(x.cpu().contiguous().numpy()).hexdigest(), tuple(x.shape), str(keep)
        rows, columns = (slice(self.scale * side.start, self.scale * side.stop) for side in keep)
        part = self.answers.pop(window, None)
        if part is None:
            answer = self.parts[0](x, keep)
            part = answer[..., rows, columns].cpu().clone()
            self.size += part.nbytes
        else:
            answer = x.new_zeros(*x.shape[:2], *(self.scale * side for side in x.shape[2:]))
            answer[..., rows, columns] = part.to(x.device)
        self.answers[window] = part  # the last of the dict, whose first is dropped
        while self.size > self.most:
            self.size -= self.answers.pop(next(iter(self.answers))).nbytes
        return answer
