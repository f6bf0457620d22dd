"""Files: content-addressed, private, never dangling, and refused under hostile names."""

import hashlib
import os
import stat
import threading
from pathlib import Path

import pytest

from jobs.errors import NoSuchAsset, StoreDamaged, StoreError
from jobs.files import AssetFiles
from jobs.store import Store

PNG = "image/png"


def files_of(store: Store) -> list[Path]:
    return [Path(entry.path) for entry in store.files.stored()]


def test_equal_bytes_are_kept_once_and_collected_when_the_last_name_goes(store: Store):
    first = store.create_job("edit", {}, assets=[("a", b"same", PNG), ("b", b"same", PNG)])
    second = store.create_job("edit", {}, assets=[("c", b"same", PNG), ("d", b"other", PNG)])
    assert len(files_of(store)) == 2
    store.delete_job(first.id)
    assert store.read(second.id, "c") == b"same"
    store.delete_job(second.id)
    assert files_of(store) == []


def test_replacing_a_name_removes_the_old_bytes(store: Store):
    job = store.create_job("edit", {}, assets=[("a", b"old", PNG)])
    store.put_assets(job.id, [("a", b"new", PNG)])
    assert store.read(job.id, "a") == b"new"
    assert len(files_of(store)) == 1


def test_a_file_is_copied(store: Store, tmp_path: Path):
    source = tmp_path / "big"
    source.write_bytes(os.urandom(3_000_000))
    job = store.create_job("edit", {})
    (asset,) = store.put_assets(job.id, [("big", source, "application/zip")])
    assert asset.bytes == 3_000_000
    assert store.read(job.id, "big") == source.read_bytes()
    assert store.path(job.id, "big").name == asset.sha256


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../up",
        "a/../b",
        "a//b",
        ".hidden",
        "a\\b",
        "a\0b",
        "ü",
        "a/",
        "x" * 201,
        "a\n",
        "-x",
    ],
)
def test_hostile_names_are_refused(store: Store, name: str):
    job = store.create_job("edit", {})
    with pytest.raises(StoreError, match="no name"):
        store.put_assets(job.id, [(name, b"x", PNG)])
    assert files_of(store) == []


def test_everything_is_private_even_under_a_lax_umask(tmp_path: Path):
    before = os.umask(0)
    try:
        with Store(tmp_path / "a" / "store", free_min=0) as store:
            store.create_job("edit", {}, assets=[("a", b"x", PNG)])
            for path in [store.root, *store.root.rglob("*")]:
                mode = stat.S_IMODE(path.stat().st_mode)
                assert mode == (0o700 if path.is_dir() else 0o600), path
    finally:
        os.umask(before)


def test_damage_is_noticed_and_healed_by_putting_again(store: Store):
    job = store.create_job("edit", {}, assets=[("a", b"right", PNG), ("b", b"gone", PNG)])
    store.path(job.id, "a").write_bytes(b"wrong")
    store.path(job.id, "b").unlink()
    for name in ("a", "b"):
        with pytest.raises(StoreDamaged):
            store.read(job.id, name)
    assert sorted(finding.kind for finding in store.verify()) == ["asset-damaged", "asset-missing"]
    store.put_assets(job.id, [("a", b"right", PNG), ("b", b"gone", PNG)])
    assert store.verify() == []


def test_a_planted_link_is_neither_followed_nor_believed(store: Store, tmp_path: Path):
    job = store.create_job("edit", {}, assets=[("a", b"mine", PNG)])
    path, secret = store.path(job.id, "a"), tmp_path / "secret"
    secret.write_bytes(b"mine")
    path.unlink()
    path.symlink_to(secret)
    with pytest.raises(StoreDamaged):
        store.read(job.id, "a")
    assert [finding.kind for finding in store.verify()] == ["asset-damaged"]
    store.put_assets(job.id, [("a", b"mine", PNG)])
    assert not path.is_symlink()


def test_strays_are_found_and_garbage_is_collected(store: Store):
    orphan, _ = store.files.put(b"nobody names this")
    (store.files.folder / "ab" / "planted.txt").write_bytes(b"?")
    (store.files.temporary / "left").write_bytes(b"half")
    assert [finding.kind for finding in store.verify()] == ["stray"]
    assert store.gc() == 0  # too young: somebody may be about to name it
    assert store.gc(min_age=0) > 0
    assert not store.files.path(orphan).exists()
    assert [path.name for path in files_of(store)] == ["planted.txt"]  # not ours to remove
    assert not list(store.files.temporary.iterdir())


def test_collection_and_deduplication_do_not_race(store: Store):
    """One thread deletes the last job that names some bytes while another names the same bytes anew."""
    done, sha256 = threading.Event(), hashlib.sha256(b"the bytes").hexdigest()
    trouble: list[StoreError] = []

    def churn() -> None:
        try:
            while not done.is_set():
                store.delete_job(store.create_job("edit", {}, assets=[("a", b"the bytes", PNG)]).id)
                store.collect([sha256])
        except StoreError as error:
            trouble.append(error)

    threads = [threading.Thread(target=churn) for _ in range(2)]
    for thread in threads:
        thread.start()
    kept = []
    for _ in range(60):
        job = store.create_job("edit", {}, assets=[("a", b"the bytes", PNG)])
        assert store.read(job.id, "a") == b"the bytes"
        kept.append(job.id)
        if len(kept) % 3 == 0:
            while kept:
                store.delete_job(kept.pop())
    done.set()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert store.verify() == []


def test_a_file_taken_away_before_its_row_is_put_again(store: Store, monkeypatch: pytest.MonkeyPatch):
    real = AssetFiles.put
    taken: list[str] = []

    def put(self: AssetFiles, data: bytes) -> tuple[str, int]:
        sha256, length = real(self, data)
        if not taken:
            taken.append(sha256)
            self.remove(sha256)
        return sha256, length

    monkeypatch.setattr(AssetFiles, "put", put)
    job = store.create_job("edit", {}, assets=[("a", b"x", PNG)])
    assert taken and store.read(job.id, "a") == b"x"


def test_unknown_assets_are_errors(store: Store):
    job = store.create_job("edit", {})
    with pytest.raises(NoSuchAsset):
        store.read(job.id, "a")
