import Configuration
import Testing

@testable import Control

@Suite("What a reload reads")
struct ReloadSourcesTests {
    private static let main = SourceText(name: "m.yml", text: "", role: .main)

    private static func files(_ text: String, unreadable: Bool = false) -> DynamicFiles {
        let diagnostic = Diagnostic(severity: .error, source: .file("d.yml"), place: nil, key: "", message: "gone")
        return DynamicFiles(
            files: [SourceText(name: "d.yml", text: text, role: .dynamic)], diagnostics: unreadable ? [diagnostic] : [])
    }

    private static func inputs(_ text: String, _ containers: [DockerContribution] = []) -> ReloadSources.Inputs {
        .init(files: .init(main: main, provided: files(text)), containers: containers)
    }

    /// Whether a reading takes these.
    private static func takes(
        _ inputs: ReloadSources.Inputs?, _ text: String, _ containers: [DockerContribution] = []
    ) -> Bool {
        inputs?.files.provided == files(text) && inputs?.containers == containers
    }

    static func container(_ name: String) -> DockerContribution {
        DockerContribution(
            containerName: name, containerID: name, created: 0, labels: [:], host: "10.0.0.1", exposedPorts: [80],
            isDraining: false, defaultName: name, defaultRule: "Host(`\(name)`)")
    }

    @Test("what says the same as before is nothing new")
    func equal() {
        var sources = ReloadSources(Self.inputs("1", [Self.container("a")]))
        let files = sources.found(Self.files("1"))
        let containers = sources.found([Self.container("a")])
        #expect(!files && !containers)
        let gone = sources.found(Self.files("1", unreadable: true))
        let back = sources.found(Self.files("1"))
        #expect(gone && back)
    }

    @Test("everything that is new is read together")
    func newest() {
        var sources = ReloadSources(Self.inputs("1"))
        _ = sources.found(Self.files("2"))
        _ = sources.found([Self.container("a")])
        #expect(Self.takes(sources.next, "2", [Self.container("a")]))
    }

    @Test("files that middlewares name are read anew with the others, and not with containers")
    func usersFiles() {
        let first = Self.inputs("1")
        var sources = ReloadSources(first)
        _ = sources.found([Self.container("a")])
        #expect(sources.next?.files == first.files)
        _ = sources.found(Self.files("2"))
        #expect(sources.next?.files.usersFiles != first.files.usersFiles)
        let demanded = UsersFiles()
        sources.found(main: Self.main, demanded, CertificateFiles())
        #expect(sources.next?.files.usersFiles == demanded)
        #expect(sources.inForce == first)
    }

    @Test("containers that change while the files are wrong are read with the files that are in force")
    func wrongFiles() {
        var sources = ReloadSources(Self.inputs("1"))
        _ = sources.found(Self.files("wrong"))
        sources.refuse(sources.newest)
        let nothing = sources.next
        _ = sources.found([Self.container("a")])
        let containers = sources.next
        sources.accept(.init(files: sources.inForce.files, containers: [Self.container("a")]))
        let rest = sources.next
        sources.found(main: Self.main, UsersFiles(), CertificateFiles())
        let demanded = sources.next
        _ = sources.found(Self.files("2"))
        let mended = sources.next
        #expect(nothing == nil && rest == nil)
        #expect(Self.takes(containers, "1", [Self.container("a")]))
        #expect(Self.takes(demanded, "wrong", [Self.container("a")]))
        #expect(Self.takes(mended, "2", [Self.container("a")]))
    }
}
