import ArgumentParser

@main
struct Limpet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "An HTTP reverse proxy with shared session affinity.")
}
