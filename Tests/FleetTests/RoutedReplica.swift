import Foundation
import LimpetTestKit

/// One replica that keeps bindings in its own memory, its backends `b0`, `b1`, …, and a file of routers and services in
/// Traefik's words. Everything here blocks.
final class RoutedReplica: Sendable {
    let directory: String
    private let dynamicPath: String
    let backends: [WhoamiProcess]
    let replica: LimpetProcess
    /// That of the entry point beside `web`, if there is one.
    let otherPort: Int

    /// - Parameters:
    ///   - dynamic: the text of the file, in which `B0`, `B1`, … stand for the URLs of the backends, and `NOBODY` for
    ///     one at which nobody listens.
    ///   - fileName: says by its ending which language the file is written in.
    ///   - providers: further providers, beside the file.
    ///   - entryPoint: one beside `web`, by its name; a free port is taken for it.
    ///   - settings: further lines of the main file.
    init(
        backends count: Int, _ dynamic: String, fileName: String = "dynamic.yml", providers: String = "",
        entryPoint: String? = nil, settings: String = ""
    ) throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("limpet-routed-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let directory = folder.path
        var started: [WhoamiProcess] = []
        do {
            for index in 0..<count { started.append(try WhoamiProcess("b\(index)", in: directory)) }
            let text = try Self.filled(dynamic, started)
            try TextFile.write(text, to: "\(directory)/\(fileName)")
            let other = try LoopbackPort.free()
            otherPort = other
            let otherEntryPoint = entryPoint.map { "  \($0): { address: \"127.0.0.1:\(other)\" }" } ?? ""
            replica = try LimpetProcess("r0", in: directory) { port, adminPort in
                """
                entryPoints:
                  web: { address: "127.0.0.1:\(port)" }
                  admin: { address: "127.0.0.1:\(adminPort)" }
                \(otherEntryPoint)
                replica: { name: r0, threads: 2 }
                providers:
                  { file: { filename: "\(directory)/\(fileName)" }, providersThrottleDuration: 100ms\(providers) }
                \(settings)

                """
            }
        } catch {
            for backend in started { backend.process.kill() }
            try? FileManager.default.removeItem(atPath: directory)
            throw error
        }
        self.directory = directory
        dynamicPath = "\(directory)/\(fileName)"
        backends = started
    }

    /// Replaces the file of routers and services, as editors do.
    func say(_ dynamic: String) throws {
        try TextFile.write(try Self.filled(dynamic, backends), to: dynamicPath + "~")
        guard rename(dynamicPath + "~", dynamicPath) == 0 else {
            throw Unexpected(description: "\(dynamicPath) cannot be replaced")
        }
    }

    private static func filled(_ text: String, _ backends: [WhoamiProcess]) throws -> String {
        var text = text.replacingOccurrences(of: "NOBODY", with: "http://127.0.0.1:\(try LoopbackPort.free())")
        for (index, backend) in backends.enumerated().reversed() {
            text = text.replacingOccurrences(of: "B\(index)", with: "http://127.0.0.1:\(backend.port)")
        }
        return text
    }

    /// Over a connection of its own.
    func exchange(_ target: String = "/", fields: [String: String] = [:], host: String = "test.example") throws
        -> HTTPResponse
    {
        let request = HTTPRequest("GET", target, fields: fields.merging(["Connection": "close"]) { $1 }, host: host)
        return try HTTPConnection(port: replica.port).exchange(request)
    }

    /// The name of the backend that serves a request.
    func backend(_ target: String = "/", fields: [String: String] = [:], host: String = "test.example") throws
        -> String
    {
        try exchange(target, fields: fields, host: host).servedBy()
    }

    /// Those that serve so many requests, one after the other, each over a connection of its own.
    func backends(of requests: Int, _ target: String = "/") throws -> [String] {
        try (0..<requests).map { _ in try backend(target) }
    }

    /// Whether within some seconds the replica finds a backend of a service up, or down.
    func finds(_ isUp: Bool, _ backend: String, of service: String = "app", within seconds: Double = 5) throws -> Bool {
        let metric = "limpet_backend_up{service=\"\(service)\",backend=\"\(backend)\"}"
        return try Waiting.until(within: seconds) { try replica.metric(metric) == (isUp ? 1 : 0) }
    }

    func end() -> ChildProcess.End? {
        let end = replica.stop()
        replica.process.kill()
        for backend in backends { backend.process.kill() }
        try? FileManager.default.removeItem(atPath: directory)
        return end
    }
}
