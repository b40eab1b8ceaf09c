import Foundation
import LimpetTestKit

/// Servers and clients for Python: programs that tests write, which run with packages that are installed.
enum PythonPeers {
    /// The Python of `LIMPET_TEST_PYTHON`, or of the system; nil where it lacks one of the modules.
    static func python(importing modules: String) -> String? {
        let path = ProcessInfo.processInfo.environment["LIMPET_TEST_PYTHON"] ?? "/usr/bin/python3"
        guard FileManager.default.isExecutableFile(atPath: path) else { return nil }
        let outcome = try? CommandOutcome(running: [path, "-c", "import \(modules)"])
        return outcome?.end == .exited(0) ? path : nil
    }

    /// Runs `body` while the program is a server at each of the fleet's own backends, started as
    /// `serve own0 PORT`, … Blocks.
    static func serve(_ fleet: Fleet, _ command: [String], _ body: () throws -> Void) throws {
        try serve(fleet.options.ownBackends, in: fleet.directory, command, body)
    }

    /// Likewise, at these ports.
    static func serve(_ ports: [Int], in directory: String, _ command: [String], _ body: () throws -> Void) throws {
        let servers = try ports.enumerated().map { index, port in
            try ChildProcess(command + ["serve", "own\(index)", "\(port)"], log: "\(directory)/own\(index)")
        }
        defer { for server in servers { server.kill() } }
        for port in ports {
            guard Waiting.until(within: 20, { (try? TCPSocket(port: port)) != nil }) else {
                let errors = servers.map { (try? TextFile.read($0.errorPath)) ?? "" }
                throw Unexpected(description: "a server for Python does not listen: \(errors)")
            }
        }
        try body()
    }

    /// Runs the program as clients of all replicas, `ask PORT,PORT,… COUNT`, and returns the words of each line that
    /// it prints. Blocks.
    static func ask(_ fleet: Fleet, _ command: [String], _ count: Int) throws -> [[Substring]] {
        let ports = fleet.ports.map(String.init).joined(separator: ",")
        let outcome = try CommandOutcome(running: command + ["ask", ports, "\(count)"])
        guard outcome.end == .exited(0) else { throw Unexpected(description: outcome.errors) }
        return outcome.output.split(separator: "\n").map { $0.split(separator: " ") }
    }
}
