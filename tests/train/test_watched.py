"""The curve of a training while it runs: what TensorBoard and DVC's extension read."""
from pathlib import Path

from pipeline.stages import stage1
from pipeline.train import run

NAME = "sr-edsr"
CURVE = Path(f"metrics/curves/{NAME}.csv")


def test_the_curve_grows_row_by_row_into_what_it_ends_as(tiny_project, monkeypatch):
    seen, write = [], run.write_curve

    def watched(path, rows):
        write(path, rows)
        seen.append((CURVE.read_text(), Path("models", NAME, "manifest.json").exists()))

    monkeypatch.setattr(run, "write_curve", watched)
    stage1.main(NAME)
    final = CURVE.read_text()
    texts = [text for text, _ in seen]
    assert [len(text.splitlines()) for text in texts] == [2, 3, 4, 4] and all(final.startswith(text) for text in texts)
    assert [finished for _, finished in seen] == [False, False, False, True]


def test_who_keeps_the_curve_from_being_written_does_not_stop_the_training(tiny_project, monkeypatch):
    stage1.main(NAME)
    wanted, write, calls = CURVE.read_bytes(), run.write_curve, []
    CURVE.unlink()

    def locked(path, rows):
        calls.append(len(rows))
        if len(calls) <= 3:
            raise PermissionError(path)
        write(path, rows)

    monkeypatch.setattr(run, "write_curve", locked)
    stage1.main(NAME)
    assert CURVE.read_bytes() == wanted and calls == [1, 2, 3, 3]
