import HTTPWire
import LimpetTestKit
import Testing

/// The published cases of aws/http-desync-guardian, read from where `LIMPET_CASES` says.
@Suite("Desync cases of others")
struct DesyncCasesTests {
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
        .enabled(
            if: DesyncCase.folder != nil, "SKIPPED: set LIMPET_CASES to the folder that holds http-desync-guardian/"))
    func tiers() throws {
        let cases = try DesyncCase.all(in: #require(DesyncCase.folder))
        #expect(cases.count >= 150)
        for one in cases {
            let isAccepted = scanRequest(one.head).values != nil
            let text = "\(one.tier) case '\(one.name)': \(latin1(one.head).debugDescription)"
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
}
