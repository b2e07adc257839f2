"""The main job: a real FastAPI service on asyncio's loop and on clearloop, in alternation, same load.

    python -m examples.demo [--seconds 3.5] [--rounds 3] [--clients 300]

This file is the command line; demo_rounds.py runs the job. Exit codes: 0 all answers were right,
1 a failure (named on standard error), 2 wrong usage, 130 Ctrl-C.
"""

import argparse
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FEWEST_CLIENTS = 3  # one of each kind


def parse_options() -> argparse.Namespace:
    """Read and check the command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.5, help="measured in each run (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each loop (default: %(default)s)")
    parser.add_argument("--clients", type=int, default=300, help="concurrent (default: %(default)s)")
    parser.add_argument(
        "--loops",
        nargs="+",
        default=["asyncio", "clearloop"],
        metavar="LOOP",
        help="asyncio, clearloop, uvloop or module:function (default: asyncio clearloop)",
    )
    options = parser.parse_args()
    if not options.seconds > 0 or options.rounds < 1 or options.clients < FEWEST_CLIENTS:
        parser.error(f"give more than 0 seconds, 1 round or more, and {FEWEST_CLIENTS} clients or more")
    if len(set(options.loops)) < len(options.loops):
        parser.error("name each loop once")
    return options


def main() -> int:
    """Run the demo; end its children on every way out."""
    options = parse_options()
    # `python examples/demo.py` would look for modules beside this file only.
    sys.path.insert(0, str(ROOT))
    from examples.demo_rounds import DemoError, run_demo
    from examples.demo_service import ServiceError

    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that `with` blocks end children
    try:
        run_demo(options.loops, options.rounds, options.seconds, options.clients)
    except (DemoError, ServiceError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
