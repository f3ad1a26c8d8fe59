"""A recipe's step against the same commands in a chroot of the same disk on a native loop device.

Both cold: a step's machine is a fresh one.
"""

import itertools, os

from harness.measure import pairs_in_turn, printed_seconds, timed
from harness.processes import drop_caches
from rows.inside import Both

WORK = timed(
    "mkdir /root/work; tar -C / -cf - usr/share usr/include | tar -xf - -C /root/work\n"
    "tar -xf /opt/bench/sources.tar -C /root/work; make -s -j2 -C /root/work/sources\nsync -f /root")


def steps(bench):
    both = Both.of(bench)
    terrine, native = both.terrine, both.native
    folder = bench.folder("recipe")
    os.mkdir(folder + "/empty")
    serial = itertools.count()

    def ours():
        with open(folder + "/terrine.yaml", "w") as file:
            file.write("version: 1\nname: bench-step\nbase: bench:tools\nnetwork: { build: none, run: none }\nworkspace: { path: /workspace, from: empty }\n")
            file.write(f"steps:\n  - name: work\n    inputs: []\n    run: |\n      : {next(serial)}\n")
            file.write("".join(f"      {line}\n" for line in ("( " + WORK + "\n) > /root/elapsed").splitlines()))
        drop_caches()
        built = terrine.json("build", folder, "-t", "bench:step", "-q")
        step = next(step for step in built["steps"] if step["name"] == "work")
        inner = printed_seconds(terrine("run", "bench:step", "--network", "none", "--", "cat", "/root/elapsed"))
        return inner, step["milliseconds"] / 1000

    def peer():
        native.script("rm -rf /root/work; sync -f /root")
        drop_caches()
        elapsed = printed_seconds(native.script(WORK))
        return elapsed, elapsed

    (inner, whole), (native_time, _) = pairs_in_turn(4, ours, peer)
    bench.row("a build step's commands: untar, compile, sync", inner, "chroot on a native loop, direct I/O", native_time, "at most 1.10x", 1.10)
    bench.row("the whole step: its machine, its commands, its layer made durable", whole, "the commands in the chroot", native_time)


ROWS = [("step", steps)]
