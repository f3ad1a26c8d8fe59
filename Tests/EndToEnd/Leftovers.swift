import Foundation
import Linux
import Testing

extension Home {
    /// Waits a little for what ends by itself, then tells everything of this home that is still there.
    func expectNothingLeft(sourceLocation: SourceLocation = #_sourceLocation) throws {
        var left = leftovers()
        // A process that was killed is gone a moment after its parent was told; a loop device a moment after its last user.
        for _ in 0..<100 where !left.isEmpty {
            usleep(50_000)
            left = leftovers()
        }
        #expect(left.isEmpty, "left behind:\n\(left.joined(separator: "\n"))", sourceLocation: sourceLocation)
    }

    private func leftovers() -> [String] {
        var left: [String] = []
        let processes = names(in: "/proc").compactMap { Int32($0) }.filter { $0 != getpid() }
        var seen: Set<String> = []
        for pid in processes {
            // Processes come and go while they are listed; what is gone is not left behind.
            let words = readSmallFile("/proc/\(pid)/cmdline")?.split(separator: "\0").joined(separator: " ") ?? ""
            if words.contains(path) { left.append("process \(pid): \(words)") }
            for line in (readSmallFile("/proc/\(pid)/mounts") ?? "").split(separator: "\n") where line.contains(path) && seen.insert(String(line)).inserted {
                left.append("mount of process \(pid): \(line)")
            }
        }
        for device in names(in: "/sys/block") where device.hasPrefix("loop") {
            if let file = readSmallFile("/sys/block/\(device)/loop/backing_file"), file.contains(path) { left.append("\(device): \(file)") }
        }
        for folder in ["machines", "overlays"] {
            left += names(in: "\(path)/\(folder)").filter { !$0.hasPrefix(".") }.map { "folder \(folder)/\($0)" }
        }
        return left
    }

    private func names(in folder: String) -> [String] {
        // A folder that is not there holds nothing.
        (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    }
}
