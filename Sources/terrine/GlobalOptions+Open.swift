import Images
import Machines

extension GlobalOptions {
    func images() throws -> ImageStore { try ImageStore(home: homeFolder) }

    func machines() throws -> MachineHost { try MachineHost(home: homeFolder, images: try images()) }
}
