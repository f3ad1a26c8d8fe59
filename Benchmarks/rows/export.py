"""The disk against the other one of its kind: qemu-storage-daemon's FUSE export of a zstd qcow2, on a loop device as well.

That one is buffered, see `Bench.storage_daemon`. What was copied is compared at the end, on all sides.
"""

from harness.measure import in_turn, printed_seconds, timed
from harness.processes import drop_caches
from rows.inside import Both

PEER = "chroot on qemu-storage-daemon's export"


def export(bench):
    both = Both.of(bench)
    daemon = bench.storage_daemon(data=both.data)
    bench.data(both.data, 500)
    work = {
        "copying /usr/share cold + sync": (timed("cp -a /usr/share /root/copy; sync -f /root", "rm -rf /root/copy; sync -f /root"), drop_caches),
        "writing 500 MiB + sync": (timed("cat /data/data > /root/written; sync -f /root", "rm -f /root/written; sync -f /root"), lambda: None),
    }
    for what, (script, prepare) in work.items():
        def side(run):
            def once():
                prepare()
                return printed_seconds(run(script))
            return once
        ours, peer, native = in_turn(4, side(lambda script: both.terrine.script("files", script)), side(daemon.script), side(both.native.script))
        bench.row(what + ", against another export", ours, PEER, peer)
        bench.row(what + ", the other export", peer, "chroot on a native loop, direct I/O", native)
    drop_caches()
    for run in (lambda script: both.terrine.script("files", script), daemon.script, both.native.script):
        run("diff -r --no-dereference /usr/share /root/copy; rm -rf /root/copy /root/written")


ROWS = [("export", export)]
