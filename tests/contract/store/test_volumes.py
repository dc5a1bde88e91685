"""SQLite on network volumes: known by the table of mounts, told of, and refused where locks don't hold."""

import fcntl
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from canopy.base.errors import StoreError
from canopy.store.engine import sqlite, volumes
from canopy.store.engine.sqlite import SQLite
from canopy.store.engine.volumes import keeps_out, locks_hold, network_volume, volume_of
from canopy.store.feedback.query import Filter
from canopy.store.opening import open_store, risk_of

# As containers and laptops have them, from public reports; the places are ours.
_MOUNTS = """\
1 0 259:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p1 rw,discard
2 1 0:5 / /proc rw - proc proc rw
3 1 0:41 / /nfs rw,relatime - nfs4 10.0.0.5:/export/pvc-1 rw,vers=4.1,rsize=1048576,hard,proto=tcp
4 1 0:42 /sub /nfs/sub rw,relatime shared:5 master:1 - xfs /dev/sdb rw
5 1 0:43 / /azure rw,relatime - cifs //account.file.core.windows.net/share rw,vers=3.1.1,nobrl
6 1 0:44 / /ceph rw - ceph 10.0.0.9:6789:/volumes/csi rw,name=kubernetes
7 1 0:45 / /s3 rw,nosuid - fuse.s3fs s3fs rw,user_id=0
8 1 0:46 / /gluster rw - fuse.glusterfs 10.0.0.7:vol rw
9 1 0:47 / /plain\\040fuse rw - fuse /dev/fuse rw
10 1 0:48 / /mnt/c rw - 9p C:\\134 rw,aname=drvfs
11 1 0:49 / /Users rw - virtiofs mount0 rw
12 1 259:2 / /twice rw - ext4 /dev/sdc rw
13 12 0:50 / /twice rw - nfs 10.0.0.5:/v3 rw,vers=3,nolock
14 1 0:51 / /scratch rw - tmpfs tmpfs rw
15 1 0:52 / /btrfs rw - btrfs /dev/sdd rw
16 1 0:53 / /ntfs rw - fuseblk /dev/sde rw
17 1 0:54 / /overlay rw - overlay overlay rw,lowerdir=/a
a line that the kernel would not write
"""


@pytest.mark.parametrize(
    ("path", "network"),
    [
        ("/var/canopy.db", None),
        ("/nfs/canopy.db", "NFS"),
        ("/nfs/a/folder/that/is/not/there/canopy.db", "NFS"),
        ("/nfsx/canopy.db", None),
        ("/nfs/sub/canopy.db", None),
        ("/azure/canopy.db", "an SMB share"),
        ("/ceph/canopy.db", "CephFS"),
        ("/s3/canopy.db", "FUSE (s3fs)"),
        ("/gluster/canopy.db", "GlusterFS"),
        ("/plain fuse/canopy.db", "FUSE"),
        ("/mnt/c/canopy.db", "a share of the host (9p)"),
        ("/Users/ana/canopy.db", "a share of the host (virtiofs)"),
        ("/twice/canopy.db", "NFS"),
        ("/scratch/canopy.db", None),
        ("/btrfs/canopy.db", None),
        ("/ntfs/canopy.db", "FUSE"),
        ("/overlay/canopy.db", None),
    ],
)
def test_a_network_file_system_is_known(path: str, network: str | None) -> None:
    volume = volume_of(Path(path), _MOUNTS)
    assert volume is not None
    assert volume.network == network


def test_what_says_nothing_is_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert volume_of(tmp_path, "") is None
    monkeypatch.setattr(volumes, "MOUNTS", tmp_path / "absent")  # as where there is no Linux
    assert network_volume(tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="platform: only Linux has the table of mounts")
def test_this_machine_s_own_mounts_are_read() -> None:
    mounts = volumes.MOUNTS.read_text()
    proc, root = volume_of(Path("/proc/self"), mounts), volume_of(Path("/no/such/folder"), mounts)
    assert proc is not None
    assert (proc.point, proc.kind) == ("/proc", "proc")
    assert root is not None
    assert root.point == "/"


def test_a_lock_keeps_another_process_out_only_of_the_same_file(tmp_path: Path) -> None:
    """A volume without locks shows each process a file of its own, as far as locks go."""
    assert locks_hold(tmp_path)
    assert list(tmp_path.iterdir()) == []
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for path in (ours, theirs):
        path.touch()
    with ours.open("r+b") as file:
        assert keeps_out(file.fileno(), ours)
        fcntl.lockf(file, fcntl.LOCK_UN)
        assert not keeps_out(file.fileno(), theirs)


@pytest.fixture
def on_nfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a database on what the table says is NFS."""
    (tmp_path / "mounts").write_text(
        f"1 0 0:1 / / rw - ext4 /dev/sda rw\n2 1 0:2 / {tmp_path} rw - nfs4 10.0.0.5:/ rw\n"
    )
    monkeypatch.setattr(volumes, "MOUNTS", tmp_path / "mounts")
    return f"sqlite:///{tmp_path}/folder/canopy.db"


async def test_a_network_volume_whose_locks_hold_is_used_and_told_of(on_nfs: str) -> None:
    store = open_store(on_nfs)
    await store.start()
    assert await store.feedback.count(Filter()) == 0
    await store.close()
    assert "is on NFS." in (risk_of(on_nfs) or "")
    assert "block storage" in (risk_of(on_nfs) or "")


async def test_a_network_volume_whose_locks_do_not_hold_is_refused(
    on_nfs: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    another = tmp_path / "another"
    another.touch()
    monkeypatch.setattr(sqlite, "locks_hold", lambda folder: _held_elsewhere(folder, another))
    store = open_store(on_nfs)
    with pytest.raises(StoreError, match="It is on NFS, where a lock keeps no other process out"):
        await store.start()
    await store.close()
    assert not (tmp_path / "folder" / "canopy.db").exists()


def _held_elsewhere(folder: Path, another: Path) -> bool:
    """The real attempt with a real second process, which looks at another file."""
    own = folder / "own"
    own.touch()
    with own.open("r+b") as file:
        return keeps_out(file.fileno(), another)


class _WithoutSharedMemory:
    """A path by which SQLite takes a file system of its own that has no shared memory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def as_uri(self) -> str:
        return f"{self._path.as_uri()}?vfs=unix-dotfile&"


def test_a_volume_without_shared_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = SQLite(tmp_path / "canopy.db", 1)
    monkeypatch.setattr(database, "_path", _WithoutSharedMemory(tmp_path / "canopy.db"))
    with pytest.raises(StoreError, match="share the memory"):
        database.writer.connect()
    database.dispose()


_SERVE = """
import sys
from pathlib import Path
from canopy.store.engine import volumes
volumes.MOUNTS = Path(sys.argv[1])
from canopy.cli import main
main(["serve"])
"""


def test_the_start_says_what_is_at_risk(on_nfs: str, tmp_path: Path) -> None:
    run = [sys.executable, "-c", _SERVE, str(tmp_path / "mounts")]
    env = {"CANOPY_STORE_URL": on_nfs, "CANOPY_PORT": "0", "PATH": ""}
    with subprocess.Popen(run, env=env, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        events = {}
        for line in server.stdout:
            event = json.loads(line)
            events[event["event"]] = event
            if event["event"] == "canopy_started":
                server.send_signal(signal.SIGTERM)
    assert events["store_at_risk"]["level"] == "warning"
    assert "is on NFS." in events["store_at_risk"]["problem"]
