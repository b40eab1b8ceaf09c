import Proxy
import Routing
import Testing

@testable import Configuration

@Suite("The keys of a configuration")
struct ConfigurationKeyTests {
    @Test("are taken in any case, as Traefik takes them; names are not")
    func cases() throws {
        let yaml = """
            EntryPoints: { Web: { ADDRESS: ":1" }, web: { address: ":2" } }
            HTTP:
              Routers: { R: { Rule: "Path(`/`)", service: S, entrypoints: [Web], middlewares: [m] } }
              Services: { S: { loadbalancer: { Servers: [{ URL: "http://a" }], passhostheader: false } }, s: { loadBalancer: { servers: [{ url: "http://b" }] } } }
              Middlewares: { m: { HEADERS: { customrequestheaders: { X-a: b } } } }
            """
        let file = try ConfigurationSample.read(yaml)
        #expect(file.warnings == [])
        let configuration = file.configuration
        #expect(configuration.entryPoints.map(\.name) == ["Web", "web"])
        #expect(configuration.http.services.map(\.name) == ["S", "s"])
        #expect(configuration.http.services.map(\.passHostHeader) == [false, true])
        #expect(configuration.http.routers.map(\.router.name) == ["R"])
        #expect(configuration.http.routers[0].router.entryPoints == [0])
        #expect(
            configuration.http.routers[0].middlewares == [
                .headers(.init(requestSet: [.init(name: "X-a", value: "b")]))
            ])
    }

    static let files: [(String, [String])] = [
        (
            "LOG: { Level: loud, FilePath: a, formatt: json }",
            [
                "1:15: log.level: is loud: must be one of trace, debug, info, notice, warning, error, critical",
                "1:21: log.filePath: is not available in this version",
                "1:34: log.formatt: unknown key, did you mean format?",
            ]
        ),
        (
            "log: { level: info, LEVEL: debug }",
            ["1:21: log.LEVEL: is defined twice (first in line 1 as level)"]
        ),
        (
            "replica: {}\nlog: {}\nLog: {}\n",
            ["3:1: Log: is defined twice (first in line 2 as log)"]
        ),
    ]

    @Test("are called as they are to be written where they are wrong", arguments: files.map(\.0))
    func isNamed(_ yaml: String) throws {
        let expected = try #require(Self.files.first { $0.0 == yaml }).1
        #expect(ConfigurationSample.diagnostics(yaml) == expected)
    }

    @Test("of any length cost little, and are not shown whole")
    func longKey() {
        let long = String(repeating: "k", count: 20_000)
        let services = (0..<200).map { "    s\($0): *a\n" }.joined()
        let yaml = "http:\n  services:\n    s: &a\n      ? \(long)\n      : 1\n" + services
        var diagnostics: [String] = []
        let spent = ContinuousClock().measure { diagnostics = ConfigurationSample.diagnostics(yaml) }
        #expect(spent < .seconds(5))
        #expect(
            diagnostics.count == 201 && diagnostics.allSatisfy { $0.utf8.count < 300 }, "\(diagnostics.first ?? "")")
        let names = ConfigurationSample.diagnostics(
            "http: { routers: { r: { rule: \"Path(`/`)\", service: \(long), middlewares: [a@\(long)], entryPoints: [\(long)] } } }"
        )
        #expect(names.count == 3 && names.allSatisfy { $0.utf8.count < 300 })
        let twice = ConfigurationSample.diagnostics("? \(long)\n: 1\n? \(long)\n: 2")
        #expect(twice.count == 1 && twice[0].utf8.count < 300)
    }

    @Test("and what is said about them is text in which nothing acts, one line for a mistake and those that show it")
    func visible() {
        let file = ConfigurationReading.diagnostics([
            (
                "a\nb",
                "http: { routers: { \"\\e[31mfoo\": { rule: \"Path(`/\\u202E`) \\n !\", service: \"a\\nb: c\" } } }"
            )
        ])
        #expect(
            file == [
                "a\\nb:1:20: http.routers.\\u001b[31mfoo: a name must not be empty or contain @ or control characters",
                "a\\nb:1:41: http.routers.\\u001b[31mfoo.rule: "
                    + "found \"!\", expected \"&&\", \"||\" or the end of the rule\n     !\n     ^",
                "a\\nb:1:74: http.routers.\\u001b[31mfoo.service: service a\\nb: c is not defined",
            ])
        let labels = ["traefik.http.routers.r.ru\u{1B}\nle": "x", "traefik.http.routers.r.rule": "Path(`/`)"]
        let container = ConfigurationReading.diagnostics([], [ConfigurationReading.container("c", 1, labels)])
        #expect(
            container == [
                "container c: traefik.http.routers.r.ru\\u001b\\nle: unknown key, did you mean rule?"
            ])
        let empty = ConfigurationReading.diagnostics([
            ("f", "http: { routers: { r: { rule: '', service: a@docker } } }")
        ])
        #expect(empty.first == "f:1:31: http.routers.r.rule: the rule is empty")
        let backslash = ConfigurationReading.diagnostics([
            ("f", "http: { routers: { r: { rule: 'PathRegexp(`\t\\d\"(`)', service: a@docker } } }")
        ])
        #expect(
            backslash.first?.hasSuffix("\n    PathRegexp(` \\d\"(`)\n                     ^") == true, "\(backslash)")
    }

    @Test("have rules of at most 16 KiB")
    func longRule() {
        func diagnostics(_ count: Int) -> [String] {
            let rule = "Path(`/\(String(repeating: "a", count: count - 9))`)"
            let service = "services: { s: { loadBalancer: { servers: [{ url: \"http://a\" }] } } }"
            return ConfigurationSample.diagnostics(
                "http: { routers: { r: { rule: \"\(rule)\", service: s } }, \(service) }")
        }
        #expect(diagnostics(16384) == [])
        #expect(
            diagnostics(16385) == [
                "1:31: http.routers.r.rule: has 16385 bytes, but a rule has at most 16384: split it into several routers"
            ])
    }

    @Test("leave the name of a replica to the machine, as far as it can stand in a field")
    func replicaName() throws {
        var process = ConfigurationSample.process
        process.hostName = "höst a\r\n\(String(repeating: "b", count: 200))"
        let file = try ConfigurationFile(yaml: "", file: "f", process: process)
        let expected = "h-st-a--" + String(repeating: "b", count: 118) + "-7"
        #expect(file.configuration.replica.name == expected && expected.utf8.count == 128)
    }
}
