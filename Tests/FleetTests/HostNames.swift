import Foundation
import LimpetTestKit

/// A command that gives what it runs files of its own in place of `/etc/hosts` and `/etc/resolv.conf`, by a mount
/// namespace: only there do names of machines mean what a test says.
struct HostNames: Sendable {
    let prefix: [String]

    /// - Parameters:
    ///   - directory: where the files are put.
    ///   - hosts: names that stand in `/etc/hosts`, all of 127.0.0.1.
    ///   - nameServer: the address of the server that is asked for all others; it is waited for as long as the system
    ///     waits unless told otherwise: five seconds, twice.
    init(in directory: String, hosts: [String], nameServer: String) throws {
        let files = [
            ("/etc/hosts", "127.0.0.1 \(hosts.joined(separator: " "))\n"),
            ("/etc/resolv.conf", "nameserver \(nameServer)\n"),
            ("/etc/nsswitch.conf", "hosts: files dns\n"),
        ]
        var script = ""
        for (path, text) in files where FileManager.default.fileExists(atPath: path) {
            let own = "\(directory)/\(path.split(separator: "/").last ?? "")"
            try TextFile.write(text, to: own)
            script += "mount --bind '\(own)' \(path) && "
        }
        prefix = Self.namespace + ["/bin/sh", "-c", script + "exec \"$@\"", "sh"]
    }

    private static let namespace = ["/usr/bin/unshare", "--mount", "--propagation", "private"]

    /// Why names cannot be given other meanings here; nil where they can.
    static let obstacle: String? = {
        guard getuid() == 0 else { return "only root may have a mount namespace and a server on port 53" }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: namespace[0])
        process.arguments = namespace.dropFirst() + ["/bin/sh", "-c", "mount --bind /etc/hosts /etc/resolv.conf"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        do {
            _ = try NameServer()
            try process.run()
        } catch {
            return "\(error)"
        }
        process.waitUntilExit()
        return process.terminationStatus == 0 ? nil : "this kernel gives no mount namespace"
    }()
}
