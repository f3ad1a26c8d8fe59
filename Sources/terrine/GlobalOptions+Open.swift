import ArgumentParser
import Foundation
import Images
import Machines
import Recipes

extension GlobalOptions {
    func images() throws -> ImageStore { try ImageStore(home: homeFolder, limit: try Self.limit) }

    /// What TERRINE_MAX_STORE allows.
    private static var limit: Int64? {
        get throws {
            guard let text = ProcessInfo.processInfo.environment["TERRINE_MAX_STORE"], !text.isEmpty else { return nil }
            guard let bytes = Quantities.bytes(text), bytes > 0 else { throw ValidationError("TERRINE_MAX_STORE is `\(text)`: it is a size such as 20GiB") }
            return bytes
        }
    }

    func machines() throws -> MachineHost { try MachineHost(home: homeFolder, images: try images()) }
}
