"""What an image takes, against a qcow2 of the same disk with zstd; and what reading costs before and after a repack."""

import os

from harness.measure import printed_seconds, timed
from harness.processes import drop_caches, need, sh

READ_ALL = timed("find /usr /var /opt -xdev -type f -exec cat {} + > /dev/null")


def cold_read(terrine, image, rounds=5):
    """Seconds to read every file of a fresh machine, nothing in memory: the median."""
    times = []
    for _ in range(rounds):
        terrine("start", image, "--name", "reader", "--network", "none")
        drop_caches()
        times.append(printed_seconds(terrine.script("reader", READ_ALL)))
        terrine("rm", "reader")
    return sorted(times)[rounds // 2]


def size(bench):
    need("qemu-utils", "qemu-img")
    terrine = bench.home()
    folder = bench.folder("qcow2")
    images = {"a Debian base": "bench:1", "with compilers": "bench:tools"}
    qcow2 = {}
    for what, image in images.items():
        path = f"{folder}/{image}.qcow2"
        sh("qemu-img", "convert", "-c", "-O", "qcow2", "-o", "compression_type=zstd", bench.raw(image), path)
        qcow2[image] = os.stat(path).st_blocks * 512
        bench.row(f"image size, {what}", terrine.json("inspect", image)["storedBytes"], "zstd qcow2", qcow2[image], "at most 0.95x", 0.95, "size")
    if not terrine.has_option("gc", "--repack"):
        for what in images:
            bench.missing(f"image size, {what}, repacked", "this terrine has no `gc --repack`", "zstd qcow2", "at most 0.88x")
        return
    before = cold_read(terrine, "bench:tools")
    terrine("gc", "--repack")
    for what, image in images.items():
        bench.row(
            f"image size, {what}, repacked", terrine.json("inspect", image)["storedBytes"], "zstd qcow2", qcow2[image], "at most 0.88x", 0.88, "size")
    bench.row("reading all files cold, repacked", cold_read(terrine, "bench:tools"), "as built", before)


ROWS = [("size", size)]
