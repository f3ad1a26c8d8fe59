"""Forks, and going back and forth between attempts."""

import itertools, statistics

from harness.measure import in_turn
from harness.processes import need, seconds, sh


def fork(bench):
    need("qemu-utils", "qemu-img")
    terrine, folder = bench.home(), bench.folder("qcow2")
    sh("qemu-img", "convert", "-O", "qcow2", bench.raw("bench:1"), folder + "/base.qcow2")
    terrine("start", "bench:1", "--name", "parent", "--network", "none")
    serial, disks = itertools.count(), []

    def ours():
        name = f"fork{next(serial)}"
        taken = seconds(lambda: disks.append(terrine.json("fork", "parent", "--name", name).get("diskMilliseconds")))
        terrine("rm", name)
        return taken

    def peer():
        sh("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", folder + "/base.qcow2", f"{folder}/fork{next(serial)}.qcow2")

    ours, peer = in_turn(10, ours, peer)
    if None in disks:
        bench.missing("fork of the disk alone", "this terrine does not tell it (`diskMilliseconds` of `fork --json`)", "qemu-img create -b", "at most 1x")
    else:
        bench.row("fork of the disk alone", statistics.median(disks) / 1000, "qemu-img create -b", peer, "at most 1x", 1)
    bench.row("fork of a machine, started", ours, "qemu-img create -b, a file only", peer)


def fork_many(bench):
    terrine = bench.home()
    counts = (1, 5, 20, 100) if bench.full else (1, 5, 20)
    terrine("start", "bench:1", "--name", "parent", "--network", "none")
    took = {}
    for count in counts:
        times = []
        for turn in range(3 if count < 100 else 1):
            name = f"many{count}-{turn}"
            times.append(seconds(lambda: terrine("fork", "parent", "--name", name, "-n", str(count))))
            terrine("rm", *([name] if count == 1 else [f"{name}-{index}" for index in range(1, count + 1)]))
        took[count] = statistics.median(times)
    for count in counts[2:]:
        bench.row(f"fork -n {count}, a machine", took[count] / count, "fork -n 1", took[1])
    bench.curve("fork-over-count", "Machines forked at once", "machines", "milliseconds", {
        "all of them": [(count, value * 1000) for count, value in took.items()]})


def back_and_forth(bench):
    """rollback and promote restart a machine on another disk, so a start is what they are held against."""
    terrine = bench.home()
    terrine("start", "bench:1", "--name", "main", "--network", "none")
    serial = itertools.count()

    def start():
        name = f"new{next(serial)}"
        taken = seconds(lambda: terrine("start", "bench:1", "--name", name, "--network", "none"))
        terrine("rm", name)
        return taken

    def rollback():
        terrine.script("main", "echo more >> /root/file")
        return seconds(lambda: terrine("rollback", "main"))

    def promote():
        name = f"attempt{next(serial)}"
        terrine("fork", "main", "--name", name)
        terrine.script(name, "echo better > /root/file")
        return seconds(lambda: terrine("promote", name))

    rollback, promote, start = in_turn(8, rollback, promote, start)
    bench.row("rollback", rollback, "start", start, "at most 1x", 1)
    bench.row("promote", promote, "start", start)


ROWS = [("fork", fork), ("fork-many", fork_many), ("rollback", back_and_forth)]
