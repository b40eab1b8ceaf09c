import Foundation
import Yams

/// A case of aws/http-desync-guardian: a request, and what a strict proxy should make of it.
package struct DesyncCase: Sendable {
    package var name: String
    package var tier = ""
    package var method: String
    package var target: String
    package var version = "HTTP/1.1"
    package var fields: [(name: String, value: String)]

    package init(_ name: String, _ method: String, _ target: String, _ fields: [(name: String, value: String)]) {
        (self.name, self.method, self.target, self.fields) = (name, method, target, fields)
    }

    /// Where `LIMPET_CASES` says; nil if it does not.
    package static var folder: String? {
        ProcessInfo.processInfo.environment["LIMPET_CASES"].map { $0 + "/http-desync-guardian" }
    }

    package static func all(in folder: String) throws -> [DesyncCase] {
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".yaml") }
        return try files.sorted().flatMap { file in
            let text = try String(contentsOfFile: folder + "/" + file, encoding: .utf8)
            let nodes = try Yams.compose(yaml: text)?.sequence.map(Array.init) ?? []
            return nodes.map(DesyncCase.init)
        }
    }

    private init(_ node: Node) {
        func text(_ node: Node?) -> String { node?.scalar?.string ?? "" }
        let fields = (node["headers"]?.sequence.map(Array.init) ?? []).map { (text($0["name"]), text($0["value"])) }
        self.init(text(node["name"]), text(node["method"]), text(node["uri"]), fields)
        version = text(node["version"])
        tier = text(node["expected"]?["tier"])
    }

    package var hasHost: Bool { fields.contains { $0.name.lowercased() == "host" } }

    /// The head in HTTP/1.1. The cases leave Host out, which is not what they are about.
    package var head: [UInt8] {
        var head = "\(method) \(target)" + (version.isEmpty ? "" : " " + version) + "\r\n"
        if !hasHost { head += "Host: localhost\r\n" }
        for field in fields { head += "\(field.name): \(field.value)\r\n" }
        return Array((head + "\r\n").utf8)
    }

    /// The same as fields of HTTP/2, a character for each byte.
    ///
    /// - Parameter lowercased: the names are written as HTTP/2 wants them.
    package func block(lowercased: Bool) -> [(String, String)] {
        func byByte(_ text: String) -> String {
            String(String.UnicodeScalarView(text.utf8.map { Unicode.Scalar($0) }))
        }
        let pseudo = [(":method", method), (":scheme", "http"), (":path", target)]
        return (pseudo + (hasHost ? [] : [(":authority", "localhost")])).map { ($0.0, byByte($0.1)) }
            + fields.map { (byByte(lowercased ? $0.name.lowercased() : $0.name), byByte($0.value)) }
    }
}
