"""Where the file of a journal lies: whether it lasts, and whether locks hold there.

Decided from the mount table, the host's own signs and whole parts of the path. Only ``this_host`` reads the machine: a
``Host`` holds all that the decision needs.
"""

from __future__ import annotations

import ntpath
import os
import posixpath
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from linq_nb.secret import HiddenMapping

_TO_FILE = "set LINQ_NB_JOURNAL to a file on a disk that lasts"
_TO_VOLUME = "set LINQ_NB_JOURNAL to a file on a volume or to a PostgreSQL URL"
_TO_SERVER = "set LINQ_NB_JOURNAL to a PostgreSQL URL"


@dataclass(frozen=True, slots=True)
class Host:
    """A machine: its environment, the text of its mount table ("" where it has none), and where to look for files.

    ``temp`` is its folder for temporary files, ``is_colab`` whether Colab's package is loaded.
    """

    environ: Mapping[str, str]
    mounts: str = ""
    root: Path = Path("/")
    temp: str = "/tmp"
    is_windows: bool = False
    is_colab: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies: ``note`` is a sentence for the user, None where it lasts and locks hold.

    ``is_shared``: on a file system that several machines may write to, where locks may not hold.
    """

    name: str = "a local disk"
    lasts: bool = True
    is_shared: bool = False
    note: str | None = None


@dataclass(frozen=True, slots=True)
class _Service:
    """A service that runs notebooks and throws their disk away, but for the folders ``lasting``.

    ``shared`` names the file system of these folders, where several machines may write to it. ``must_mount``: they last
    when the user mounted something there.
    """

    name: str
    is_here: Callable[[Host], bool]
    todo: str
    lasting: tuple[str, ...] = ()
    shared: str = ""
    must_mount: bool = False


def _has(*prefixes: str) -> Callable[[Host], bool]:
    """Return whether the environment has a variable that begins like one of these."""
    return lambda host: any(name.startswith(prefixes) for name in host.environ)


def _is_sagemaker(host: Host) -> bool:
    signs = ("AWS_SAGEMAKER_", "SAGEMAKER_INTERNAL_", "SAGEMAKER_SPACE_", "SAGEMAKER_APP_", "SAGEMAKER_JOB_",
             "SM_MODEL_DIR", "SM_CHANNEL", "SM_HOSTS", "SM_CURRENT_HOST", "SM_TRAINING_ENV", "SM_OUTPUT",
             "SM_INPUT")  # fmt: skip
    return _has(*signs)(host) or (host.root / "opt/ml/metadata/resource-metadata.json").exists()


_SERVICES = (
    _Service(
        "Colab",
        lambda host: host.is_colab or _has("COLAB_")(host),
        "mount Google Drive and set LINQ_NB_JOURNAL to a file on it",
        lasting=("/content/drive",),
        shared="Google Drive",
        must_mount=True,
    ),
    _Service("Kaggle", _has("KAGGLE_KERNEL_", "KAGGLE_URL_", "KAGGLE_CONTAINER_", "KAGGLE_DATA_PROXY_"), _TO_SERVER),
    _Service(
        "Databricks",
        _has("DATABRICKS_RUNTIME_VERSION"),
        _TO_SERVER,
        lasting=("/dbfs", "/Workspace", "/Volumes"),
        shared="Databricks' shared storage",
    ),
    _Service(
        "SageMaker",
        _is_sagemaker,
        "set LINQ_NB_JOURNAL to a file in /home/ec2-user/SageMaker or /home/sagemaker-user, or to a PostgreSQL URL",
        lasting=("/home/ec2-user/SageMaker", "/home/sagemaker-user", "/home/studio-lab-user"),
    ),
    _Service("Binder", _has("BINDER_"), _TO_SERVER),
    _Service("Gitpod", _has("GITPOD_WORKSPACE_"), "set LINQ_NB_JOURNAL to a file in /workspace", ("/workspace",)),
    _Service("Codespaces", lambda host: host.environ.get("CODESPACES") == "true", _TO_FILE, lasting=("/",)),
)

_IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs", "rootfs"})
_LAYERS = frozenset({"overlay", "overlayfs", "aufs", "unionfs", "fuse.fuse-overlayfs", "fuse-overlayfs"})
_SHARED = {
    "nfs": "NFS", "nfs3": "NFS", "nfs4": "NFS", "cifs": "CIFS", "smb": "SMB", "smb2": "SMB", "smb3": "SMB",
    "smbfs": "SMB", "sshfs": "SSHFS", "fuse.sshfs": "SSHFS", "9p": "9P", "afs": "AFS", "ceph": "CephFS",
    "glusterfs": "GlusterFS", "lustre": "Lustre", "gpfs": "GPFS", "beegfs": "BeeGFS", "davfs": "WebDAV",
    "webdav": "WebDAV", "afpfs": "AFP", "fuse.drive": "Google Drive", "virtiofs": "a folder of the host",
    "vboxsf": "a folder of the host", "drvfs": "a folder of the host", "fakeowner": "a folder of the host",
    "prl_fs": "a folder of the host", "fuse": "a FUSE file system",
}  # fmt: skip
"""Types of file systems that several machines may write to at once, with the names to show."""

_LOCAL_FUSE = frozenset({"fuse.encfs", "fuse.gocryptfs", "fuse.cryfs", "fuse.bindfs", "fuse.ntfs-3g", "fuse.exfat"})
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm", "/private/tmp", "/private/var/tmp", "/var/folders",
              "/private/var/folders")  # fmt: skip
_CONTAINER_FILES = (".dockerenv", "run/.containerenv")


def this_host() -> Host:
    """Return the machine that this process runs on."""
    return Host(
        environ=HiddenMapping(os.environ),
        mounts=_mount_table(),
        temp=tempfile.gettempdir(),
        is_windows=sys.platform == "win32",
        is_colab="google.colab" in sys.modules,
    )


def place_of(file: str | Path, host: Host) -> Place:
    """Return where this file lies, after links; it need not exist. A relative path begins in the working folder."""
    path = _real(str(file), host)
    mount, kind = _mount_of(path, host.mounts)
    if kind in _IN_MEMORY:
        return _gone("in memory", _TO_FILE)
    temporary = (*_TEMPORARY, _real(host.temp, host))
    if any(_is_in(path, folder) and not _is_below(mount, folder) for folder in temporary):
        return _gone("in a folder for temporary files", _TO_FILE)
    service = next((service for service in _SERVICES if service.is_here(host)), None)
    is_layer = kind in _LAYERS or (mount == "/" and (kind == "9p" or _is_container(host)))
    shared = None if is_layer else _shared_name(kind)
    if host.is_windows and re.match(r"//(?![?.]/)|//[?.]/unc/", path):
        shared = shared or "a network drive"
    if shared:
        return _shared(shared)
    if service is not None:
        return _place_on(service, path, mount)
    return _gone("on the disk of a container", _TO_VOLUME) if is_layer else Place()


def lock_advice(name: str) -> str:
    """Say what to do about locks on a file system of this name."""
    return f"the journal is on {name}, where locks can fail; put it on a local disk that lasts"


def _place_on(service: _Service, path: str, mount: str) -> Place:
    """Return where a file lies that is on a service, and on no network file system by the mount table."""
    if any(_is_in(path, folder) for folder in service.lasting) and not (service.must_mount and mount == "/"):
        return _shared(service.shared) if service.shared else Place()
    return _gone(f"on the disk of {service.name}", service.todo)


def _gone(where: str, todo: str) -> Place:
    note = f"the journal is {where}, which does not last: after a restart nobody knows what was sent; {todo}"
    return Place(where, lasts=False, note=note)


def _shared(name: str) -> Place:
    note = f"{lock_advice(name)} or on PostgreSQL, or use it in one notebook at a time"
    return Place(name, is_shared=True, note=note)


def _shared_name(kind: str) -> str | None:
    """Return the name of a file system that several machines may share, None for others."""
    fuse_kind = kind.removeprefix("fuse.")
    name = _SHARED.get(kind) or _SHARED.get(fuse_kind)
    return name or (fuse_kind if fuse_kind != kind and kind not in _LOCAL_FUSE else None)


def _is_container(host: Host) -> bool:
    has_file = any((host.root / name).exists() for name in _CONTAINER_FILES)
    return has_file or "KUBERNETES_SERVICE_HOST" in host.environ


def _mount_table() -> str:
    """Return the text of the mount table as Linux has it; macOS and BSD print another."""
    try:
        return Path("/proc/self/mounts").read_text("utf-8", "surrogateescape")
    except OSError:
        command = Path("/sbin/mount")
    if sys.platform in ("win32", "linux") or not command.exists():
        return ""
    try:
        printed = subprocess.run([command], capture_output=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return of_printed(printed.decode("utf-8", "surrogateescape"))


def of_printed(text: str) -> str:
    """Return what ``mount`` prints on macOS and BSD as Linux has it: ``//ada@nas/x on /Volumes/x (smbfs, nodev)``."""
    lines = []
    for point, kind in re.findall(r"^.*? on (/.*) \(([\w.]+)", text, re.MULTILINE):
        escaped = re.sub(r"[\s\\]", lambda char: f"\\{ord(char[0]):03o}", point)
        lines.append(f"- {escaped} {kind}")
    return "\n".join(lines)


# --- paths and the mount table --------------------------------------------------------------------------------


def _real(path: str, host: Host) -> str:
    """Return a path from the root, after links, with slashes; Windows does not tell cases apart."""
    return ntpath.realpath(path).replace("\\", "/").casefold() if host.is_windows else posixpath.realpath(path)


def _is_in(path: str, folder: str) -> bool:
    """Whether a path is this folder or in it, by whole parts: ``/tmpfoo`` is not in ``/tmp``."""
    return path == folder or _is_below(path, folder)


def _is_below(path: str, folder: str) -> bool:
    return path != folder and path.startswith(folder.rstrip("/") + "/")


def _mount_of(path: str, table: str) -> tuple[str, str]:
    """Return the folder and the type of the mount that holds a path: the deepest, of several on one folder the last."""
    mount, kind = "", ""
    for line in table.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda escape: chr(int(escape[1], 8)), fields[1])
        if _is_in(path, point) and len(point) >= len(mount):
            mount, kind = point, fields[2]
    return mount, kind
