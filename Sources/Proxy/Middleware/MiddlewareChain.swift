/// The middlewares of one router, prepared for requests: immutable, shared by the event loops. A router without
/// middlewares has no chain.
final class MiddlewareChain: Sendable {
    enum Step: Sendable {
        case headers(FieldRules)
        /// Each prefix as configured, and as sent in X-Forwarded-Prefix.
        case stripPrefix([(path: [UInt8], told: [UInt8])])
        case addPrefix([UInt8])
        case redirectScheme(SchemeRedirect)
        case basicAuth(BasicAuthGate)
        case ipAllowList(IPAllowList)
        case passTLSClientCert(PassTLSClientCert)
        case retry(Retry)
    }

    /// The edits of a `headers` middleware, without the fields that must not be edited.
    struct FieldRules: Sendable {
        let request: [FieldEdit]
        /// For requests that came without TLS.
        let response: [FieldEdit]
        let secureResponse: [FieldEdit]
    }

    let steps: [Step]

    /// Nil without middlewares.
    init?(_ middlewares: [Middleware]) {
        guard !middlewares.isEmpty else { return nil }
        steps = middlewares.map { middleware in
            switch middleware {
            case .headers(let edits): .headers(FieldRules(edits))
            case .stripPrefix(let prefixes):
                .stripPrefix(prefixes.map { (path: Array($0.utf8), told: PathEdit.escaped($0)) })
            case .addPrefix(let prefix): .addPrefix(PathEdit.escaped(prefix))
            case .redirectScheme(let redirect): .redirectScheme(redirect)
            case .basicAuth(let settings): .basicAuth(BasicAuthGate(settings))
            case .ipAllowList(let list): .ipAllowList(list)
            case .passTLSClientCert(let pass): .passTLSClientCert(pass)
            case .retry(let retry): .retry(retry)
            }
        }
    }
}

extension MiddlewareChain.FieldRules {
    init(_ edits: HeaderEdits) {
        request = Self.edits(edits.requestSet, edits.requestRemove) { !FieldEdit.isFraming($0) }
        let own = Self.edits(edits.responseSet, edits.responseRemove) { !FieldEdit.isFraming($0) && $0 != "host" }
        let strict = edits.strictTransport.map {
            FieldEdit.set(name: "Strict-Transport-Security", value: $0.value)
        }
        // What is said of the field by its name counts, as in Traefik.
        secureResponse = [strict].compactMap(\.self) + own
        response = edits.strictTransport?.isForced == true ? secureResponse : own
    }

    private static func edits(
        _ set: [HeaderEdits.Field], _ removed: [String], where isAllowed: (String) -> Bool
    ) -> [FieldEdit] {
        // A request without Host is invalid.
        let removals = removed.filter { isAllowed($0.lowercased()) && $0.lowercased() != "host" }
            .map { FieldEdit.remove(name: $0) }
        return removals + set.filter { isAllowed($0.name.lowercased()) }.map { .set(name: $0.name, value: $0.value) }
    }
}
