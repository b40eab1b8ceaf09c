import ArgumentParser

@main
struct Limpet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "An HTTP reverse proxy whose replicas share session affinity.",
        discussion: """
            Any number of replicas run side by side and send each session to its backend, whichever of them it meets. \
            They share what they know through Redis.
            """,
        version: "limpet 0.1.0",
        subcommands: [WhoamiCommand.self])
}
