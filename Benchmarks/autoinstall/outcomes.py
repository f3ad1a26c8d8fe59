"""What became of each source: recorded as JSON, the first time and the last, and as a page."""

import json, os, platform, re
from dataclasses import asdict, dataclass, field


def without_hosts(text):
    """Which mirror a host asks is its own affair."""
    return re.sub(r"\b[a-z0-9-]+(?:\.[a-z0-9-]+)+\.(?:com|dev|io|net|org)\b", "(a registry)", text)


@dataclass
class Outcome:
    result: str
    rounds: int
    seconds: float
    #: The program's own: outside package managers and the project's commands.
    own_seconds: float
    ran: int
    passed: int
    failed: int
    quarantined: int
    date: str
    commit: str
    #: Minutes that it could take.
    budget: int
    #: How many processes the host had to run when it began, on average of a minute: more than a core's worth of others', and time was short.
    load: float | None
    blockers: list = field(default_factory=list)

    @staticmethod
    def of(report, date, commit, budget, load):
        """From what `autoinstall --json` prints."""
        if "result" not in report:
            # It gave up with an error of its own: nothing of the repository's.
            error = report.get("error", {})
            blocker = {"kind": "terrine", "subject": error.get("code", "?"), "who_can_fix": "terrine"}
            return Outcome("error", 0, 0, 0, 0, 0, 0, 0, date, commit, budget, load, [blocker])
        tests = report["tests"]
        blockers = [{key: without_hosts(blocker[key]) for key in ("kind", "subject", "who_can_fix")} for blocker in report["blockers"]]
        return Outcome(
            report["result"], report["rounds"], round(report["seconds"], 1), round(report.get("ownSeconds", 0), 1),
            tests["ran"], tests["passed"], tests["failed"], tests["quarantined"], date, commit, budget, load, blockers)

    @property
    def tests(self):
        if not self.ran:
            return "none"
        parts = [f"{self.passed} of {self.ran}"] + [f"{self.quarantined} left out"] * (self.quarantined > 0)
        return ", ".join(parts)

    @property
    def line(self):
        return f"{self.result}: {self.rounds} rounds, {self.seconds:.0f} s ({self.own_seconds:.0f} s of its own), tests: {self.tests}"


class Outcomes:
    """The first outcome of each source, before anything was tuned, and the last one."""

    def __init__(self, path, page):
        self.path, self.page = path, page
        self.all = {}
        if os.path.exists(path):
            with open(path) as file:
                self.all = {name: {time: Outcome(**outcome) for time, outcome in both.items()} for name, both in json.load(file)["sources"].items()}

    def add(self, source, outcome):
        both = self.all.setdefault(source.name, {})
        both.setdefault("first", outcome)
        both["last"] = outcome

    def summary(self, names):
        known = [self.all[name]["last"] for name in names if name in self.all]
        green = sum(outcome.result == "green" for outcome in known)
        return f"{green} of {len(known)} green" if known else "no outcome"

    def record(self, sources, version):
        with open(self.path, "w") as file:
            json.dump({"sources": {name: {time: asdict(outcome) for time, outcome in both.items()} for name, both in self.all.items()}}, file, indent=1)
            file.write("\n")
        with open(self.page, "w") as file:
            file.write(self._text(sources, version))

    def _text(self, sources, version):
        shown = [source for source in sources if not source.hidden]
        hidden = [source for source in sources if source.hidden]
        lines = [
            "# What autoinstall makes of real sources", "",
            "Written by `make autoinstall-bench`: upstream sources, as their authors publish them, with no recipe, no model and none of the distribution's packaging of them.",
            "Green means that the project's own tests ran in an image that was built from clean, and passed; a runner said how many. *First* is the outcome before any rule",
            "was changed with an eye on these sources; it stays. The list and its choice: [sources.yaml](../Benchmarks/autoinstall/sources.yaml).", "",
            f"{os.cpu_count()} cores, Linux {platform.release().split('-')[0]}, terrine {version}. {self._circumstances()}", "",
            *self._table(shown), "",
        ]
        if any(source.name in self.all for source in hidden):
            lines += [
                "## Sources that nobody looked at", "",
                "Chosen with the others, and tried once, at the end: no rule was changed after that.", "", *self._table(hidden), ""]
        return "\n".join(lines)

    def _circumstances(self):
        all = [outcome for both in self.all.values() for outcome in both.values()]
        budgets, loads = sorted({outcome.budget for outcome in all}), [outcome.load for outcome in all]
        if not all:
            return ""
        busy = f"load average when they began: {min(loads)} to {max(loads)}" if None not in loads else (
            "of some it was not noted how busy the host was with other work, which counts against their time")
        return f"Each had {' or '.join(map(str, budgets))} minutes; {busy}."

    def _table(self, sources):
        known = [source for source in sources if source.name in self.all]
        counts = {time: sum(self.all[source.name][time].result == "green" for source in known) for time in ("first", "last")}
        lines = [
            f"Tried: {len(known)} of {len(sources)}. Green at first: {counts['first']}; now: {counts['last']}.", "",
            "| source | language, build | first | rounds | seconds | tests passed | now | rounds | seconds | tests passed | blockers |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        for source in sources:
            both = self.all.get(source.name)
            if not both:
                lines.append(f"| {source.name} | {source.language}, {source.build} | not tried | | | | | | | | |")
                continue
            cells = [source.name, f"{source.language}, {source.build}"]
            for outcome in (both["first"], both["last"]):
                cells += [outcome.result, str(outcome.rounds), f"{outcome.seconds:.0f}", outcome.tests]
            if both["first"] == both["last"]:
                cells[-4:] = ["not tried again", "", "", ""]
            blockers = [f"{blocker['kind']} {blocker['subject']} ({blocker['who_can_fix']})" for blocker in both["last"].blockers]
            cells.append("; ".join(blockers[:3]) + (f" and {len(blockers) - 3} more" if len(blockers) > 3 else ""))
            lines.append("| " + " | ".join(" ".join(cell.replace("|", "/").split()) for cell in cells) + " |")
        return lines
