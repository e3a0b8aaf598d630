"""`python -m linq_nb.demo --port 8765`: the demo on a loopback socket, until it is stopped."""

import argparse
import signal

from .server import serve


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m linq_nb.demo", description="A small Linq on this machine.")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (default %(default)s)")
    parser.add_argument("--port", type=int, default=8765, help="0 takes a free one (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of ids, jitter and random faults (default %(default)s)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve(options.host, options.port, seed=options.seed)
    except ValueError as error:
        parser.error(str(error))
    except (OSError, OverflowError) as error:
        parser.error(f"{error}; --port 0 takes a free port")


if __name__ == "__main__":
    main()
