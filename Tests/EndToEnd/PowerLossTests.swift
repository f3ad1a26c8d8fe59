import Disks
import Foundation
import Glibc
import Linux
import Testing

/// The whole store on a device that writes down each write and each flush; then what a power cut at many moments would have left, opened again.
@Suite("Power cuts", .serialized, .enabled(if: MachineNeeds.met))
struct PowerLossTests {
    /// What was acknowledged at some moment, and until when it should be there.
    private struct Promise {
        let image: String
        /// Files of the image that `/sums` lists.
        let files: Int
        let made: Int
        var broken = Int.max
    }

    @Test("whenever the power goes, the store opens, and what was acknowledged or synced is there")
    func cuts() throws {
        let seed = UInt64.random(in: 0 ... .max)
        try Home.with { host in
            let folder = try host.writeRecipe()
            let device = try RecordedDevice(in: host.path, size: 2 << 30)
            let mount = host.path + "/mnt"
            let home = Home(at: mount + "/home")
            var promises: [Promise] = []
            var synced: [(files: Int, from: Int, to: Int)] = []
            try device.mounted(at: mount, beside: host.path + "/fuse") {
                try shell("mkdir '\(mount)/home'")
                try home.terrine("build", folder, "-t", "small:1", expect: 0)
                promises.append(Promise(image: "small:1", files: 0, made: device.now))
                try home.terrine("start", "small:1", "--name", "m", expect: 0)
                for round in 1...3 {
                    try home.terrine("exec", "m", "--", "sh", "-c", Self.write(round), expect: 0)
                    if let last = synced.indices.last { synced[last].to = device.now }
                    synced.append((round, device.now, .max))
                    try home.terrine("checkpoint", "m", "-t", "m:\(round)", expect: 0)
                    promises.append(Promise(image: "m:\(round)", files: round, made: device.now))
                }
                promises[1].broken = device.now
                try home.terrine("gc", "--grace", "0s", "--repack", "--keep-checkpoints", "2", expect: 0)
                try home.terrine("hibernate", "m", expect: 0)
                try home.terrine("resume", "m", expect: 0)
                synced[synced.count - 1].to = device.now
                try home.terrine("rm", "m", expect: 0)
                try home.expectNothingLeft()
            }
            print("power cuts: \(device.now) writes and flushes recorded, seed \(seed)")

            let end = device.now
            let count = ProcessInfo.processInfo.environment["TERRINE_SOAK"] != nil ? 150 : 8
            // The stretch before the first promise is the build of a base; half of all cuts fall behind it.
            let first = promises[0].made
            for cut in 0..<count {
                let range = cut % 4 == 0 ? 1..<first : first..<(end + 1)
                let moment = Int.random(in: range)
                let wherever = Comment(rawValue: "power cut \(cut) at \(moment) of \(end), seed \(seed)")
                let left = host.path + "/left"
                try device.state(at: moment, left, seed: seed &+ UInt64(cut))
                try shell("mount -o loop '\(left)' '\(mount)' 2>/dev/null || exit 7", or: 7) {
                    // Before the file system itself was durable there is nothing to open.
                    #expect(moment < first, wherever)
                }
                guard try Command("mountpoint", ["-q", mount]).capture().status == .exited(0) else { continue }
                defer { _ = try? Command("umount", [mount]).capture() }
                guard try Command("test", ["-d", home.path]).capture().status == .exited(0) else { continue }
                let verified = try home.terrine("verify")
                #expect(verified.code == 0, "\(wherever): \(verified.output)\(verified.errors)")
                for promise in promises where promise.made <= moment && moment < promise.broken {
                    try home.expectSums(of: promise.files, by: ["run", promise.image, "--"], wherever)
                }
                if let machine = synced.first(where: { $0.from <= moment && moment < $0.to }) {
                    try home.terrine("resume", "m", expect: 0)
                    try home.expectSums(of: machine.files, by: ["exec", "m", "--"], wherever)
                }
                try home.terrine("gc", "--grace", "0s", expect: 0)
                try home.terrine("rm", "--all", expect: 0)
                let verifiedAgain = try home.terrine("verify")
                #expect(verifiedAgain.code == 0, "\(wherever), after gc: \(verifiedAgain.output)\(verifiedAgain.errors)")
                try unmount(mount, wherever)
            }
        }
    }

    private static func write(_ round: Int) -> String {
        "dd if=/dev/urandom of=/data.\(round) bs=256k count=1 2>/dev/null; sha256sum /data.\(round) >> /sums; sync"
    }
}

extension Home {
    /// At least so many files are there, each as it was written.
    fileprivate func expectSums(of files: Int, by prefix: [String], _ comment: Comment) throws {
        guard files > 0 else { return }
        let seen = try terrine(prefix + ["sh", "-c", "sha256sum -c /sums >/dev/null && wc -l < /sums"])
        #expect(seen.code == 0 && (Int(seen.lines.last ?? "") ?? 0) >= files, "\(comment): \(prefix): \(seen.output)\(seen.errors)")
    }
}

extension RecordedDevice {
    /// Makes an ext4 on the device, and has it mounted while `body` runs; only other processes may touch what is on it.
    fileprivate func mounted(at mount: String, beside folder: String, _ body: () throws -> Void) throws {
        try shell("mkdir '\(folder)' '\(mount)'")
        let server = try FUSEExport(descriptor: try mountFUSE(at: folder), backend: self)
        try server.start()
        defer { server.wait() }
        let file = folder + "/" + exportFileName
        let loop = try shell("mkfs.ext4 -q -F '\(file)' && losetup --direct-io=on --find --show '\(file)'").trimmingCharacters(in: .whitespacesAndNewlines)
        let result = Result {
            try shell("mount \(loop) '\(mount)'")
            defer { _ = try? shell("umount '\(mount)'") }
            try body()
        }
        try shell("losetup -d \(loop); for i in $(seq 500); do umount '\(folder)' && exit 0; sleep 0.02; done; exit 1")
        try result.get()
    }
}

/// Unmounts, and waits a little for what ends by itself; says who that was.
private func unmount(_ mount: String, _ comment: Comment) throws {
    var first: String?
    for attempt in 0... {
        let run = try Command("umount", [mount]).capture()
        if run.status == .exited(0) { break }
        if first == nil { first = run.errors + holders(of: mount) }
        try #require(attempt < 100, "\(comment): \(first ?? "")")
        usleep(50_000)
    }
    if let first { print("power cuts: a moment later than the last command, \(comment): \(first)") }
}

/// Who has something below `folder` open or mapped, each with its whole state.
private func holders(of folder: String) -> String {
    let script = """
        for process in $(ls -l /proc/[0-9]*/fd /proc/[0-9]*/map_files /proc/[0-9]*/task/*/cwd /proc/[0-9]*/task/*/root 2>/dev/null | awk -v folder="$1" '
            /^\\/proc/ { split($1, part, "/"); process = part[3] } index($0, folder) { print process; print > "/dev/stderr" }' | sort -u); do
            tr '\\0' ' ' < /proc/$process/cmdline; grep -E '^(Name|State|Pid|PPid|Threads):' /proc/$process/status
        done; ps -eo pid,ppid,stat,args | grep -a terrine
        """
    // Only words for a failure that is told in any case.
    guard let run = try? Command("sh", ["-c", script, "sh", folder]).capture() else { return "" }
    return run.output + run.errors
}

@discardableResult
private func shell(_ script: String, or code: Int32? = nil, _ otherwise: () throws -> Void = {}) throws -> String {
    let run = try Command("sh", ["-c", script]).capture()
    if let code, run.status == .exited(code) { try otherwise() } else { try #require(run.status == .exited(0), "\(script)\n\(run.errors)") }
    return run.output
}
