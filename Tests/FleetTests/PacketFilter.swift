import Foundation
import LimpetTestKit

/// Rules of the kernel's packet filter (nftables) that cut one replica off from one backend: the packets of the group
/// that the replica runs as. They are in a table of this test's own, which goes when the last reference goes, and with
/// the next filter that is made if the process was killed before.
final class PacketFilter: Sendable {
    /// What becomes of the packets.
    enum Verdict: String, Sendable {
        /// As if the cable were cut: nobody answers.
        case drop
        /// As if the firewall said no.
        case reject = "reject with tcp reset"
    }

    private static let namePrefix = "limpet_test_"
    private let table: String

    /// - Throws: where there are no such rules to be had here.
    init() throws {
        table = "\(Self.namePrefix)\(ProcessInfo.processInfo.processIdentifier)"
        try Self.removeStale()
        try Self.run("add table inet \(table); add chain inet \(table) out { type filter hook output priority 0; }")
    }

    deinit { _ = try? Self.run("delete table inet \(table)") }

    /// Cuts a group off from a port of 127.0.0.1, connections that exist included.
    func cut(group: UInt32, from port: Int, _ verdict: Verdict) throws {
        try Self.run("add rule inet \(table) out meta skgid \(group) tcp dport \(port) \(verdict.rawValue)")
    }

    /// Drops every packet from and to a port of 127.0.0.1, whoever sends it, as if its host were gone.
    func cut(port: Int) throws {
        try Self.run(
            "add rule inet \(table) out tcp dport \(port) drop; add rule inet \(table) out tcp sport \(port) drop")
    }

    /// Drops every packet to a port of 127.0.0.1 but those of one group.
    func cut(port: Int, exceptFrom group: UInt32) throws {
        try Self.run("add rule inet \(table) out meta skgid != \(group) tcp dport \(port) drop")
    }

    /// Counts the connections that a group tries to make to a port of 127.0.0.1, from now on.
    func count(group: UInt32, to port: Int) throws {
        try Self.run(
            "add rule inet \(table) out meta skgid \(group) tcp dport \(port) tcp flags & (syn | ack) == syn counter")
    }

    /// What has been counted, by all rules together.
    func counted() throws -> Int {
        let words = try Self.run("list table inet \(table)").split { $0.isWhitespace }
        return words.indices.dropLast().filter { words[$0] == "packets" }.compactMap { Int(words[$0 + 1]) }.reduce(0, +)
    }

    func heal() throws {
        try Self.run("flush chain inet \(table) out")
    }

    /// What runs a command as a group, otherwise as we are.
    static func prefix(group: UInt32) -> [String] {
        ["/usr/bin/setpriv", "--regid", "\(group)", "--clear-groups"]
    }

    /// Why there can be no such rules here; nil where there can.
    static let obstacle: String? = {
        guard getuid() == 0 else { return "only root may set rules of the packet filter" }
        guard FileManager.default.isExecutableFile(atPath: prefix(group: 0)[0]) else {
            return "setpriv is not installed (apt-get install util-linux)"
        }
        do {
            _ = try PacketFilter()
            return nil
        } catch {
            return "\(error)"
        }
    }()

    /// Tables of processes that are no more.
    private static func removeStale() throws {
        for line in try run("list tables inet").split(separator: "\n") {
            guard let name = line.split(separator: " ").last, name.hasPrefix(namePrefix),
                let pid = Int32(name.dropFirst(namePrefix.count)), kill(pid, 0) != 0
            else { continue }
            try run("delete table inet \(name)")
        }
    }

    /// - Returns: what it prints.
    @discardableResult
    private static func run(_ command: String) throws -> String {
        let paths = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"]
        guard let path = paths.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            throw Unexpected(description: "nft is not installed (apt-get install nftables)")
        }
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = [command]
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
        guard process.terminationStatus == 0 else { throw Unexpected(description: "nft \(command): \(text)") }
        return text
    }
}
