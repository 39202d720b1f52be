"""A check of `tests.bench.cooperbench`: run tests on the tree in the working folder; exit with 1 if any fails.

    python cooperbench_check.py PYTHON RED LOG NAME [TESTS]

PYTHON runs pytest, RED is a JSON file with the tests that fail on the base, NAME goes to LOG with the tree and the
seconds. Without TESTS the existing tests run. With it the files of this folder do, under names of their own (NAME).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

_OPTIONS = ("-p", "no:cacheprovider", "--continue-on-collection-errors")


def main(python: str, red: str, log: str, name: str, tests: str = "") -> None:
    begun = time.time()
    own = own_tests(Path(tests), name) if tests else {}
    for path, content in own.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    try:
        failed = failed_tests(python, [str(path) for path in own] or ["tests"], f"__{name}")
    finally:
        for path in own:
            path.unlink()
    known = set(json.loads(Path(red).read_text()))
    tree = subprocess.run(["git", "rev-parse", "HEAD^{tree}"], capture_output=True, text=True, check=True).stdout
    with open(log, "a") as lines:
        lines.write(json.dumps([tree.strip(), name, round(time.time() - begun, 2), sorted(failed - known)]) + "\n")
    for test in sorted(failed - known):
        print(f"FAILED {test}")
    sys.exit(1 if failed - known else 0)


def own_tests(folder: Path, name: str) -> dict[Path, bytes]:
    """Return the test files of a feature by the path at which they run: beside those that they change."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    places = (path.relative_to(folder) for path in files)
    renamed = (place.with_name(place.name.replace(".py", f"__{name}.py")) for place in places)
    return {place: path.read_bytes() for place, path in zip(renamed, files, strict=True)}


def failed_tests(python: str, paths: list[str], suffix: str) -> set[str]:
    """Return the names of the tests that fail, as they are called in the project."""
    source = Path("src") if Path("src").exists() else Path()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        subprocess.run(
            [python, "-B", "-m", "pytest", "-q", *_OPTIONS, f"--junitxml={report}", *paths],
            env={**os.environ, "PYTHONPATH": str(source.resolve()), "HOME": folder},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if not report.exists():
            return {"no report: the tests did not start"}
        cases = ElementTree.parse(report).getroot().iter("testcase")
        return {
            f"{case.get('classname')}::{case.get('name')}".replace(suffix, "")
            for case in cases
            if case.find("failure") is not None or case.find("error") is not None
        }


if __name__ == "__main__":
    main(*sys.argv[1:])
