"""Bundles: a round trip keeps everything, and hostile files are refused whole."""

import hashlib
import io
import json
import stat
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.bundle import MAX_DIRECTORY, export_bundle, import_bundle
from jobs.errors import BadBundle, NoSuchJob, StoreError
from jobs.job import Job
from jobs.store import Store

PNG = "image/png"


@pytest.fixture
def finished(store: Store, running: Callable[[], Job]) -> Job:
    """A job with a plan, two attempts at a step, assets and events."""
    job = running()
    store.set_params(job.id, {"plan": {"version": 1, "scene": "ein Café"}, "n": 1})
    store.set_title(job.id, "Straße")
    for state in ("needs_review", "done"):
        attempt = store.begin_step(job.id, job.attempt, "s1", 0, "cup", {"hint": state}, "k").attempt
        assets = [
            (f"s1/{attempt}/alpha.png", state.encode() * 1000, PNG),
            ("same", b"same", PNG),
            ("same2", b"same", PNG),
        ]
        store.end_step(job.id, job.attempt, "s1", attempt, state, {"n": attempt}, assets, {"message": state})
    return store.finish_job(job.id, job.attempt, "succeeded")


@pytest.fixture
def bundle(store: Store, finished: Job, tmp_path: Path) -> Path:
    """That job, exported."""
    return export_bundle(store, finished.id, tmp_path / "job.zip")


def same_but_id(store: Store, one: str, other: str) -> None:
    a, b = store.job(one), store.job(other)
    assert replace(a, id="", updated=0) == replace(b, id="", updated=0)
    assert [replace(step, job_id="") for step in store.steps(one)] == [
        replace(step, job_id="") for step in store.steps(other)
    ]
    assert [replace(asset, job_id="") for asset in store.assets(one)] == [
        replace(asset, job_id="") for asset in store.assets(other)
    ]
    history = [(event.time, event.type, event.data) for event in store.events(one)]
    assert [(event.time, event.type, event.data) for event in store.events(other)][:-1] == history


def test_round_trip(store: Store, finished: Job, bundle: Path):
    copy = import_bundle(store, bundle)
    assert copy.id != finished.id
    same_but_id(store, finished.id, copy.id)
    assert store.events(copy.id)[-1].data == {"id": finished.id}
    assert store.read(copy.id, "s1/1/alpha.png") == b"needs_review" * 1000
    store.delete_job(finished.id)
    assert store.read(copy.id, "same") == b"same"
    assert store.verify() == []
    assert [job.id for job in store.list_jobs(search="strasse")] == [copy.id]


@pytest.mark.parametrize("mark", [b"PK\5\6", b"PK\6\6", b"PK\6\7"])
def test_a_picture_may_hold_the_marks_of_a_zip_file(store: Store, tmp_path: Path, mark: bytes):
    job = store.create_job("edit", {}, assets=[("a", mark, PNG), ("b", mark * 50, PNG)], hold=True)
    copy = import_bundle(store, export_bundle(store, job.id, tmp_path / "job.zip"))
    assert (store.read(copy.id, "a"), store.read(copy.id, "b")) == (mark, mark * 50)


def test_a_bundle_as_large_ones_are_written(
    store: Store, finished: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as few:
        few.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
        file = export_bundle(store, finished.id, tmp_path / "large.zip")
    whole = file.read_bytes()
    assert whole[-42:-38] == b"PK\6\7"
    same_but_id(store, finished.id, import_bundle(store, file).id)
    file.write_bytes(
        whole[:-34] + (0).to_bytes(8, "little") + whole[-26:]
    )  # the record before is said to be elsewhere
    with pytest.raises(BadBundle, match="does not end as"):
        import_bundle(store, file)


def test_into_another_store(finished: Job, bundle: Path, tmp_path: Path):
    with Store(tmp_path / "other", free_min=0, ballast=0) as other:
        copy = import_bundle(other, bundle)
        assert other.read(copy.id, "same2") == b"same"
        assert other.verify() == []


def test_a_title_with_line_ends_of_other_alphabets_comes_back(store: Store, finished: Job, tmp_path: Path):
    store.set_title(finished.id, "one\u2028two\x85three")
    copy = import_bundle(store, export_bundle(store, finished.id, tmp_path / "job.zip"))
    assert copy.title == "one\u2028two\x85three"


def test_a_bundle_describes_itself(store: Store, finished: Job, bundle: Path):
    with zipfile.ZipFile(bundle) as archive:
        assert set(archive.namelist()) == {
            "job.json", "plan.json", "events.jsonl",
            "assets/same", "assets/same2", "assets/s1/1/alpha.png", "assets/s1/2/alpha.png",
        }  # fmt: skip
        assert json.loads(archive.read("plan.json")) == {"version": 1, "scene": "ein Café"}
        assert json.loads(archive.read("job.json"))["job"]["id"] == finished.id
    assert [path.name for path in bundle.parent.iterdir() if path.suffix != ""] == ["job.zip"]  # no part left


def test_what_was_not_finished_waits_for_a_person(store: Store, running: Callable[[], Job], tmp_path: Path):
    job = running()
    store.begin_step(job.id, job.attempt, "s1", 0, "cup", {}, "k")
    copy = import_bundle(store, export_bundle(store, job.id, tmp_path / "job.zip"))
    assert (copy.state, copy.owner) == ("needs_review", None)
    assert [step.state for step in store.steps(copy.id)] == ["pending"]


def test_exporting_nothing_or_nowhere(store: Store, finished: Job, tmp_path: Path):
    with pytest.raises(NoSuchJob):
        export_bundle(store, "nope", tmp_path / "x.zip")
    with pytest.raises(StoreError):
        export_bundle(store, finished.id, tmp_path / "no" / "x.zip")
    assert not (tmp_path / "x.zip").exists()


Change = Callable[[dict[str, Any], dict[str, bytes]], None]


def rebuilt(bundle: Path, change: Change) -> Path:
    """The bundle after `change(job.json as an object, all other entries)`."""
    with zipfile.ZipFile(bundle) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    record = json.loads(entries.pop("job.json"))
    change(record, entries)
    out = bundle.with_name("hostile.zip")
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("job.json", json.dumps(record))
        for name, data in entries.items():
            archive.writestr(name, data)
    return out


def _named(name: str) -> Change:
    def change(record: dict[str, Any], entries: dict[str, bytes]) -> None:
        record["assets"][0]["name"] = name
        entries[f"assets/{name}"] = b"same"

    return change


def _set(path: str, value: Any) -> Change:
    def change(record: dict[str, Any], _: dict[str, bytes]) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            record = record[int(parent) if isinstance(record, list) else parent]
        record[last] = value

    return change


def _drop(path: str) -> Change:
    def change(record: dict[str, Any], entries: dict[str, bytes]) -> None:
        if path in entries:
            del entries[path]
        else:
            del record[path]

    return change


def _add(name: str, data: bytes) -> Change:
    return lambda _, entries: entries.update({name: data})


def _claim_hash(record: dict[str, Any], entries: dict[str, bytes]) -> None:
    record["assets"][0]["sha256"] = hashlib.sha256(b"other").hexdigest()


HOSTILE: dict[str, Change] = {
    "name up": _named("../../evil"),
    "name absolute": _named("/etc/cron.d/evil"),
    "name backslash": _named("..\\evil"),
    "name nul": _named("a\0b"),
    "name of a device": _named("a/../../b"),
    "name is no text": _set("assets.0.name", 7),
    "an entry nobody names": _add("assets/extra", b"x"),
    "an entry outside": _add("../evil", b"x"),
    "an entry beside": _add("evil.py", b"x"),
    "changed bytes": _add("assets/same", b"mase"),
    "claimed hash": _claim_hash,
    "wrong length": _set("assets.0.bytes", 1),
    "missing asset": _drop("assets/same"),
    "newer version": _set("bundle", 99),
    "no steps": _drop("steps"),
    "steps are text": _set("steps", "x"),
    "step state": _set("steps.0.state", "hacked"),
    "step attempt": _set("steps.0.attempt", 0),
    "two chosen": _set("steps.0.chosen", True),
    "step key": _set("steps.0.key", None),
    "params are a list": _set("job.params", [1]),
    "params not finite": _set("job.params", {"x": float("inf")}),
    "title is a number": _set("job.title", 5),
    "kind is missing": _set("job.kind", None),
    "attempt is huge": _set("job.attempt", 1 << 70),
    "time is text": _set("job.created", "yesterday"),
    "lone surrogate": _set("job.title", "\ud800"),
    "job is null": _set("job", None),
    "events are no lines": _add("events.jsonl", b"{"),
    "event without type": _add("events.jsonl", b'{"time": 1, "data": {}}\n'),
    "event data is text": _add("events.jsonl", b'{"time": 1, "type": "log", "data": "x"}\n'),
    "events are deep": _add("events.jsonl", b"[" * 100_000),
    "a bomb": _add("plan.json", bytes(50_000_000)),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_contents_are_refused_whole(store: Store, bundle: Path, change: Change, tmp_path: Path):
    hostile = rebuilt(bundle, change)
    before = set(tmp_path.rglob("*"))
    events, count = store.last_seq(), sum(store.counts().values())
    with pytest.raises(BadBundle) as raised:
        import_bundle(store, hostile)
    assert len(str(raised.value)) < 500
    assert (store.last_seq(), sum(store.counts().values())) == (events, count)
    store.gc(min_age=0)
    assert set(tmp_path.rglob("*")) - before <= set(store.root.glob("store.db-*"))
    assert not list(tmp_path.parent.glob("evil*"))


def _special(bundle: Path, info: zipfile.ZipInfo, data: bytes) -> Path:
    out = bundle.with_name("hostile.zip")
    out.write_bytes(bundle.read_bytes())
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(info, data)
    return out


def test_links_are_refused(store: Store, bundle: Path):
    info = zipfile.ZipInfo("plan2.json")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(BadBundle, match="link"):
        import_bundle(store, _special(bundle, info, b"/etc/passwd"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_refused(store: Store, bundle: Path):
    with pytest.raises(BadBundle, match="twice"):
        import_bundle(store, _special(bundle, zipfile.ZipInfo("job.json"), b"{}"))


@pytest.mark.parametrize("name", ["assets/SAME", "JOB.json", "Plan.Json"])
def test_a_name_twice_to_a_disk_that_takes_no_notice_of_case_is_refused(
    store: Store, bundle: Path, name: str
):
    with pytest.raises(BadBundle, match="twice"):
        import_bundle(store, _special(bundle, zipfile.ZipInfo(name), b"{}"))


def test_more_entries_than_any_job_has_are_refused_unread(store: Store, bundle: Path, tmp_path: Path):
    many = tmp_path / "many.zip"
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", *[0] * 9, 1, *[0] * 6) + b"a"
    with many.open("wb") as file:
        count = MAX_DIRECTORY // len(entry) + 1
        file.write(entry * count)
        file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(entry) * count, 0, 0))
    with pytest.raises(BadBundle, match="too large"):
        import_bundle(store, many)
    large = bytearray(bundle.read_bytes())
    at = large.rindex(b"PK\5\6")
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 1 << 40, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    large[at:at] = record + locator
    large[-10:-6] = b"\xff" * 4
    many.write_bytes(large)
    with pytest.raises(BadBundle, match="too large"):
        import_bundle(store, many)


def _with_more(bundle: Path, entries: list[bytes]) -> Path:
    """The bundle with further entries in its directory."""
    whole = bundle.read_bytes()
    end = whole.rindex(b"PK\5\6")
    start = int.from_bytes(whole[end + 16 : end + 20], "little")
    count = int.from_bytes(whole[end + 10 : end + 12], "little") + len(entries)
    directory = whole[start:end] + b"".join(entries)
    told = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), start, 0)
    out = bundle.with_name("more.zip")
    out.write_bytes(whole[:start] + directory + told)
    return out


def _first(bundle: Path) -> bytes:
    """Its first entry, as the directory tells it."""
    whole = bundle.read_bytes()
    at = whole.index(b"PK\1\2")
    return whole[at : at + 46 + int.from_bytes(whole[at + 28 : at + 30], "little")]


def test_entries_that_share_their_bytes_are_refused(store: Store, bundle: Path):
    """The smallest bombs: one packed part, named many times."""
    first = _first(bundle)
    more = [first[:-4] + f"{n:04}".encode() for n in range(200)]
    with pytest.raises(BadBundle, match="overlap"):
        import_bundle(store, _with_more(bundle, more))


def test_an_entry_without_a_name_is_refused(store: Store, bundle: Path):
    first = _first(bundle)
    with pytest.raises(BadBundle):
        import_bundle(store, _with_more(bundle, [first[:28] + b"\0\0" + first[30:46]]))


def test_files_that_are_no_bundles(store: Store, bundle: Path, tmp_path: Path):
    whole = bundle.read_bytes()
    encrypted = bytearray(whole)
    at = whole.index(b"PK\x01\x02")
    encrypted[at + 8] |= 1
    lying = bytearray(whole)
    lying[at + 24 : at + 28] = (7).to_bytes(4, "little")  # the unpacked size of job.json
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w"):
        pass
    broken = [
        b"",
        b"PK",
        b"not a zip" * 100,
        whole[:-40],
        whole[: len(whole) // 2],
        empty.getvalue(),
        encrypted,
        lying,
    ]
    for data in broken:
        (tmp_path / "broken.zip").write_bytes(data)
        with pytest.raises(BadBundle):
            import_bundle(store, tmp_path / "broken.zip")
    with pytest.raises(BadBundle, match="cannot be read"):
        import_bundle(store, tmp_path / "nothing.zip")
    with pytest.raises(BadBundle, match="cannot be read"):
        import_bundle(store, tmp_path)
    assert len(store.list_jobs()) == 1


def test_bit_flips_are_refused_or_harmless(store: Store, bundle: Path, tmp_path: Path):
    whole = bundle.read_bytes()
    for number in range(60):
        data = bytearray(whole)
        data[(number * 7919) % len(whole)] ^= 1 << (number % 8)
        (tmp_path / "flipped.zip").write_bytes(data)
        try:
            store.delete_job(import_bundle(store, tmp_path / "flipped.zip").id)
        except BadBundle:
            pass
    assert len(store.list_jobs()) == 1
    assert store.verify() == []
