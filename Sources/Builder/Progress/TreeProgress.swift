import CLinux
import Glibc
import Linux
import Synchronization

/// The build as a tree on a terminal, drawn over itself: every step with its state, time and bytes, and the last lines of what runs.
public final class TreeProgress: BuildReporter {
    private let state: Mutex<BuildTree>
    private let ticker = Mutex<PlainThread?>(nil)

    public init() {
        state = Mutex(BuildTree(colour: getenv("NO_COLOR") == nil))
    }

    public func report(_ event: BuildEvent) {
        draw { $0.take(event, now: .now) }
        // A build that has nothing to do needs no clock.
        switch event {
        case .started, .waiting, .checkStarted: startTicking()
        default: break
        }
    }

    /// The thread that moves the clock sees that it is over, and draws no more.
    public func finish() { draw { $0.isOver = true } }

    private func startTicking() {
        ticker.withLock { ticker in
            if ticker != nil { return }
            // Without the thread times stand still between events.
            ticker = try? PlainThread { [weak self] in
                while true {
                    usleep(120_000)
                    guard let self, !self.state.withLock({ $0.isOver }) else { return }
                    self.draw { $0.tick += 1 }
                }
            }
        }
    }

    private func draw(_ change: (inout BuildTree) -> Void) {
        state.withLock { tree in
            if tree.isOver { return }
            change(&tree)
            var size = winsize()
            let isKnown = clinux_ioctl(2, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 20
            let lines = tree.lines(now: .now, width: isKnown ? Int(size.ws_col) : 80, height: isKnown ? Int(size.ws_row) : 24)
            // Up to where the last drawing began, and away with it, in one write: no flicker.
            let up = tree.drawn > 0 ? "\u{1b}[\(tree.drawn)A" : ""
            let text = up + "\r\u{1b}[J" + lines.map { $0 + "\n" }.joined()
            tree.drawn = lines.count
            _ = text.withCString { Glibc.write(2, $0, strlen($0)) }
        }
    }
}

/// What the tree shows; knows no terminal.
struct BuildTree: Sendable {
    enum Status: Sendable, Equatable {
        case pending, waiting, cached, running, packing
        case done(milliseconds: Int, bytes: Int64?)
        case failed(milliseconds: Int)
    }
    struct Row: Sendable {
        var name: String
        var status = Status.pending
        var detail = ""
        var start: ContinuousClock.Instant?
        var packing: ContinuousClock.Instant?
    }

    let colour: Bool
    var title = ""
    var rows: [Row] = []
    /// Steps; what comes after are checks.
    var steps = 0
    var output: [String] = []
    var notes: [String] = []
    var tick = 0
    var drawn = 0
    var isOver = false

    init(colour: Bool) { self.colour = colour }

    mutating func take(_ event: BuildEvent, now: ContinuousClock.Instant) {
        switch event {
        case .planned(let recipe, let names):
            title = recipe
            rows = names.map { Row(name: $0) }
            steps = rows.count
        case .waiting(let step): change(step) { ($0.status, $0.detail, $0.start) = (.waiting, "another build makes it", now) }
        case .cached(let step): change(step) { $0.status = .cached }
        case .started(let step, let reason):
            output = []
            change(step) { ($0.status, $0.detail, $0.start) = (.running, reason, now) }
        case .output(_, let line), .checkOutput(_, let line): show(line)
        case .packing(let step): change(step) { ($0.status, $0.packing) = (.packing, now) }
        case .finished(let step, let time, let bytes):
            output = []
            change(step) { row in
                row.status = .done(milliseconds: time, bytes: bytes)
                // How fast the layer was made, once it is large enough for that to mean something.
                let seconds = row.packing.map { (now - $0) / .seconds(1) } ?? 0
                if let bytes, bytes > 8 << 20, seconds > 0.05 { row.detail += ", \(Shown.bytes(Int64(Double(bytes) / seconds)))/s" }
            }
        case .failed(let step, let time): change(step) { $0.status = .failed(milliseconds: time) }
        case .checkStarted(let name):
            output = []
            rows.append(Row(name: Shown.check(name), status: .running, start: now))
        case .checkFinished(_, let problem, let time):
            if problem == nil { output = [] }
            change(rows.count - 1) { $0.status = problem == nil ? .done(milliseconds: time, bytes: nil) : .failed(milliseconds: time) }
        case .note(let text): notes.append(text)
        }
    }

    private mutating func change(_ index: Int, _ body: (inout Row) -> Void) {
        if rows.indices.contains(index) { body(&rows[index]) }
    }

    private mutating func show(_ line: String) {
        if line.allSatisfy(\.isWhitespace) { return }
        output.append(line)
        if output.count > 6 { output.removeFirst() }
    }

    func lines(now: ContinuousClock.Instant, width: Int, height: Int) -> [String] {
        var lines = title.isEmpty ? [] : [paint("1", cut(title, width - 1))]
        let column = min(max(12, (rows.map(\.name.count).max() ?? 0) + 2), max(12, width / 2))
        for (index, row) in rows.enumerated() {
            let (mark, code, words) = shown(row, now)
            let branch = index == rows.count - 1 ? "└" : "├"
            let name = cut(row.name, column - 2).padding(column)
            let rest = cut(words, width - column - 6)
            lines.append("\(branch) \(paint(code, mark)) \(row.status == .pending ? paint("2", name) : name)\(paint("2", rest))")
            if row.status == .running, !isOver { lines += output.map { "\(index == rows.count - 1 ? " " : "│")     " + paint("2", cut($0, width - 8)) } }
        }
        lines += notes.map { cut($0, width - 1) }
        // What does not fit cannot be drawn over: then the end is what counts.
        return lines.count < height ? lines : Array(lines.suffix(max(1, height - 1)))
    }

    private func shown(_ row: Row, _ now: ContinuousClock.Instant) -> (mark: String, code: String, words: String) {
        let frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]
        let since = row.start.map { Shown.time(max(0, (now - $0).milliseconds)) } ?? ""
        switch row.status {
        case .pending: return ("·", "2", "")
        case .waiting: return (frames[tick % frames.count], "33", "waiting \(since): \(row.detail)")
        case .cached: return ("✔", "32", "cached")
        case .running: return (frames[tick % frames.count], "36", row.detail.isEmpty ? since : "\(since)  \(row.detail)")
        case .packing: return (frames[tick % frames.count], "36", "\(since)  packing")
        case .done(let time, let bytes):
            return ("✔", "32", Shown.time(time) + (bytes.map { "  \(Shown.bytes($0))" } ?? "") + (row.detail.isEmpty ? "" : "  \(row.detail)"))
        case .failed(let time): return ("✘", "31", "failed after \(Shown.time(time))")
        }
    }

    private func paint(_ code: String, _ text: String) -> String { colour && !text.isEmpty ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text }

    private func cut(_ text: String, _ width: Int) -> String { text.count <= width ? text : String(text.prefix(max(1, width - 1))) + "…" }
}

extension String {
    fileprivate func padding(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
