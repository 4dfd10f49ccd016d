"""Networks of other projects as their papers and programs have them: weights by their official names, and what they compute.

Nothing here is of pipeline.nets. `make` gives random weights, `forward` takes NCHW in [0, 1].
"""
import torch
from torch.nn import functional as F

MEAN = torch.tensor([0.4488, 0.4371, 0.4040])
FACTORS = {1: (), 2: (2,), 3: (3,), 4: (2, 2)}


class Weights(dict):
    def conv(self, name, inputs, outputs, kernel=3):
        self[f"{name}.weight"] = 0.3 * torch.randn(outputs, inputs, kernel, kernel) / (kernel * inputs**0.5)
        self[f"{name}.bias"] = 0.1 * torch.randn(outputs)

    def norm(self, name, features):
        for part, low in (("weight", 0.5), ("bias", -0.5), ("running_mean", -0.5), ("running_var", 0.5)):
            self[f"{name}.{part}"] = low + torch.rand(features)
        self[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def upsampler(self, name, features, scale):
        for step, factor in enumerate(FACTORS[scale]):
            self.conv(f"{name}.{2 * step}", features, factor**2 * features)

    def means(self, levels):
        for name, sign in (("sub_mean", -1), ("add_mean", 1)):
            self[f"{name}.weight"], self[f"{name}.bias"] = torch.eye(3).reshape(3, 3, 1, 1), sign * levels * MEAN


def apply(w, name, x):
    kernel = w[f"{name}.weight"].shape[-1]
    return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=kernel // 2)


def enlarged(w, name, x, scale):
    for step, factor in enumerate(FACTORS[scale]):
        x = F.pixel_shuffle(apply(w, f"{name}.{2 * step}", x), factor)
    return x


def attended(w, squeeze, excite, x):
    gate = apply(w, excite, F.relu(apply(w, squeeze, x.mean((2, 3), keepdim=True))))
    return x / (1 + torch.exp(-gate))


class EDSRPyTorch:
    def __init__(self, scale, blocks, features, levels=255):
        self.scale, self.blocks, self.features, self.levels = scale, blocks, features, levels

    def make(self):
        w, n = Weights(), self.features
        w.means(self.levels)
        w.conv("head.0", 3, n)
        for i in range(self.blocks):
            w.conv(f"body.{i}.body.0", n, n), w.conv(f"body.{i}.body.2", n, n)
        w.conv(f"body.{self.blocks}", n, n)
        w.upsampler("tail.0", n, self.scale)
        w.conv("tail.1", n, 3)
        return w

    def forward(self, w, x, res_scale=1.0):
        head = y = apply(w, "head.0", apply(w, "sub_mean", self.levels * x))
        for i in range(self.blocks):
            y = y + res_scale * apply(w, f"body.{i}.body.2", F.relu(apply(w, f"body.{i}.body.0", y)))
        y = enlarged(w, "tail.0", head + apply(w, f"body.{self.blocks}", y), self.scale)
        return apply(w, "add_mean", apply(w, "tail.1", y)) / self.levels


class RCAN:
    def __init__(self, scale, groups, blocks, features, squeezed, levels=255):
        self.scale, self.groups, self.blocks, self.features = scale, groups, blocks, features
        self.squeezed, self.levels = squeezed, levels

    def make(self):
        w, n = Weights(), self.features
        w.means(self.levels)
        w.conv("head.0", 3, n)
        for g in range(self.groups):
            for b in range(self.blocks):
                block = f"body.{g}.body.{b}.body"
                w.conv(f"{block}.0", n, n), w.conv(f"{block}.2", n, n)
                w.conv(f"{block}.3.conv_du.0", n, self.squeezed, 1), w.conv(f"{block}.3.conv_du.2", self.squeezed, n, 1)
            w.conv(f"body.{g}.body.{self.blocks}", n, n)
        w.conv(f"body.{self.groups}", n, n)
        w.upsampler("tail.0", n, self.scale)
        w.conv("tail.1", n, 3)
        return w

    def forward(self, w, x):
        head = y = apply(w, "head.0", apply(w, "sub_mean", self.levels * x))
        for g in range(self.groups):
            z = y
            for b in range(self.blocks):
                block = f"body.{g}.body.{b}.body"
                inner = apply(w, f"{block}.2", F.relu(apply(w, f"{block}.0", z)))
                z = z + attended(w, f"{block}.3.conv_du.0", f"{block}.3.conv_du.2", inner)
            y = y + apply(w, f"body.{g}.body.{self.blocks}", z)
        y = enlarged(w, "tail.0", head + apply(w, f"body.{self.groups}", y), self.scale)
        return apply(w, "add_mean", apply(w, "tail.1", y)) / self.levels


class BasicSREDSR:
    def __init__(self, scale, blocks, features):
        self.scale, self.blocks, self.features = scale, blocks, features

    def make(self):
        w, n = Weights(), self.features
        w.conv("conv_first", 3, n)
        for i in range(self.blocks):
            w.conv(f"body.{i}.conv1", n, n), w.conv(f"body.{i}.conv2", n, n)
        w.conv("conv_after_body", n, n)
        w.upsampler("upsample", n, self.scale)
        w.conv("conv_last", n, 3)
        return w

    def body(self, w, y):
        for i in range(self.blocks):
            y = y + apply(w, f"body.{i}.conv2", F.relu(apply(w, f"body.{i}.conv1", y)))
        return y

    def forward(self, w, x):
        mean = MEAN.reshape(1, 3, 1, 1)
        head = apply(w, "conv_first", (x - mean) * 255)
        y = head + apply(w, "conv_after_body", self.body(w, head))
        return apply(w, "conv_last", enlarged(w, "upsample", y, self.scale)) / 255 + mean


class BasicSRRCAN(BasicSREDSR):
    def __init__(self, scale, groups, blocks, features, squeezed):
        super().__init__(scale, blocks, features)
        self.groups, self.squeezed = groups, squeezed

    def make(self):
        w, n = Weights(), self.features
        w.conv("conv_first", 3, n)
        for g in range(self.groups):
            for b in range(self.blocks):
                block = f"body.{g}.residual_group.{b}.rcab"
                w.conv(f"{block}.0", n, n), w.conv(f"{block}.2", n, n)
                w.conv(f"{block}.3.attention.1", n, self.squeezed, 1), w.conv(f"{block}.3.attention.3", self.squeezed, n, 1)
            w.conv(f"body.{g}.conv", n, n)
        w.conv("conv_after_body", n, n)
        w.upsampler("upsample", n, self.scale)
        w.conv("conv_last", n, 3)
        return w

    def body(self, w, y):
        for g in range(self.groups):
            z = y
            for b in range(self.blocks):
                block = f"body.{g}.residual_group.{b}.rcab"
                inner = apply(w, f"{block}.2", F.relu(apply(w, f"{block}.0", z)))
                z = z + attended(w, f"{block}.3.attention.1", f"{block}.3.attention.3", inner)
            y = y + apply(w, f"body.{g}.conv", z)
        return y


class MSRResNet:
    def __init__(self, scale, blocks, features, trunk="body", last_but_one="conv_hr"):
        self.scale, self.blocks, self.features, self.trunk, self.last_but_one = scale, blocks, features, trunk, last_but_one

    def make(self):
        w, n = Weights(), self.features
        w.conv("conv_first", 3, n)
        for i in range(self.blocks):
            w.conv(f"{self.trunk}.{i}.conv1", n, n), w.conv(f"{self.trunk}.{i}.conv2", n, n)
        for step, factor in enumerate(FACTORS[self.scale], 1):
            w.conv(f"upconv{step}", n, factor**2 * n)
        w.conv(self.last_but_one, n, n)
        w.conv("conv_last", n, 3)
        return w

    def forward(self, w, x):
        y = F.leaky_relu(apply(w, "conv_first", x), 0.1)
        for i in range(self.blocks):
            y = y + apply(w, f"{self.trunk}.{i}.conv2", F.relu(apply(w, f"{self.trunk}.{i}.conv1", y)))
        for step, factor in enumerate(FACTORS[self.scale], 1):
            y = F.leaky_relu(F.pixel_shuffle(apply(w, f"upconv{step}", y), factor), 0.1)
        y = apply(w, "conv_last", F.leaky_relu(apply(w, self.last_but_one, y), 0.1))
        return y + F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)


class DnCNN:
    def __init__(self, layers, features, batch_norm, channels):
        self.layers, self.features, self.batch_norm, self.channels = layers, features, batch_norm, channels

    def make(self):
        w, n = Weights(), self.features
        w.conv("model.0", self.channels, n)
        place = 2
        for _ in range(self.layers - 2):
            w.conv(f"model.{place}", n, n)
            if self.batch_norm:
                w.norm(f"model.{place + 1}", n)
            place += 3 if self.batch_norm else 2
        w.conv(f"model.{place}", n, self.channels)
        return w

    def forward(self, w, x):
        if self.channels == 1:
            return torch.cat([self.one(w, x[:, i : i + 1]) for i in range(3)], 1)
        return self.one(w, x)

    def one(self, w, x):
        y, place = F.relu(apply(w, "model.0", x)), 2
        for _ in range(self.layers - 2):
            y = apply(w, f"model.{place}", y)
            if self.batch_norm:
                mean, variance, gain, shift = (w[f"model.{place + 1}.{part}"].reshape(1, -1, 1, 1) for part in (
                    "running_mean", "running_var", "weight", "bias"))
                y = gain * (y - mean) / torch.sqrt(variance + 1e-4) + shift
            y, place = F.relu(y), place + (3 if self.batch_norm else 2)
        return x - apply(w, f"model.{place}", y)


THEIRS = {  # with project, our architecture and our options
    "edsr x4": (EDSRPyTorch(4, 2, 6),
                ("edsr-pytorch", "edsr", {"scale": 4, "blocks": 2, "features": 6, "res_scale": 1})),
    "edsr x3": (EDSRPyTorch(3, 1, 5),
                ("edsr-pytorch", "edsr", {"scale": 3, "blocks": 1, "features": 5, "res_scale": 1})),
    "edsr x1, 0..1": (EDSRPyTorch(1, 1, 6, levels=1),
                      ("edsr-pytorch", "edsr", {"scale": 1, "blocks": 1, "features": 6, "res_scale": 1})),
    "rcan x2": (RCAN(2, 2, 3, 8, 2),
                ("rcan", "rcan", {"scale": 2, "groups": 2, "blocks": 3, "features": 8, "reduction": 4})),
    "rcan x1, 0..1": (RCAN(1, 1, 2, 6, 2, levels=1),
                      ("rcan", "rcan", {"scale": 1, "groups": 1, "blocks": 2, "features": 6, "reduction": 3})),
    "basicsr edsr x2": (BasicSREDSR(2, 3, 6),
                        ("basicsr", "edsr", {"scale": 2, "blocks": 3, "features": 6, "res_scale": 1})),
    "basicsr rcan x4": (BasicSRRCAN(4, 2, 2, 8, 4),
                        ("basicsr", "rcan", {"scale": 4, "groups": 2, "blocks": 2, "features": 8, "reduction": 2})),
    "basicsr msrresnet x4": (MSRResNet(4, 2, 6), ("basicsr", "msrresnet", {"scale": 4, "blocks": 2, "features": 6})),
    "basicsr msrresnet x3": (MSRResNet(3, 1, 6), ("basicsr", "msrresnet", {"scale": 3, "blocks": 1, "features": 6})),
    "kair msrresnet x2": (MSRResNet(2, 2, 6, "recon_trunk", "HRconv"),
                          ("kair", "msrresnet", {"scale": 2, "blocks": 2, "features": 6})),
    "kair dncnn": (DnCNN(5, 6, False, 3),
                   ("kair", "dncnn", {"layers": 5, "features": 6, "batch_norm": False, "channels": 3})),
    "kair dncnn, batch norm": (DnCNN(4, 6, True, 3),
                               ("kair", "dncnn", {"layers": 4, "features": 6, "batch_norm": True, "channels": 3})),
    "kair dncnn, grey": (DnCNN(4, 6, False, 1),
                         ("kair", "dncnn", {"layers": 4, "features": 6, "batch_norm": False, "channels": 1})),
}
EDSR, FOUND = THEIRS["edsr x4"]


def weights_of(network, seed=0):
    torch.manual_seed(seed)
    return dict(network.make())  # a class of ours in a file would be refused
