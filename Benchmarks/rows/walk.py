"""An agent that searches: a tree of attempts, 16 wide, in which each node goes back to its parent, does something, and is kept."""

import statistics

from harness.processes import seconds

WIDTH = 16


def walk(bench):
    terrine = bench.home()
    nodes = 500 if bench.full else 48
    terrine("start", "bench:1", "--name", "search", "--network", "none")
    terrine("tag", "bench:1", "node:0")
    back, keep, starts = [], [], []
    for node in range(1, nodes + 1):
        parent = (node - 1) // WIDTH
        back.append(seconds(lambda: terrine("rollback", "search", "--to", f"node:{parent}")))
        terrine.script("search", f"echo {node} >> /root/path; head -c 256k /dev/urandom > /root/state")
        keep.append(seconds(lambda: terrine("checkpoint", "search", "-t", f"node:{node}")))
        if node % 8 == 0:
            starts.append(seconds(lambda: terrine("start", f"node:{node}", "--name", "other", "--network", "none")))
            terrine("rm", "other")
    depth = terrine.script("search", "cat /root/path").split()
    path = []
    while node:
        path.insert(0, str(node))
        node = (node - 1) // WIDTH
    if depth != path:
        raise ValueError(f"the last node holds {depth}, not {path}")
    start = statistics.median(starts)
    bench.row(f"a tree of {nodes} checkpoints: rollback at a node", statistics.median(back), "start", start, "at most 1x", 1)
    bench.row(f"a tree of {nodes} checkpoints: checkpoint at a node", statistics.median(keep), "start", start)
    quarter = max(nodes // 4, 1)
    bench.row("the last quarter of the tree: rollback and checkpoint", statistics.median(back[-quarter:]) + statistics.median(keep[-quarter:]),
              "the first quarter", statistics.median(back[:quarter]) + statistics.median(keep[:quarter]), "flat")
    group = max(nodes // 24, 1)
    smooth = lambda times: [(index + group, statistics.median(times[index:index + group]) * 1000) for index in range(0, nodes - group + 1, group)]
    bench.curve("walk-over-nodes", "A walk over a tree of checkpoints, 16 wide", "nodes", "milliseconds", {"rollback": smooth(back), "checkpoint": smooth(keep)})


ROWS = [("walk", walk)]
