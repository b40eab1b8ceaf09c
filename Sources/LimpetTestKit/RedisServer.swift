import Foundation
import Synchronization

/// A real `redis-server` of a test's own: a free port of the loopback and a Unix socket, an empty directory, nothing
/// saved. Killed when the last reference goes.
package final class RedisServer: Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    package let port: Int
    package let socketPath: String
    private let directory: URL
    private let settings: [String]
    private let process: Mutex<Process?>

    /// Starts the server and returns when it answers.
    ///
    /// - Parameters:
    ///   - settings: further arguments, such as `["--maxmemory", "1mb"]`.
    ///   - port: any that is free unless given.
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

    /// Starts it, empty, at the same port and socket, after a `kill`.
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

    /// As `kill -9` does.
    package func kill() {
        process.withLock { process in
            guard let running = process else { return }
            Foundation.kill(running.processIdentifier, SIGKILL)
            running.waitUntilExit()
            process = nil
        }
        try? FileManager.default.removeItem(atPath: socketPath)
    }

    /// It takes connections and bytes, and answers nothing.
    package func freeze() { signal(SIGSTOP) }
    package func thaw() { signal(SIGCONT) }

    /// Nobody, where none runs: the number 0 would mean this process and its like.
    private func signal(_ signal: Int32) {
        guard pid > 0 else { return }
        Foundation.kill(pid, signal)
    }

    /// What `redis-cli` prints for a command.
    @discardableResult
    package func command(_ arguments: String...) throws -> String {
        try command(arguments)
    }

    @discardableResult
    package func command(_ arguments: [String]) throws -> String {
        let client = Process()
        let output = Pipe()
        client.executableURL = try Self.executable("redis-cli")
        client.arguments = ["-s", socketPath, "-e"] + arguments
        client.standardOutput = output
        client.standardError = output
        try client.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        client.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines)
        // An error reply is an answer, too.
        guard client.terminationStatus == 0 || !text.hasPrefix("Could not connect") else {
            throw Failure(description: text)
        }
        return text
    }

    private static func executable(_ name: String) throws -> URL {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        for folder in folders {
            let path = "\(folder)/\(name)"
            if FileManager.default.isExecutableFile(atPath: path) { return URL(fileURLWithPath: path) }
        }
        throw Failure(description: "\(name) is not installed, and these tests need it (apt-get install redis-server)")
    }
}
