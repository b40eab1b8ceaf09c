import Foundation
import HTTPWire
import Testing
import Yams

/// The published cases of aws/http-desync-guardian, read from where `LIMPET_CASES` says.
@Suite("Desync cases of others")
struct DesyncCasesTests {
    private static var folder: String? { ProcessInfo.processInfo.environment["LIMPET_CASES"] }

    private struct Case {
        var name: String
        var tier: String
        var request: [UInt8]
    }

    /// Suspicious cases that are accepted, and why that is safe.
    private static let acceptedOnPurpose: [String: String] = {
        // RFC 9110 §9.3.1 leaves open what a body of GET or HEAD means, not where it ends: it is framed by one field,
        // and passed on with that field and in full, so that every parser behind us finds the same end.
        let framedOnce = "the body is framed once, and passed on with its framing"
        return [
            "Get with a body and Content-Length": framedOnce, "Get with a body and Transfer-Encoding": framedOnce,
            "Head with a body and Content-Length": framedOnce, "Head with a body and Transfer-Encoding": framedOnce,
            "Has a CL in GET": framedOnce, "Has a TE in GET": framedOnce,
        ]
    }()
    /// Compliant cases that are refused, and why.
    private static let refusedOnPurpose: [String: String] = {
        let codings = "any transfer coding but chunked alone is refused: backends differ on lists and parameters"
        return [
            "Different Transfer-Encoding headers": codings, "Different Transfer-Encoding headers combined": codings,
            "Transfer-Encoding with a param: chunked;custom_param": codings, "Correct TE OK": codings,
            "TE with custom parameters OK": codings, "Transfer-Encoding: identity and chunked OK": codings,
            "Multiple transfer encoding headers in a single request OK": codings,
            "Compliant URL": "the target holds #, which RFC 9112 §3.2 does not allow",
            "International in URI": "the target holds bytes above ASCII, which RFC 3986 does not allow",
            "Empty URI": "the request line has no target",
        ]
    }()

    @Test(
        "what is severe or ambiguous is refused, what is compliant is accepted",
        .enabled(if: folder != nil, "SKIPPED: set LIMPET_CASES to the folder that holds http-desync-guardian/"))
    func tiers() throws {
        let cases = try Self.cases(in: #require(Self.folder) + "/http-desync-guardian")
        #expect(cases.count >= 150)
        for one in cases {
            let isAccepted = scanRequest(one.request).values != nil
            let text = "\(one.tier) case '\(one.name)': \(latin1(one.request).debugDescription)"
            switch one.tier {
            case "Severe", "Ambiguous":
                #expect(isAccepted == (Self.acceptedOnPurpose[one.name] != nil), "\(text)")
            case "Compliant":
                #expect(isAccepted == (Self.refusedOnPurpose[one.name] == nil), "\(text)")
            default:
                #expect(one.tier == "Acceptable", "\(text)")
            }
        }
    }

    private static func cases(in folder: String) throws -> [Case] {
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".yaml") }
        return try files.sorted().flatMap { file in
            let text = try String(contentsOfFile: folder + "/" + file, encoding: .utf8)
            let nodes = try #require(Yams.compose(yaml: text)?.sequence)
            return try nodes.map { try one($0) }
        }
    }

    /// The raw request of a case. The cases leave Host out, which is not what they are about.
    private static func one(_ node: Node) throws -> Case {
        func text(_ node: Node?) -> String { node?.scalar?.string ?? "" }
        let version = text(node["version"])
        var request = "\(text(node["method"])) \(text(node["uri"]))" + (version.isEmpty ? "" : " " + version) + "\r\n"
        var lines = ""
        var hasHost = false
        for header in node["headers"]?.sequence ?? [] {
            hasHost = hasHost || text(header["name"]).lowercased() == "host"
            lines += "\(text(header["name"])): \(text(header["value"]))\r\n"
        }
        request += (hasHost ? "" : "Host: localhost\r\n") + lines + "\r\n"
        return Case(
            name: text(node["name"]), tier: text(node["expected"]?["tier"]), request: Array(request.utf8))
    }
}
