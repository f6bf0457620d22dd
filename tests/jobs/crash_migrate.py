"""kill -9 in the middle of a migration: the store is as it was or as it should be, never between.

python -m tests.jobs.crash_migrate FOLDER --kills 100
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jobs.database
from jobs.database import MIGRATIONS, Database, sqlite3
from jobs.store import Store

JOBS = 4000  # so that a migration takes long enough to be hit
OPEN = """
import sys
from pathlib import Path
from jobs.store import Store
print("ready", flush=True)
sys.stdin.readline()
Store(Path(sys.argv[1]), free_min=0, ballast=0)
print("open", flush=True)
"""


def make_old(root: Path) -> None:
    """A store of the first version, with jobs."""
    jobs.database.MIGRATIONS = MIGRATIONS[:1]
    database = Database(root)
    with database.tx() as db:
        db.executemany(
            "INSERT INTO job(id, kind, state, title, search, params, created, updated)"
            " VALUES(?, 'edit', 'succeeded', 'x', 'x', ?, 1, 1)",
            [(f"{n:028x}", json.dumps({"text": "y" * 500})) for n in range(JOBS)],
        )
    database.close()
    jobs.database.MIGRATIONS = MIGRATIONS


def opened(root: Path, kill_after: float | None) -> float:
    """Open it in a process of its own, killed after so many seconds; how long it took."""
    command = [sys.executable, "-c", OPEN, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()
        began = time.perf_counter()
        process.stdin.write("go\n")
        process.stdin.flush()
        if kill_after is None:
            assert process.stdout.readline() == "open\n"
        else:
            time.sleep(kill_after)
        process.kill()
        return time.perf_counter() - began


def version_of(root: Path) -> tuple[int, bool, int]:
    """(version, whether it has the new column, jobs), as anybody's SQLite sees it."""
    db = sqlite3.connect(root / "store.db")
    try:
        columns = [row[1] for row in db.execute("PRAGMA table_info(job)")]
        count = db.execute("SELECT count(*) FROM job").fetchone()[0]
        return db.execute("PRAGMA user_version").fetchone()[0], "visitor" in columns, count
    finally:
        db.close()


def torture(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """The whole test; see the keys of the result."""
    rng = random.Random(seed)
    template, root = folder / "old", folder / "store"
    make_old(template)
    shutil.copytree(template, root)
    whole = opened(root, None)
    report: dict[str, Any] = {"kills": kills, "old": 0, "new": 0, "between": [], "unsound": []}
    for _ in range(kills):
        shutil.rmtree(root)
        shutil.copytree(template, root)
        opened(root, rng.uniform(0, whole))
        found = version_of(root)
        if found == (1, False, JOBS):
            report["old"] += 1
        elif found == (len(MIGRATIONS), True, JOBS):
            report["new"] += 1
        else:
            report["between"].append(found)
        with Store(root, free_min=0, ballast=0) as store:
            if store.verify() or store.count_jobs() != JOBS:
                report["unsound"].append(found)
    return report


def main() -> None:
    """Print the report as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    json.dump(torture(args.folder, args.kills, args.seed), sys.stdout)


if __name__ == "__main__":
    main()
