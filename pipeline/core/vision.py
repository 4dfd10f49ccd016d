"""torchvision, which optional parts of the pipeline import for a few of its functions, beside a torch build that it does not
fit."""
import torch

SCHEMAS = {"nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
           "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"}
_library = torch.library.Library("torchvision", "FRAGMENT")  # the schemas live as long as this object


def mend_torchvision() -> None:
    """Let `import torchvision` work, also beside a torch build that its compiled part does not fit.

    The package index serves torchvision for CUDA: beside a CPU build of torch its operators cannot be loaded, and its Python
    part then stops for want of two of their schemas. Declaring these two is enough; no operator is ever called. Raises
    ImportError when it is not installed.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in (name for name in SCHEMAS if not hasattr(torch.ops.torchvision, name)):
            _library.define(SCHEMAS[name])
