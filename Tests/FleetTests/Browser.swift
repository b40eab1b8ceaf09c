import Foundation
import LimpetTestKit

/// A Chromium without a window.
enum Browser {
    /// Nil where there is none.
    static let path = ProcessInfo.processInfo.environment["LIMPET_TEST_BROWSER"].flatMap { path in
        FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    /// Opens a page of a fleet's first replica over TLS, and runs `body` once the page has done its work. The browser
    /// goes on until `body` ends it, or returns. Blocks.
    ///
    /// - Parameter seen: what has been seen of the page, if it takes too long.
    static func visit(
        _ fleet: TLSFleet, until isOver: @escaping () -> Bool, seen: @autoclosure () -> String = "",
        _ body: (ChildProcess) throws -> Void
    ) throws {
        let process = try open(fleet)
        defer {
            process.signal(SIGTERM)
            _ = process.waitForEnd(within: 5)
        }
        guard Waiting.until(within: 60, isOver) else {
            let errors = (try? TextFile.read(process.errorPath)) ?? ""
            throw Unexpected(description: "the page has not done its work: \(seen()) \(errors)")
        }
        try body(process)
    }

    /// Opens a page of a fleet's first replica over TLS. What the network does is written to `network.json`.
    private static func open(_ fleet: TLSFleet) throws -> ChildProcess {
        guard let path else { throw Unexpected(description: "there is no browser") }
        return try ChildProcess(
            [
                path, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", "--user-data-dir=\(fleet.directory)/browser",
                "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
                "--host-resolver-rules=MAP shop.example 127.0.0.1, MAP *.shop.example 127.0.0.1",
                "--ignore-certificate-errors-spki-list=\(pin(fleet.certificate.certificate))",
                "--log-net-log=\(fleet.directory)/network.json", "https://shop.example:\(fleet.replicas[0].port)/",
            ], log: "\(fleet.directory)/browser")
    }

    /// The hash of a certificate's public key, by which the browser is told to accept it.
    private static func pin(_ certificate: String) throws -> String {
        let program = """
            openssl x509 -in \(certificate) -pubkey -noout | openssl pkey -pubin -outform der \
            | openssl dgst -sha256 -binary | base64
            """
        return try CommandOutcome(running: ["/bin/sh", "-c", program]).output.filter { !$0.isNewline }
    }
}
