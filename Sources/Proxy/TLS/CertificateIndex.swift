import TLS

/// Which certificate serves which name: exact names first, then wildcards, then the default. Pure.
package struct CertificateIndex: Equatable, Sendable {
    /// Index of the certificate for each name, wildcards as `*.example.com`.
    private var places: [String: Int] = [:]
    private let defaultPlace: Int?

    /// What serves a connection.
    package enum Selection: Equatable, Sendable {
        case certificate(Int)
        /// No certificate covers the name, and there is no default: the alert `unrecognized_name`.
        case none
    }

    /// - Parameters:
    ///   - names: for each certificate, the normalized names that it covers. Where two cover one name the earlier
    ///     counts.
    ///   - defaultPlace: the default certificate, which also covers its own names.
    package init(names: [[String]], defaultPlace: Int?) {
        for (place, names) in names.enumerated() {
            for name in names where places[name] == nil { places[name] = place }
        }
        self.defaultPlace = defaultPlace
    }

    /// - Parameters:
    ///   - name: normalized; nil: the client named none.
    ///   - isStrict: without the default.
    package func select(_ name: String?, isStrict: Bool) -> Selection {
        if let name, let place = place(covering: name) { return .certificate(place) }
        guard !isStrict, let defaultPlace else { return .none }
        return .certificate(defaultPlace)
    }

    /// The certificate that has the name, or a wildcard for it.
    package func place(covering name: String) -> Int? {
        places[name] ?? ServerName.wildcard(of: name).flatMap { places[$0] }
    }
}
