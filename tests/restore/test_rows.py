"""Which networks there are to choose from."""
from test_restore import project  # noqa: F401 (it is a fixture)

from pipeline.core.files import write_json
from pipeline.restore import starters
from pipeline.restore.manifest import save_absent
from pipeline.restore.named import write_row
from pipeline.restore.rows import rows, trained


def test_the_networks_to_choose_from(project, monkeypatch):  # noqa: F811
    """Those that can restore: trained ones and starters. A network of the project goes before a starter of its name."""
    monkeypatch.setattr(starters, "FOLDER", project / "starters")
    save_absent(project / "models/absent", "no truth")
    write_json(project / "models/learns/manifest.json", {"arch": "zssr", "scale": 2})
    for name in ("starter", "two"):
        write_row(project / f"starters/{name}.safetensors", "one", "one", project / "models")
    assert list(trained("models")) == ["one", "two"]
    assert list(rows("models")) == ["starter", "two", "one"] and rows("models")["starter"]["scale"] == 2
    assert rows("models")["two"] == trained("models")["two"] != rows("models")["starter"]
    (project / "starters/starter.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert rows("models")["starter"] == {}
