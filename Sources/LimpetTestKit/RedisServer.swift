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
    private let process: Mutex<Process?>

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

    package var pid: Int32 { process.withLock { $0?.processIdentifier ?? 0 } }

    /// Starts the server after a `kill`, on the same port and socket: empty, or with what a `SAVE` has written.
    package func start() throws {
        let process = Process()
        process.executableURL = try Self.executable("redis-server")
        process.currentDirectoryURL = directory
        process.arguments =
            [
                "--bind", "127.0.0.1", "--port", String(port), "--unixsocket", socketPath, "--save", "", "--appendonly",
                "no",
            ]
            + ["--daemonize", "no", "--enable-debug-command", "yes"] + settings
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process.withLock { $0 = process }
        for _ in 0..<200 {
            if FileManager.default.fileExists(atPath: socketPath), (try? command("PING")) != nil { return }
            Thread.sleep(forTimeInterval: 0.02)
        }
        throw Failure(description: "redis-server did not answer within 4 s")
    }

    /// Like `kill -9`.
    package func kill() {
        process.withLock { process in
            guard let running = process else { return }
            Foundation.kill(running.processIdentifier, SIGKILL)
            running.waitUntilExit()
            process = nil
        }
        try? FileManager.default.removeItem(atPath: socketPath)
    }

    /// The server accepts connections and bytes, but does not respond.
    package func freeze() { signal(SIGSTOP) }
    package func thaw() { signal(SIGCONT) }

    /// Does nothing if the server is not running: process id 0 would mean this process group.
    private func signal(_ signal: Int32) {
        guard pid > 0 else { return }
        Foundation.kill(pid, signal)
    }

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
