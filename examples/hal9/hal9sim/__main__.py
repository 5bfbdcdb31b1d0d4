"""Start one HAL9: `python3 -m hal9sim --system flat|hierarchical`."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence

from .lifecycle import serve
from .settings import SYSTEMS, BadSettingError, Settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; exit status 2 for a setting that makes no sense."""
    parser = argparse.ArgumentParser(prog="hal9sim", description=__doc__)
    parser.add_argument("--system", choices=SYSTEMS, help="default: HAL9_SYSTEM, else flat")
    system = parser.parse_args(argv).system
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        settings = Settings.read({**os.environ, **({"HAL9_SYSTEM": system} if system else {})})
    except BadSettingError as error:
        print(f"hal9sim: {error}", file=sys.stderr)
        return 2
    asyncio.run(_run(settings))
    return 0


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(settings, stop, _announce)


def _announce(api: int, metrics: int) -> None:
    print(f"api={api} metrics={metrics}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
