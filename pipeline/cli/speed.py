"""How fast a network trains."""
from typing import Annotated

import typer

from pipeline.cli import fail
from pipeline.core.params import ParamsError


def speed(
    network: Annotated[str, typer.Argument(help="An entry of networks in params.yaml.")],
    compile: Annotated[bool, typer.Option("--compile", help="Try torch.compile too: a minute or more on a CPU.")] = False,
    rounds: Annotated[int, typer.Option(min=1, help="Steps of each, after two that warm up.")] = 5,
):
    """Measure how fast a network of stage 1 trains on this machine under each of channels_last, precision and compile.

    \b
    Example: python -m pipeline speed sr-edsr
    """
    from pipeline.core.device import pick
    from pipeline.core.params import load
    from pipeline.train.speed import time_steps

    try:
        values = load()
    except ParamsError as error:
        fail(error)
    if network not in values.networks:
        fail(f"networks.{network}: no such entry, there are {', '.join(values.networks)}")
    entry, settings, device = values.networks[network], values.stage1_of(network), pick(values.threads)
    times = time_steps(entry.arch, entry.options, settings, device, rounds, compile)
    for variant, ms in sorted(times.items(), key=lambda item: item[1]):
        mark = "  <- as it is" if all(getattr(settings, key) == value for key, value in variant) else ""
        typer.echo(f"{ms:9.2f} ms  " + "  ".join(f"{key}: {str(value).lower():5s}" for key, value in variant) + mark)
    fastest = ", ".join(f"{key}: {str(value).lower()}" for key, value in min(times, key=times.get))
    typer.echo(f"The fastest on {device.type}, batch {settings.batch}, patch {settings.patch}: networks.{network}.stage1: "
               f"{{{fastest}}}. Under bf16 compare the scores with those of fp32 before you keep it.")
