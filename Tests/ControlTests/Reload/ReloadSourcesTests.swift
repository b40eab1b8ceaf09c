import Testing

@testable import Control

@Suite("What a reload reads")
struct ReloadSourcesTests {
    private static let main = SourceText(name: "m.yml", text: "", role: .main)

    private static func files(_ text: String, unreadable: Bool = false) -> DynamicFiles {
        let mistake = Mistake(severity: .error, source: .file("d.yml"), place: nil, key: "", message: "gone")
        return DynamicFiles(
            files: [SourceText(name: "d.yml", text: text, role: .dynamic)], mistakes: unreadable ? [mistake] : [])
    }

    private static func inputs(_ text: String, _ containers: [DockerContribution] = []) -> ReloadSources.Inputs {
        .init(files: .init(main: main, provided: files(text)), containers: containers)
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
        let next = sources.next(isDemanded: false)
        #expect(next == Self.inputs("2", [Self.container("a")]))
    }

    @Test("containers that change while the files are wrong are read with the files that are in force")
    func wrongFiles() {
        var sources = ReloadSources(Self.inputs("1"))
        _ = sources.found(Self.files("wrong"))
        sources.refuse(Self.inputs("wrong"))
        let nothing = sources.next(isDemanded: false)
        _ = sources.found([Self.container("a")])
        let containers = sources.next(isDemanded: false)
        sources.accept(Self.inputs("1", [Self.container("a")]))
        let rest = sources.next(isDemanded: false)
        let demanded = sources.next(isDemanded: true)
        _ = sources.found(Self.files("2"))
        let mended = sources.next(isDemanded: false)
        #expect(nothing == nil && rest == nil)
        #expect(containers == Self.inputs("1", [Self.container("a")]))
        #expect(demanded == Self.inputs("wrong", [Self.container("a")]))
        #expect(mended == Self.inputs("2", [Self.container("a")]))
    }
}
