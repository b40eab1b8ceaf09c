import ArgumentParser
import Control

/// Whom a command that asks a replica trusts.
struct AdminAuthorityOptions: ParsableArguments {
    @Option(
        name: .customLong("ca"),
        help: "The authorities of an https admin listener, a PEM file. The default is those of the system.")
    var authorityFile: String?

    /// - Parameter url: of the admin listener.
    func client(_ url: String) throws -> AdminClient {
        if !url.lowercased().hasPrefix("https://") { try checkUnused() }
        let authorities: [[UInt8]]?
        do {
            authorities = try authorityFile.map(AdminClient.authorities)
        } catch {
            throw ValidationError("--ca \(error)")
        }
        do {
            return try AdminClient(url, authorities: authorities)
        } catch {
            throw ValidationError("--admin \(error)")
        }
    }

    /// - Throws: if authorities are named that nothing is verified by.
    func checkUnused() throws {
        guard authorityFile != nil else { return }
        throw ValidationError("--ca has no effect without --admin https://host:port")
    }
}
