import Archives
import Foundation
import Glibc
import Images
import Linux

/// The file system that a kernel starts with: busybox, the modules of a disk under QEMU, and a script that goes on from the image's own files.
///
/// Source of the format: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst, "newc".
struct InitialRamdisk {
    /// What a disk and a network under QEMU need, beside what these need themselves.
    private static let modules = ["virtio_pci", "virtio_blk", "virtio_net"]
    private var bytes: [UInt8] = []
    private var count = 0

    /// Compressed by gzip.
    static func make(_ boot: BootFiles, _ image: Image, to path: String) throws {
        var disk = InitialRamdisk()
        for folder in ["bin", "modules"] { disk.add(folder, mode: 0o40755, []) }
        disk.add("bin/busybox", mode: 0o100755, try readFile(boot.busybox))
        let loaded = try KernelModules(boot.modules).closure(of: modules)
        for module in loaded { disk.add("modules/\(module.name).ko", mode: 0o100644, try readFile(module.path)) }
        disk.add("init", mode: 0o100755, Array(script(image, loaded.map(\.name)).utf8))
        disk.add("TRAILER!!!", mode: 0, [])
        let sink = try GzipSink(FileSink(try Descriptor(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)))
        try disk.bytes.withUnsafeBytes { try sink.write($0) }
        try sink.finish()
    }

    private mutating func add(_ name: String, mode: UInt32, _ content: [UInt8]) {
        count += 1
        let links: UInt32 = mode & 0o40000 != 0 ? 2 : 1
        let numbers: [UInt32] = [UInt32(count), mode, 0, 0, links, 0, UInt32(content.count), 0, 0, 0, 0, UInt32(name.utf8.count + 1), 0]
        let header = numbers.map { number in
            let digits = String(number, radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }
        bytes += Array(("070701" + header.joined() + name).utf8) + [0]
        pad()
        bytes += content
        pad()
    }

    private mutating func pad() { bytes += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4) }

    /// An image with an init of its own is handed over to it; in any other a shell is on the console.
    private static func script(_ image: Image, _ modules: [String]) -> String {
        func quoted(_ text: String) -> String { "'" + text.replacingOccurrences(of: "'", with: "'\\''") + "'" }
        let names = image.environment.filter { $0.key.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_]*/) != nil }.sorted { $0.key < $1.key }
        return """
            #!/bin/busybox sh
            B=/bin/busybox
            $B mkdir -p /proc /sys /dev /root
            $B mount -t proc proc /proc
            $B mount -t sysfs sysfs /sys
            $B mount -t devtmpfs devtmpfs /dev
            for m in \(modules.joined(separator: " ")); do
                $B insmod /modules/$m.ko
            done
            n=0
            until [ -b /dev/vda2 ] || [ $n -ge 100 ]; do $B sleep 0.1; n=$((n + 1)); done
            if ! $B mount -t ext4 /dev/vda2 /root; then
                echo "terrine: there is no root file system on /dev/vda2"
                exec $B sh
            fi
            for d in proc sys dev; do
                $B mkdir -p /root/$d
                $B mount --move /$d /root/$d
            done
            if $B chroot /root /bin/sh -c 'test -x /sbin/init'; then exec $B switch_root /root /sbin/init; fi
            $B mkdir -p /root/run
            $B mount -t tmpfs -o mode=0755 run /root/run
            \(names.map { "export \($0.key)=\(quoted($0.value))" }.joined(separator: "\n"))
            cd /
            echo "terrine: the image is up" > /root/dev/console
            while :; do
                $B setsid -c $B chroot /root /bin/sh -c \(quoted("cd \(quoted(image.machine.workingFolder)) 2>/dev/null || cd /; exec /bin/sh -i")) <> /root/dev/console >&0 2>&1
                $B sleep 1
            done

            """
    }
}
