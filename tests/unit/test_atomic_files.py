"""A file is replaced as a whole or not at all."""

from pathlib import Path

import pytest

from canopy.base.atomic_files import replace_file


def test_what_can_not_be_replaced_is_named_and_nothing_is_left_behind(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="Is a directory") as refused:
        replace_file(folder, b"text")
    assert refused.value.filename == str(folder)
    assert list(tmp_path.iterdir()) == [folder]
