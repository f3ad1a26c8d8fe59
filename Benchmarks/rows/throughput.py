"""What the store takes in: chunked, hashed, compressed and written, against hashing and compressing alone."""

import os

from harness.measure import in_turn
from harness.processes import need, seconds, sh

SIZE = 512 << 20


def hashed_on_all_cores(path, size):
    """SHA-256 of a file by as many processes as there are cores, each over its own part."""
    cores = os.cpu_count() or 1
    part = size // cores >> 20
    parts = " ".join(f"(dd if={path} bs=1M skip={part * core} count={part} status=none | openssl dgst -sha256 -r > /dev/null) &" for core in range(cores))
    sh("sh", "-c", parts + " wait")


def throughput(bench):
    """A disk full of data, new to its store, against openssl and zstd at the level of imports, one after the other on all cores. Both are in memory before."""
    need("zstd", "zstd")
    need("openssl", "openssl")
    folder, disks = bench.folder("data"), bench.folder("disks")
    os.mkdir(folder + "/files")
    disk = disks + "/disk.raw"
    number = iter(range(1, 100))

    def prepare():
        bench.data(folder + "/files", SIZE >> 20)
        if os.path.exists(disk):
            os.remove(disk)
        sh("mke2fs", "-q", "-t", "ext4", "-d", folder + "/files", disk, f"{SIZE * 5 // 4 >> 20}M")

    terrine = bench.home()

    def ours():
        prepare()
        sh("cat", disk, stdout=open("/dev/null", "w"))
        return seconds(lambda: terrine("import", disk, "-t", f"taken:{next(number)}"))

    def peer():
        data = folder + "/files/data"
        hashing = seconds(lambda: hashed_on_all_cores(data, SIZE))
        return hashing + seconds(lambda: sh("sh", "-c", f"zstd -3 -T0 -q -f {data} -o {folder}/packed && sync {folder}/packed"))

    ours, peer = in_turn(5, ours, peer)
    bench.row(f"taking in {SIZE >> 20} MiB, new to the store", ours, "openssl's SHA-256, then zstd -3 -T0, all cores", peer, "at most 1.11x", 1.11)


ROWS = [("throughput", throughput)]
