"""How fast the store takes data in, against hashing and compressing alone."""

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


def alone(path, size, packed, level):
    """Seconds for hashing and then compressing on all cores, durable at the end."""
    hashing = seconds(lambda: hashed_on_all_cores(path, size))
    return hashing + seconds(lambda: sh("sh", "-c", f"zstd -{level} -T0 -q -f {path} -o {packed} && sync {packed}"))


def throughput(bench):
    """Data that are new to the store and in memory: out of a running machine, as a checkpoint, and out of a file, as an import."""
    need("zstd", "zstd")
    need("openssl", "openssl")
    folder, disks = bench.folder("data"), bench.folder("disks")
    terrine, packed, mebibytes = bench.home(), disks + "/packed", SIZE >> 20
    terrine("start", "bench:1", "--name", "full", "--network", "none", "-v", folder + ":/data:ro")
    terrine("checkpoint", "full")

    def checkpoint():
        bench.data(folder, mebibytes)
        terrine.script("full", "cat /data/data > /root/dirt; sync -f /root")
        return seconds(lambda: terrine("checkpoint", "full"))

    ours, peer = in_turn(5, checkpoint, lambda: alone(folder + "/data", SIZE, packed, 1))
    bench.row(f"store: {mebibytes} MiB of a machine", ours, "SHA-256, then zstd -1 -T0, on all cores, fsync", peer, "at most 1.11x", 1.11)

    disk, number = disks + "/disk.raw", iter(range(1, 100))

    def taking_in():
        bench.data(folder, mebibytes)
        if os.path.exists(disk):
            os.remove(disk)
        sh("mke2fs", "-q", "-t", "ext4", "-d", folder, disk, f"{SIZE * 5 // 4 >> 20}M")
        return seconds(lambda: terrine("import", disk, "-t", f"taken:{next(number)}"))

    ours, peer = in_turn(3, taking_in, lambda: alone(folder + "/data", SIZE, packed, 3))
    bench.row(f"import of a disk with {mebibytes} MiB, its file system checked", ours, "SHA-256, then zstd -3 -T0, on all cores, fsync", peer)


ROWS = [("throughput", throughput)]
