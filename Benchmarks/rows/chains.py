"""Checkpoints on checkpoints: what depth costs a reader."""

import statistics

from harness.measure import in_turn, printed_seconds, timed
from harness.processes import drop_caches, seconds

DEPTHS = (1, 10, 50, 100, 200)
SIZE = 200
READ = timed("cat /root/file > /dev/null")


def depth(bench):
    terrine, data = bench.home(), bench.folder("data")
    bench.data(data, SIZE)
    terrine("start", "bench:1", "--name", "chain", "--network", "none", "-v", data + ":/data:ro")
    terrine.script("chain", "cp /data/data /root/file")

    def read(machine):
        drop_caches()
        return printed_seconds(terrine.script(machine, READ))

    live, forks = {}, {}
    for level in range(1, DEPTHS[-1] + 1):
        # Four of the file's blocks, spread all over it, are this level's.
        terrine.script("chain", "".join(
            f"dd if=/dev/urandom of=/root/file bs=4k count=1 seek={(level * 7919 + piece * 12347) % (SIZE * 256)} conv=notrunc status=none; " for piece in range(4)))
        terrine("checkpoint", "chain", *(("-t", f"chain:{level}") if level in DEPTHS else ()))
        if level in DEPTHS:
            live[level] = statistics.median(read("chain") for _ in range(5))
            times = []
            for turn in range(3):
                times.append(seconds(lambda: terrine("fork", "chain", "--name", f"deep{turn}")))
                terrine("rm", f"deep{turn}")
            forks[level] = statistics.median(times)

    starts = {level: [] for level in DEPTHS}

    def fresh(level):
        def once():
            starts[level].append(seconds(lambda: terrine("start", f"chain:{level}", "--name", "fresh", "--network", "none")))
            try:
                return read("fresh")
            finally:
                terrine("rm", "fresh")
        return once

    started = dict(zip(DEPTHS, in_turn(5, *[fresh(level) for level in DEPTHS])))
    begun = {level: statistics.median(times) for level, times in starts.items()}
    for level in (50, 200):
        bench.row(f"reading {SIZE} MiB cold, started from a chain of {level}", started[level], "of 1", started[1], "flat")
        bench.row(f"reading {SIZE} MiB cold, in a machine after {level} checkpoints", live[level], "after 1", live[1], "flat")
    bench.row("start from a chain of 200", begun[200], "of 1", begun[1], "flat")
    bench.row("fork of a machine after 200 checkpoints", forks[200], "after 1", forks[1], "flat")
    series = lambda values: [(level, value * 1000) for level, value in values.items()]
    bench.curve("read-over-depth", f"Reading {SIZE} MiB cold", "checkpoints below", "milliseconds",
                {"started from the last": series(started), "in the machine itself": series(live)})
    bench.curve("start-over-depth", "Start and fork over depth", "checkpoints below", "milliseconds", {"start": series(begun), "fork": series(forks)})


ROWS = [("depth", depth)]
