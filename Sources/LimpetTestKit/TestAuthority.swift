import Foundation

/// A certificate authority of a test, in a folder of its own, with the program `openssl`. Its certificates and keys are
/// PEM files.
package struct TestAuthority: Sendable {
    /// A certificate with its key.
    package struct Pair: Sendable {
        package let certificate: String
        package let key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }

        package var certificateBytes: [UInt8] { Array(FileManager.default.contents(atPath: certificate) ?? Data()) }
        package var keyBytes: [UInt8] { Array(FileManager.default.contents(atPath: key) ?? Data()) }
    }

    package enum Algorithm: String, Sendable {
        case p256 = "ec -pkeyopt ec_paramgen_curve:P-256"
        case p521 = "ec -pkeyopt ec_paramgen_curve:P-521"
        case rsa2048 = "rsa:2048"
        case ed25519
    }

    package let directory: String
    /// The authority's own certificate.
    package let root: Pair

    package init(in directory: String, name: String = "Test Authority") throws {
        self.directory = directory
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        root = Pair(certificate: "\(directory)/ca.pem", key: "\(directory)/ca.key")
        try Self.openssl(
            "req -x509 -newkey \(Algorithm.p256.rawValue) -nodes -days 90 -keyout \(root.key) -out \(root.certificate)",
            ["-subj", "/O=Limpet Tests/CN=\(name)"], in: directory)
    }

    /// The authority's certificate ended a day ago. What it has issued is as before.
    package func expire() throws {
        let expired = "\(directory)/expired.pem"
        try Self.openssl(
            "x509 -in \(root.certificate) -signkey \(root.key) -days -1 -out \(expired)", [], in: directory)
        try TextFile.write(TextFile.read(expired), to: root.certificate)
    }

    /// Issues a certificate.
    ///
    /// - Parameters:
    ///   - name: the base of the files' names.
    ///   - alternativeNames: as in `DNS:a.example,IP:127.0.0.1`.
    ///   - days: how long it lives, from now.
    ///   - isExpired: it lived in the year 2020.
    package func issue(
        _ name: String, _ alternativeNames: String, days: Int = 90, isExpired: Bool = false,
        algorithm: Algorithm = .p256,
        subject: String? = nil
    ) throws -> Pair {
        let base = "\(directory)/\(name)"
        try Self.openssl(
            "req -new -newkey \(algorithm.rawValue) -nodes -keyout \(base).key -out \(base).csr",
            ["-subj", subject ?? "/CN=\(name)", "-addext", "subjectAltName=\(alternativeNames)"], in: directory)
        guard !isExpired else {
            try issueExpired(base)
            return Pair(certificate: "\(base).pem", key: "\(base).key")
        }
        try Self.openssl(
            "x509 -req -in \(base).csr -CA \(root.certificate) -CAkey \(root.key) -CAcreateserial -days \(days)",
            ["-copy_extensions", "copy", "-out", "\(base).pem"], in: directory)
        return Pair(certificate: "\(base).pem", key: "\(base).key")
    }

    /// Only the command `ca` takes dates.
    private func issueExpired(_ base: String) throws {
        let settings = """
            [ca]
            default_ca = ca
            copy_extensions = copy
            database = \(base).index
            new_certs_dir = \(directory)
            default_md = sha256
            policy = policy
            rand_serial = yes
            [policy]
            commonName = supplied

            """
        try TextFile.write(settings, to: "\(base).cnf")
        try TextFile.write("", to: "\(base).index")
        try Self.openssl(
            "ca -batch -notext -config \(base).cnf -in \(base).csr -out \(base).pem",
            [
                "-cert", root.certificate, "-keyfile", root.key, "-startdate", "20200101000000Z", "-enddate",
                "20201231000000Z",
            ], in: directory)
    }

    /// Runs `openssl`. Blocks.
    package static func openssl(_ words: String, _ arguments: [String], in directory: String) throws {
        let log = "\(directory)/openssl-\(UInt64.random(in: 0 ... .max))"
        let command = ["/usr/bin/openssl"] + words.split(separator: " ").map(String.init) + arguments
        let process = try ChildProcess(command, log: log)
        guard process.waitForEnd(within: 30) == .exited(0) else {
            throw ChildProcess.Failure(description: "\(command): \((try? TextFile.read(process.errorPath)) ?? "")")
        }
    }
}
