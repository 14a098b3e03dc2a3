"""Full disks and folders that may not be written: one line, and the base as it was.

Root may write anywhere whatever the permission bits say, so where the tests run as root the folder lies on a file
system that is mounted read-only.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from data.types import QAGroup
from index.knowledge_base import KnowledgeBase, open_knowledge_base
from index.retriever import Retriever

pytestmark = pytest.mark.integration

WRITER = """
import sys
from pathlib import Path
from data.errors import DobaeError
from data.types import QAGroup
from index.building import build_knowledge_base, rebuild_knowledge_base
from index.editing import Editor
from index.encoders.base import HashEncoder
path, what = Path(sys.argv[1]), sys.argv[2]
long = [QAGroup(f"n{n}", (f"{n}번 긴 질문",), ("긴 답변입니다. " * 2000,)) for n in range(40)]
try:
    if what == "edit":
        Editor(path, HashEncoder()).add(long)
    elif what == "build":
        build_knowledge_base(path, long, HashEncoder())
    else:
        rebuild_knowledge_base(path, HashEncoder())
except DobaeError as error:
    print(error)
    sys.exit(2)
"""


def _run(base: Path, what: str, **options: object) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parent.parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent"}
    return subprocess.run(
        [sys.executable, "-c", WRITER, str(base), what],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=120,
        **options,  # type: ignore[call-overload]
    )


def _snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-shm", "-wal")) and path.name != "embeddings.sqlite"
    }


def _limit_files(size: int) -> Callable[[], None]:
    def limit() -> None:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.parametrize("what", ["edit", "build", "rebuild"])
def test_files_that_cannot_grow_leave_the_base_as_it_was(base_of, groups: tuple[QAGroup, ...], what: str) -> None:
    base: KnowledgeBase = base_of(groups)
    base.store.close()
    before = _snapshot(base.path)
    size = 200 if what == "rebuild" else max(len(content) for content in before.values()) + 20_000
    result = _run(base.path, what, preexec_fn=_limit_files(size))
    assert result.returncode == 2, result
    assert len(result.stdout.strip().splitlines()) == 1
    assert "cannot be written" in result.stdout
    assert result.stderr == ""
    assert _snapshot(base.path) == before
    assert open_knowledge_base(base.path, base.encoder).revision == 1
    assert [path.name for path in base.path.parent.iterdir() if "building" in path.name] == []


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to mount a small file system")
def test_a_full_disk_leaves_the_base_as_it_was(base_of, groups: tuple[QAGroup, ...], tmp_path: Path) -> None:
    import shutil

    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system may be mounted here")
    try:
        base: KnowledgeBase = base_of(groups)
        shutil.copytree(base.path, disk / "kb")
        before = _snapshot(disk / "kb")
        for what in ("edit", "build"):
            result = _run(disk / "kb", what)
            assert result.returncode == 2, result
            assert len(result.stdout.strip().splitlines()) == 1
            assert "cannot be written" in result.stdout
            assert _snapshot(disk / "kb") == before
            opened = open_knowledge_base(disk / "kb", base.encoder)
            assert opened.revision == 1
            opened.store.check()
            opened.store.close()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_folder_that_may_not_be_written_is_one_line(base_of, groups: tuple[QAGroup, ...], tmp_path: Path) -> None:
    base: KnowledgeBase = base_of(groups)
    base.store.close()
    before = _snapshot(base.path)
    with _read_only(tmp_path):
        for what in ("edit", "build", "rebuild"):
            result = _run(base.path, what)
            assert result.returncode == 2, result
            assert len(result.stdout.strip().splitlines()) == 1
            assert "cannot be written" in result.stdout
        assert Retriever(open_knowledge_base(base.path, base.encoder)).search("몰딩")[0].group.id == "g3"
    assert _snapshot(base.path) == before


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    if os.getuid() != 0:
        folders = [path for path in [folder, *folder.rglob("*")] if path.is_dir()]
        for path in folders:
            path.chmod(0o555)
        yield
        for path in folders:
            path.chmod(0o755)
        return
    mount = ["mount", "--bind", folder, folder]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("root may not mount here, and permission bits do not stop root")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True, capture_output=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
