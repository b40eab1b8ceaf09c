import Foundation
import NIOHTTP1

/// What a demonstration backend reports about itself and the request.
struct WhoamiDescription: Encodable {
    struct Field: Encodable {
        let name: String
        let value: String
    }

    let backend: String
    /// The visits of this session at this backend; nil if the request carries no session key.
    let visits: Int?
    let method: String
    let target: String
    let version: String
    let fields: [Field]
    let bodyByteCount: Int

    init(backend: String, visits: Int?, head: HTTPRequestHead, bodyByteCount: Int) {
        self.backend = backend
        self.visits = visits
        method = head.method.rawValue
        target = head.uri
        version = "HTTP/\(head.version.major).\(head.version.minor)"
        fields = head.headers.map { Field(name: $0.name, value: $0.value) }
        self.bodyByteCount = bodyByteCount
    }

    var text: String {
        var lines = ["backend: \(backend)", "visits: \(visits.map(String.init) ?? "no session")"]
        lines.append("body: \(bodyByteCount) bytes")
        lines.append("")
        lines.append("\(method) \(target) \(version)")
        lines += fields.map { "\($0.name): \($0.value)" }
        return lines.joined(separator: "\n") + "\n"
    }

    var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else { return "{}\n" }
        return String(decoding: data, as: UTF8.self) + "\n"
    }
}
