"""What a process can't work with is refused before it is in force."""

from pathlib import Path

import pytest

from canopy.app import create_app
from canopy.base.errors import ConfigError
from canopy.base.settings import Settings
from canopy.inference import embedded
from canopy.telemetry import Logs


async def test_values_without_a_model_server_are_not_taken_where_no_embedded_model_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the former server would go on, and be asked what suits the embedded model."""
    file = tmp_path / "values.yaml"
    file.write_text("LLAMA_STACK_URL: http://127.0.0.1:9")
    config = create_app(Settings(config_path=file), Logs("info")).context.config
    before = config.current
    monkeypatch.setattr(embedded, "find_spec", lambda _: None)
    file.write_text("summarize: {model: another}")
    assert await config.reload() is None  # not before a second look
    with pytest.raises(ConfigError, match=r"`make install`.*LLAMA_STACK_URL"):
        await config.reload()
    assert config.current is before
