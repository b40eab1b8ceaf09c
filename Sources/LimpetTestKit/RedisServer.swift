import Foundation
import Synchronization

/// A dedicated `redis-server` for a test: a free port of the loopback interface and a Unix socket, an empty directory,
/// no persistence. It is killed when the last reference is released.
package final class RedisServer: Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    package let port: Int
    package let socketPath: String
    private let directory: URL
    private let settings: [String]
    private let process: Mutex<ChildProcess?>

    /// Starts the server. Returns when it responds.
    ///
    /// - Parameters:
    ///   - settings: further arguments, such as `["--maxmemory", "1mb"]`.
    ///   - port: any free port by default.
    package init(_ settings: [String] = [], port: Int? = nil) throws {
        let name = "limpet-redis-\(UInt64.random(in: 0 ... .max))"
        directory = FileManager.default.temporaryDirectory.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        socketPath = directory.appendingPathComponent("redis.sock").path
        self.port = try port ?? LoopbackPort.free()
        self.settings = settings
        process = Mutex(nil)
        try start()
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(at: directory)
    }

    /// Settings of a node of a Redis Cluster that owns no slot. Its bus has a port of its own: the default, 10,000
    /// above the server's, may be in use by an outgoing connection, and Redis then ends at once.
    package static func clusterNode() throws -> [String] {
        try ["--cluster-enabled", "yes", "--cluster-port", String(LoopbackPort.free())]
    }

    package var pid: Int32 { process.withLock { $0?.pid ?? 0 } }

    /// Starts the server after a `kill`, on the same port and socket: empty, or with what a `SAVE` has written.
    package func start() throws {
        let program = try Self.executable("redis-server").path
        let fixed = [
            "--bind", "127.0.0.1", "--port", String(port), "--unixsocket", socketPath, "--dir", directory.path,
            "--save", "", "--appendonly", "no", "--daemonize", "no", "--enable-debug-command", "yes",
        ]
        let started = try ChildProcess(
            [program] + fixed + settings, log: directory.appendingPathComponent("server").path)
        process.withLock { $0 = started }
        let responds = try Waiting.until(within: 4) {
            if let end = started.ended { throw Failure(description: failure("ended: \(end)", started)) }
            return FileManager.default.fileExists(atPath: socketPath) && (try? command("PING")) != nil
        }
        guard responds else { throw Failure(description: failure("did not answer within 4 s", started)) }
    }

    private func failure(_ event: String, _ started: ChildProcess) -> String {
        "redis-server \(event)\n\((try? TextFile.read(started.outputPath))?.suffix(2000) ?? "")"
    }

    /// Like `kill -9`.
    package func kill() {
        process.withLock { process in
            process?.kill()
            process = nil
        }
        try? FileManager.default.removeItem(atPath: socketPath)
    }

    /// The server accepts connections and bytes, but does not respond.
    package func freeze() { process.withLock { $0?.signal(SIGSTOP) } }
    package func thaw() { process.withLock { $0?.signal(SIGCONT) } }

    /// The output of `redis-cli` for a command.
    @discardableResult
    package func command(_ arguments: String...) throws -> String {
        try command(arguments)
    }

    @discardableResult
    package func command(_ arguments: [String]) throws -> String {
        try Self.run(["-s", socketPath, "-e"] + arguments)
    }

    /// The output of `redis-cli`.
    static func run(_ arguments: [String]) throws -> String {
        let client = Process()
        let output = Pipe()
        client.executableURL = try executable("redis-cli")
        client.arguments = arguments
        client.standardOutput = output
        client.standardError = output
        try client.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        client.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines)
        // An error reply is a valid reply too.
        guard client.terminationStatus == 0 || !text.hasPrefix("Could not connect") else {
            throw Failure(description: text)
        }
        return text
    }

    static func executable(_ name: String) throws -> URL {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        for folder in folders {
            let path = "\(folder)/\(name)"
            if FileManager.default.isExecutableFile(atPath: path) { return URL(fileURLWithPath: path) }
        }
        throw Failure(description: "\(name) is not installed, and these tests need it (apt-get install redis-server)")
    }
}
