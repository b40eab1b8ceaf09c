import Foundation

/// The `limpet` program, run as a separate process.
package enum LimpetProgram {
    /// The path of the executable: `limpet` next to the running tests, or the path in `LIMPET_RELEASE_BIN`.
    ///
    /// - Throws: if the executable is missing; tests that need one cannot run then.
    package static func path() throws -> String {
        if let path = releasePath { return path }
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        for start in [tests, CommandLine.arguments.first ?? ""] {
            let path = URL(fileURLWithPath: start).deletingLastPathComponent().appendingPathComponent("limpet").path
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw ChildProcess.Failure(
            description: "there is no executable limpet next to \(tests): build it with swift build --build-tests")
    }

    /// The path of an optimised build for measurements, if the environment names one.
    package static var releasePath: String? {
        ProcessInfo.processInfo.environment["LIMPET_RELEASE_BIN"].flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// A replica: `limpet run` as a separate process, on ports that it keeps across restarts.
package final class LimpetProcess: Sendable {
    package let name: String
    package let port: Int
    package let adminPort: Int
    /// The path of all its logs, without extension; each run appends to the logs of the previous one.
    package let log: String
    package let process: ChildProcess
    private let configurationPath: String
    private let prefix: [String]

    /// Starts a replica. Returns when it is ready to serve. Blocks.
    ///
    /// - Parameters:
    ///   - configuration: returns the text of the configuration file for the given ports.
    ///   - prefix: a command that runs the program, such as `prlimit`.
    package convenience init(
        _ name: String, in directory: String, prefix: [String] = [],
        configuration: (_ port: Int, _ adminPort: Int) -> String
    ) throws {
        let (port, adminPort) = (try LoopbackPort.free(), try LoopbackPort.free())
        let path = "\(directory)/\(name).yml"
        try TextFile.write(DirectSend.applied(to: configuration(port, adminPort)), to: path)
        try self.init(name, port, adminPort, log: "\(directory)/\(name)", path, prefix)
    }

    private init(
        _ name: String, _ port: Int, _ adminPort: Int, log: String, _ configurationPath: String, _ prefix: [String]
    ) throws {
        (self.name, self.port, self.adminPort, self.log) = (name, port, adminPort, log)
        (self.configurationPath, self.prefix) = (configurationPath, prefix)
        process = try ChildProcess(
            prefix + [LimpetProgram.path(), "run", "--config", configurationPath], log: log)
        try awaitReady()
    }

    private func awaitReady() throws {
        let isReady = Waiting.poll(within: 20) {
            process.ended == nil ? (try? admin("/ready"))?.status == 200 ? true : nil : false
        }
        guard isReady == true else {
            let said = (try? TextFile.read(process.errorPath)) ?? ""
            throw ChildProcess.Failure(description: "replica \(name) did not get ready: \(said)")
        }
    }

    /// Starts a replacement on the same ports, after this one has ended. Blocks until the replacement is ready.
    ///
    /// - Parameter configuration: returns the text of the configuration file for the given ports; unchanged by default.
    package func startAgain(
        configuration: ((_ port: Int, _ adminPort: Int) -> String)? = nil
    ) throws -> LimpetProcess {
        if let configuration {
            try TextFile.write(DirectSend.applied(to: configuration(port, adminPort)), to: configurationPath)
        }
        return try LimpetProcess(name, port, adminPort, log: log, configurationPath, prefix)
    }

    /// Sends SIGTERM and waits up to `seconds`. Returns how the process ended; nil if it is still running. Blocks.
    @discardableResult
    package func stop(within seconds: Double = 35) -> ChildProcess.End? {
        process.signal(SIGTERM)
        return process.waitForEnd(within: seconds)
    }

    /// Sends a request to the admin listener.
    package func admin(_ path: String) throws -> HTTPResponse {
        try HTTPConnection(port: adminPort).exchange(HTTPRequest("GET", path, fields: ["Connection": "close"]))
    }

    /// The value of a metric. The name must match the text format exactly, including labels.
    package func metric(_ name: String) throws -> Double? {
        for line in try admin("/metrics").text.split(separator: "\n") where line.hasPrefix(name + " ") {
            return Double(line.dropFirst(name.utf8.count + 1))
        }
        return nil
    }

    /// Whether the replica uses its store.
    package var usesStore: Bool { (try? metric("limpet_store_available")) == 1 }

    /// Whether all event loops of the replica are without the store.
    package var isWithoutStore: Bool { (try? metric("limpet_store_loops")) == 0 }

    /// The standard error of all runs together.
    package var errorLog: String { (try? TextFile.read(process.errorPath)) ?? "" }
}

/// A demonstration backend: `limpet whoami` as a separate process.
package final class WhoamiProcess: Sendable {
    package let name: String
    package let port: Int
    package let process: ChildProcess
    private let log: String

    /// Starts a backend. Returns when it accepts connections. Blocks.
    ///
    /// - Parameter port: any free port by default.
    package init(_ name: String, in directory: String, port: Int? = nil) throws {
        self.name = name
        self.port = try port ?? LoopbackPort.free()
        log = directory
        process = try ChildProcess(
            [LimpetProgram.path(), "whoami", "--listen", "127.0.0.1:\(self.port)", "--name", name],
            log: "\(directory)/\(name)")
        guard Waiting.until(within: 20, { (try? TCPSocket(port: self.port)) != nil }) else {
            throw ChildProcess.Failure(description: "backend \(name) did not start")
        }
    }

    /// The number of requests that the backend has received and not answered. Blocks.
    package func requestsInFlight() throws -> Int {
        let request = HTTPRequest("GET", "/inflight", fields: ["Connection": "close"])
        let answer = try HTTPConnection(port: port).exchange(request)
        guard let count = Int(answer.text.prefix { $0 != "\n" }) else {
            throw HTTPConnection.Malformed(description: "\(name) does not say how many: \(answer.text)")
        }
        return count
    }

    /// Starts a replacement without any state on the same port, after this one has ended. Blocks.
    package func startAgain() throws -> WhoamiProcess {
        try WhoamiProcess(name, in: log, port: port)
    }
}
