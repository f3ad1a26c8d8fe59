import CLinux
import Glibc
import Synchronization

/// A child of this process that goes on with `body`, without the 15 ms that starting a program takes; it ends with the code that `body` returns.
///
/// For a process with one thread only: of others the child would have the locks and not the threads.
public func forkChild(_ body: () -> Int32) throws -> pid_t {
    let pid = try check("fork", "this process") { clinux_fork() }
    if pid == 0 { exit(body()) }
    return pid
}

/// Lets `ps` show `title` as this process's command line, as far as it finds room where the arguments and the environment were.
///
/// For a process with one thread: the environment moves. Source: the kernel's fs/proc/base.c, `get_mm_cmdline`, which reads on past arguments whose end was
/// overwritten.
public func setProcessTitle(_ title: String) {
    let (start, count) = (titleRoom.start, titleRoom.count)
    guard let start, count > 0 else { return }
    memset(start, 0, count)
    for (place, byte) in zip(0..<(count - 1), title.utf8) { start[place] = CChar(bitPattern: byte) }
}

/// Where the kernel looks for the arguments, and the environment's old place behind them.
private nonisolated(unsafe) let titleRoom: (start: UnsafeMutablePointer<CChar>?, count: Int) = {
    guard let start = CommandLine.unsafeArgv[0] else { return (nil, 0) }
    var end = start
    func extend(_ text: UnsafeMutablePointer<CChar>?) {
        // What does not follow at once lies elsewhere: moved by whoever set it.
        if let text, text == end { end = text + strlen(text) + 1 }
    }
    for index in 0..<Int(CommandLine.argc) { extend(CommandLine.unsafeArgv[index]) }
    var entry = environ
    while let text = entry.pointee {
        let before = end
        extend(text)
        if end != before { entry.pointee = strdup(text) }
        entry += 1
    }
    return (start, end - start)
}()

/// Puts `descriptor` in the place of this process's `number`, such as 1 for its output.
public func replaceDescriptor(_ number: Int32, with descriptor: Descriptor) throws {
    try check("replace", "descriptor \(number)") { dup2(descriptor.raw, number) }
}

/// Runs `body` in a thread of its own and waits for it: what a forked process does that will have several threads.
///
/// A `Mutex` names its holder by an id that each thread asks for once, and a forked process has that of the thread that forked it. Where such a holder is waited for, the kernel finds that
/// the one who holds is not the one who is named, and both try again for ever. A new thread asks for its own.
public func inOwnThread(_ body: @escaping @Sendable () -> Int32) throws -> Int32 {
    let result = Atomic32()
    try PlainThread { result.value.store(body(), ordering: .releasing) }.join()
    return result.value.load(ordering: .acquiring)
}

private final class Atomic32: Sendable { let value = Atomic<Int32>(1) }
