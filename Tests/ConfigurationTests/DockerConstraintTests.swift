import Testing

@testable import Configuration

@Suite("Constraints of containers")
struct DockerConstraintTests {
    private static let labels = ["tier": "web", "env": "prod-7", "empty": ""]

    @Test(
        "a constraint is met as Traefik would have it",
        arguments: [
            ("Label(`tier`, `web`)", true), ("Label(`tier`,`db`)", false), ("label(\"tier\", \"web\")", true),
            ("Label(`TIER`, `web`)", false), ("Label(`none`, ``)", true), ("Label(`empty`, ``)", true),
            ("LabelRegex(`env`, `prod`)", true), ("LabelRegex(`env`, `^prod-\\d$`)", true),
            ("LabelRegex(`env`, `^rod`)", false), ("LabelRegex(`env`, `(?i)PROD`)", true),
            ("LabelRegex(`none`, `^$`)", true),
            ("!Label(`tier`, `web`)", false), ("! ! Label(`tier`, `web`)", true),
            ("Label(`tier`, `web`) && !Label(`env`, `x`)", true),
            ("Label(`tier`, `db`) && Label(`a`, `b`) || Label(`tier`, `web`)", true),
            ("Label(`tier`, `db`) && (Label(`a`, `b`) || Label(`tier`, `web`))", false),
            (" ( Label( `tier` , `web` ) ) ", true),
            ("Label(\"tier\", \"w\\\"eb\")", false),
        ])
    func met(_ text: String, _ isMet: Bool) throws {
        let constraint = try DockerConstraint(text)
        #expect(constraint.predicate()(Self.labels) == isMet)
    }

    @Test(
        "a mistake is named with its place",
        arguments: [
            ("", "at character 1: found the end, expected Label("), ("Label(`a`)", "at character 10: found \")\""),
            ("Label(`a`, `b`", "expected \")\""),
            ("Label(`a`, `b)", "at character 12: the value that begins here is not closed"),
            ("Tag(`a`)", "at character 1: unknown function Tag"),
            ("Label(`a`,`b`) Label(`c`,`d`)", "expected &&, || or the end"),
            ("Label(`a`,`b`) & Label(`c`,`d`)", "found \"&\""), ("LabelRegex(`a`, `(`)", "invalid regular expression"),
            ("Label(a, b)", "expected a value between backticks"),
            (String(repeating: "!", count: 60) + "Label(`a`,`b`)", "nested more than 50 levels deep"),
            (String(repeating: "(", count: 100_000), "nested more than 50 levels deep"),
            (
                "LabelRegex(`a`, `\(String(repeating: "a", count: 4097))`)",
                "the pattern has 4097 bytes, but at most 4096 are allowed"
            ),
        ])
    func diagnostics(_ text: String, _ message: String) {
        let error = #expect(throws: DockerSettingError.self) { try DockerConstraint(text) }
        #expect(error?.key == "constraints")
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test("a value that is too long for an expression, or an expression that is too costly, is not found")
    func limits() throws {
        let constraint = try DockerConstraint("LabelRegex(`a`, `.`)").predicate()
        #expect(constraint(["a": String(repeating: "x", count: 8192)]))
        #expect(!constraint(["a": String(repeating: "x", count: 8193)]))
        let costly = try DockerConstraint("LabelRegex(`a`, `(a+)+$`)").predicate()
        let begin = ContinuousClock.now
        #expect(!costly(["a": String(repeating: "a", count: 60) + "!"]))
        #expect(ContinuousClock.now - begin < .seconds(1))
    }
}
