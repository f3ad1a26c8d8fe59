"""The rows that were measured, beside what was recorded last: on the terminal, as a table, as JSON, as plots."""

import datetime, json, os, platform, sys
from dataclasses import asdict, dataclass

from harness import plot
from harness.measure import mebibytes, milliseconds, per_second

FORMATS = {"time": milliseconds, "size": mebibytes, "rate": per_second}
# A ratio that grew by so much since it was recorded is no noise any more.
WORSE = 1.2


@dataclass
class Row:
    key: str
    what: str
    ours: float | None = None
    kind: str = "time"
    against: str = ""
    peer: float | None = None
    #: Smaller is better, whatever is measured.
    ratio: float | None = None
    target: str = ""
    #: "met", "missed by …", or nothing where no target is set.
    verdict: str = ""
    #: Why it could not be measured.
    missing: str = ""
    previous: float | None = None
    measured: str = ""
    version: str = ""
    #: How many processes the host had to run before this bench began, on average of a minute: more than a few tenths, and other work is in the figures.
    load: float | None = None

    @property
    def is_worse(self):
        return self.ratio is not None and self.previous is not None and self.ratio > self.previous * WORSE

    def cells(self):
        show = FORMATS[self.kind]
        if self.missing:
            return [self.what, "", self.against, "", "", self.target, "not measured: " + self.missing]
        against = self.against if self.peer is None else f"{self.against}: {show(self.peer)}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}x"
        previous = "" if self.previous is None else f"{self.previous:.2f}x"
        verdict = self.verdict
        if self.is_worse:
            verdict = (verdict + "; " if verdict else "") + f"**worse by {self.ratio / self.previous:.2f}x**"
        return [self.what, show(self.ours), against, ratio, previous, self.target, verdict]


class Results:
    """What one run measured, and the record that it is compared with."""

    def __init__(self, folder, version):
        self.folder, self.version = folder, version
        self.rows, self.curves = [], {}
        self.load = round(os.getloadavg()[0], 1)
        try:
            with open(folder + "/results.json") as file:
                self.recorded = json.load(file)
        except FileNotFoundError:
            self.recorded = {"rows": [], "curves": {}}
        self.before = {row["key"]: row for row in self.recorded["rows"]}

    def add(self, row):
        before = self.before.get(row.key)
        row.previous = before and before["ratio"]
        row.measured, row.version, row.load = datetime.date.today().isoformat(), self.version, self.load
        self.rows.append(row)
        what, ours, against, ratio, previous, target, verdict = row.cells()
        line = f"{what}: {ours}" + (f", {against}" if against and not row.missing else "") + (f": {ratio}" if ratio else "")
        line += (f" (was {previous})" if previous else "") + (f" [{target}]" if target else "") + (f" {verdict}" if verdict else "")
        print(f"\033[31m{line}\033[0m" if row.is_worse and sys.stdout.isatty() else line, flush=True)

    def record(self, order):
        """Writes results.json, results.md and plots. Rows that this run did not measure stay as they were recorded.

        What stands before the slash of a key names a row of `order`, which may give several lines; they are replaced together.
        """
        name = lambda key: key.split("/")[0]
        measured = {name(row.key) for row in self.rows}
        kept = [Row(**row) for key, row in self.before.items() if name(key) in order and name(key) not in measured]
        ordered = sorted(kept + self.rows, key=lambda row: order.index(name(row.key)))
        curves = self.recorded["curves"] | self.curves
        with open(self.folder + "/results.json", "w") as file:
            json.dump({"machine": machine_text(), "rows": [asdict(row) for row in ordered], "curves": curves}, file, indent=1)
            file.write("\n")
        os.makedirs(self.folder + "/plots", exist_ok=True)
        for name, curve in curves.items():
            with open(f"{self.folder}/plots/{name}.svg", "w") as file:
                file.write(plot.chart(curve["title"], curve["x"], curve["y"], {line: [tuple(point) for point in points] for line, points in curve["series"].items()}))
        with open(self.folder + "/results.md", "w") as file:
            file.write(self._page(ordered, curves))

    def _page(self, rows, curves):
        dates = sorted({row.measured for row in rows})
        versions = sorted({row.version for row in rows})
        loads = [row.load for row in rows]
        busy = f"Load average before the runs: {min(loads)} to {max(loads)}." if None not in loads else (
            "Of some rows it was not noted how busy the host was with other work when they were measured.")
        lines = [
            "# Results", "",
            "Written by `make bench`: medians, both sides of a row in turn in one run. A ratio is terrine's figure over the other's (the other way round for",
            "rates), so smaller is better in each; *before* is the ratio recorded last. What the rows are: [performance](../Docs/performance.md).", "",
            f"{' to '.join(dict.fromkeys((dates[0], dates[-1])))}, {machine_text()}, {', '.join(versions)}. {busy}", "",
            "| what | terrine | against | ratio | before | target | |", "|---|---|---|---|---|---|---|"]
        lines += ["| " + " | ".join(row.cells()) + " |" for row in rows]
        if curves:
            lines += ["", "## Growth", ""]
            lines += [f"![{curve['title']}](plots/{name}.svg)" for name, curve in curves.items()]
        return "\n".join(lines) + "\n"


def machine_text():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) >> 20
    return f"{os.cpu_count()} cores ({model}), {memory} GiB, Linux {platform.release().split('-')[0]}"
