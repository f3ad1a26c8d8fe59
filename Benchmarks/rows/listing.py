"""Commands that only look: a build with nothing to do, and lists, against the start of a process."""

from harness.measure import in_turn


def no_op_build(bench):
    terrine = bench.home()
    folder = bench.recipe("base", "base: debian-bookworm")
    ours, peer = in_turn(20, lambda: terrine("build", folder, "-t", "bench:1"), lambda: terrine("version"))
    bench.row("no-op build", ours, "process start", peer, "at most 50 ms more", more=0.05)


def listing(bench):
    terrine = bench.home()
    counts = (10, 100, 1000) if bench.full else (10, 50, 100)
    terrine("start", "bench:1", "--name", "busy", "--network", "none")
    commands = {"images": ("images",), "ps": ("ps",), "inspect": ("inspect", "bench:1")}
    found, made = {name: [] for name in commands}, 0
    for count in counts:
        while made < count:
            # Chains of 50, so that depth is not what is measured.
            if made % 50 == 49:
                terrine("rollback", "busy", "--to", "bench:1")
            terrine.script("busy", f"echo {made} > /root/number")
            made += 1
            terrine("checkpoint", "busy", "-t", f"many:{made}")
        *times, start = in_turn(15, *[lambda command=command: terrine(*command) for command in commands.values()], lambda: terrine("version"))
        for name, value in zip(commands, times):
            found[name].append((count, value))
    for name, values in found.items():
        bench.row(f"{name}, {counts[-1]:,} images", values[-1][1], "process start", start, "under 30 ms more", more=0.03)
    bench.curve("listing-over-images", "Looking at a store", "images", "milliseconds",
                {name: [(count, value * 1000) for count, value in values] for name, values in found.items()})


ROWS = [("no-op-build", no_op_build), ("listing", listing)]
