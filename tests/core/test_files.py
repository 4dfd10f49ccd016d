import os

import pytest

from pipeline.core.files import need_space, read_json, replacing, write, write_json


def test_a_failed_write_leaves_the_old_file_and_no_debris(tmp_path):
    path = tmp_path / "value.json"
    write_json(path, {"b": 1, "a": 2})
    with pytest.raises(ValueError):
        write_json(path, {"a": float("nan")})
    with pytest.raises(RuntimeError), replacing(path) as handle:
        handle.write(b"half")
        raise RuntimeError
    assert read_json(path) == {"a": 2, "b": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["value.json"]


def test_a_file_is_on_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    path, flushed = tmp_path / "text", []
    monkeypatch.setattr(os, "fsync", lambda file: flushed.append((os.fstat(file).st_size, path.exists())))
    write(path, "12345")
    assert flushed == [(5, False)] and path.read_text() == "12345"


def test_key_order_does_not_change_bytes(tmp_path):
    write_json(tmp_path / "1", {"b": 1, "a": 2})
    write_json(tmp_path / "2", {"a": 2, "b": 1})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_damaged_json_is_named(tmp_path):
    (tmp_path / "bad.json").write_text('{"a": ')
    with pytest.raises(ValueError, match="bad.json"):
        read_json(tmp_path / "bad.json")


def test_too_full_a_disk_is_refused_with_both_figures(tmp_path):
    with pytest.raises(OSError, match="labels.x needs .* only .* are free"):
        need_space(tmp_path, 2**60, "labels.x")
