import ArgumentParser
import Control

/// Whom a command that asks a replica trusts, and what it shows.
struct AdminTLSOptions: ParsableArguments {
    @Option(
        name: .customLong("ca"),
        help: "The authorities of an https admin listener, a PEM file. The default is those of the system.")
    var authorityFile: String?

    @Option(
        name: .customLong("cert"),
        help: "The certificate for an https admin listener that demands one, a PEM file with its chain.")
    var certificateFile: String?

    @Option(
        name: .customLong("key"), help: "The key of --cert, a PEM file. The default is the file of --cert.")
    var keyFile: String?

    /// - Parameter url: of the admin listener.
    func client(_ url: String) throws -> AdminClient {
        if !url.lowercased().hasPrefix("https://") { try checkUnused() }
        let authorities: [[UInt8]]?
        do {
            authorities = try authorityFile.map(AdminClient.authorities)
        } catch {
            throw ValidationError("--ca \(error)")
        }
        let certificate = try certificate()
        do {
            return try AdminClient(url, authorities: authorities, certificate: certificate)
        } catch {
            throw ValidationError("--admin \(error)")
        }
    }

    private func certificate() throws -> AdminCertificate? {
        guard let certificateFile else {
            guard keyFile == nil else { throw ValidationError("--key has no effect without --cert") }
            return nil
        }
        do throws(AdminCertificate.Failure) {
            return try AdminCertificate(certificate: certificateFile, key: keyFile ?? certificateFile)
        } catch {
            let option = error.isOfKey && keyFile != nil ? "--key" : "--cert"
            let advice = error.lacksKey && keyFile == nil ? ": name its file with --key" : ""
            throw ValidationError("\(option) \(error.reason)\(advice)")
        }
    }

    /// - Throws: if files are named that nothing is verified by, or that nobody is shown.
    func checkUnused() throws {
        let options = [("--ca", authorityFile), ("--cert", certificateFile), ("--key", keyFile)]
        guard let unused = options.first(where: { $0.1 != nil })?.0 else { return }
        throw ValidationError("\(unused) has no effect without --admin https://host:port")
    }
}
