"""Run the catalogue and write its page."""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.support.catalogue.play import play
from tests.support.catalogue.table import PAGE, page


def main() -> int:
    """Write docs/catalogue.md; exit status 1 where a case is not as it must be."""
    print("This takes one to three minutes.", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        played = asyncio.run(play(Path(folder)))
    PAGE.write_text(page(played), encoding="utf-8")
    for name, trial in played.wrong.items():
        print(f"{name} is not as it must be, {trial.told()}\n")
    return 1 if played.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
