"""The location of a journal: folders that hosts delete, folders that they keep, file systems without reliable locks."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from linq_nb.journal import Journal, faults
from linq_nb.journal.place import Host, Place, of_printed, place_of, this_host

DISK = "/dev/sda1 / ext4 rw,relatime 0 0\ntmpfs /run tmpfs rw 0 0\ntmpfs /dev/shm tmpfs rw 0 0\n"
LAYER = "overlay / overlay rw,lowerdir=/a:/b,upperdir=/c 0 0\ntmpfs /dev tmpfs rw 0 0\n"
COLAB = {"COLAB_RELEASE_TAG": "release-colab_2026"}
KAGGLE = {"KAGGLE_KERNEL_RUN_TYPE": "Interactive"}
DATABRICKS = {"DATABRICKS_RUNTIME_VERSION": "16.4"}
SAGEMAKER = {"SAGEMAKER_SPACE_NAME": "default"}
CODESPACES = {"CODESPACES": "true"}
KUBERNETES = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
DRIVE = LAYER + "drive /content/drive fuse.drive rw,nosuid,nodev,user_id=0 0 0\n"
HOME = "/home/ada/.local/share/linq_nb/journal.sqlite"


def at(file: str, mounts: str = DISK, environ: Any = None, **more: Any) -> Place:
    """Where a file lies on a host that has no marker files of its own."""
    return place_of(file, Host(environ or {}, mounts, **{"root": Path("/nowhere"), **more}))


@pytest.mark.parametrize(
    ("file", "mounts", "environ"),
    [
        (HOME, DISK, {}),
        (HOME, "", {}),
        ("/tmpfoo/j.sqlite", DISK, {}),
        ("/home/ada/tmp/j.sqlite", DISK, {}),
        ("/content/j.sqlite", DISK, {}),
        ("/var/tmp2/j.sqlite", DISK, {}),
        ("/tmp/disk/j.sqlite", DISK + "/dev/sdb1 /tmp/disk ext4 rw 0 0\n", {}),
        ("/home/ada/j.sqlite", LAYER + "/dev/sdb1 /home/ada ext4 rw 0 0\n", KUBERNETES),
        ("/srv/my data/j.sqlite", LAYER + "/dev/sdb1 /srv/my\\040data xfs rw 0 0\n", {}),
        ("/home/ec2-user/SageMaker/j.sqlite", DISK, SAGEMAKER),
        ("/home/sagemaker-user/j.sqlite", LAYER + "/dev/nvme1n1 /home/sagemaker-user ext4 rw 0 0\n", SAGEMAKER),
        ("/workspaces/project/j.sqlite", LAYER + "/dev/sda1 /workspaces ext4 rw 0 0\n", CODESPACES),
        ("/home/codespace/j.sqlite", LAYER, CODESPACES),
        (HOME, DISK, {"KAGGLE_USERNAME": "ada", "KAGGLE_KEY": "k", "SAGEMAKER_ROLE": "r", "DATABRICKS_HOST": "h"}),
        ("/mnt/windows/j.sqlite", DISK + "/dev/sdb1 /mnt/windows fuseblk rw 0 0\n", {}),
        ("/home/ada/safe/j.sqlite", DISK + "x /home/ada/safe fuse.gocryptfs rw 0 0\n", {}),
    ],
)
def test_a_journal_that_lasts_has_no_note(file: str, mounts: str, environ: Any) -> None:
    assert at(file, mounts, environ) == Place()


@pytest.mark.parametrize(
    ("file", "mounts", "environ", "words"),
    [
        ("/tmp/j.sqlite", DISK, {}, "temporary"),
        ("/tmp/deep/er/j.sqlite", "", {}, "temporary"),
        ("/tmp/../tmp/j.sqlite", DISK, {}, "temporary"),
        ("/var/tmp/j.sqlite", DISK, {}, "temporary"),
        ("/private/var/folders/x/T/j.sqlite", "", {}, "temporary"),
        ("/dev/shm/j.sqlite", "", {}, "temporary"),
        ("/dev/shm/j.sqlite", DISK, {}, "in memory"),
        ("/run/user/1000/j.sqlite", DISK, {}, "in memory"),
        ("/scratch/j.sqlite", DISK + "tmpfs /scratch tmpfs rw 0 0\n", {}, "in memory"),
        ("/data/j.sqlite", DISK + "/dev/sdb1 /data ext4 rw 0 0\ntmpfs /data tmpfs rw 0 0\n", {}, "in memory"),
        ("/home/ann/j.sqlite", LAYER, {}, "container"),
        ("/home/ann/j.sqlite", DISK, KUBERNETES, "container"),
        ("/home/ann/j.sqlite", "none / 9p rw,trans=fd 0 0\n", {}, "container"),
        ("/root/.local/share/linq_nb/journal.sqlite", LAYER, COLAB, "Colab.*mount Google Drive"),
        ("/content/j.sqlite", LAYER, COLAB, "Colab"),
        ("/content/drive/MyDrive/j.sqlite", LAYER, COLAB, "Colab.*mount Google Drive"),
        ("/content/drive2/j.sqlite", DRIVE, COLAB, "Colab"),
        ("/kaggle/working/j.sqlite", LAYER + "/dev/loop1 /kaggle/working ext4 rw 0 0\n", KAGGLE, "Kaggle"),
        ("/home/ann/j.sqlite", DISK, DATABRICKS, "Databricks"),
        ("/local_disk0/j.sqlite", DISK + "/dev/sdb /local_disk0 ext4 rw 0 0\n", DATABRICKS, "Databricks"),
        ("/Workspaces/j.sqlite", DISK, DATABRICKS, "Databricks"),
        ("/home/ec2-user/j.sqlite", DISK, SAGEMAKER, "SageMaker.*/home/ec2-user/SageMaker"),
        ("/home/ann/j.sqlite", LAYER, {"SM_MODEL_DIR": "/opt/ml/model"}, "SageMaker"),
        ("/home/jovyan/j.sqlite", LAYER, {"BINDER_REPO_URL": "https://example.com"}, "Binder"),
        ("/tmp/j.sqlite", LAYER, CODESPACES, "temporary"),
    ],
)
def test_a_journal_that_does_not_last_says_where_it_lies_and_what_to_do(
    file: str, mounts: str, environ: Any, words: str
) -> None:
    place = at(file, mounts, environ)
    assert place.note is not None
    assert not place.lasts
    assert re.search(words, place.note)
    assert "which does not last: after a restart nobody knows what was sent; " in place.note
    assert "LINQ_NB_JOURNAL" in place.note


@pytest.mark.parametrize(
    ("file", "mounts", "environ", "name"),
    [
        (HOME, DISK + "server:/home /home nfs4 rw,vers=4.2 0 0\n", {}, "NFS"),
        (HOME, DISK + "server:/home /home nfs rw 0 0\n", KUBERNETES, "NFS"),
        ("/mnt/x/j.sqlite", DISK + "//server/x /mnt/x cifs rw 0 0\n", {}, "CIFS"),
        ("/mnt/x/j.sqlite", DISK + "//server/x /mnt/x smb3 rw 0 0\n", {}, "SMB"),
        ("/tmp/x/j.sqlite", DISK + "me@host: /tmp/x fuse.sshfs rw 0 0\n", {}, "SSHFS"),
        ("/mnt/c/Users/j.sqlite", DISK + "C:\\134 /mnt/c 9p rw,aname=drvfs 0 0\n", {}, "9P"),
        ("/mnt/x/j.sqlite", DISK + "x /mnt/x fuse.rclone rw 0 0\n", {}, "rclone"),
        ("/content/drive/MyDrive/j.sqlite", DRIVE, COLAB, "Google Drive"),
        ("/content/drive/MyDrive/j.sqlite", "", COLAB, "Google Drive"),
        ("/gdrive/MyDrive/j.sqlite", DISK + "drive /gdrive fuse.drive rw 0 0\n", COLAB, "Google Drive"),
        ("/dbfs/FileStore/j.sqlite", "", DATABRICKS, "Databricks' shared storage"),
        ("/Volumes/a/b/c/j.sqlite", DISK, DATABRICKS, "Databricks' shared storage"),
        ("/home/sagemaker-user/j.sqlite", LAYER + "127.0.0.1:/2 /home/sagemaker-user nfs4 rw 0 0\n", SAGEMAKER, "NFS"),
    ],
)
def test_a_journal_on_a_shared_file_system_lasts_and_warns_of_locks(
    file: str, mounts: str, environ: Any, name: str
) -> None:
    place = at(file, mounts, environ)
    assert (place.lasts, place.is_shared, place.name) == (True, True, name)
    assert place.note is not None
    assert place.note.startswith(f"the journal is on {name}, where locks can fail; ")
    assert "does not last" not in place.note
    assert "put it on a local disk that lasts or on PostgreSQL" in place.note


@pytest.mark.parametrize("marker", [".dockerenv", "run/.containerenv"])
def test_a_container_is_known_by_its_files(tmp_path: Path, marker: str) -> None:
    (tmp_path / marker).parent.mkdir(exist_ok=True)
    (tmp_path / marker).touch()
    assert not at("/home/ann/j.sqlite", "pool/x / zfs rw 0 0\n", root=tmp_path).lasts
    assert at("/data/j.sqlite", DISK + "/dev/sdb1 /data ext4 rw 0 0\n", root=tmp_path).lasts


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("/Volumes/My share/deep/j.sqlite", "SMB"),
        ("/Volumes/My share 2/j.sqlite", "a local disk"),
        ("/Volumes/nas/j.sqlite", "NFS"),
        ("/Users/ada/Library/Application Support/linq_nb/journal.sqlite", "a local disk"),
        ("/private/var/folders/zz/T/j.sqlite", "in a folder for temporary files"),
    ],
)
def test_the_mount_table_of_macos_gives_the_file_system(file: str, name: str) -> None:
    printed = (
        "/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)\n"
        "/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse)\n"
        "//ada@nas._smb._tcp.local/My%20share on /Volumes/My share (smbfs, nodev, nosuid, mounted by ada)\n"
        "nas:/export on /Volumes/nas (nfs, nodev, nosuid)\n"
    )
    assert at(file, of_printed(printed)).name == name


def test_colab_is_known_by_its_package_too() -> None:
    assert "Colab" in str(at("/home/ann/j.sqlite", LAYER, is_colab=True).note)


def test_links_are_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.mkdir()
    link.symlink_to(target)
    mounts = DISK + f"server:/x {target.resolve()} nfs rw 0 0\n"
    assert at(f"{link}/j.sqlite", mounts, temp="/nowhere/tmp").is_shared
    (tmp_path / "j.sqlite").symlink_to(target / "j.sqlite")
    assert at(f"{tmp_path}/j.sqlite", mounts, temp="/nowhere/tmp").is_shared


def test_a_relative_path_begins_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mounts = DISK + f"server:/x {tmp_path.resolve()} nfs rw 0 0\n"
    assert at("j.sqlite", mounts, temp="/nowhere/tmp").is_shared


def test_a_journal_in_any_folder_for_temporary_files_does_not_last() -> None:
    assert not at("/scratch/ada/j.sqlite", temp="/scratch/ada").lasts
    assert at("/scratch/adam/j.sqlite", temp="/scratch/ada").lasts


@pytest.mark.parametrize(
    ("file", "lasts", "is_shared"),
    [
        (r"C:\Users\Ada\AppData\Local\linq_nb\journal.sqlite", True, False),
        (r"c:\users\ada\appdata\local\TEMP\j.sqlite", False, False),
        (r"C:\Users\Ada\AppData\Local\Temporary\j.sqlite", True, False),
        (r"\\server\share\j.sqlite", True, True),
        (r"\\?\UNC\server\share\j.sqlite", True, True),
        (r"\\?\C:\Users\Ada\j.sqlite", True, False),
    ],
)
def test_windows_paths_show_whether_a_journal_lasts_and_is_shared(file: str, lasts: bool, is_shared: bool) -> None:
    place = at(file, "", is_windows=True, temp=r"C:\Users\Ada\AppData\Local\Temp")
    assert (place.lasts, place.is_shared) == (lasts, is_shared)


def test_a_journal_whose_file_keeps_no_modes_says_so(tmp_path: Path) -> None:
    book = Journal(f"sqlite:///{tmp_path}/j.sqlite")
    assert "file modes" not in str(book.warning)
    (tmp_path / "j.sqlite").chmod(0o755)  # as every file looks on CIFS and on Google Drive
    assert "; its file system keeps no file modes, so other users" in f"; {book.warning}"
    book.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_journal_in_memory_says_so(url: str) -> None:
    book = Journal(url)
    assert str(book.warning).startswith("the journal is in memory: ")
    book.close()


def test_this_host_knows_its_memory_disk() -> None:
    if not os.path.ismount("/dev/shm"):
        pytest.skip("this machine has no disk in memory")
    assert place_of("/dev/shm/j.sqlite", this_host()).name == "in memory"


@pytest.mark.parametrize("error", ["database is locked", "locking protocol", "disk I/O error"])
def test_a_lock_that_fails_is_explained_by_the_file_system(error: str) -> None:
    on_nfs = Host({}, DISK + "server:/home /home nfs4 rw 0 0\n", Path("/nowhere"))
    advice = faults.advice(error, HOME, on_nfs)
    assert advice == (
        "the journal is on NFS, where locks can fail; put it on a local disk that lasts, "
        "or choose another with journal="
    )
    local = faults.advice(error, HOME, Host({}, DISK, Path("/nowhere")))
    assert "NFS" not in local
    assert ("wake or end the notebook" in local) is (error == "database is locked")
