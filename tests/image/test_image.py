"""What the image would hold, made by the Dockerfile's own steps, serves as OpenShift would run it."""

import asyncio
import json
import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from canopy import __version__
from tests.support import image
from tests.support.model_server import FakeModelServer

pytestmark = pytest.mark.long

STRANGER = 12345  # a user id that has neither a name nor a home; OpenShift picks such a one, in the group 0
GLIBC = (2, 34)  # UBI 9's


@pytest.fixture
def folder() -> Iterator[Path]:
    """Outside of the checkout, and unlike pytest's own folders open to other users."""
    yield from open_folder()


@pytest.fixture(scope="module")
def venv() -> Iterator[Path]:
    for made in open_folder():
        yield image.build(made)


def open_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="canopy-image-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def as_stranger() -> list[str]:
    """The start of a command that becomes someone else. Who isn't root runs it as who they are.

    The one capability left is to read: Python itself may lie in root's home here, as it doesn't in the image.
    """
    if os.geteuid() != 0:
        return []
    only_read = [f"--{kind}=-all,+dac_read_search" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
    return ["setpriv", f"--reuid={STRANGER}", "--regid=0", "--clear-groups", "--no-new-privs", *only_read]


@asynccontextmanager
async def container(venv: Path, folder: Path, values: str) -> AsyncGenerator[str]:
    """The image's command in the image's environment, and as little of this machine's as can be. Gives its URL."""
    data, empty, config = folder / "data", folder / "empty", folder / "canopy-config.yaml"
    for path, mode in ((data, 0o770), (empty, 0o555)):
        path.mkdir()
        path.chmod(mode)  # mkdir's own mode is subject to the umask
    config.write_text(values)
    base = image.pairs("base", "ENV")
    environment = base | {
        "PATH": f"{venv}/bin:/usr/bin:/bin",
        "CANOPY_HOST": "127.0.0.1",
        "CANOPY_PORT": "0",
        "CANOPY_OPERATIONS_PORT": "0",
        "CANOPY_STORE_URL": base["CANOPY_STORE_URL"].replace("/data", str(data)),
        "CANOPY_CONFIG_PATH": str(config),
    }
    (entrypoint,) = (json.loads(one.value) for one in image.stages()["base"] if one.name == "ENTRYPOINT")
    (command,) = (json.loads(one.value) for one in image.stages()["base"] if one.name == "CMD")
    process = await asyncio.create_subprocess_exec(
        *as_stranger(), shutil.which(entrypoint[0], path=environment["PATH"]) or "", *entrypoint[1:], *command,
        env=environment, cwd=empty, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout
    said = []
    try:
        async with asyncio.timeout(60):
            async for line in process.stdout:
                said.append(line.decode())
                if '"canopy_started"' in said[-1]:
                    break
            else:
                raise RuntimeError("".join(said))
        yield json.loads(said[-1])["address"]
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
        assert list(empty.iterdir()) == []
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_serves_a_user_without_a_name_or_a_home_who_may_write_nothing_but_the_store(
    venv: Path, folder: Path
) -> None:
    before = sorted(venv.rglob("*"))
    async with (
        FakeModelServer() as model,
        container(venv, folder, f"LLAMA_STACK_URL: {model.url}\n") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/feature-flags")).json() == {
            "summarize": True,
            "summarization": True,
            "feedback": True,
            "ab_testing": False,
        }

        # What isn't Python is in the wheel as well: pages, their script, the reference.
        page = await client.get("/", headers={"Accept": "text/html"})
        assert page.status_code == 200
        loaded = re.findall(r'(?:src|href)="(/ui/[^"]+)"', page.text)
        assert loaded
        assert {(await client.get(path)).status_code for path in [*loaded, "/docs"]} == {200}

        summary = (await client.post("/summarize", json={"prompt": "A text.", "stream": False})).json()
        vote = {"generation_id": summary["generation_id"], "rating": "thumbs_up"}
        assert (await client.post("/feedback", json=vote)).status_code == 200
    store = folder / "data/canopy.db"
    assert store.exists()
    if os.geteuid() == 0:
        assert (store.stat().st_uid, store.stat().st_gid) == (STRANGER, 0)
    assert sorted(venv.rglob("*")) == before


def test_it_runs_the_wheel_and_not_the_checkout(venv: Path) -> None:
    (package,) = venv.glob("lib/python3*/site-packages/canopy")
    assert (package / "api/__init__.py").exists()
    assert (package / "store/engine/migrations/env.py").exists()
    links = [path for path in venv.glob("lib/python3*/site-packages/*.pth") if str(image.ROOT) in path.read_text()]
    assert links == []


def test_everything_is_compiled_so_that_a_read_only_image_starts_fast(venv: Path) -> None:
    for package in ("canopy", "fastapi", "sqlalchemy"):
        (folder,) = venv.glob(f"lib/python3*/site-packages/{package}")
        sources = [path for path in folder.rglob("*.py") if path.parent.name != "templates"]
        uncompiled = [path for path in sources if not list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"))]
        assert (bool(sources), uncompiled) == (True, [])


def test_no_build_tool_and_no_test_tool_is_in_it(venv: Path) -> None:
    there = {path.name.partition("-")[0] for path in venv.glob("lib/python3*/site-packages/*.dist-info")}
    assert "canopy" in there
    assert there & {"pip", "setuptools", "wheel", "uv", "pytest", "mypy", "ruff"} == set()


def test_the_wheel_has_the_version_and_the_licence(venv: Path) -> None:
    (about,) = venv.glob("lib/python3*/site-packages/canopy-*.dist-info")
    said = (about / "METADATA").read_text().splitlines()
    assert f"Version: {__version__}" in said
    assert "License-Expression: Apache-2.0" in said
    assert (about / "licenses/LICENSE").read_text() == (image.ROOT / "LICENSE").read_text()


def test_its_packages_run_on_the_base_images_c_library(venv: Path) -> None:
    old_names = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}

    def needed(tag: str) -> tuple[int, int]:
        if numbers := re.search(r"manylinux_(\d+)_(\d+)", tag):
            return int(numbers[1]), int(numbers[2])
        return next((version for name, version in old_names.items() if name in tag), (0, 0))

    newer = {}
    for wheel in venv.glob("lib/python3*/site-packages/*.dist-info/WHEEL"):
        tags = re.findall(r"^Tag: (\S+)", wheel.read_text(), re.MULTILINE)
        if (least := min(map(needed, tags))) > GLIBC:
            newer[wheel.parent.name] = least
    assert newer == {}
