"""Tells what kind of volume a file is on, and whether locks hold there: SQLite is safe only where they do."""

import errno
import fcntl
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MOUNTS = Path("/proc/self/mountinfo")  # Linux has it; elsewhere volumes are not known

# What other machines hold, or a program between the kernel and the disk.
_NETWORK = {
    "9p": "a share of the host (9p)",
    "afs": "AFS",
    "beegfs": "BeeGFS",
    "ceph": "CephFS",
    "cifs": "an SMB share",
    "fakeowner": "a share of the host (Docker Desktop)",
    "gfs2": "GFS2",
    "glusterfs": "GlusterFS",
    "gpfs": "IBM Storage Scale",
    "lustre": "Lustre",
    "ncpfs": "an NCP share",
    "nfs": "NFS",
    "nfs4": "NFS",
    "ocfs2": "OCFS2",
    "orangefs": "OrangeFS",
    "smb3": "an SMB share",
    "smbfs": "an SMB share",
    "vboxsf": "a share of the host (VirtualBox)",
    "virtiofs": "a share of the host (virtiofs)",
}
_FUSE = re.compile(r"fuse(?:blk)?(?:\.(.+))?")
_OCTAL = re.compile(r"\\([0-7]{3})")

_TRY = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(3)
"""
_HELD = 3  # the exit status of another process to which the lock was not free
_SECONDS = 30  # that another process may take


class Volume(NamedTuple):
    """Describes a mounted file system."""

    point: str
    kind: str

    @property
    def network(self) -> str | None:
        """Return the name of a file system that isn't this machine's own; None for one that is."""
        if found := _FUSE.fullmatch(self.kind):
            return _NETWORK.get(found[1] or "", f"FUSE ({found[1]})" if found[1] else "FUSE")
        return _NETWORK.get(self.kind)


def volume_of(path: Path, mounts: str) -> Volume | None:
    """Return the volume that a file is on, or would be, by the text of `MOUNTS`; None where that doesn't say."""
    place = os.path.realpath(path)
    best: Volume | None = None
    for volume in _volumes(mounts):
        inside = place == volume.point or place.startswith(volume.point.rstrip("/") + "/")
        # A later one covers an earlier one at the same point.
        if inside and (best is None or len(volume.point) >= len(best.point)):
            best = volume
    return best


def _volumes(mounts: str) -> Iterator[Volume]:
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(" "), after.split(" ")
        if len(fields) > 4 and kinds[0]:
            yield Volume(_OCTAL.sub(lambda found: chr(int(found[1], 8)), fields[4]), kinds[0])


def network_volume(path: Path) -> str | None:
    """Return the name of the network file system that a file is on, or would be."""
    try:
        mounts = MOUNTS.read_text(errors="replace")
    except OSError:
        return None
    volume = volume_of(path, mounts)
    return volume.network if volume else None


def locks_hold(folder: Path) -> bool:
    """Return whether a lock that this process has on a file in the folder keeps another process out."""
    handle, name = tempfile.mkstemp(prefix=".canopy-lock-", dir=folder)
    try:
        return keeps_out(handle, Path(name))
    finally:
        os.close(handle)
        Path(name).unlink(missing_ok=True)


def keeps_out(handle: int, path: Path) -> bool:
    """Return whether a lock on an open file keeps a second process from the file at the path, which is the same one."""
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EAGAIN, errno.EACCES}:
            return False
        raise
    run = [sys.executable, "-I", "-S", "-c", _TRY, str(path)]
    other = subprocess.run(run, timeout=_SECONDS, check=False, stderr=subprocess.DEVNULL)  # noqa: S603  # a file of ours
    return other.returncode == _HELD
