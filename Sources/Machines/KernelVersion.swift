import Foundation
import Linux

/// The kernel that runs here.
enum KernelVersion {
    /// As `uname -r` tells it.
    static let release = readSmallFile("/proc/sys/kernel/osrelease")?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"

    /// 6009 for 6.9.
    static let number: Int = {
        let parts = release.split(separator: ".").prefix(2).map { Int($0.prefix(while: \.isNumber)) ?? 0 }
        return (parts.first ?? 0) * 1000 + (parts.count > 1 ? parts[1] : 0)
    }()

    /// Whether FUSE sends a dead server's requests again.
    static let resends = number >= 6009
}
