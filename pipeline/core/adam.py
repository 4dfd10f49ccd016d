"""torch's Adam without its compiler."""
import inspect

import torch
from torch.optim import Optimizer


class Adam(torch.optim.Adam):
    """The same steps and states as torch's, bit by bit.

    torch wraps these methods so that its compiler leaves them alone. When they are called the wrappers import the compiler,
    which takes more than a second. No optimizer is compiled here, so the wrappers are left out.
    """
    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))
