import Foundation
import LimpetTestKit
import Testing

@testable import Configuration

@Suite("The files of a configuration")
struct ConfigurationFilesTests {
    /// A directory with these files, gone after the test.
    private static func with(_ files: [String: String], _ body: (String) throws -> Void) throws {
        let root = TemporaryFile.path()
        defer { try? FileManager.default.removeItem(atPath: root) }
        for (name, text) in files {
            let url = URL(fileURLWithPath: "\(root)/\(name)")
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        try body(root)
    }

    private static let service = "http: { services: { a: { loadBalancer: { servers: [{ url: \"http://a\" }] } } } }"
    private static let router = "[http.routers.r]\nrule = \"Path(`/`)\"\nservice = \"a\"\n"

    @Test("in a directory are all of YAML and TOML, those of its directories too, by their paths")
    func directory() throws {
        let files = ["b.toml": "", "a/z.yaml": "", "a.yml": "", "a.txt": "", ".hidden.yml": "", "..data/x.yml": ""]
        try Self.with(files) { root in
            let read = DynamicFiles.read(path: root)
            #expect(read.files.map { $0.name.dropFirst(root.count + 1) } == ["a.yml", "a/z.yaml", "b.toml"])
            #expect(read.files.map(\.format) == [.yaml, .yaml, .toml] && read.diagnostics.isEmpty)
        }
    }

    @Test("that cannot be read are mistakes, each with its reason")
    func unreadable() throws {
        #expect(
            DynamicFiles.read(.file("/nowhere/a.yml")).diagnostics.map(\.description) == [
                "/nowhere/a.yml: cannot be read: no such file or directory"
            ])
        #expect(
            DynamicFiles.read(.directory("/nowhere")).diagnostics.map(\.description) == [
                "/nowhere: cannot be read: no such file or directory"
            ])
        try Self.with(["a.yml": ""]) { root in
            try Data([0x61, 0xFF]).write(to: URL(fileURLWithPath: "\(root)/a.yml"))
            #expect(
                DynamicFiles.read(path: root).diagnostics.map(\.description) == ["\(root)/a.yml: is not valid UTF-8"])
        }
    }

    @Test("that are pipes or links to nothing are not waited for")
    func pipes() throws {
        try Self.with(["a.yml": ""]) { root in
            #expect(mkfifo("\(root)/pipe.yml", 0o600) == 0)
            try FileManager.default.createSymbolicLink(atPath: "\(root)/x.toml", withDestinationPath: "nowhere")
            #expect(
                Set(DynamicFiles.read(path: root).diagnostics.map(\.description)) == [
                    "\(root)/pipe.yml: is not a regular file", "\(root)/x.toml: is not a regular file",
                ])
        }
    }

    @Test("that are named one by one are not waited for either, whatever names them")
    func namedPipes() throws {
        try Self.with(["x/a.yml": ""]) { root in
            let pipe = "\(root)/pipe.yml"
            #expect(mkfifo(pipe, 0o600) == 0)
            #expect(
                DynamicFiles.read(.file(pipe)).diagnostics.map(\.description) == [
                    "\(pipe): cannot be read: not a regular file"
                ]
            )
            #expect(
                ConfigurationSample.diagnostics("fleet: { secretFile: \(pipe) }") == [
                    "1:22: fleet.secretFile: \(pipe) cannot be read: not a regular file"
                ])
        }
    }

    @Test("that follow links in a circle come to an end")
    func circle() throws {
        try Self.with(["d/a.yml": ""]) { root in
            try FileManager.default.createSymbolicLink(atPath: "\(root)/d/loop", withDestinationPath: "..")
            let read = DynamicFiles.read(path: root)
            #expect(read.files.map(\.name) == ["\(root)/d/a.yml"])
            #expect(
                read.diagnostics.map(\.description) == ["\(root)/d/loop: is a link back to a directory above it"])
        }
    }

    @Test("that two links lead to are read by both paths")
    func twoLinks() throws {
        try Self.with(["top/a.yml": "", "b/c.yml": ""]) { root in
            for name in ["x", "y"] {
                try FileManager.default.createSymbolicLink(
                    atPath: "\(root)/top/\(name)", withDestinationPath: "../b")
            }
            let read = DynamicFiles.read(path: "\(root)/top")
            #expect(read.files.map { $0.name.dropFirst(root.count + 5) } == ["a.yml", "x/c.yml", "y/c.yml"])
            #expect(read.diagnostics.isEmpty)
        }
    }

    @Test("of the file provider are read with the main one, and linked with it")
    func provider() throws {
        try Self.with(["a.yml": Self.service, "r.toml": Self.router]) { root in
            let providers = "providers: { file: { directory: \(root), watch: false }, providersThrottleDuration: 1s }\n"
            let main = "http: { routers: { q: { rule: \"Path(`/q`)\", service: a } } }"
            let file = try ConfigurationSample.read(providers + main)
            #expect(file.configuration.http.routers.map(\.name) == ["q", "r"])
            #expect(file.configuration.http.services.map(\.name) == ["a"])
            #expect(file.sources.map(\.name) == ["f", "\(root)/a.yml", "\(root)/r.toml"])
            let settings = ProviderSettings(
                file: FileProviderSettings(source: .directory(root), isWatched: false), throttle: .seconds(1))
            #expect(file.configuration.providers == settings)
        }
    }

    @Test("of the file provider with a mistake refuse the whole")
    func providerMistake() throws {
        try Self.with(["a.yml": Self.service, "b.yml": "http: { routers: { r: { rle: x } } }"]) { root in
            #expect(
                ConfigurationSample.diagnostics("providers: { file: { directory: \(root) } }").count == 3)
            #expect(
                ConfigurationSample.diagnostics("providers: { file: { filename: \(root)/c.yml } }")
                    == [
                        "1:32: providers.file.filename: \(root)/c.yml cannot be read: no such file or directory"
                    ])
        }
    }

    @Test("are named by providers that are read down to each value")
    func dockerProvider() throws {
        let yaml = """
            providers:
              docker:
                endpoint: "tcp://127.0.0.1:2375"
                exposedByDefault: false
                defaultRule: "Host(`{{ .Name }}`)"
                constraints: "Label(`a`,`b`)"
                network: front
                watch: false
                allowEmptyServices: true
            """
        var docker = DockerProviderSettings()
        #expect(try ConfigurationSample.read("providers: { docker: {} }").configuration.providers.docker == docker)
        docker.endpoint = "tcp://127.0.0.1:2375"
        docker.exposedByDefault = false
        docker.defaultRule = "Host(`{{ .Name }}`)"
        docker.constraints = "Label(`a`,`b`)"
        docker.network = "front"
        docker.watch = false
        docker.allowEmptyServices = true
        #expect(try ConfigurationSample.read(yaml).configuration.providers.docker == docker)
        #expect(try ConfigurationSample.read("").configuration.providers == ProviderSettings())
    }

    static let mistaken: [(String, [String])] = [
        (
            "providers: { file: {}, dokcer: {}, consul: {}, docker: { useBindPortIP: true, exposedByDefault: 1 } }",
            [
                "1:14: providers.file.filename: is missing: name a file, or set directory instead",
                "1:24: providers.dokcer: unknown key, did you mean docker?",
                "1:36: providers.consul: is not available in this version",
                "1:58: providers.docker.useBindPortIP: is not available in this version",
                "1:97: providers.docker.exposedByDefault: is 1: must be true or false",
            ]
        ),
        (
            "providers: { file: { filename: a, directory: /nowhere, watch: 2 }, providersThrottleDuration: x }",
            [
                ": cannot be combined with directory",
                "1:46: providers.file.directory: /nowhere cannot be read: no such file or directory",
                "1:63: providers.file.watch: is 2: must be true or false",
                "1:95: providers.providersThrottleDuration: is x: must be a duration such as 500ms, 20s or 1m30s, "
                    + "or a whole number of seconds",
            ]
        ),
    ]

    @Test("are named where a provider is wrong", arguments: mistaken.map(\.0))
    func isNamed(_ yaml: String) throws {
        let expected = try #require(Self.mistaken.first { $0.0 == yaml }).1
        let diagnostics = ConfigurationSample.diagnostics(yaml)
        #expect(
            diagnostics.map { $0.replacing("owhere:", with: ":").replacing(/^.*: cannot/, with: ": cannot") }
                == expected)
    }

    @Test("with aliases that multiply are refused, and not expanded")
    func aliases() async throws {
        try await Threads.run {
            var yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            for level in 1...9 {
                let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
                yaml += "a\(level): &a\(level) [\(aliases)]\n"
            }
            let diagnostics = ConfigurationSample.diagnostics(yaml)
            #expect(
                diagnostics.count == 1
                    && diagnostics[0].contains("holds more than 2000000 values, counting those of its aliases")
            )
            let deep = "a: " + String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
            #expect(ConfigurationSample.diagnostics(deep) == ["1:68: is nested more than 64 levels deep"])
        }
    }

    @Test("are checked with one line that sums up")
    func check() throws {
        try Self.with(["a.yml": Self.service, "r.toml": Self.router]) { root in
            let right = ConfigurationCheck(paths: [root])
            #expect(right.isRight && right.summary == "\(root): ok: 1 router, 1 service, 1 backend")
            let one = ConfigurationCheck(paths: ["\(root)/a.yml", "\(root)/r.toml", "\(root)/none"])
            #expect(one.summary == "\(root)/a.yml \(root)/r.toml \(root)/none: 1 error")
            let main = ConfigurationCheck(config: try SourceText(main: "\(root)/a.yml"))
            #expect(main.summary == "\(root)/a.yml: ok: 1 entry point, 0 routers, 1 service, 1 backend")
            let bad = ConfigurationReading.container("c", 1, ["traefik.http.routers.r.rul": "x"])
            let container = ConfigurationCheck(config: try SourceText(main: "\(root)/a.yml"), containers: [bad])
            #expect(!container.isRight && container.summary == "\(root)/a.yml: 1 error")
        }
    }
}
