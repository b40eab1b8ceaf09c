import Configuration
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A client of one Docker Engine. Each request has its own connection.
struct DockerEngine: Sendable {
    /// The limits for an Engine's time and responses.
    struct Limits: Sendable {
        var connect = TimeAmount.seconds(5)
        /// For the head of a response.
        var head = TimeAmount.seconds(10)
        /// For a whole response, except the stream of events.
        var answer = TimeAmount.seconds(30)
        var answerMebibytes = 64
        var eventMebibytes = 1
        /// Events that wait to be consumed.
        var queuedEvents = 4096
    }

    /// The oldest API version that has everything Limpet uses.
    private static let versionMin = DockerAPIVersion(major: 1, minor: 24)
    /// The newest API version whose responses are known.
    private static let versionMax = DockerAPIVersion(major: 1, minor: 47)

    let endpoint: DockerEndpoint
    let limits: Limits
    /// The version that the Engine reports, such as `28.1.1`.
    let engineVersion: String
    /// The API version in use.
    let apiVersion: DockerAPIVersion

    /// Queries the Engine's version and chooses the newest API version that both sides know. If the Engine no longer
    /// supports any version that Limpet knows, its oldest one is used.
    ///
    /// - Throws: `DockerEngineError`.
    static func connect(to endpoint: DockerEndpoint, limits: Limits = Limits()) async throws -> DockerEngine {
        struct Version: Decodable {
            let Version: String?
            let ApiVersion: String?
            let MinAPIVersion: String?
        }
        let request = DockerRequest(endpoint: endpoint, limits: limits, path: "/version", version: nil)
        let answer = try await request.answer()
        guard answer.status == 200 else { throw request.error(answer) }
        guard let version = try? JSONDecoder().decode(Version.self, from: Data(answer.body)),
            let newest = version.ApiVersion.flatMap(DockerAPIVersion.init)
        else { throw request.error(.foreign("it reports no API version")) }
        guard newest >= versionMin else { throw request.error(.outdated(newest.description)) }
        let oldest = version.MinAPIVersion.flatMap(DockerAPIVersion.init) ?? versionMin
        return DockerEngine(
            endpoint: endpoint, limits: limits, engineVersion: String((version.Version ?? "unknown").prefix(40)),
            apiVersion: max(min(newest, versionMax), oldest))
    }

    /// All containers, including those that are not running.
    ///
    /// - Throws: `DockerEngineError`.
    func containers() async throws -> [DockerListing] {
        let request = request("/containers/json", query: "all=1")
        let answer = try await request.answer()
        guard answer.status == 200 else { throw request.error(answer) }
        return try request.decode(answer, as: [DockerListing].self)
    }

    /// One container; nil if it no longer exists.
    ///
    /// - Throws: `DockerEngineError`.
    func container(_ id: String) async throws -> DockerContainer? {
        guard !id.isEmpty, id.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else { return nil }
        let request = request("/containers/\(id)/json")
        let answer = try await request.answer()
        if answer.status == 404 { return nil }
        guard answer.status == 200 else { throw request.error(answer) }
        return try request.decode(answer, as: DockerContainer.self)
    }

    /// The container events from now on and, as far as the Engine remembers them, since `since`. The caller must close
    /// the stream.
    ///
    /// - Parameter since: nanoseconds since 1970.
    /// - Throws: `DockerEngineError` if the stream does not begin.
    func events(since: Int64) async throws -> DockerEvents {
        let types = "%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%7D"
        let (seconds, rest) = max(since, 0).quotientAndRemainder(dividingBy: 1_000_000_000)
        let fraction = String(String(rest + 1_000_000_000).dropFirst())
        return try await request("/events", query: "since=\(seconds).\(fraction)&filters=\(types)").events()
    }

    private func request(_ path: String, query: String? = nil) -> DockerRequest {
        DockerRequest(endpoint: endpoint, limits: limits, path: path, query: query, version: apiVersion)
    }
}

/// A version of the Engine's API, such as 1.41.
struct DockerAPIVersion: Comparable, Sendable, CustomStringConvertible {
    let major: Int
    let minor: Int

    init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let major = Int(decimal: parts[0]), let minor = Int(decimal: parts[1]) else {
            return nil
        }
        self.init(major: major, minor: minor)
    }

    static func < (left: DockerAPIVersion, right: DockerAPIVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }

    var description: String { "\(major).\(minor)" }
}
