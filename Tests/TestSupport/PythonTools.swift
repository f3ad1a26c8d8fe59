import Foundation
import Linux

/// Programs of PyPI that tests hold our output against, in a virtual environment beside the test's own programs: made once, and gone with the build folder.
public enum PythonTools {
    /// Each at one version, so that a test says the same tomorrow.
    private static let packages = [
        "cyclonedx-python-lib[json-validation]==11.12.0", "in-toto-attestation==0.9.3", "junitparser==5.0.3", "spdx-tools==0.8.5", "PyYAML==6.0.4",
    ]

    /// The folder with `python3`, `pyspdxtools` and the others; nil when it cannot be had, with why on the output.
    public static let programs: String? = {
        do { return try install() } catch {
            print("no validators of PyPI: \(error)")
            return nil
        }
    }()

    /// Whether tests that need them can run; with CI set they run, and fail, without.
    public static var met: Bool { programs != nil || ProcessInfo.processInfo.environment["CI"] != nil }

    private struct Failure: Error, CustomStringConvertible { let description: String }

    private static func install() throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let folder = URL(fileURLWithPath: own).deletingLastPathComponent().path + "/python-tools"
        // Several test processes at once make it once.
        let lock = try FileLock(folder + ".lock")
        return try withExtendedLifetime(lock) {
            let mark = folder + "/installed"
            let wanted = packages.joined(separator: "\n")
            // No mark: nothing, or what an installation that was broken off left.
            if (try? String(contentsOfFile: mark, encoding: .utf8)) == wanted { return folder + "/bin" }
            if FileManager.default.fileExists(atPath: folder) { try FileManager.default.removeItem(atPath: folder) }
            let pip = Command(folder + "/bin/pip", ["install", "--quiet", "--disable-pip-version-check"] + packages)
            for command in [Command("python3", ["-m", "venv", folder]), pip] {
                let made = try command.capture()
                guard made.status == .exited(0) else { throw Failure(description: made.output + made.errors) }
            }
            try wanted.write(toFile: mark, atomically: true, encoding: .utf8)
            return folder + "/bin"
        }
    }
}
