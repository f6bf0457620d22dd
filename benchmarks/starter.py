"""The starter nets, which the engines that are judged need."""

import argparse
from pathlib import Path

from models.runtime import weights
from scenehf.settings import load


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Declare `--weights`."""
    parser.add_argument(
        "--weights", type=Path, default=load().weights, help="the folder of the starter weights"
    )


def starter(parser: argparse.ArgumentParser, folder: Path) -> Path:
    """The folder, which has them; or the end of the program, with a sentence that says what to do."""
    for finding in weights.verify(folder, ("starter",)):
        if finding.state != "present":
            parser.error(f"{finding.file} is {finding.state} under {folder}: ./launch.sh models pull starter")
    return folder
