"""Start to the first byte of a first command, and to the end with everything taken down again."""

import os

from harness.measure import pairs_in_turn
from harness.peers import Podman, Runc, shifted_copy
from harness.processes import Terrine, Unmeasurable, at_once, first_byte

SAY = "echo up"


def run(terrine, image):
    return terrine.command("run", image, "--network", "none", "--", "sh", "-c", SAY)


def peers(bench):
    """Two bundles of runc's: as `runc spec` gives it, and confined like a machine."""
    folder = bench.folder("runc")
    os.chmod(folder, 0o711)
    plain = Runc(folder + "/state", folder + "/plain", bench.files(), SAY)
    config = bench.machine_config()
    shifted_copy(bench.files(), folder + "/shifted", config["linux"]["uidMappings"][0]["hostID"])
    confined = Runc(folder + "/state", folder + "/confined", folder + "/shifted", SAY)
    confined.confine_like(config)
    return plain, confined


def start(bench):
    terrine = bench.home()
    plain, confined = peers(bench)
    sides = {
        "ours": lambda: first_byte(*run(terrine, "bench:1")),
        "runc run, confined alike": lambda: first_byte(*confined.command()),
        "runc run, as `runc spec` gives it": lambda: first_byte(*plain.command()),
    }
    try:
        podman = Podman(bench.folder("podman", short=True), bench.files())
        bench.open.callback(podman.close)
        sides["podman run"] = lambda: first_byte(*podman.command(SAY), env=podman.environment)
    except Unmeasurable as why:
        bench.missing("start to first output, against podman", why, "podman run", "at most 0.5x")
    found = dict(zip(sides, pairs_in_turn(15, *sides.values(), warm=2)))
    ours = found.pop("ours")
    for name, figures in found.items():
        limit = 0.5 if name.startswith("podman") else 1.3
        bench.row(f"start to first output, against {name}", ours[0], name, figures[0], f"at most {limit}x", limit)
    for name, figures in found.items():
        bench.row(f"start to taken down, against {name}", ours[1], name, figures[1])


def many(bench):
    terrine = bench.home()
    _, confined = peers(bench)
    rounds = 100
    found = [(first_byte(*run(terrine, "bench:1")), first_byte(*confined.command())) for _ in range(rounds)]
    totals = [sum(side[1] for side in column) for column in zip(*found)]
    bench.row(f"{rounds} starts in a row, taken down each", totals[0], "runc run, confined alike", totals[1])
    slow = [sorted(side[0] for side in column)[rounds * 95 // 100] for column in zip(*found)]
    bench.row(f"the 95th of {rounds} starts, to first output", slow[0], "runc run, confined alike", slow[1])
    ours, peer = pairs_in_turn(
        3, lambda: at_once([run(terrine, "bench:1") for _ in range(20)]), lambda: at_once([confined.command() for _ in range(20)]))
    bench.row("20 starts at once, to the last one's first output", ours[0], "runc run, confined alike", peer[0])


def disk_size(bench):
    """Images that differ in their disk's size alone."""
    bench.images()
    terrine = Terrine(bench.program, bench.folder("sizes") + "/home")
    bench.open.callback(terrine.remove_machines)
    gibibytes = (1, 8, 64)
    for size in gibibytes:
        folder = bench.folder(f"recipe{size}")
        os.mkdir(folder + "/Images")
        with open(folder + "/Images/sized.yaml", "w") as file:
            file.write(f"version: 1\nname: sized\ndebian: {{ suite: bookworm, variant: minbase }}\ndisk: {size}GiB\n")
        with open(folder + "/terrine.yaml", "w") as file:
            file.write(f"version: 1\nname: size{size}\nbase: sized\n")
        terrine("build", folder, "-t", f"size:{size}", "-q")
    found = pairs_in_turn(10, *[lambda image=f"size:{size}": first_byte(*run(terrine, image)) for size in gibibytes], warm=2)
    bench.row("start to first output, an image of 64 GiB", found[-1][0], "of 1 GiB", found[0][0], "flat")
    bench.curve("start-over-disk-size", "Start to first output", "size of the image's disk, GiB", "milliseconds", {
        "to first output": [(size, times[0] * 1000) for size, times in zip(gibibytes, found)],
        "to taken down": [(size, times[1] * 1000) for size, times in zip(gibibytes, found)]})


ROWS = [("start", start), ("many-starts", many), ("disk-size", disk_size)]
