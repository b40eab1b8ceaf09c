import Foundation
import NIOHTTP1

/// The contents of the admin listener.
struct AdminPage: Sendable {
    let replica: String
    let phase: ReplicaPhase
    let source: any AdminSource

    enum Request: Equatable, Sendable {
        case text(HTTPResponseStatus, String)
        case metrics
        case api(APIPath)
    }

    /// A gathered response.
    struct Answer: Sendable {
        var status = HTTPResponseStatus.ok
        var type = "application/json"
        var body: String
    }

    /// - Parameter isRead: whether the method is GET or HEAD.
    func request(isRead: Bool, uri: String) -> Request {
        let path = uri.prefix { $0 != "?" }
        let api = APIPath(uri)
        let isKnown =
            if case .nothing = api { false } else { api != nil || ["/ping", "/ready", "/metrics"].contains(path) }
        guard isKnown else { return .text(.notFound, "404 page not found\n") }
        guard isRead else { return .text(.methodNotAllowed, "only GET and HEAD are allowed\n") }
        if let api { return .api(api) }
        return switch (path, phase.current) {
        case ("/metrics", _): .metrics
        case ("/ping", .starting), (_, .serving): .text(.ok, "OK")
        case (_, .starting): .text(.serviceUnavailable, "starting")
        case (_, .stopping): .text(.serviceUnavailable, "stopping")
        }
    }

    var isServing: Bool { phase.current != .stopping }

    func metrics() async -> Answer {
        Answer(
            type: "text/plain; version=0.0.4; charset=utf-8",
            body: Measurements.text(await source.snapshot(), ProcessMetrics.current(), replica: replica))
    }

    func answer(_ path: APIPath) async throws -> Answer {
        switch path {
        case .fleet: return Answer(body: try await source.fleet().json())
        case .overview: return try Self.json(await source.overview())
        case .routers: return try Self.json(await source.routers())
        case .services: return try Self.json(await source.services())
        case .router(let name):
            return try Self.found(await source.routers().first { $0.name == name }, "router \(name) does not exist")
        case .service(let name):
            return try Self.found(await source.services().first { $0.name == name }, "service \(name) does not exist")
        case .session(let fingerprint, let name):
            return try Self.found(
                await source.session(fingerprint, service: name), "service \(name) does not exist")
        case .nothing(let message): return try Self.refusal(.notFound, message)
        case .mistake(let message): return try Self.refusal(.badRequest, message)
        }
    }

    private static func found(_ value: (some Encodable)?, _ otherwise: String) throws -> Answer {
        guard let value else { return try refusal(.notFound, otherwise) }
        return try json(value)
    }

    /// An error body in the same form as Traefik's.
    private static func refusal(_ status: HTTPResponseStatus, _ message: String) throws -> Answer {
        try json(["message": message], status: status)
    }

    private static func json(_ value: some Encodable, status: HTTPResponseStatus = .ok) throws -> Answer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Answer(status: status, body: String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}
