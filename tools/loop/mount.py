"""The last step of a change's way into a pod: the file that is mounted is swapped, as the kubelet does it.

    python -m tools.loop.mount config.yaml ../mount

In a cluster Argo CD and Helm make a ConfigMap of the values file, and the kubelet mounts it: each file is a symbolic
link through the folder `..data`, itself a link to the folder of one revision. A rename of that link changes all files.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import click


def swap(mount: Path, files: Mapping[str, bytes]) -> str:
    """Put these files in the place of those that are mounted, all at once. Gives the name of the folder they are in."""
    content = b"\0".join(name.encode() + b"\0" + files[name] for name in sorted(files))
    revision = mount / f"..{hashlib.sha256(content).hexdigest()[:10]}"
    revision.mkdir(parents=True, exist_ok=True)
    for name, its in files.items():
        (revision / name).write_bytes(its)
        if not (mount / name).is_symlink():
            (mount / name).symlink_to(f"..data/{name}")
    (mount / "..new").symlink_to(revision.name)
    (mount / "..new").rename(mount / "..data")
    return revision.name


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("mount", type=click.Path(file_okay=False, path_type=Path))
def main(file: Path, mount: Path) -> None:
    """Mount FILE in the folder MOUNT, under its own name, in the place of what is mounted there."""
    swap(mount, {file.name: file.read_bytes()})


if __name__ == "__main__":
    main()
