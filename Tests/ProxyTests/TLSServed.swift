import Crypto
import Foundation
import LimpetTestKit
import TLS

@testable import Proxy

/// Certificates of a test, and data planes that serve them.
struct TLSServed {
    let authority: TestAuthority
    private let names: [String: ServerCertificate]

    /// One certificate for each list of alternative names.
    init(_ names: String..., algorithm: TestAuthority.Algorithm = .p256) throws {
        authority = try TestAuthority(in: TemporaryFile.path())
        var made: [String: ServerCertificate] = [:]
        for (index, name) in names.enumerated() {
            let pair = try authority.issue("c\(index)", name, algorithm: algorithm)
            made[name] = try ServerCertificate(chain: pair.certificateBytes, key: pair.keyBytes)
        }
        self.names = made
    }

    /// - Parameters:
    ///   - options: at index 0 those that count for hosts that are not named.
    ///   - defaultCertificate: the alternative names of the default certificate; nil: there is none.
    ///   - secret: the byte that the fleet's secret consists of.
    func serving(
        _ options: [TLSOptions] = [TLSOptions()], hosts: [String: Int] = [:], defaultCertificate: String? = nil,
        secret: UInt8 = 5
    ) -> TLSServing {
        let order = names.keys.sorted()
        return TLSServing(
            certificates: order.compactMap { names[$0] },
            defaultCertificate: defaultCertificate.flatMap { order.firstIndex(of: $0) }, options: options,
            hostOptions: [.init(named: hosts)],
            ticketSecret: SymmetricKey(data: [UInt8](repeating: secret, count: 32)))
    }
}
