import Builder
import Glibc

/// Gives every machine limits, whatever the recipe says of them: nobody has looked at what runs there.
struct LimitedHost: StepHost {
    let host: any StepHost
    /// Bytes, where the recipe names no limit of its own.
    let memory: Int64
    /// Processes and threads.
    let processes: Int

    init(_ host: any StepHost, memory: Int64 = Self.mostOfTheMemory, processes: Int = 8192) {
        (self.host, self.memory, self.processes) = (host, memory, processes)
    }

    /// Three quarters of this host's: what fills its memory must not take the host along.
    static var mostOfTheMemory: Int64 { Int64(sysconf(Int32(_SC_PHYS_PAGES))) * Int64(sysconf(Int32(_SC_PAGESIZE))) / 4 * 3 }

    func start(_ request: StepMachineRequest) throws -> any StepMachine {
        var request = request
        request.memory = request.memory ?? memory
        request.processes = request.processes ?? processes
        return try host.start(request)
    }
}
