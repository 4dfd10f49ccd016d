"""Training curves for TensorBoard (https://www.tensorflow.org/tensorboard), made from the files of metrics/curves."""
import shutil
from pathlib import Path

import pandas as pd


class Board:
    """Event files in a folder of their own, a run for each network and a scalar for each column of its curve."""

    def __init__(self, curves: Path, folder: Path):
        """What `folder` holds of earlier calls is deleted. Raises ModuleNotFoundError where TensorBoard is not installed."""
        from torch.utils.tensorboard import SummaryWriter

        self.curves, self.folder, self.open_writer = curves, folder, SummaryWriter
        self.written: dict[str, tuple[pd.DataFrame, SummaryWriter]] = {}
        shutil.rmtree(folder, ignore_errors=True)

    def update(self) -> int:
        """Write the rows that the curves have gained since the last call; a training that began anew has a run anew.

        Returns how many networks have a curve.
        """
        for path in sorted(self.curves.glob("*.csv")):
            table = pd.read_csv(path, dtype=float)
            before, writer = self.written.get(path.stem, (table[:0], None))
            if writer and not table[: len(before)].equals(before):
                writer.close()
                shutil.rmtree(self.folder / path.stem)
                before, writer = table[:0], None
            if len(table) > len(before):
                writer = writer or self.open_writer(str(self.folder / path.stem))
                for line in table[len(before) :].to_dict("records"):
                    step = int(line.pop("step"))
                    for name, value in line.items():
                        if pd.notna(value):
                            writer.add_scalar(name, value, step)
                writer.flush()
                self.written[path.stem] = table, writer
        return len(self.written)
