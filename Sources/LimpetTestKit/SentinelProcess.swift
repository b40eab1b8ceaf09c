import Foundation
import Synchronization

/// A dedicated Redis Sentinel for a test, on a free port of the loopback interface, with a directory for what it writes
/// into its configuration. It is killed when the last reference is released.
package final class SentinelProcess: Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    package let port: Int
    private let host: String
    private let directory: String
    private let process: Mutex<ChildProcess?>

    private var configurationPath: String { "\(directory)/sentinel.conf" }

    /// Starts it. Returns when it responds.
    ///
    /// - Parameters:
    ///   - lines: further lines of its configuration, such as `sentinel monitor …`.
    ///   - host: an address of the loopback interface.
    ///   - port: any free port by default.
    package init(_ lines: [String], host: String = "127.0.0.1", port: Int? = nil) throws {
        self.host = host
        self.port = try port ?? LoopbackPort.free()
        directory = TemporaryFile.path()
        process = Mutex(nil)
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let first = ["bind \(host)", "port \(self.port)", "dir \(directory)", "daemonize no", "save \"\""]
        try TextFile.write((first + lines).joined(separator: "\n") + "\n", to: configurationPath)
        try start()
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// What it has written into its configuration: its epochs, and what it knows of others.
    package func configuration() throws -> String { try TextFile.read(configurationPath) }

    /// Only while it does not run.
    package func setConfiguration(_ text: String) throws { try TextFile.write(text, to: configurationPath) }

    /// Starts it again after a `kill`, with what it had written.
    package func start() throws {
        let program = try RedisServer.executable("redis-server")
        let started = try ChildProcess(
            [program.path, configurationPath, "--sentinel"], log: "\(directory)/sentinel")
        process.withLock { $0 = started }
        guard Waiting.until(within: 4, { (try? command("PING"))?.hasPrefix("Could not") == false }) else {
            throw Failure(
                description: "the Sentinel did not start: \((try? TextFile.read(started.outputPath)) ?? "")")
        }
    }

    /// Like `kill -9`.
    package func kill() {
        process.withLock { process in
            process?.kill()
            process = nil
        }
    }

    /// It accepts connections and bytes, but does not respond.
    package func freeze() { process.withLock { $0?.signal(SIGSTOP) } }
    package func thaw() { process.withLock { $0?.signal(SIGCONT) } }

    /// The output of `redis-cli` for a command.
    @discardableResult
    package func command(_ arguments: String...) throws -> String { try command(arguments) }

    @discardableResult
    package func command(_ arguments: [String]) throws -> String {
        try RedisServer.run(["-h", host, "-p", String(port), "-e"] + arguments)
    }
}
