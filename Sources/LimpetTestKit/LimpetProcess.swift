import Foundation

/// The program itself, run as a process of its own.
package enum LimpetProgram {
    /// The path of the executable: `limpet` beside the running tests, or what `LIMPET_RELEASE_BIN` names.
    ///
    /// - Throws: where there is none; nothing of the kind can be tested then.
    package static func path() throws -> String {
        if let path = releasePath { return path }
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        for start in [tests, CommandLine.arguments.first ?? ""] {
            let path = URL(fileURLWithPath: start).deletingLastPathComponent().appendingPathComponent("limpet").path
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw ChildProcess.Failure(
            description: "there is no executable limpet beside \(tests): build it with swift build --build-tests")
    }

    /// An optimised build to be measured, where one is named.
    package static var releasePath: String? {
        ProcessInfo.processInfo.environment["LIMPET_RELEASE_BIN"].flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// A replica: `limpet run` as a process of its own, at ports that it keeps when it is started again.
package final class LimpetProcess: Sendable {
    package let name: String
    package let port: Int
    package let adminPort: Int
    /// Of all its logs, without extension; runs after the first append.
    package let log: String
    package let process: ChildProcess
    private let configurationPath: String
    private let prefix: [String]

    /// Starts one, and returns when it is ready to serve. Blocks.
    ///
    /// - Parameters:
    ///   - configuration: the text of its configuration file, given its ports.
    ///   - prefix: a command that runs it, such as `prlimit`.
    package convenience init(
        _ name: String, in directory: String, prefix: [String] = [],
        configuration: (_ port: Int, _ adminPort: Int) -> String
    ) throws {
        let (port, adminPort) = (try LoopbackPort.free(), try LoopbackPort.free())
        let path = "\(directory)/\(name).yml"
        try TextFile.write(configuration(port, adminPort), to: path)
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

    /// Another one in its place, once it has ended. Blocks until that is ready.
    ///
    /// - Parameter configuration: the text of its configuration file, given its ports; the same unless given.
    package func startAgain(
        configuration: ((_ port: Int, _ adminPort: Int) -> String)? = nil
    ) throws -> LimpetProcess {
        if let configuration { try TextFile.write(configuration(port, adminPort), to: configurationPath) }
        return try LimpetProcess(name, port, adminPort, log: log, configurationPath, prefix)
    }

    /// Asks it to stop and waits for that: how it ended, or nil if it did not within so many seconds. Blocks.
    @discardableResult
    package func stop(within seconds: Double = 35) -> ChildProcess.End? {
        process.signal(SIGTERM)
        return process.waitForEnd(within: seconds)
    }

    /// Asks the admin listener.
    package func admin(_ path: String) throws -> HTTPResponse {
        try HTTPConnection(port: adminPort).exchange(HTTPRequest("GET", path, fields: ["Connection": "close"]))
    }

    /// One of its metrics, named as it stands in the text, labels included.
    package func metric(_ name: String) throws -> Double? {
        for line in try admin("/metrics").text.split(separator: "\n") where line.hasPrefix(name + " ") {
            return Double(line.dropFirst(name.utf8.count + 1))
        }
        return nil
    }

    /// Whether it asks its store.
    package var usesStore: Bool { (try? metric("limpet_store_available")) == 1 }

    /// Whether none of its event loops asks the store.
    package var isWithoutStore: Bool { (try? metric("limpet_store_loops")) == 0 }

    /// What it has said on standard error, all runs together.
    package var errorLog: String { (try? TextFile.read(process.errorPath)) ?? "" }
}

/// A demonstration backend: `limpet whoami` as a process of its own.
package final class WhoamiProcess: Sendable {
    package let name: String
    package let port: Int
    package let process: ChildProcess
    private let log: String

    /// Starts one, and returns when it takes connections. Blocks.
    ///
    /// - Parameter port: any that is free unless given.
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

    /// Requests that have reached it and that it has not answered. Blocks.
    package func requestsInFlight() throws -> Int {
        let request = HTTPRequest("GET", "/inflight", fields: ["Connection": "close"])
        let answer = try HTTPConnection(port: port).exchange(request)
        guard let count = Int(answer.text.prefix { $0 != "\n" }) else {
            throw HTTPConnection.Malformed(description: "\(name) does not say how many: \(answer.text)")
        }
        return count
    }

    /// Another one in its place, with nothing in its memory, once it has ended. Blocks.
    package func startAgain() throws -> WhoamiProcess {
        try WhoamiProcess(name, in: log, port: port)
    }
}
