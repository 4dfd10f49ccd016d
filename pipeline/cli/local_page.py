"""A page in the browser to restore photos on: `python -m pipeline app`."""
from typing import Annotated

import typer

from pipeline.cli import MODELS, choices, fail

PORT = 7860


def app_(
    port: Annotated[int, typer.Option(min=0, max=65535,
        help="Port of the page. If another program uses it, a free one is taken.")] = PORT,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    max_megapixels: Annotated[float, typer.Option(min=0, help="Refuse photos with more megapixels.")] = 200,
):
    """Restore photos on a page in the browser.

    Drop a photo there, compare before and after, and download the result. Ctrl-C ends the command.

    The page works on this machine alone. It loads nothing from elsewhere and sends nothing away.

    \b
    Example: python -m pipeline app
    """
    import webbrowser

    from pipeline.app.photos import Photos
    from pipeline.app.server import open_server
    from pipeline.core.device import pick
    from pipeline.core.stop import Stop
    from pipeline.restore.rows import rows, trained

    def offered() -> list[dict]:
        """The networks to choose from, in groups: those first that `dvc repro select` chose."""
        chosen, own = {choice.get("chosen") for choice in choices().values()}, trained(MODELS)
        groups = ("Chosen by the run, without truth", f"Networks of {MODELS}/", "Starters, which come with Restage")
        found = [{"name": name, "scale": manifest.get("scale", 1),
                  "group": groups[0 if name in chosen else 1 if name in own else 2]} for name, manifest in rows(MODELS).items()]
        return sorted(found, key=lambda row: groups.index(row["group"]))

    if not offered():
        fail(f"no trained network in {MODELS}/: `make repro` trains those of params.yaml")
    pick()  # says now if the device cannot be used
    with Stop() as stop, open_server(port, Photos(MODELS, max_megapixels), offered) as server:
        if port not in (0, server.server_port):
            typer.echo(f"port {port} is taken, so the page has another")
        typer.echo(f"{server.address}  (Ctrl-C ends it)")
        if browser:
            webbrowser.open(server.address)
        while not stop.asked():
            server.handle_request()
    typer.echo("\nended")
