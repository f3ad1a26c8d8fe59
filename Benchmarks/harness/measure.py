"""Taking turns, and medians."""

import statistics

from harness.processes import seconds


def in_turn(rounds, *bodies, warm=1):
    """The medians of so many rounds, in each of which every body runs once, so that a busy moment of the host falls on all.

    `warm` rounds before them are not counted.
    """
    times = [[seconds(body) for body in bodies] for _ in range(rounds + warm)][warm:]
    return [statistics.median(column) for column in zip(*times)]


def pairs_in_turn(rounds, *bodies, warm=1):
    """The same for bodies that give two figures each: a list of (median of the first, median of the second)."""
    found = [[body() for body in bodies] for _ in range(rounds + warm)][warm:]
    return [tuple(statistics.median(figures) for figures in zip(*column)) for column in zip(*found)]


def timed(body, before=""):
    """A script that does `before`, then `body`, and prints how many nanoseconds the body took."""
    return f"{before}\nbegan=$(date +%s%N)\n{body}\necho $(($(date +%s%N) - began))"


def printed_seconds(output):
    """What a `timed` script printed last."""
    return int(output.split()[-1]) / 1e9


def milliseconds(value):
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value * 1000:.0f} ms" if value < 10 else f"{value:.1f} s"


def mebibytes(value):
    return f"{value / (1 << 20):.1f} MiB"


def per_second(value):
    return f"{value:,.0f}/s"
