"""Checkpoints: how long the machine pauses, and how long it takes until the image is durable."""

import statistics

from harness.measure import in_turn
from harness.processes import need, seconds, sh

SIZES = (1, 64, 1024)


def pause(bench):
    """Written and not synced: the flush is before the freeze, and must not count as pause."""
    terrine, data = bench.home(), bench.folder("data")
    sizes = SIZES if not bench.full else (1, 8, 64, 256, 1024)
    found = {}
    for size in sizes:
        name = f"pause{size}"
        terrine("start", "bench:1", "--name", name, "--network", "none", "-v", data + ":/data:ro")
        found[size] = []
        for _ in range(5 if size < 1024 else 3):
            bench.data(data, size)
            terrine.script(name, "cat /data/data > /root/dirt")
            found[size].append(terrine.json("checkpoint", name))
        terrine("rm", name)
    pauses = {size: statistics.median(one["pauseMilliseconds"] for one in all) / 1000 for size, all in found.items()}
    bench.row("checkpoint pause, 64 MiB written", pauses[64], "1 MiB written", pauses[1], "flat")
    bench.row("checkpoint pause, 1 GiB written", pauses[1024], "1 MiB written", pauses[1], "at most 2x", 2)
    bench.curve("pause-over-dirty-bytes", "A machine's pause at a checkpoint", "MiB written since the last one", "milliseconds",
                {"pause": [(size, value * 1000) for size, value in pauses.items()]})


def durable(bench):
    """Written and synced; then the whole command against zstd of the same bytes, both up to an fsync."""
    need("zstd", "zstd")
    terrine, data = bench.home(), bench.folder("data")
    for size in SIZES:
        name, dirty = f"durable{size}", []
        terrine("start", "bench:1", "--name", name, "--network", "none", "-v", data + ":/data:ro")
        # What starting has written is not counted.
        terrine("checkpoint", name)

        def prepare():
            bench.data(data, size)
            terrine.script(name, "cat /data/data > /root/dirt; sync -f /root")

        def ours():
            prepare()
            return seconds(lambda: dirty.append(terrine.json("checkpoint", name)["dirtyBytes"]))

        def peer():
            return seconds(lambda: sh("sh", "-c", f"zstd -1 -T0 -q -f {data}/data -o {data}/packed && sync {data}/packed"))

        ours, peer = in_turn(5 if size < 1024 else 3, ours, peer, warm=1 if size < 1024 else 0)
        print(f"   {statistics.median(dirty) / (1 << 20):.1f} MiB dirty for {size} MiB written")
        limit = None if size == 1 else 1.3
        bench.row(f"checkpoint to durable, {size} MiB written", ours, "zstd -1 -T0, fsync", peer, "at most 1.3x" if limit else "", limit)
        terrine("rm", name)


def nothing(bench):
    """A machine that wrote nothing since it started, and one that wrote nothing since its last checkpoint."""
    terrine = bench.home()
    terrine("start", "bench:1", "--name", "idle", "--network", "none")
    first = terrine.json("checkpoint", "idle")
    image = terrine.json("inspect", "bench:1")["digest"]
    found = []

    def ours():
        found.append(terrine.json("checkpoint", "idle"))

    ours, peer = in_turn(8, ours, lambda: terrine("version"))
    same = "the same image" if len({one["digest"] for one in found} | {first["digest"]}) == 1 else "a new image"
    bench.row(f"checkpoint with nothing written since the last: {same}", ours, "process start", peer)
    started = "the same image" if first["digest"] == image else f"a new image of {first['dirtyBytes'] >> 10} KiB"
    bench.row(f"first checkpoint of a machine that only started: {started}", first["durableMilliseconds"] / 1000)


ROWS = [("pause", pause), ("durable", durable), ("checkpoint-nothing", nothing)]
