import Affinity
import Foundation

/// The object that a path under `/api` asks for.
enum APIPath: Equatable, Sendable {
    case fleet
    case overview
    case routers
    case router(String)
    case services
    case service(String)
    case session(Fingerprint, service: String)
    /// Not found, for this reason.
    case nothing(String)
    /// The request's parameters are invalid, for this reason.
    case mistake(String)

    /// Nil: the path is not under `/api`.
    init?(_ uri: String) {
        let parts = uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts[0].split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        guard path.first == "api" else { return nil }
        switch (path.dropFirst().joined(separator: "/"), path.count) {
        case ("fleet", _): self = .fleet
        case ("overview", _): self = .overview
        case ("http/routers", _): self = .routers
        case ("http/services", _): self = .services
        case (let rest, 4) where rest.hasPrefix("http/routers/"): self = Self.named(path.last) { .router($0) }
        case (let rest, 4) where rest.hasPrefix("http/services/"): self = Self.named(path.last) { .service($0) }
        case (let rest, 3) where rest.hasPrefix("sessions/"):
            self = Self.session(path.last ?? "", query: parts.dropFirst().first ?? "")
        default: self = .nothing("404 page not found")
        }
    }

    private static func named(_ text: Substring?, _ make: (String) -> APIPath) -> APIPath {
        guard let name = text?.removingPercentEncoding, !name.isEmpty else {
            return .mistake("the name is empty or not percent-encoded UTF-8")
        }
        return make(name)
    }

    private static func session(_ text: Substring, query: Substring) -> APIPath {
        guard let fingerprint = Fingerprint(hexadecimal: text) else {
            return .mistake("the fingerprint must have 32 hexadecimal digits")
        }
        let service = query.split(separator: "&").first { $0.hasPrefix("service=") }?.dropFirst("service=".count)
        guard let name = service?.replacing("+", with: " ").removingPercentEncoding, !name.isEmpty else {
            return .mistake("the service is missing: add ?service=NAME")
        }
        return .session(fingerprint, service: name)
    }
}
