import Testing

@testable import Routing

@Suite("The hosts of a rule")
struct RuleHostTests {
    @Test(
        "bind it where it holds for them alone",
        arguments: [
            ("Host(`a`)", true), ("Host(`*.a`)", true), ("Host(`a`) && Path(`/`)", true), ("Path(`/`)", false),
            ("Host(`a`) || Host(`b`)", true), ("Host(`a`) || Path(`/`)", false), ("!Host(`a`)", false),
            ("!(!Host(`a`))", true), ("!(!Host(`a`) || Path(`/`))", true), ("!(!Host(`a`) && Path(`/`))", false),
            ("HostRegexp(`a`)", false), ("Host(`*`)", false),
        ])
    func bound(_ rule: String, _ isBound: Bool) throws {
        #expect(try Rule(rule).isBoundToHosts == isBound)
    }

    @Test(
        "say for which others it can hold",
        arguments: [
            ("Host(`a.x`)", true), ("Host(`b.x`)", false), ("Host(`*.x`)", true), ("Host(`*.a.x`)", false),
            ("Path(`/`)", true), ("Path(`/`) && !Host(`a.x`)", false), ("Path(`/`) && !Host(`*.x`)", false),
            ("!Path(`/`)", true), ("!(Path(`/`) || Host(`a.x`))", false), ("!(Path(`/`) && Host(`b.x`))", true),
            ("HostRegexp(`^b`)", true), ("Host(`*`)", true), ("!Host(`*`)", false),
        ])
    func mayHold(_ rule: String, _ mayHold: Bool) throws {
        #expect(try Rule(rule).mayHold("a.x") == mayHold)
    }
}
