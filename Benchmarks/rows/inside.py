"""Work inside a sandbox, against the same in a chroot of the same disk on a native loop device with direct I/O."""

import json, os

from harness.bench import APT_PACKAGES
from harness.measure import in_turn, printed_seconds, timed
from harness.processes import drop_caches

NATIVE = "chroot on a native loop, direct I/O"
FIO = "/opt/bench/fio/ld-linux-x86-64.so.2 --library-path /opt/bench/fio /opt/bench/fio/fio"


class Both:
    """A machine and a native root with the same files and the same /data, a folder of this host."""

    def __init__(self, bench):
        self.bench = bench
        self.data = bench.folder("data")
        self.native = bench.native(data=self.data)
        self.terrine = bench.home()
        self.terrine("start", "bench:tools", "--name", "files", "--network", "none", "-v", self.data + ":/data:ro")

    @staticmethod
    def of(bench):
        """All rows share one pair."""
        return bench.once_open("both", lambda: Both(bench))

    def script(self, script):
        """Does something on both sides, unmeasured."""
        self.terrine.script("files", script)
        self.native.script(script)

    def compare(self, what, script, target, limit, rounds=5, prepare=lambda: None):
        """A row of the seconds that a `timed` script prints."""
        def ours():
            prepare()
            return printed_seconds(self.terrine.script("files", script))

        def peer():
            prepare()
            return printed_seconds(self.native.script(script))

        figures = in_turn(rounds, ours, peer)
        self.bench.row(what, figures[0], NATIVE, figures[1], target, limit)


def reading(bench):
    both = Both.of(bench)
    bench.data(both.data, 400)
    both.script("cp /data/data /root/read; sync -f /root")
    both.compare("reading 400 MiB cold, written in this machine", timed("cat /root/read > /dev/null"), "at most 1.2x", 1.2, prepare=drop_caches)

    # The same file as part of an image: a machine that starts from a checkpoint reads it out of packs.
    both.terrine("checkpoint", "files", "-t", "bench:read")
    script = timed("cat /root/read > /dev/null")

    def ours():
        both.terrine("start", "bench:read", "--name", "fresh", "--network", "none")
        try:
            drop_caches()
            return printed_seconds(both.terrine.script("fresh", script))
        finally:
            both.terrine("rm", "fresh")

    def peer():
        drop_caches()
        return printed_seconds(both.native.script(script))

    ours, peer = in_turn(5, ours, peer)
    both.script("rm /root/read")
    bench.row("reading 400 MiB cold, out of an image", ours, NATIVE, peer, "at most 1.2x", 1.2)


def writing(bench):
    both = Both.of(bench)
    bench.data(both.data, 500)
    both.compare(
        "writing 500 MiB + sync", timed("cat /data/data > /root/written; sync -f /root", "rm -f /root/written; sync -f /root"),
        "at most 1.2x", 1.2)


def untar(bench):
    both = Both.of(bench)
    bench.text()
    os.link(bench.text(), both.data + "/files.tar")
    size = os.path.getsize(bench.text())
    both.compare(
        f"untar + sync, {size >> 20} MiB",
        timed("tar -xf /data/files.tar -C /root/unpacked; sync -f /root", "rm -rf /root/unpacked; mkdir /root/unpacked; sync -f /root"),
        "at most 1.5x", 1.5, 7)


def compiling(bench):
    both = Both.of(bench)
    both.compare(
        "compile + sync, 25 C files",
        timed("make -s -j2; sync -f /root", "rm -rf /root/sources; tar -xf /opt/bench/sources.tar -C /root; cd /root/sources; sync -f /root"),
        "at most 1.5x", 1.5, 4)


def apt(bench):
    both = Both.of(bench)
    packages = APT_PACKAGES.split()
    both.compare(
        f"apt-get install + sync, {APT_PACKAGES.replace(' ', ', ')}, archives at hand",
        timed(
            "apt-get install -qq --no-install-recommends /opt/bench/archives/*.deb > /dev/null 2>&1; sync -f /root",
            f"export DEBIAN_FRONTEND=noninteractive; apt-get purge -qq --autoremove {' '.join(packages)} > /dev/null 2>&1 || :; sync -f /root"),
        "at most 1.5x", 1.5, 3)


def fio(bench):
    """Rates, so the ratio is the native rate over the sandbox's."""
    both = Both.of(bench)
    common = f"{FIO} --name=bench --filename=/root/fio --size=512M --bs=4k --ioengine=psync --thread --output-format=json"
    both.script(f"{FIO} --name=lay --filename=/root/fio --size=512M --bs=1M --rw=write --end_fsync=1 --thread > /dev/null")

    def compare(what, options, direction, target, limit):
        def rate(run):
            def once():
                drop_caches()
                return float(json.loads(run(f"{common} --time_based --runtime=4 {options}"))["jobs"][0][direction]["iops"])
            return once
        ours, peer = in_turn(5, rate(lambda script: both.terrine.script("files", script)), rate(both.native.script), warm=0)
        bench.row(what, ours, NATIVE, peer, target, limit, "rate")

    compare("4 KiB random writes, fsync every 32", "--rw=randwrite --fsync=32", "write", "at most 3x", 3)
    compare("4 KiB random reads, cold, direct", "--rw=randread --direct=1", "read", "at most 1.2x", 1.2)


ROWS = [("reading", reading), ("writing", writing), ("untar", untar), ("compile", compiling), ("apt", apt), ("fio", fio)]
