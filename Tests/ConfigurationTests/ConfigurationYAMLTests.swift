import Configuration
import Testing

@Suite("A configuration in YAML")
struct ConfigurationYAMLTests {
    static let refused: [(String, String)] = [
        ("fleet: {secret: !ENV LIMPET_SECRET_OF_FLEET}", "1:17: has the tag !ENV"),
        ("log: !!binary aGVsbG8=", "1:6: has the tag tag:yaml.org,2002:binary"),
        ("log: !x {}", "1:6: has the tag !x"), ("log: !x []", "1:6: has the tag !x"),
        ("!x log: {}", "1:1: has the tag !x"), ("? !x [a]\n: b", "1:3: a key must be a string"),
    ]

    @Test("has no tags of its own", arguments: refused.map(\.0))
    func tags(_ yaml: String) throws {
        let expected = try #require(Self.refused.first { $0.0 == yaml }).1
        let advice = ", which is not supported: write the plain value"
        let message = expected.contains("the tag") ? expected + advice : expected
        #expect(ConfigurationSample.diagnostics(yaml) == [message])
    }

    @Test("takes the tags of YAML's core, and the words that look like others' values")
    func coreTags() throws {
        let yaml = """
            !!map
            replica: { name: !!str null, threads: !!int 2 }
            http: { services: { 2001-01-01: { loadBalancer: { servers: !!seq [{ url: "http://a" }] } } } }
            """
        let configuration = try ConfigurationSample.read(yaml).configuration
        #expect(configuration.replica.name == "null" && configuration.replica.threads == 2)
        #expect(configuration.http.services.map(\.name) == ["2001-01-01"])
    }

    @Test(
        "has each key once, however it is written",
        arguments: [
            (
                "replica: { !!int threads: 5, threads: 7 }",
                "1:30: \"threads\" is defined twice in one mapping"
            ),
            ("http: { routers: { 5: {}, \"5\": {} } }", "\"5\" is defined twice in one mapping"),
        ])
    func twice(_ yaml: String, _ message: String) {
        let diagnostics = ConfigurationSample.diagnostics(yaml)
        #expect(diagnostics.count == 1 && diagnostics[0].hasSuffix(message), "\(diagnostics)")
    }
}
